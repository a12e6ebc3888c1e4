"""A server that answers each line ``N`` after N milliseconds, and HTTP ``GET /N`` as well; prints its address."""

import asyncio
import contextlib
import sys


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection."""
    with contextlib.suppress(ConnectionError):
        await serve(reader, writer)
    writer.close()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer until the client has gone."""
    while line := await reader.readline():
        if line.startswith(b"GET /"):
            wait_ms = int(line.split()[1][1:] or 0)
            while (await reader.readline()).strip():
                pass
            text = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
        else:
            wait_ms, text = int(line), b"ok\n"
        await asyncio.sleep(wait_ms / 1000)
        writer.write(text)
        await writer.drain()


async def main() -> None:
    """Serve until standard input ends."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    sys.stdout.write(f"127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
