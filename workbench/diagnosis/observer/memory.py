"""Python stacks, read out of another process's memory.

Reading takes no lock and stops nobody, so what is read may be half changed: every frame is checked to point to a code
object, and a stack that fails the check is dropped.
"""

from __future__ import annotations

import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DEPTH = 200
_FRAME_BYTES = 80  # the fields of a frame before its local variables
_STATE_BYTES = 200  # a frame with its first local variables and the bottom of its value stack


class Memory:
    """The memory of one process."""

    def __init__(self, pid: int) -> None:
        self._fd = os.open(f"/proc/{pid}/mem", os.O_RDONLY)

    def close(self) -> None:
        """Let go of the process."""
        os.close(self._fd)

    def read(self, address: int, size: int) -> bytes:
        """Return up to ``size`` bytes.

        Raises
        ------
        OSError
            The address is not mapped, or the process has ended.
        """
        try:
            return os.pread(self._fd, size, address)
        except (OverflowError, ValueError) as error:  # a pointer that was half changed
            raise OSError(str(error)) from error

    def words(self, address: int, count: int = 1) -> tuple[int, ...]:
        """Return ``count`` words of 64 bits."""
        data = self.read(address, 8 * count)
        if len(data) < 8 * count:
            raise OSError("short read")
        return struct.unpack(f"{count}Q", data)


class Stacks:
    """The Python stacks of one process: ``layout`` says where things are, ``shift`` by how much its image is moved."""

    def __init__(self, memory: Memory, layout: dict[str, int], shift: int, emit_code: Callable[..., int]) -> None:
        self._memory = memory
        self._layout = layout
        self._runtime = layout["runtime"] + shift
        self._code_type = layout["code_type"] + shift
        self._emit_code = emit_code
        self._native_id = layout["thread_native_id"] // 8
        self._head = max(layout["thread_native_id"], layout["thread_frame"]) // 8 + 1  # words worth reading
        self._thread_states: dict[int, int] = {}
        self._codes: dict[int, tuple[bytes, int]] = {}
        self._code, self._previous, self._instruction = (
            layout[f"frame_{name}"] // 8 for name in ("code", "previous", "instruction")
        )

    def in_runtime(self, address: int) -> bool:
        """Say whether an address is inside the interpreter's static state, as the GIL is."""
        return self._runtime <= address < self._runtime + self._layout["runtime_size"]

    def instant(self, frame: int) -> bytes:
        """Return what changes whenever the code of a frame executes an instruction."""
        return self._memory.read(frame, _STATE_BYTES)

    def opcode_in(self, instant: bytes, which: str) -> bool:
        """Say whether, at an instant, the thread was at an opcode of one of the layout's sets."""
        at = 8 * self._instruction
        opcode = self._memory.read(int.from_bytes(instant[at : at + 8], "little"), 1)
        return bool(opcode) and bool(self._layout[which] >> opcode[0] & 1)

    def stack(self, tid: int) -> tuple[tuple[int, int], ...]:
        """Return ``(code, offset of the instruction)`` from the innermost frame outwards."""
        found: list[tuple[int, int]] = []
        frame = self.frame(tid)
        while frame and len(found) < MAX_DEPTH:
            words = struct.unpack("10Q", self._memory.read(frame, _FRAME_BYTES))
            code = words[self._code]
            number = self._code_number(code)
            if number >= 0:
                found.append((number, words[self._instruction] - code - self._layout["code_size"]))
            frame = words[self._previous]
        return tuple(found)

    def frame(self, tid: int) -> int:
        """Return the address of the frame that the thread runs; 0 when it runs no Python."""
        state = self._thread_states.get(tid)
        head = self._memory.words(state, self._head) if state else ()
        if not head or head[self._native_id] != tid:
            self._find_threads()
            state = self._thread_states.get(tid)
            if state is None:
                return 0
            head = self._memory.words(state, self._head)
        pointer = head[self._layout["thread_frame"] // 8]
        if pointer and self._layout["cframe_frame"] >= 0:
            pointer = self._memory.words(pointer + self._layout["cframe_frame"])[0]
        return pointer

    def _find_threads(self) -> None:
        self._thread_states.clear()
        interpreter = self._memory.words(self._runtime + self._layout["runtime_interpreter"])[0]
        state = self._memory.words(interpreter + self._layout["interpreter_thread"])[0]
        while state and len(self._thread_states) < 10_000:
            head = self._memory.words(state, self._head)
            self._thread_states[head[self._native_id]] = state
            state = head[self._layout["thread_next"] // 8]

    def _code_number(self, code: int) -> int:
        """Return the number under which a code object was told, or −1 for what is none."""
        header = self._memory.read(code, self._layout["code_size"])
        if len(header) < 16 or int.from_bytes(header[8:16], "little") != self._code_type:
            return -1
        layout = self._layout
        identity = b"".join(
            header[layout[name] : layout[name] + 8] for name in ("code_filename", "code_qualname", "code_linetable")
        )
        known = self._codes.get(code)
        if known is None or known[0] != identity:
            filename, qualname, linetable = struct.unpack("3Q", identity)
            first = int.from_bytes(header[layout["code_firstline"] : layout["code_firstline"] + 4], "little")
            number = self._emit_code(self._text(filename), self._text(qualname), first, self._bytes(linetable))
            known = self._codes[code] = (identity, number)
        return known[1]

    def _text(self, address: int) -> str:
        layout = self._layout
        length = self._memory.words(address + 16)[0]
        state = int.from_bytes(self._memory.read(address + 32, 4), "little")
        width = state >> layout["str_kind_shift"] & 7
        start = "str_ascii_data" if state >> layout["str_ascii_shift"] & 1 else "str_wide_data"
        data = self._memory.read(address + layout[start], min(length, 4096) * width)
        return data.decode({1: "latin-1", 2: "utf-16-le", 4: "utf-32-le"}.get(width, "latin-1"), "replace")

    def _bytes(self, address: int) -> bytes:
        length = self._memory.words(address + 16)[0]
        return self._memory.read(address + self._layout["bytes_data"], min(length, 1 << 20))
