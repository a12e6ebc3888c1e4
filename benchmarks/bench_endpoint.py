"""The endpoint study on a site of planted faults: what it finds, and its savings beside those of fixes made by hand.

The true saving of a fault is that of its twin, which was written by hand and gives the same answer: both pages are
asked in turn, as a trial does. Where a cache or the link counts, it counts with the same hits and the same link.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from shared import Control, Fault, planted_labels

from workbench import EndpointStudy, Finding, Table, WorkbenchError, records, study_endpoint
from workbench.endpoint import trials
from workbench.endpoint.api import USUAL_LINK_BITS, Study
from workbench.endpoint.findings import Candidate
from workbench.endpoint.project import find_project

HIT_RATE = 0.8
#: Kinds of which a share of the requests gains, and kinds that count with the link.
CACHED, ON_LINK = ("uncached_view", "uncached_fragment"), ("no_compression", "no_conditional")
COLUMNS = ("fault", "kind", "found", "line_right", "template_right", "predicted_ms", "predicted_low", "predicted_high")
COLUMNS += ("tried_ms", "tried_low", "tried_high", "true_ms", "true_low", "true_high", "inside", "verdict", "others")


@contextmanager
def shop() -> Iterator[str]:
    """Fill the site's tables and run the service that it asks; the block gets the service's address."""
    with tempfile.TemporaryDirectory() as folder, planted_labels.warehouse() as url:
        env = planted_labels.environment(Path(folder))
        planted_labels.set_up(env)
        os.environ |= {"PLANTED_SQLITE": env["PLANTED_SQLITE"], "PLANTED_UPSTREAM": url}
        yield url.removeprefix("http://")


def studied(page: Fault | Control, upstream: str, budget_s: float) -> EndpointStudy:
    return study_endpoint(
        planted_labels.SITE, page.path, user=page.user or None, settings=page.settings, python=sys.executable,
        hit_rate=HIT_RATE, budget_s=budget_s, allow=[upstream],
    )  # fmt: skip


class Twins:
    """Pages and their twins in warm processes: one pair for all that share settings and user."""

    def __init__(self, upstream: str, stack: ExitStack) -> None:
        self._upstream, self._stack = upstream, stack
        self._open: dict[tuple[str, str], Study] = {}

    def of(self, settings: str, user: str) -> Study:
        """Return the processes under some settings, with a user logged in."""
        if (settings, user) not in self._open:
            project = find_project(planted_labels.SITE, settings, sys.executable)
            started = Study(project, request_of("/"), user or None, False, (self._upstream,))
            self._stack.enter_context(started)
            started.fixed.order("set_arm", patches=[])  # no fix, and no hooks
            self._open[settings, user] = started
        return self._open[settings, user]

    def saving(self, fault: Fault, study: EndpointStudy, budget_s: float) -> tuple[float, float, float]:
        """Return what the twin saves of the time that the study measured, and its interval."""
        ill, well = self.of(fault.settings, fault.user).bare, self.of(fault.fixed_settings, fault.user).fixed
        page, twin = request_of(fault.path), request_of(fault.fixed)
        times = ill.order("request", request=page, times=10, body=False)["times"][1:]
        twin["headers"] = {"accept-encoding": "gzip"} if fault.kind == "no_compression" else {}
        reply = [trials.body_of(well, twin) for _ in range(2)][-1][2]
        if fault.kind == "no_conditional":
            twin["headers"] = {"if-none-match": reply["headers"].get("etag", "")}
        arms = trials.Arms(
            bare=ill, fixed=well, request=page, wall_s=median(one[0] for one in times), link_bits=USUAL_LINK_BITS,
            rivals=1, waits=trials.has_waits(times),
        )  # fmt: skip
        candidate = Candidate(finding=Finding(area=fault.area, kind=fault.kind), on_link=fault.kind in ON_LINK)
        _, _, ratio = trials.alternated(arms, candidate, twin, time.monotonic() + budget_s)
        link_ms = study.body_bytes * 8e3 / USUAL_LINK_BITS if fault.kind in ON_LINK else 0.0
        return trials.saved_ms((study.wall_ms + link_ms) * (HIT_RATE if fault.kind in CACHED else 1.0), ratio)


def request_of(path: str) -> trials.Request:
    return {"path": path, "method": "GET", "data": None, "headers": {}}


def is_at(finding: Finding, fault: Fault) -> bool:
    return any((planted_labels.SITE / file, line) == (Path(finding.file), finding.line) for file, line in fault.lines)


def row_of(fault: Fault, study: EndpointStudy, true: tuple[float, float, float]) -> tuple[Any, ...]:
    """Judge the findings of the fault's kind: those at its line, which the twin mends at once, else the first."""
    of_kind = [one for one in study.findings if one.kind == fault.kind]
    mine = [one for one in of_kind if is_at(one, fault)] or of_kind[:1]
    others = ", ".join(f"{one.kind}: {one.verdict}" for one in study.findings if one not in mine)
    if not mine:
        return (fault.name, fault.kind, False, False, False, *[None] * 6, *true, None, "not found", others)
    names = ("predicted_ms", "predicted_low", "predicted_high", "tried_ms", "tried_low", "tried_high")
    values = {name: [getattr(one, name) for one in mine] for name in names}
    savings = {name: None if None in found else sum(found) for name, found in values.items()}
    # A true saving is known to an interval: the prediction is right where it meets it.
    low, high = savings["predicted_low"], savings["predicted_high"]
    inside = None if low is None or high is None else low <= true[2] and true[1] <= high
    template = not fault.template or any(one.template_line in fault.template_lines for one in mine)
    right = (is_at(mine[0], fault), template)
    return (fault.name, fault.kind, True, *right, *savings.values(), *true, inside, mine[0].verdict, others)


