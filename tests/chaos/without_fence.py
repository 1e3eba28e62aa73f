"""Runs a worker whose commits do not mind who else has committed: nothing in Redis is watched."""

from __future__ import annotations

import sys
from typing import Any

from aggregators.tables.redis.connection import Link
from growthgauge.cli import main

_call = Link.call


def unwatched(link: Link, *commands: Any, resume: bool = False) -> list[Any]:
    """Send commands, but for every WATCH something that does nothing."""
    return _call(link, *(("PING",) if command[0] == "WATCH" else command for command in commands), resume=resume)


if __name__ == "__main__":
    Link.call = unwatched  # type: ignore[method-assign]
    sys.argv[0] = "growthgauge"
    sys.exit(main())
