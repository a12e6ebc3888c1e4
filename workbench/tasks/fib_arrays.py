"""Fibonacci membership for arrays of fixed-width integers, by a perfect hash compiled for this processor.

Multiplying by one odd constant sends each of the 93 Fibonacci numbers below 2⁶⁴ to a slot of its own, so one
multiplication, one look-up and one comparison answer for any word::

    found[i] = slots[words[i] * MULTIPLIER >> SHIFT] == words[i]

LLVM makes of it what this processor does for eight words at once, and of the look-up the widest gather there is. Words
are asked for well before their turn: gathers fill the processor's queues, so that by itself it looks ahead too little
to keep pace with the memory. llvmlite compiles it in 20 ms, where importing Numba alone would take most of a second.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import numpy.typing as npt

from workbench.tasks.fibonacci import WORD, fibonacci_below

SLOT_BITS = 10
SHIFT = 64 - SLOT_BITS
#: Found by trying random odd numbers until no two Fibonacci numbers met in a slot, which `_slots` checks.
MULTIPLIER = 17953335270316389289
#: Elements taken at a time where they must be converted to words; their buffer stays in the processor's cache.
BLOCK = 2**15

#: Words taken at once: a cache line of them.
LANES = 8
#: How many words ahead they are asked for; two pages, for processors don't look into the next page by themselves.
AHEAD = 1024

TABLE = "@slots = internal constant [{size} x i64] [{slots}]"
MATCH = f"""
declare void @llvm.prefetch.p0(ptr, i32, i32, i32)

define void @match(ptr %words, ptr %found, i64 %count) {{
  %whole = and i64 %count, -{LANES}
  call void @match_{LANES}(ptr %words, ptr %found, i64 0, i64 %whole)
  call void @match_1(ptr %words, ptr %found, i64 %whole, i64 %count)
  ret void
}}
"""
#: The loop for any number of lanes; ``all_...`` are vectors of one value.
LOOP = """
declare <{lanes} x i64> @llvm.masked.gather.v{lanes}i64.v{lanes}p0(
  <{lanes} x ptr>, i32, <{lanes} x i1>, <{lanes} x i64>)

define internal void @match_{lanes}(ptr noalias %words, ptr noalias %found, i64 %first, i64 %end) {{
start:
  %none = icmp uge i64 %first, %end
  br i1 %none, label %exit, label %loop
loop:
  %i = phi i64 [%first, %start], [%next, %loop]
  %word_at = getelementptr i64, ptr %words, i64 %i
  %ahead = getelementptr i64, ptr %word_at, i64 {ahead}
  call void @llvm.prefetch.p0(ptr %ahead, i32 0, i32 3, i32 1)
  %word = load <{lanes} x i64>, ptr %word_at, align 8
  %product = mul <{lanes} x i64> %word, {all_multiplier}
  %slot = lshr <{lanes} x i64> %product, {all_shift}
  %fib_at = getelementptr i64, ptr @slots, <{lanes} x i64> %slot
  %fib = call <{lanes} x i64> @llvm.masked.gather.v{lanes}i64.v{lanes}p0(
    <{lanes} x ptr> %fib_at, i32 8, <{lanes} x i1> {all_true}, <{lanes} x i64> poison)
  %same = icmp eq <{lanes} x i64> %word, %fib
  %answer = zext <{lanes} x i1> %same to <{lanes} x i8>
  %found_at = getelementptr i8, ptr %found, i64 %i
  store <{lanes} x i8> %answer, ptr %found_at, align 1
  %next = add nuw i64 %i, {lanes}
  %done = icmp uge i64 %next, %end
  br i1 %done, label %exit, label %loop
exit:
  ret void
}}
"""


def are_fib(array: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.bool_]:
    """Tell for each element whether it is a Fibonacci number.

    Parameters
    ----------
    array
        Integers of any width, sign, byte order, shape and stride.

    Returns
    -------
    numpy.ndarray of bool
        In the shape of the array.

    Examples
    --------
    >>> are_fib(np.array([[1, 4], [-1, 8]], dtype=np.int16))
    array([[ True, False],
           [False,  True]])
    """
    signed = array.dtype.kind == "i"
    # A negative int64, read as a word, is at least 2⁶³: with no such number in the table it can't match.
    match = _compiled(WORD // 2 if signed else WORD)
    found = np.empty(array.shape, dtype=bool)
    blocks = np.nditer(
        [array, found],
        flags=["external_loop", "buffered", "growinner", "zerosize_ok"],
        op_flags=[["readonly", "contig", "aligned"], ["writeonly", "contig"]],  # type: ignore[list-item]  # NumPy's typo
        op_dtypes=[np.int64 if signed else np.uint64, bool],
        buffersize=BLOCK,
    )
    with blocks:
        for words, answers in blocks:
            match(words.ctypes.data, answers.ctypes.data, words.size)
    return found


@cache
def _compiled(limit: int) -> Callable[[int, int, int], None]:
    """Return the loop for the Fibonacci numbers below a limit: it takes two addresses and a count."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3
    )
    module = llvm.parse_assembly(_assembly(limit))
    tuning = llvm.create_pipeline_tuning_options(speed_level=3)
    passes = llvm.create_pass_builder(machine, tuning)
    passes.getModulePassManager().run(module, passes)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    prototype = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
    loop = prototype(engine.get_function_address("match"))
    loop.engine = engine  # type: ignore[attr-defined]  # the code lives as long as its engine
    return loop


def _assembly(limit: int) -> str:
    """Return the loop as LLVM's assembly, for whole vectors and for what is left over."""
    table = TABLE.format(size=2**SLOT_BITS, slots=", ".join(f"i64 {fib}" for fib in _slots(limit)))
    loops = [
        LOOP.format(
            lanes=lanes,
            ahead=AHEAD,
            all_multiplier=_all(f"i64 {MULTIPLIER}", lanes),
            all_shift=_all(f"i64 {SHIFT}", lanes),
            all_true=_all("i1 true", lanes),
        )
        for lanes in (LANES, 1)
    ]
    return "\n".join([table, MATCH, *loops])


def _all(value: str, lanes: int) -> str:
    return f"<{', '.join([value] * lanes)}>"


def _slots(limit: int) -> list[int]:
    """Return a table with each Fibonacci number below a limit in its slot; the others hold 0, whose slot is the first.

    Raises
    ------
    ValueError
        Two of them share a slot: the multiplier is no perfect hash.
    """
    slots = [0] * 2**SLOT_BITS
    for fib in fibonacci_below(limit):
        slot = fib * MULTIPLIER % WORD >> SHIFT
        if slots[slot]:
            raise ValueError(f"{slots[slot]} and {fib} share the slot {slot}: choose another multiplier")
        slots[slot] = fib
    return slots