def alarms(control: Control, study: EndpointStudy | WorkbenchError) -> list[str]:
    """Return what is told of a page that is in order: fixes that pay, and those that could not be tried."""
    if isinstance(study, WorkbenchError):
        return [f"fails: {study}"]
    told = [one for one in study.findings if one.verdict in ("pays", "can't be tried")]
    return [f"{one.kind}: {one.verdict}" for one in told if one.kind not in control.also]


def summed_up(table: Table, controls: Table) -> Table:
    """Return the figures of all faults and controls."""
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in table.rows]
    found = [row for row in rows if row["found"]]

    def share(rows: list[Any], name: str) -> float | None:
        return sum(map(bool, (row[name] for row in rows))) / len(rows) if rows else None

    def error(name: str) -> float | None:
        values = [abs(row[name] / row["true_ms"] - 1) for row in found if row[name] is not None and row["true_ms"] > 0]
        return median(values) if values else None

    harmful = [row for row in rows if row["verdict"] == "pays" and row["true_high"] <= 0]
    figures = (
        ("faults", len(rows)),
        ("found", share(rows, "found")),
        ("line right", share(found, "line_right")),
        ("template line right", share(found, "template_right")),
        ("median error predicted", error("predicted_ms")),
        ("median error tried", error("tried_ms")),
        ("inside the predicted interval", share([row for row in found if row["inside"] is not None], "inside")),
        ("pays", sum(row["verdict"] == "pays" for row in rows)),
        ("controls", len(controls.rows)),
        ("controls with a false alarm", sum(bool(row[1]) for row in controls.rows)),
        ("harmful fixes offered as paying", len(harmful)),
    )
    return Table(title="The endpoint study on planted faults, in short", columns=("figure", "value"), rows=figures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", type=float, default=8.0, help="seconds of trying, for each page")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these alone; then nothing is recorded")
    options = parser.parse_args()
    faults, controls = planted_labels.labels()
    pages = [page for page in (*faults, *controls) if not options.only or page.name in options.only]
    random.Random(0).shuffle(pages)  # so that a run that is cut short stands for all
    rows: list[tuple[Any, ...]] = []
    alarmed: list[tuple[str, str]] = []
    study: EndpointStudy | WorkbenchError
    with shop() as upstream, ExitStack() as stack:
        twins = Twins(upstream, stack)
        try:
            for page in pages:
                try:
                    study = studied(page, upstream, options.budget)
                except WorkbenchError as error:
                    study = error
                if isinstance(page, Control):
                    alarmed.append((page.name, ", ".join(alarms(page, study))))
                elif isinstance(study, EndpointStudy):
                    rows.append(row_of(page, study, twins.saving(page, study, options.budget / 2)))
                else:
                    rows.append((page.name, page.kind, *[False] * 3, *[None] * 10, f"fails: {study}", ""))
                print(rows[-1] if isinstance(page, Fault) else alarmed[-1], flush=True)
        except KeyboardInterrupt:
            print(f"interrupted: {len(rows) + len(alarmed)} of {len(pages)} pages")
    table = Table(title="Planted faults: found, predicted, tried and true", columns=COLUMNS, rows=tuple(rows))
    quiet = Table(title="Pages without a fault: what is told of them", columns=("control", "told"), rows=tuple(alarmed))
    short = summed_up(table, quiet)
    for each, name in ((table, "endpoint-faults"), (quiet, "endpoint-controls"), (short, "endpoint-summary")):
        print(each.table().round(3).to_string(index=False))
        if not options.only:
            print(records.save(each, f"benchmarks.{name}", replace=True))


if __name__ == "__main__":
    main()
