"""Fibonacci membership for arrays of fixed-width integers, by a perfect hash compiled for this processor.

Multiplying by one odd constant sends each of the 93 Fibonacci numbers below 2⁶⁴ to a slot of its own, so one
multiplication, one look-up and one comparison answer for any word::

    found[i] = slots[words[i] * MULTIPLIER >> SHIFT] == words[i]

That loop is handed to LLVM, which writes it with the widest instructions there are: it keeps pace with the memory.
llvmlite compiles it in 20 ms, where importing Numba alone would take most of a second.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import numpy.typing as npt

from workbench.tasks.fib import WORD, fibonacci_below

SLOT_BITS = 10
SHIFT = 64 - SLOT_BITS
#: Found by trying random odd numbers until no two Fibonacci numbers met in a slot, which `_slots` checks.
MULTIPLIER = 17953335270316389289
#: Elements taken at a time where they must be converted to words; their buffer stays in the processor's cache.
BLOCK = 2**15

LOOP = """
@slots = internal constant [{size} x i64] [{slots}]

define void @match(ptr noalias %words, ptr noalias %found, i64 %count) {{
start:
  br label %loop
loop:
  %i = phi i64 [0, %start], [%next, %loop]
  %word_at = getelementptr i64, ptr %words, i64 %i
  %word = load i64, ptr %word_at
  %product = mul i64 %word, {multiplier}
  %slot = lshr i64 %product, {shift}
  %fib_at = getelementptr i64, ptr @slots, i64 %slot
  %fib = load i64, ptr %fib_at
  %same = icmp eq i64 %word, %fib
  %answer = zext i1 %same to i8
  %found_at = getelementptr i8, ptr %found, i64 %i
  store i8 %answer, ptr %found_at
  %next = add nuw i64 %i, 1
  %done = icmp eq i64 %next, %count
  br i1 %done, label %end, label %loop
end:
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
            if words.size:
                match(words.ctypes.data, answers.ctypes.data, words.size)
    return found


@cache
def _compiled(limit: int) -> Callable[[int, int, int], None]:
    """Return the loop for the Fibonacci numbers below a limit: it takes two addresses and a count above 0."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3
    )
    slots = ", ".join(f"i64 {fib}" for fib in _slots(limit))
    module = llvm.parse_assembly(LOOP.format(size=2**SLOT_BITS, slots=slots, multiplier=MULTIPLIER, shift=SHIFT))
    tuning = llvm.create_pipeline_tuning_options(speed_level=3)
    passes = llvm.create_pass_builder(machine, tuning)
    passes.getModulePassManager().run(module, passes)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    prototype = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
    loop = prototype(engine.get_function_address("match"))
    loop.engine = engine  # type: ignore[attr-defined]  # the code lives as long as its engine
    return loop


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
