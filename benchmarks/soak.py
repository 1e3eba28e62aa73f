"""Memory over time: how fast worker, exporter and demo grow while the demo company goes on quietly.

`make soak` runs it: it starts `growthgauge up --demo` in a folder of its own, lets it warm up, and reads the resident
memory of each process every few seconds. Growth is the slope of a straight line through these points, least squares.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

WARM_UP_MINUTES = float(os.environ.get("SOAK_WARM_UP_MINUTES", "3"))
MINUTES = float(os.environ.get("SOAK_MINUTES", "10"))
EVERY_SECONDS = 5.0
MOST_MB_AN_HOUR = 30.0
"""A worker that left cycles to the collector's own count grew by 189 MB an hour, one that collects by time by 10, each
measured over six minutes."""
PARTS = ("worker", "exporter", "demo")


def main() -> int:
    """Run it; 1 if a part grows by more than `MOST_MB_AN_HOUR`."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "up.log")
        with log.open("w") as output:
            up = subprocess.Popen(
                [sys.executable, "-m", "growthgauge", "up", "--demo"],
                cwd=folder,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | {"PYTHONPATH": os.environ.get("PYTHONPATH", str(Path.cwd()))},
            )
        try:
            parts = _parts(up, log)
            print(f"warming up for {WARM_UP_MINUTES:g} min", flush=True)
            time.sleep(60 * WARM_UP_MINUTES)
            points = _measured(parts)
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait(30)
    worst = 0.0
    for name, sizes in points.items():
        growth = slope(sizes)
        worst = max(worst, growth)
        print(f"{name:9} {sizes[0][1]:7.1f} -> {sizes[-1][1]:7.1f} MB in {MINUTES:g} min: {growth:+7.1f} MB an hour")
    return worst > MOST_MB_AN_HOUR


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the slope of the straight line through points of (hours, MB), least squares."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


def _parts(up: subprocess.Popen[bytes], log: Path) -> dict[str, psutil.Process]:
    """Return the process of each part, once all of them are there and the demo's past is in."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        if up.poll() is not None:
            break
        found = {}
        for process in psutil.Process(up.pid).children(recursive=True):
            try:
                called = re.search(r"growthgauge (\w+)", " ".join(process.cmdline()).replace("-m growthgauge.", "-m "))
                # The last one in the tree is the part, those above it are its guards.
                if called and called[1] in PARTS:
                    found[called[1]] = process
            except psutil.NoSuchProcess:
                continue
        if len(found) == len(PARTS) and "live" in log.read_text():
            return found
        time.sleep(1)
    raise SystemExit(f"the demo did not start:\n{log.read_text()}")


def _measured(parts: Mapping[str, psutil.Process]) -> dict[str, list[tuple[float, float]]]:
    points: dict[str, list[tuple[float, float]]] = {name: [] for name in parts}
    begin = time.monotonic()
    while (elapsed := time.monotonic() - begin) < 60 * MINUTES:
        for name, process in parts.items():
            points[name].append((elapsed / 3600, process.memory_info().rss / 1e6))
        time.sleep(EVERY_SECONDS)
    return points


if __name__ == "__main__":
    sys.exit(main())
