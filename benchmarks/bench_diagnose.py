"""Diagnose the corpus and compare with what is known about it: ``bench_diagnose.py [--loaded] [NAME …]``."""

import argparse
import math
import os

from shared import LABELS, PROGRAMS, Label, busy, site

from workbench import Table, records
from workbench.diagnosis.targets import diagnose_target, parse_target
from workbench.results import Diagnosis


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--loaded", action="store_true", help="with two busy processes beside")
    options.add_argument("--repeat", type=int, default=1, metavar="N")
    options.add_argument("names", nargs="*", help="programs; all when none is named, and then the table is recorded")
    args = options.parse_args()
    chosen = {name: label for name, label in LABELS.items() if not args.names or name in args.names}
    rows = []
    with site(), busy(2 if args.loaded else 0):
        for name, label in list(chosen.items()) * args.repeat:
            diagnosis = diagnose_target(parse_target(f"{PROGRAMS}:{name}")).diagnosis
            wrong = faults(diagnosis, label)
            right = not any(fault.startswith("verdict") for fault in wrong)
            named = not any(fault.startswith("name") for fault in wrong) if label.wait else None
            rows.append((name, "|".join(label.verdict), diagnosis.verdict, diagnosis.bound_by, right, named, *wrong))
            print(f"{name:26}", row(diagnosis), *wrong, sep="\n       " if wrong else " ")
    columns = ("program", "expected", "verdict", "bound_by", "right", "wait_named")
    nameable = [row[5] for row in rows if row[5] is not None]
    print(f"verdict and bound_by right {sum(row[4] for row in rows)} of {len(rows)}, ", end="")
    print(f"wait named {sum(nameable)} of {len(nameable)}")
    if not args.names:
        table = Table(title="The corpus, diagnosed", columns=columns, rows=tuple(row[:6] for row in rows))
        print(records.save(table, f"benchmarks.diagnose-corpus-{'loaded' if args.loaded else 'idle'}", replace=True))


def row(diagnosis: Diagnosis) -> str:
    """Return a diagnosis in a line."""
    shares = {part: seconds / diagnosis.wall_s for part, seconds in diagnosis.parts.items()}
    text = " ".join(f"{part} {share:.2f}" for part, share in shares.items() if share >= 0.005)
    return (
        f"{diagnosis.verdict:10} {diagnosis.bound_by:9} {diagnosis.wall_s:.2f} s, cost {diagnosis.overhead:.3f}, {text}"
    )


def faults(diagnosis: Diagnosis, label: Label) -> list[str]:
    """Return what a diagnosis has wrong."""
    found = []
    if diagnosis.verdict not in label.verdict or diagnosis.bound_by not in label.bound_by:
        found.append(f"verdict: expected {'|'.join(label.verdict)}, {'|'.join(label.bound_by)}")
    if not math.isclose(sum(diagnosis.parts.values()), diagnosis.wall_s, rel_tol=0.05):
        found.append(f"sum: parts add up to {sum(diagnosis.parts.values()):.3f} s of {diagnosis.wall_s:.3f} s")
    own_s = diagnosis.wall_s - diagnosis.parts["runqueue"]
    for part, share in label.shares.items():
        if abs(diagnosis.parts[part] / own_s - share) > 0.07:
            found.append(f"share: {part} {diagnosis.parts[part] / own_s:.2f}, expected {share}")
    if label.wait:
        kind, target, function = label.wait
        target = target.replace("SITE", os.environ["CORPUS_SITE"])
        waits = [(wait.kind, wait.target, wait.function.split(".")[-1]) for wait in diagnosis.waits[:3]]
        if not any(kind == found_kind and target in name and function == where for found_kind, name, where in waits):
            found.append(f"name: expected {label.wait}, found {waits}")
    return found


if __name__ == "__main__":
    main()
