"""Functions of libraries that are known to be dear, and what does the same for less.

Seconds are those of all stacks in which a line of the user's called the function.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from workbench.advice.evidence import Evidence, Frame, Sample, seconds_of
from workbench.advice.saving import MOST, NEARLY_ALL, Share, opportunity
from workbench.opportunity import Opportunity
from workbench.origin import is_users
from workbench.views import number


class Dear(NamedTuple):
    """A function by its file's end and its names; what to do instead, and the share of its time that this saves."""

    file: str
    names: tuple[str, ...]
    kind: str
    what: str
    how: str
    share: Share


#: By file, function and kind: the user's line, what it called, under which name, and the sample.
_Found = dict[tuple[str, str, str], list[tuple[Frame, Dear, str, Sample]]]
#: Kinds that are faults only where they are done again and again.
_IN_LOOPS = ("vectorise", "compile-once", "collect-then-concat")
_GOES_OVER_ROWS = ("apply_series_generator", "apply_standard")
#: Those, of what grows in each turn.
_GROWS = ("collect-then-concat",)
#: Calls that take such a share of their loop are what it is there for.
_MOST_OF_IT = 0.3
_ROWS = "for row in frame.itertuples(): ...\n# or columns at once: (frame['a'] * frame['b']).sum()"
_LAZY = "select(Parent).options(selectinload(Parent.children))"
#: The first that a stack goes through is told.
DEAR = (
    Dear(
        "pandas/core/frame.py",
        ("iterrows",),
        "itertuples",
        "go over rows without making a Series of each",
        _ROWS,
        MOST,
    ),
    Dear(
        "pandas/core/apply.py",
        ("apply_series_generator", "apply_standard"),
        "vectorise",
        "compute whole columns instead of row by row",
        "frame['a'] * frame['b']  # or np.where(frame['a'] > 0, ...), frame['a'].str...., .map(dictionary)",
        MOST,
    ),
    Dear(
        "pandas/core/indexing.py",
        ("__getitem__", "__setitem__"),
        "vectorise",
        "take single cells less often",
        "values = frame['a'].to_numpy()  # once; or frame.at[row, 'a']",
        MOST,
    ),
    Dear(
        "pandas/core/reshape/concat.py",
        ("concat",),
        "collect-then-concat",
        "collect the parts, and concatenate once",
        "parts.append(part)       # in the loop\npd.concat(parts)         # once",
        MOST,
    ),
    Dear(
        "copy.py",
        ("deepcopy",),
        "copy-less",
        "copy only what changes",
        "new = {**old, 'key': changed}  # or copy.copy, dataclasses.replace",
        NEARLY_ALL,
    ),
    Dear(
        "dataclasses.py",
        ("asdict", "astuple", "_asdict_inner"),
        "copy-less",
        "read the fields instead of copying all",
        "{field.name: getattr(item, field.name) for field in fields(item)}",
        NEARLY_ALL,
    ),
    Dear(
        "_strptime.py",
        ("_strptime", "_strptime_datetime"),
        "parse-dates-quicker",
        "parse dates with a function for their format",
        "datetime.fromisoformat(text)  # of ISO dates; of others pd.to_datetime(column, format=...) at once",
        NEARLY_ALL,
    ),
    Dear(
        "inspect.py",
        ("stack", "getouterframes", "getframeinfo", "findsource", "getmodule"),
        "look-at-frames-less",
        "don't read the source of all callers",
        "sys._getframe(1).f_code.co_name",
        NEARLY_ALL,
    ),
    Dear(
        "traceback.py",
        ("extract", "extract_stack", "_extract_from_extended_frame_gen"),
        "look-at-frames-less",
        "don't read the source of all callers",
        "sys._getframe(1).f_code.co_name",
        NEARLY_ALL,
    ),
    Dear(
        "yaml/scanner.py",
        (),
        "c-loader",
        "read YAML with its loader in C",
        "yaml.load(text, Loader=yaml.CSafeLoader)",
        Share(0.75, 0.85, 0.95),
    ),
    Dear(
        "yaml/parser.py",
        (),
        "c-loader",
        "read YAML with its loader in C",
        "yaml.load(text, Loader=yaml.CSafeLoader)",
        Share(0.75, 0.85, 0.95),
    ),
    Dear(
        "yaml/composer.py",
        (),
        "c-loader",
        "read YAML with its loader in C",
        "yaml.load(text, Loader=yaml.CSafeLoader)",
        Share(0.75, 0.85, 0.95),
    ),
    Dear(
        "yaml/emitter.py",
        (),
        "c-loader",
        "write YAML with its dumper in C",
        "yaml.dump(data, Dumper=yaml.CSafeDumper)",
        Share(0.7, 0.82, 0.92),
    ),
    Dear(
        "charset_normalizer/api.py",
        ("from_bytes",),
        "name-the-encoding",
        "say which encoding the answer has",
        "response.encoding = 'utf-8'  # before response.text; or json.loads(response.content)",
        NEARLY_ALL,
    ),
    Dear(
        "chardet/__init__.py",
        ("detect",),
        "name-the-encoding",
        "say which encoding the answer has",
        "response.encoding = 'utf-8'  # before response.text; or json.loads(response.content)",
        NEARLY_ALL,
    ),
    Dear(
        "re/__init__.py",
        ("_compile",),
        "compile-once",
        "compile patterns once",
        "PATTERN = re.compile(...)  # at the top of the module",
        NEARLY_ALL,
    ),
    Dear(
        "jinja2/environment.py",
        ("from_string", "compile"),
        "compile-once",
        "compile templates once",
        "template = environment.get_template(name)  # once; environments keep them",
        NEARLY_ALL,
    ),
    Dear(
        "sqlalchemy/orm/strategies.py",
        ("_load_for_state", "_emit_lazyload"),
        "load-eagerly",
        "load related rows with the first query",
        _LAZY,
        MOST,
    ),
    Dear(
        "django/db/models/fields/related_descriptors.py",
        ("__get__", "get_queryset"),
        "load-eagerly",
        "load related rows with the first query",
        "Parent.objects.select_related('child')  # or prefetch_related('children')",
        MOST,
    ),
    Dear(
        "statistics.py",
        ("mean", "stdev", "variance", "_sum", "_ss"),
        "quicker-statistics",
        "add up in floats",
        "statistics.fmean(values)  # or numpy.mean, numpy.std",
        NEARLY_ALL,
    ),
    Dear(
        "numpy/lib/_function_base_impl.py",
        ("append", "insert", "delete"),
        "collect-then-concat",
        "collect values in a list, and make the array once",
        "values.append(value)      # in the loop\nnp.array(values)  # once",
        NEARLY_ALL,
    ),
    Dear(
        "numpy/lib/_function_base_impl.py",
        ("__call__", "_vectorize_call"),
        "vectorise",
        "compute whole arrays instead of value by value",
        "np.where(values > 0, values, 0)  # operations of whole arrays",
        MOST,
    ),
    Dear(
        "pkg_resources/__init__.py",
        (),
        "lazy-import",
        "read versions without pkg_resources",
        "importlib.metadata.version(name)",
        NEARLY_ALL,
    ),
    Dear(
        "xml/dom/minidom.py",
        (),
        "quicker-xml",
        "parse XML with ElementTree",
        "xml.etree.ElementTree.parse(file)  # or iterparse, for large ones",
        MOST,
    ),
)


