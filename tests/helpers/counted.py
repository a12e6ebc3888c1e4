"""A memoized function whose calls are counted."""

import asyncio
from functools import partial

from workbench import memoize


class Counted:
    """A function that counts its calls; memoized, plain or async, in one way of calling."""

    def __init__(self, kind, answer=lambda n: n * n, **options):
        self.calls = []
        self.kind = kind

        def plain(n):
            self.calls.append(n)
            return answer(n)

        async def later(n):
            self.calls.append(n)
            await asyncio.sleep(0)
            return answer(n)

        self.memoized = memoize(later if kind == "async" else plain, **options)

    def __call__(self, *args, **kwargs):
        return self._made([partial(self.memoized, *args, **kwargs)])[0]

    def all(self, *calls):
        """Make calls one after the other, in one event loop, and wait for what goes on behind them."""
        return self._made([partial(self.memoized, *args) for args in calls])

    def _made(self, calls):
        if self.kind == "plain":
            return [call() for call in calls]

        async def main():
            answers = [await call() for call in calls]
            while others := asyncio.all_tasks() - {asyncio.current_task()}:
                await asyncio.wait(others)
            return answers

        return asyncio.run(main())
