"""The other yardstick: a plain Faust agent that does nothing: `python -m benchmarks.idle JSON` prints JSON."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from typing import Any

import faust
import msgspec

SECONDS = 8.0
"""How long it is watched; it need not come to the topic's end."""


class Task(msgspec.Struct):
    """What to read."""

    broker: str
    topic: str
    events: int
    """How many the topic holds."""
    folder: str


class Result(msgspec.Struct):
    """How far it came."""

    events: int
    seconds: float
    """From the first event on."""
    cpu_seconds: float


def run(task: Task) -> None:
    """Read for a while, print the result and end."""
    app = faust.App(
        "idle",
        broker=f"kafka://{task.broker}",
        datadir=task.folder,
        store="memory://",
        web_enabled=False,
        topic_disable_leader=True,
    )

    @app.agent(app.topic(task.topic, value_serializer="raw"))
    async def idle(events: Any) -> None:
        count, started, cpu = 0, 0.0, 0.0
        async for _ in events:
            if not started:
                started, cpu = time.perf_counter(), time.process_time()
            count += 1
            seconds = time.perf_counter() - started
            if seconds > SECONDS or count == task.events:
                print(msgspec.json.encode(Result(count, seconds, time.process_time() - cpu)).decode(), flush=True)
                os._exit(0)

    logging.disable()  # a new cluster's coordinator is not there at once, of which aiokafka makes an error

    async def main() -> None:
        await app.start()
        await app.wait_until_stopped()

    # Faust's own command line would do the same, and print more than the result.
    asyncio.run(main())


if __name__ == "__main__":
    run(msgspec.json.decode(sys.argv[1], type=Task))
