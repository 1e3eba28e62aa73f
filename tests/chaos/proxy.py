"""A TCP proxy between workers and Redis that answers slowly, cuts replies half-way, or lets nobody in."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from typing import NamedTuple

CHUNK = 1 << 14


class Weather(NamedTuple):
    """What happens to what passes."""

    delay: float = 0
    """Seconds that a piece waits at most, in either direction."""
    cut: int = 0
    """Bytes of replies after which, at most, a connection is reset; 0 for never."""
    closed: bool = False
    """Nobody is let in, and who is in is reset at the next byte."""


CLEAR = Weather()


class Proxy:
    """Listens on a port of its own, for as long as the process lives or until it is closed."""

    def __init__(self, target: int, seed: int) -> None:
        """Begin to pass everything on to a port of the loopback address."""
        self.weather = CLEAR
        self.delays = self.cuts = 0
        self._target, self._rng = target, random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="proxy")
        self._thread.start()
        starting = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result(10)
        self.port: int = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Let nobody in any more, and reset all that is open."""
        self.weather = Weather(closed=True)
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _end(self) -> None:
        self._server.close()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers = [writer]
        with contextlib.suppress(OSError, asyncio.CancelledError):
            if not self.weather.closed:
                back, onward = await asyncio.open_connection("127.0.0.1", self._target)
                writers.append(onward)
                ways = [
                    asyncio.ensure_future(self._pass(reader, onward, replies=False)),
                    asyncio.ensure_future(self._pass(back, writer, replies=True)),
                ]
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        for each in writers:
            # With no time to linger closing resets the connection.
            found = each.get_extra_info("socket")
            with contextlib.suppress(OSError):
                found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            each.transport.abort()

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, replies: bool) -> None:
        left: int | None = None
        while piece := await source.read(CHUNK):
            weather = self.weather
            if weather.closed:
                return
            if weather.delay:
                self.delays += 1
                await asyncio.sleep(self._rng.uniform(0, weather.delay))
            if not (replies and weather.cut):
                left = None
            else:
                left = self._rng.randrange(weather.cut) if left is None else left
                if len(piece) > left:
                    sink.write(piece[:left])
                    self.cuts += 1
                    return
                left -= len(piece)
            sink.write(piece)
            await sink.drain()
