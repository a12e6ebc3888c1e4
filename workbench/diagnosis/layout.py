"""Where this interpreter keeps its threads, frames and code objects, found by looking at itself.

The observer reads Python stacks out of the memory of the studied process, so nothing has to run inside it. The offsets
it needs differ from one Python to the next; instead of a table of versions they are found by searching this process's
own memory for values that are known, and then checked by walking our own stack.
"""

from __future__ import annotations

import ctypes
import dis
import marshal
import os
import struct
import sys
import threading
import types
from collections.abc import Callable

from workbench.masking import get_logger

_log = get_logger(__name__)

#: Names of offsets and addresses → bytes. Plain integers, so that `marshal` can carry it to the observer.
Layout = dict[str, int]

_WORD = struct.calcsize("P")
_SYMBOL_INFO = 1  # RTLD_DL_SYMENT
_FIRST_LINE = 7_654_321
_INLINE = (
    "LOAD_FAST", "LOAD_CONST", "LOAD_GLOBAL_", "LOAD_ATTR_INSTANCE", "LOAD_ATTR_METHOD", "LOAD_ATTR_SLOT",
    "JUMP", "POP_JUMP", "FOR_ITER_", "COMPARE_OP_INT", "COMPARE_OP_FLOAT", "CALL_PY_", "RESUME",
    "BINARY_OP_ADD_FLOAT", "BINARY_OP_ADD_INT", "BINARY_OP_SUBTRACT_", "BINARY_OP_MULTIPLY_FLOAT",
)  # fmt: skip

#: Calls of what is written in C, and calls that may be; of the rest Python functions are called.
_CALLS, _CALLS_PYTHON = ("CALL", "PRECALL"), ("CALL_PY", "PRECALL_PYFUNC", "CALL_BOUND_METHOD", "CALL_ALLOC")


