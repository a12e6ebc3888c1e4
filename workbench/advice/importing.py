"""Packages that are imported and not used in what ran."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from workbench.advice.evidence import Evidence, Frame, Sample, seconds_of
from workbench.advice.saving import Share, opportunity
from workbench.opportunity import Opportunity
from workbench.origin import package_of
from workbench.views import number

#: Some of it other packages import as well.
_SHARE = Share(0.7, 0.92, 1.0)


def find(seen: Evidence) -> Iterator[Opportunity]:
    """Find the packages that take long to import and are not used afterwards."""
    ran = [sample for sample in seen.samples if not _imports(sample)]
    used = {package for sample in ran for one in sample.frames if (package := package_of(one.file))}
    ran_in = {one.name for sample in ran for one in sample.frames} | {"<module>"}
    found: dict[tuple[Frame, str], list[Sample]] = {}
    for sample in filter(_imports, seen.samples):
        if sample.place.function != "<module>" or not (package := _imported(sample)) or package in used:
            continue
        users = (seen.source.users(sample.place, name) for name in seen.source.imported(sample.place))
        if not any(ran_in & each for each in users):
            found.setdefault((sample.place, package), []).append(sample)
    by_line: dict[Frame, list[tuple[float, str]]] = {}
    for (place, package), samples in found.items():
        by_line.setdefault(place, []).append((seconds_of(samples), Path(package).stem))
    for place, packages in by_line.items():
        seconds = sum(took_s for took_s, _ in packages)
        if not seen.is_large(seconds):
            continue
        dearest = ", ".join(f"{name} {number(took_s)} s" for took_s, name in sorted(packages, reverse=True)[:3])
        name = max(packages)[1]
        yield opportunity(
            seen, "lazy-import", place, seconds, _SHARE,
            what=f"import {name} where it is used" if len(packages) == 1 else "import packages where they are used",
            why=f"importing took {dearest}, and nothing that ran used it",
            how=f"def needs_it():\n    import {name}",
        )  # fmt: skip


def _imports(sample: Sample) -> bool:
    return any(inner.imports for inner in sample.beyond)


def _imported(sample: Sample) -> str:
    """Return the package that the user's line imports."""
    return next((package for inner in sample.beyond if (package := package_of(inner.file))), "")
