"""A coroutine runs from plain code, whether or not a loop runs around that."""

import asyncio
import contextvars
import threading

import pytest

from workbench.coroutines import loop_runs, run_coroutine

CELL = contextvars.ContextVar("CELL", default="none")


async def told():
    await asyncio.sleep(0)
    return CELL.get()


async def fail():
    raise LookupError("not there")


def plain():
    """Plain code that sets a variable of the context, as a kernel does for each cell."""
    CELL.set("this")
    return run_coroutine(told())


async def inside(work):
    assert loop_runs()
    return work()


def in_a_loop(work):
    return asyncio.run(inside(work))


@pytest.mark.parametrize("run", [lambda work: work(), in_a_loop], ids=["alone", "in a loop"])
def test_it_answers_in_the_callers_context_and_raises_what_the_coroutine_raises(run):
    assert contextvars.copy_context().run(run, plain) == "this"
    with pytest.raises(LookupError, match="not there"):
        run(lambda: run_coroutine(fail()))
    assert not loop_runs()
    assert not [thread for thread in threading.enumerate() if thread.name == "workbench-loop"]