class _DlInfo(ctypes.Structure):
    _fields_ = (
        ("file", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("symbol", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
    )


def find_layout() -> Layout | None:
    """Return where things are in this interpreter's memory, or None when that can't be found out."""
    if sys.implementation.name != "cpython" or not sys.platform.startswith("linux") or _WORD != 8:
        return None
    try:
        memory = os.open("/proc/self/mem", os.O_RDONLY)
    except OSError as error:
        _log.info("can't read own memory, so lines will be missing: %s", error)
        return None
    try:
        layout = {**_runtime(), **_strings(), **_opcodes(), **_code_object(memory), **_frames(memory)}
        return {**layout, **_threads(memory, layout)}
    except (OSError, ValueError, struct.error, AttributeError) as error:
        _log.info("this interpreter's memory is laid out in an unknown way, so lines will be missing: %s", error)
        return None
    finally:
        os.close(memory)


def image_of(layout: Layout | None) -> str:
    """Return the file that holds this interpreter, as the kernel names it; empty where it can't be found."""
    if layout is not None:
        with open("/proc/self/maps") as maps:
            for line in maps:
                fields = line.split(maxsplit=5)
                if int(fields[0].split("-")[0], 16) == layout["image_base"] and len(fields) > 5:
                    return fields[5].strip()
    return ""


def main() -> None:
    """Print the layout of this interpreter, marshalled in hex, and its file, as a process that is told about them."""
    layout = find_layout()
    sys.stdout.write(f"{marshal.dumps(layout).hex()} {image_of(layout)}\n")


def _runtime() -> Layout:
    """Return the address and size of the static interpreter state: GIL waits are futexes inside it."""
    address = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
    info, symbol = _DlInfo(), ctypes.c_void_p()
    found = ctypes.CDLL(None).dladdr1(
        ctypes.c_void_p(address), ctypes.byref(info), ctypes.byref(symbol), ctypes.c_int(_SYMBOL_INFO)
    )
    if not found or not symbol.value or not info.base:
        raise ValueError("the symbol _PyRuntime was not found")
    # Elf64_Sym: name, info, other, section, value, size.
    size = struct.unpack("<IBBHQQ", ctypes.string_at(symbol.value, 24))[5]
    return {"runtime": address, "runtime_size": size, "image_base": info.base, "code_type": id(types.CodeType)}


def _strings() -> Layout:
    """Return where the characters of a string are and which bits of its state say how wide they are."""
    states = [ctypes.c_uint32.from_address(id(text) + 32).value for text in ("é", "ł", "🙂")]
    shift = next(bit for bit in range(30) if [(state >> bit) & 7 for state in states] == [1, 2, 4])
    ascii_shift = next(
        bit
        for bit in range(shift + 3, shift + 8)
        if ctypes.c_uint32.from_address(id("plain") + 32).value >> bit & 1
        and not any(state >> bit & 1 for state in states)
    )
    # An empty string is its header and one closing zero.
    return {
        "str_kind_shift": shift,
        "str_ascii_shift": ascii_shift,
        "str_ascii_data": sys.getsizeof("") - 1,
        "str_wide_data": sys.getsizeof("é") - 2,
    }


def _opcodes() -> Layout:
    """Return sets of opcodes, as bits: which are mostly far shorter than a look, run Python for sure, call into C."""
    opcodes: dict[str, int] = getattr(dis, "_all_opmap", dis.opmap)  # with the specialised ones, where they are told
    # Where a turn of a loop over numbers has no instruction of its own, it is one of these.
    has_own = any(name.startswith("FOR_ITER_") for name in opcodes)
    quick = ("STORE_FAST",) if has_own else ("STORE_FAST", "FOR_ITER")
    return {
        "quick_opcodes": sum(1 << number for name, number in opcodes.items() if name.startswith(quick)),
        "inline_opcodes": sum(1 << number for name, number in opcodes.items() if name.startswith(_INLINE)),
        "calling_opcodes": sum(
            1 << number
            for name, number in opcodes.items()
            if name.startswith(_CALLS) and not name.startswith(_CALLS_PYTHON)
        ),
    }


def _code_object(memory: int) -> Layout:
    """Return the offsets inside a code object."""
    code = _code_object.__code__.replace(
        co_firstlineno=_FIRST_LINE, co_filename="layout filename", co_qualname="layout.qualname"
    )
    size = types.CodeType.__basicsize__
    words = struct.unpack(f"{size // _WORD}Q", os.pread(memory, size // _WORD * _WORD, id(code)))
    numbers = struct.unpack(f"{size // 4}I", os.pread(memory, size // 4 * 4, id(code)))
    return {
        "code_size": size,
        "code_filename": words.index(id(code.co_filename)) * _WORD,
        "code_qualname": words.index(id(code.co_qualname)) * _WORD,
        "code_linetable": words.index(id(code.co_linetable)) * _WORD,
        "code_firstline": numbers.index(_FIRST_LINE) * 4,
        "bytes_data": bytes.__basicsize__ - 1,
    }


def _frames(memory: int) -> Layout:
    """Return the offsets inside an interpreter frame and how to reach the running one from its thread state."""
    thread_state = _api("PyThreadState_Get")()
    frame = sys._getframe()
    back = frame.f_back
    assert back is not None
    # A frame object is: its header (2 words), f_back, and the interpreter frame it stands for.
    inner = struct.unpack("Q", os.pread(memory, _WORD, id(frame) + 24))[0]
    outer = struct.unpack("Q", os.pread(memory, _WORD, id(back) + 24))[0]
    state = struct.unpack("80Q", os.pread(memory, 640, thread_state))
    words = struct.unpack("10Q", os.pread(memory, 80, inner))
    instructions = id(frame.f_code) + types.CodeType.__basicsize__
    within = [instructions <= word < instructions + len(frame.f_code.co_code) for word in words]
    layout = {
        "frame_code": words.index(id(frame.f_code)) * _WORD,
        "frame_previous": words.index(outer) * _WORD,
        "frame_instruction": within.index(True) * _WORD,
        "thread_native_id": state.index(threading.get_native_id()) * _WORD,
    }
    if inner in state:
        return {**layout, "thread_frame": state.index(inner) * _WORD, "cframe_frame": -1}
    # Up to 3.12 the thread state points to a structure on the C stack, and that to the running frame.
    for index, pointer in enumerate(state):
        try:
            fields = struct.unpack("2Q", os.pread(memory, 16, pointer))
        except (OSError, OverflowError, struct.error):
            continue
        if inner in fields:
            return {**layout, "thread_frame": index * _WORD, "cframe_frame": fields.index(inner) * _WORD}
    raise ValueError("no thread state leads to the running frame")


def _threads(memory: int, layout: Layout) -> Layout:
    """Return how to reach the list of threads from the static state, found with the help of a waiting thread."""
    known, release = threading.Event(), threading.Event()
    address: list[int] = []

    def wait() -> None:
        address.append(_api("PyThreadState_Get")())
        known.set()
        release.wait()

    helper = threading.Thread(target=wait, daemon=True)
    helper.start()
    try:
        known.wait()
        interpreter = _api("PyInterpreterState_Main")()
        runtime = _read_words(memory, layout["runtime"], layout["runtime_size"])
        words = _read_words(memory, interpreter, 1 << 16)
        # A thread state begins with: previous, next, interpreter. The newest thread heads the list.
        state = _read_words(memory, address[0], 3 * _WORD)
        if state[0] or state[2] != interpreter:
            raise ValueError("a thread state does not begin as expected")
        return {
            "runtime_interpreter": runtime.index(interpreter) * _WORD,
            "interpreter_thread": words.index(address[0]) * _WORD,
            "thread_next": _WORD,
        }
    finally:
        release.set()
        helper.join()


def _read_words(memory: int, address: int, size: int) -> tuple[int, ...]:
    data = os.pread(memory, size // _WORD * _WORD, address)
    return struct.unpack(f"{len(data) // _WORD}Q", data[: len(data) // _WORD * _WORD])


def _api(name: str) -> Callable[[], int]:
    function = getattr(ctypes.pythonapi, name)
    function.restype = ctypes.c_void_p
    function.argtypes = ()
    return function  # type: ignore[no-any-return]