def find(seen: Evidence) -> Iterator[Opportunity]:
    """Find the lines that call a function that is known to be dear.

    Neighbouring lines of quick calls can't be told apart well, so those of one function are taken together.
    """
    found: _Found = {}
    for sample in seen.samples:
        if (through := _dear(sample)) is not None:
            place, dear, _, _ = through
            found.setdefault((place.file, place.function, dear.kind), []).append(through)
    for (_, _, kind), each in _at_users_lines(found).items():
        heaviest = Counter[tuple[Frame, Dear, str]]()
        for place, dear, name, sample in each:
            heaviest[_calling(seen, place, name), dear, name] += sample.seconds  # type: ignore[assignment]
        ((place, dear, name), _), *_ = heaviest.most_common(1)
        seconds = _with_its_line(seen, place, seconds_of(sample for *_, sample in each))
        if kind in _IN_LOOPS and name not in _GOES_OVER_ROWS and seen.repeats(each[0][-1]) is None:
            continue
        if kind in _GROWS and not seen.source.grows(place):
            continue
        if seen.is_large(seconds):
            yield opportunity(
                seen, kind, place, seconds, dear.share,
                what=dear.what,
                why=f"{number(seconds)} s of {number(seen.wall_s)} s go to {name}()",
                how=dear.how,
            )  # fmt: skip


def _at_users_lines(found: _Found) -> _Found:
    """Return what was found, that of stacks that lost their outer end told where most of its kind is."""
    kept = {key: list(each) for key, each in found.items() if is_users(key[0])}
    for key, each in found.items():
        if key not in kept:
            same = [each_kept for key_kept, each_kept in kept.items() if key_kept[2] == key[2]]
            if not same:
                kept[key] = each
                continue
            most = max(same, key=lambda listed: seconds_of(sample for *_, sample in listed))
            most += [(most[0][0], dear, name, sample) for _, dear, name, sample in each]
    return kept


def _calling(seen: Evidence, place: Frame, name: str) -> Frame:
    """Return a line, or the next one of its function that calls something of that name."""
    lines = (place._replace(line=place.line + step) for step in (0, -1, 1, -2, 2))
    return next((line for line in lines if f"{name}(" in seen.source.text(line)), place)


def _dear(sample: Sample) -> tuple[Frame, Dear, str, Sample] | None:
    """Return the user's line that calls a dear function, that function, its name as called, and the sample."""
    if sample.part in ("network", "sleep", "lock"):
        return None
    for at, inner in enumerate(sample.frames):
        if inner.imports:
            return None
        dear = next((dear for dear in DEAR if inner.is_of(dear.file, *dear.names)), None)
        if dear is not None and not is_users(inner.file):
            callers = (one for one in reversed(sample.frames[:at]) if is_users(one.file))
            return next(callers, sample.place), dear, inner.name, sample
    return None


def _with_its_line(seen: Evidence, place: Frame, seconds: float) -> float:
    """Return the time of the calls with that of the line and of the loop that makes them, if they are most of it."""
    first, last = seen.source.loop_at(place)
    around_s = seconds_of(
        sample
        for sample in seen.samples
        if any(one.file == place.file and first <= one.line <= last for one in sample.frames[: sample.own + 1])
    )
    return max(seconds, around_s) if seconds >= _MOST_OF_IT * around_s else seconds
