"""Cores that are not used, or wanted by too many."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.advice.evidence import Evidence, seconds_of
from workbench.advice.saving import Share, opportunity
from workbench.opportunity import Opportunity
from workbench.origin import is_users
from workbench.results import Child
from workbench.source import text_of
from workbench.views import number

#: Functions that work outside of the GIL on all they are given.
_LETS_GO = (
    "zlib.compress", "zlib.decompress", "gzip.compress", "gzip.decompress", "bz2.compress", "bz2.decompress",
    "lzma.compress", "lzma.decompress", "hashlib.pbkdf2_hmac", "hashlib.scrypt", "bcrypt.hashpw", "zstandard.compress",
)  # fmt: skip
#: Starting processes takes a part of this.
_STARTS_S = 0.1
_COMPUTING = ("python", "native", "gil", "runqueue")
#: A worker that waits for a core for so much of the time.
_CROWDED = 0.25
#: A process whose threads take so much more CPU time than its first one computes in several.
_MORE_THREADS = 1.3
#: The cores are taken for so much of the time.
_BUSY = 0.6
#: Threads that wait for each other without sleeping waste most of what they take.
_BLAS = Share(0.45, 0.7, 0.9)


def find(seen: Evidence) -> Iterator[Opportunity]:
    """Find threads that compute in turn, for the GIL, and workers that are more than the cores."""
    yield from _processes(seen)
    yield from _one_by_one(seen)
    yield from _fewer(seen)


def _processes(seen: Evidence) -> Iterator[Opportunity]:
    samples = [
        sample
        for sample in seen.samples
        if sample.in_worker and sample.part in _COMPUTING and is_users(sample.place.file)
    ]
    waits_s = sum(sample.seconds for sample in samples if sample.part == "gil")
    if seen.cores < 2 or not seen.is_large(waits_s) or seen.wall_s / seen.diagnosis.runs < _STARTS_S:
        return
    seconds = seconds_of(samples)
    rest = 1 - 1 / seen.cores
    place = max(samples, key=lambda sample: sample.seconds * (sample.part == "python")).place
    yield opportunity(
        seen, "processes-for-threads", place, seconds, Share(0.75 * rest, 0.95 * rest, rest),
        what="compute in processes instead of threads",
        why=f"the threads take turns: {number(waits_s)} s go to waiting for the GIL, and {seen.cores} cores are there",
        how="with ProcessPoolExecutor() as pool:\n    answers = list(pool.map(function, items, chunksize=10))",
        try_="processes",
        hazard="arguments and answers are pickled",
    )  # fmt: skip


def _one_by_one(seen: Evidence) -> Iterator[Opportunity]:
    """Find calls of native code that lets go of the GIL, made one after the other on one of several cores."""
    rest = 1 - 1 / seen.cores
    for place, samples in seen.places(lambda sample: sample.part == "native" and not sample.in_worker):
        seconds = seconds_of(samples)
        if seen.cores < 2 or not seen.is_large(seconds):
            return
        calls = [text_of(call.func) for call in seen.source.calls(place)]
        name = next((name for name in calls if name in _LETS_GO), "")
        if (
            name
            and seen.repeats(samples[0]) is not None
            and not seen.source.grows(place)
            and seen.wall_s / seen.diagnosis.runs >= _STARTS_S
        ):
            yield opportunity(
                seen, "threads-for-native", place, seconds, Share(0.6 * rest, 0.92 * rest, rest),
                what=f"run {name}() in as many threads as there are cores",
                why=f"{number(seconds)} s: it lets go of the GIL, and is called for one item after the other",
                how=f"with ThreadPoolExecutor({seen.cores}) as pool:\n    answers = list(pool.map(function, items))",
                try_="threads",
                hazard="items must be large (a tenth of a millisecond each, or more) and independent of each other",
            )  # fmt: skip


def _fewer(seen: Evidence) -> Iterator[Opportunity]:
    """Find workers of which each lets a library compute in threads of its own, more of them than there are cores."""
    workers = [child for child in seen.diagnosis.children if _is_crowded(child)]
    if len(workers) < 2 or seen.diagnosis.cpu_s < _BUSY * seen.cores * seen.wall_s:
        return
    computing = seen.places(lambda sample: sample.in_worker and sample.part in _COMPUTING)
    if not computing:
        return
    queued_s = sum(child.parts["runqueue"] for child in workers)
    yield opportunity(
        seen, "fewer-threads", computing[0][0], seen.wall_s, _BLAS,
        what="let a library use one thread in each worker",
        why=f"{len(workers)} workers waited {number(queued_s)} s for a core in all: each computes in threads of its "
            f"own, as NumPy's BLAS does, and there are {seen.cores} cores",
        how="os.environ['OPENBLAS_NUM_THREADS'] = '1'  # before numpy is imported; OMP_NUM_THREADS too",
    )  # fmt: skip


def _is_crowded(child: Child) -> bool:
    """Say whether a child waits for cores that other threads of its own take."""
    first_s = child.parts.get("python", 0.0) + child.parts.get("native", 0.0)
    waits = child.parts.get("runqueue", 0.0) > _CROWDED * child.wall_s
    return waits and child.cpu_s > _MORE_THREADS * first_s
