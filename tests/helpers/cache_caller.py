"""One of several processes that want one missing answer: ``cache_caller.py KIND FOLDER URL CALLERS WAY COUNTS``."""

import asyncio
import os
import sys
import threading
import time

from cache_makers import make_backend

from workbench import memoize
from workbench.caches import Cache


def main(kind, folder, url, callers, way, counts):
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

    cache = Cache(make_backend(kind, folder, url or None))
    memoized = memoize(work if way == "plain" else work_later, cache=cache, ttl_s=60)
    say("ready")
    sys.stdin.readline()
    if way == "plain":
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(memoized(3))) for _ in range(callers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    else:
        answers = asyncio.run(all_later())
    assert answers == [{"number": 3, "of": ("a", 1)}] * callers, answers
    assert cache.counts().errors == 0, cache.counts()
    say("right")


def say(word):
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    kind, folder, url, callers, way, counts = sys.argv[1:]
    main(kind, folder, url, int(callers), way, counts)
