"""Pieces of work with a known cost, that the programs are made of."""

import hashlib
import os
import socket
import time

DATA = bytes(1_000_000)


def python(cpu_s: float) -> int:
    """Run pure Python for this much CPU time of the thread."""
    until, count = time.thread_time() + cpu_s, 0
    while time.thread_time() < until:
        for number in range(300):
            count += number * number % 7
    return count


def native(cpu_s: float) -> None:
    """Run native code without the GIL for this much CPU time of the thread."""
    until = time.thread_time() + cpu_s
    while time.thread_time() < until:
        hashlib.sha256(DATA).digest()


def site() -> tuple[str, int]:
    """Return where the corpus's server listens; it answers ``N\\n`` after N milliseconds."""
    host, port = os.environ["CORPUS_SITE"].split(":")
    return host, int(port)


def ask(connection: socket.socket, wait_ms: int) -> bytes:
    """Wait for the server for this long."""
    connection.sendall(b"%d\n" % wait_ms)
    return connection.recv(100)
