"""Many callers that want one missing answer, in a process of their own.

Each line of its input is a JSON list of what `prepare` takes; "ready" is the answer, and the next line lets all call.
"""

import asyncio
import json
import os
import sys
import threading
import time

from cache_makers import make_backend

from workbench import memoize
from workbench.caches import Cache


def main():
    for line in sys.stdin:
        call_all = prepare(*json.loads(line))
        say("ready")
        sys.stdin.readline()
        call_all()
        say("right")


def prepare(kind, folder, url, callers, way, counts):
    """Return a function in which so many callers ask at the same time, and find the answer right."""

    def note():
        with open(counts, "a") as file:  # appended whole: one line for each computation
            file.write(f"{os.getpid()}\n")

    def work(number):
        note()
        time.sleep(0.3)
        return {"number": number, "of": ("a", 1)}

    async def work_later(number):
        note()
        await asyncio.sleep(0.3)
        return {"number": number, "of": ("a", 1)}

    async def all_later():
        return await asyncio.gather(*(memoized(3) for _ in range(callers)))

    def in_threads():
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(memoized(3))) for _ in range(callers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers

    def call_all():
        answers = in_threads() if way == "plain" else asyncio.run(all_later())
        assert answers == [{"number": 3, "of": ("a", 1)}] * callers, answers
        assert cache.counts().errors == 0, cache.counts()
        cache.close()

    cache = Cache(make_backend(kind, folder, url))
    memoized = memoize(work if way == "plain" else work_later, cache=cache, ttl_s=60)
    return call_all


def say(word):
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
