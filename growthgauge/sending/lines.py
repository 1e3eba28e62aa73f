"""Lines of files, compressed ones and standard input, read in a thread so that a slow source holds nothing up."""

from __future__ import annotations

import asyncio
import gzip
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

CHUNK_BYTES = 256 << 10
LINE_BYTES = 16 << 20
"""A longer line is cut here: nothing that is not a line may fill the memory."""
STANDARD_INPUT = "-"
_GZIP = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_CHUNKS_AHEAD = 4


class Chunk(msgspec.Struct):
    """Some lines of a file, without their ends."""

    lines: list[bytes]
    position: int
    """Bytes of the file read so far, as it is stored."""
    more: bool
    """Whether more can be had at once."""


async def chunks(name: str) -> AsyncIterator[Chunk]:
    """Read a file, a gzip file or (`-`) standard input.

    Raises:
        OSError, EOFError, zlib.error: it cannot be read to its end.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[Chunk | BaseException | None] = asyncio.Queue(_CHUNKS_AHEAD)

    def put(item: Chunk | BaseException | None) -> None:
        asyncio.run_coroutine_threadsafe(queue.put(item), loop).result()

    def read() -> None:
        try:
            with _open(name) as raw:
                for chunk in _read(raw):
                    put(chunk)
            put(None)
        except RuntimeError:
            return  # the loop has ended, and with it whoever wanted the lines
        except BaseException as error:  # noqa: BLE001 - raised again by the one who waits
            put(error)

    # A daemon: a read from a terminal cannot be interrupted, and must not keep the process alive.
    threading.Thread(target=read, name="lines", daemon=True).start()
    while (item := await queue.get()) is not None:
        if isinstance(item, BaseException):
            raise item
        yield item


def _open(name: str) -> Any:
    return open(sys.stdin.fileno(), "rb", closefd=False) if name == STANDARD_INPUT else Path(name).open("rb")


def _read(raw: Any) -> Any:
    file: BinaryIO = gzip.GzipFile(fileobj=raw) if raw.peek(2)[:2] == _GZIP else raw  # type: ignore[assignment]
    seekable = raw.seekable()
    rest, first = b"", True
    while data := file.read1(CHUNK_BYTES):  # type: ignore[attr-defined]
        if first:
            data, first = data.removeprefix(_BYTE_ORDER_MARK), False
        *lines, rest = (rest + data).split(b"\n")
        if len(rest) > LINE_BYTES:
            lines.append(rest)
            rest = b""
        yield Chunk(lines, raw.tell() if seekable else 0, seekable)
    if rest:
        yield Chunk([rest], raw.tell() if seekable else 0, more=True)
