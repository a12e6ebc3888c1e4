"""Time is conserved, whatever the observer saw; tested on made-up recordings with exact times."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.diagnosis.accounting import Accounts
from workbench.diagnosis.assemble import assemble
from workbench.diagnosis.naming import Namer
from workbench.diagnosis.observer.protocol import DISPLACED, OFF_CORE, PYTHON, RUNNING, Process, Seen, Tick
from workbench.diagnosis.recorder import Recording
from workbench.diagnosis.tracks import make_tracks

MS = 1_000_000
SLEEP, NETWORK, LOCK, GIL = 0, 1, 2, 3


def recording(looks: list[tuple[int, int, int, int]]) -> Recording:
    """Return one thread's recording: for each look the ms since the one before, ms on core, in run queue, the wait."""
    now = on_cpu = runqueue = 0
    ticks = [Tick(0, (Seen(1, 1, 0, 0, RUNNING, -1, PYTHON),), ())]
    for passed, cpu, ready, wait in looks:
        now, on_cpu, runqueue = now + passed * MS, on_cpu + cpu * MS, runqueue + ready * MS
        ticks.append(Tick(now, (Seen(1, 1, on_cpu, runqueue, wait, -1, PYTHON),), ()))
    made = Recording(1, 1, 0, now, {}, ticks=ticks, processes={1: Process(1, 0, "python", True)})
    made.waits = {
        SLEEP: ("sleep", "sleep"),
        NETWORK: ("network", "10.0.0.1:80"),
        LOCK: ("futex", "0x1"),
        GIL: ("gil", "GIL"),
    }
    return made


def parts(made: Recording) -> dict[str, float]:
    accounts = Accounts(made, Namer(made))
    assert accounts.main is not None
    found: dict[str, float] = {}
    for where, seconds in accounts.of(accounts.main).items():
        found[where.part] = found.get(where.part, 0.0) + seconds
    return found


@given(
    st.lists(
        st.tuples(st.integers(1, 50), st.integers(0, 60), st.integers(0, 60), st.sampled_from([RUNNING, SLEEP, LOCK])),
        min_size=1,
        max_size=40,
    )
)
def test_parts_always_add_up_to_the_wall_time(looks: list[tuple[int, int, int, int]]) -> None:
    made = recording(looks)
    assert math.fsum(parts(made).values()) == pytest.approx(made.end_ns / 1e9)


def test_a_wait_that_was_seen_late_by_a_look_that_began_early_is_told() -> None:
    made = recording([(4, 1, 0, SLEEP)])
    made.start_ns, made.end_ns = 5 * MS, 100 * MS
    made.ticks += [Tick(at * MS, (), ()) for at in (20, 60, 100)]  # it has not run since it started the recording
    track = make_tracks(made)[1, 1]
    assert [look.wait for look in track.looks] == [RUNNING, RUNNING, SLEEP, SLEEP, SLEEP]
    assert (track.looks[-1].seconds, track.totals()[2]) == pytest.approx((0.095, 0.095))


def test_counters_give_the_amounts() -> None:
    found = parts(recording([(10, 6, 4, RUNNING), (10, 5, 0, NETWORK), (10, 10, 0, RUNNING), (10, 10, 0, RUNNING)]))
    assert found["python"] == pytest.approx(0.031, abs=0.001)
    assert found["runqueue"] == pytest.approx(0.004, abs=0.001)


@pytest.mark.parametrize(("holder", "part"), [(PYTHON, "gil"), (DISPLACED, "gil"), (OFF_CORE, "runqueue")])
def test_a_wait_for_the_gil_is_run_queue_while_its_holder_has_no_core(holder: int, part: str) -> None:
    made = recording([(10, 0, 0, GIL)] * 3)
    made.processes = {1: Process(1, 0, "python", False)}  # so that no stack is wanted
    made.ticks = [
        tick._replace(seen=(*tick.seen, Seen(1, 2, index * 4 * MS, index * 6 * MS, RUNNING, -1, holder)))
        for index, tick in enumerate(made.ticks)
    ]
    assert parts(made)[part] == pytest.approx(0.03)


def test_a_cost_too_high_to_trust_is_told() -> None:
    made = recording([(10, 6, 4, RUNNING)] * 10)
    made.observer_cpu_s = 0.04
    assert assemble(made, "task").overhead == 0
    # Every look found the observer on the core that the thread was ready for.
    made.ticks = [Tick(tick.ns, tuple(seen._replace(pace=DISPLACED) for seen in tick.seen), ()) for tick in made.ticks]
    diagnosis = assemble(made, "task")
    assert diagnosis.overhead == pytest.approx(0.4)
    assert diagnosis.reasons[-1].startswith("diagnosing took 40 % of the time, too much to trust")
