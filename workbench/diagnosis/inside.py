"""What hides in Python and native code: imports, garbage collection, the kernel, serialisation, and the like.

They are no parts of their own: what is told here is in ``python`` and ``native`` already.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from workbench.advice.evidence import Evidence, Frame, Sample, seconds_of
from workbench.origin import package_of
from workbench.parts import in_group
from workbench.results import Inside
from workbench.source import called, text_of

#: What a library's file is there for, by its end.
_FILES = {
    "pickle.py": "serialisation",
    "json/decoder.py": "serialisation",
    "json/encoder.py": "serialisation",
    "multiprocessing/reduction.py": "serialisation",
    "cloudpickle/cloudpickle.py": "serialisation",
    "multiprocessing/connection.py": "pipes between processes",
    "multiprocessing/queues.py": "pipes between processes",
    "multiprocessing/popen_fork.py": "starting processes",
    "multiprocessing/popen_spawn_posix.py": "starting processes",
    "subprocess.py": "starting processes",
    "ssl.py": "TLS",
    "urllib3/util/ssl_.py": "TLS",
    "re/__init__.py": "regular expressions",
    "re/_compiler.py": "compiling regular expressions",
    "copy.py": "copying",
    "logging/__init__.py": "logging",
    "gzip.py": "compression",
    "sqlalchemy/engine/default.py": "SQL",
    "psycopg/cursor.py": "SQL",
    "pymysql/cursors.py": "SQL",
    "jinja2/environment.py": "templates",
    "django/template/base.py": "templates",
    "hashlib.py": "hashing",
}
#: What functions in C are there for, which have no frame, by their names in the user's line.
_CALLS = {
    **dict.fromkeys(("sha1", "sha224", "sha256", "sha384", "sha512", "md5", "blake2b", "blake2s"), "hashing"),
    **dict.fromkeys(("pbkdf2_hmac", "scrypt", "hexdigest", "digest"), "hashing"),
    **dict.fromkeys(("compress", "decompress"), "compression"),
    **dict.fromkeys(("dumps", "loads"), "serialisation"),
    **dict.fromkeys(("match", "fullmatch", "search", "findall", "finditer"), "regular expressions"),
    **dict.fromkeys(("load_verify_locations", "load_default_certs", "do_handshake"), "TLS"),
    **dict.fromkeys(("execute", "executemany", "fetchall", "fetchone"), "SQL"),
    **dict.fromkeys(("sort", "sorted"), "sorting"),
    **dict.fromkeys(("dot", "matmul", "einsum", "solve", "inv", "svd", "eigh"), "linear algebra"),
}


_CPU = in_group("cpu")


class _Told(NamedTuple):
    what: str
    place: Frame
    callee: str


def find_inside(seen: Evidence) -> tuple[Inside, ...]:
    """Return what is worth a word, the longest first: each with the user's line, and what that line called."""
    computing = [sample for sample in seen.samples if sample.part in _CPU]
    on_cpu_s = sum(seen.diagnosis.parts.get(part, 0.0) for part in _CPU)
    ready_s = max(seconds_of(computing), on_cpu_s) or 1.0  # with what it waited for a core
    found: dict[_Told, list[Sample]] = {}
    for sample in computing:
        if (told := _told(seen, sample)) is not None:
            found.setdefault(told, []).append(sample)
    listed = [
        Inside(what=told.what, seconds=seconds, file=told.place.file, line=told.place.line, callee=told.callee)
        for told, samples in found.items()
        if seen.is_large(seconds := seconds_of(samples) * on_cpu_s / ready_s)
    ]
    return tuple(sorted([*listed, *_counted(seen)], key=lambda inside: -inside.seconds))


def _told(seen: Evidence, sample: Sample) -> _Told | None:
    """Return what a sample is of: the outermost thing that is known by what the user's line called."""
    for inner in sample.beyond:
        if inner.imports:
            return _Told(f"importing {_imported(sample)}", sample.place, "import")
        what = next((what for end, what in _FILES.items() if inner.file.endswith(f"/{end}")), "")
        if what:
            return _Told(what, sample.place, inner.function)
    if sample.beyond or sample.part != "native":
        return None
    for call in seen.source.calls(sample.place):
        if what := _CALLS.get(called(call)[1], ""):
            return _Told(what, sample.place, text_of(call.func))
    return None


def _imported(sample: Sample) -> str:
    """Return the package, or the module, that the user's line imports."""
    for inner in sample.beyond:
        if package := package_of(inner.file):
            return Path(package).stem
    return "modules"


def _counted(seen: Evidence) -> Iterator[Inside]:
    """Yield what was counted exactly; the line is that which was on the CPU most."""
    busiest = seen.places(lambda sample: sample.part in ("native", "python"))
    place = busiest[0][0] if busiest else Frame("", "", 0)
    for name, what in (("gc_s", "garbage collection"), ("thread_system_s", "the kernel")):
        seconds = min(seen.diagnosis.counters.get(name, 0.0), seen.wall_s)
        if seen.is_large(seconds):
            yield Inside(what=what, seconds=seconds, file=place.file, line=place.line, callee="")
