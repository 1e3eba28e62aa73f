"""Runs a worker whose wall clock jumps: it is as many seconds ahead as the file named by CHAOS_CLOCK says.

The fold reads no clock at all. This is for all that surrounds it: libraries, timestamps of dead letters, logs.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

_real, _file = time.time, Path(os.environ["CHAOS_CLOCK"])
_looked, _ahead = 0.0, 0.0


def ahead() -> float:
    """Give how far the clock is ahead, in seconds, and leave a note that a new value was seen."""
    global _looked, _ahead  # noqa: PLW0603 - there is one clock
    now = time.monotonic()
    if now - _looked > 0.05:
        _looked = now
        found = float(_file.read_text() or 0) if _file.exists() else 0.0
        if found != _ahead:
            _ahead = found
            with _file.with_suffix(".seen").open("a") as notes:
                notes.write(f"{os.getpid()} {found}\n")
    return _ahead


if __name__ == "__main__":
    time.time = lambda: _real() + ahead()
    time.time_ns = lambda: int(time.time() * 1e9)
    from growthgauge.cli import main

    sys.argv[0] = "growthgauge"
    sys.exit(main())
