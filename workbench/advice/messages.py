"""Pools that send more than they compute, and a process for each item."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from workbench.advice.evidence import Evidence, Frame, Sample, seconds_of
from workbench.advice.overlapping import AT_ONCE, share_of_overlap
from workbench.advice.saving import MOST, Share, of_repeated, opportunity
from workbench.opportunity import Opportunity
from workbench.origin import is_users
from workbench.views import number

#: Where pools hand items and answers from process to process.
_POOLS = (
    "concurrent/futures/process.py", "multiprocessing/queues.py", "multiprocessing/pool.py",
    "multiprocessing/connection.py", "multiprocessing/reduction.py", "joblib/parallel.py",
    "joblib/_parallel_backends.py", "joblib/externals/loky/process_executor.py",
    "joblib/externals/loky/reusable_executor.py",
)  # fmt: skip
_SENDING = Share(0.65, 0.92, 1.0)
#: Less is sent, but not nothing.
_PACKING = Share(0.4, 0.75, 1.0)
#: From here on it is the machinery that takes the time, not the work.
_MOSTLY = 0.3
#: A program that ends sooner has mostly started.
_STARTS_S = 0.05


def find(seen: Evidence) -> Iterator[Opportunity]:
    """Find pools whose messages take the time, and lines that start a program again and again."""
    yield from _messages(seen)
    yield from _programs(seen)


def _messages(seen: Evidence) -> Iterator[Opportunity]:
    asked = [sample for sample in seen.samples if _asks_pool(sample)]
    sending = list(filter(_sends, seen.samples))
    sent_s = seconds_of(sending)
    if not asked or sent_s < _MOSTLY * seen.wall_s:
        return
    place = max(asked, key=lambda sample: sample.seconds).place
    if seconds_of(filter(_packs, sending)) > _MOSTLY * sent_s:
        yield opportunity(
            seen, "send-less", place, sent_s, _PACKING,
            what="send less to the workers, or compute here",
            why=f"{number(sent_s)} s go to packing items and answers and sending them between processes",
            how="pool.map(function, names_of_files)  # let workers read, or make, what they work on\n"
                "multiprocessing.shared_memory.SharedMemory(...)  # or share one array",
        )  # fmt: skip
        return
    of_joblib = any("/joblib/" in inner.file for sample in asked for inner in sample.beyond)
    # What is not computed is done to bring the workers their items.
    own = (sample for sample in seen.samples if is_users(sample.place.file) and not _sends(sample))
    yield opportunity(
        seen, "larger-chunks", place, max(sent_s, seen.wall_s - seconds_of(own)), _SENDING,
        what="send many items at once, or compute them here",
        why=f"{number(sent_s)} s go to sending items and answers between processes, one by one",
        how="answers = [function(item) for item in items]  # or Parallel(n_jobs=2, batch_size=1000)" if of_joblib else
            "answers = pool.map(function, items, chunksize=500)  # or a plain loop, where the work is tiny",
        try_="processes",
    )  # fmt: skip


def _packs(sample: Sample) -> bool:
    """Say whether a sample is of pickling, or of moving what was pickled, rather than of handing it on."""
    ends = ("multiprocessing/reduction.py", "multiprocessing/connection.py", "multiprocessing/shared_memory.py")
    return sample.part == "native" and sample.frames[-1].file.endswith(ends)


def _sends(sample: Sample) -> bool:
    """Say whether a sample is of a pool's own machinery, not of what a worker was asked to do."""
    inner = sample.beyond or (sample.place,)
    # What is native while a thread waits is what the others do.
    of_others = sample.part == "native" and inner[-1].is_of("threading.py", "wait", "acquire", "_wait_for_tstate_lock")
    if of_others or sample.part in ("sleep", "network"):
        return False
    return any(seen.file.endswith(end) for seen in inner for end in _POOLS)


def _asks_pool(sample: Sample) -> bool:
    return any(seen.file.endswith(end) for seen in sample.beyond for end in _POOLS)


def _programs(seen: Evidence) -> Iterator[Opportunity]:
    unseen_s = sum(stack.seconds for stack in seen.diagnosis.stacks if stack.part == "native" and stack.own < 0)
    for place, samples in seen.places(lambda sample: any(inner.is_of("subprocess.py") for inner in sample.beyond)):
        count, seconds = seen.waits(place, "child", "sleep", "network").times, seconds_of(samples) + unseen_s
        if not seen.is_large(seconds) or count < 3 or seen.repeats(samples[0]) is None:
            continue
        idle_s = seconds_of(sample for sample in samples if sample.part in ("sleep", "network", "disk"))
        lasted_s = median([child.wall_s for child in seen.diagnosis.children] or [0.0])
        if idle_s > _MOSTLY * seconds:
            yield _together(seen, place, count, seconds, share_of_overlap(count), AT_ONCE)
        elif seconds / count < _STARTS_S and lasted_s < _STARTS_S:
            yield _once(seen, place, count, seconds)
        else:
            rest = 1 - 1 / min(seen.cores, count)
            yield _together(seen, place, count, seconds, Share(0.7 * rest, 0.95 * rest, MOST.high), seen.cores)
        return


def _once(seen: Evidence, place: Frame, count: int, seconds: float) -> Opportunity:
    return opportunity(
        seen, "one-program", place, seconds, of_repeated(count),
        what="start one program for many items",
        why=f"programs, one after the other, that end within {number(1e3 * seconds / count)} ms: starting them is most "
            "of that",
        how="subprocess.run([program, *names])  # all names in one call; or a library instead of a program",
    )  # fmt: skip


def _together(seen: Evidence, place: Frame, count: int, seconds: float, share: Share, workers: int) -> Opportunity:
    return opportunity(
        seen, "programs-at-once", place, seconds, share,
        what="run several programs at once",
        why=f"programs, one after the other, take {number(seconds)} s, {number(seconds / count)} s each or more",
        how=f"with ThreadPoolExecutor({workers}) as pool:\n    answers = list(pool.map(run, items))",
        try_="threads",
    )  # fmt: skip
