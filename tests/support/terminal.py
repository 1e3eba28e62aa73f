"""growthgauge as a user has it: the installed command, real processes, an empty folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

COMMAND = str(Path(sys.executable).parent / "growthgauge")
START_SECONDS = 120
"""Machines that run tests are busy."""


def environment(**extra: str) -> dict[str, str]:
    """Give a user's environment: nothing of ours in it, no virtual environment activated."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("GROWTHGAUGE_", "VIRTUAL_ENV"))}
    return clean | {"PATH": "/usr/bin:/bin", "NO_COLOR": "1"} | extra


class User:
    """Someone in a folder of their own who types commands."""

    def __init__(self, folder: Path) -> None:
        """Go there."""
        self.folder = folder

    def runs(self, *arguments: str, given: bytes | None = None, seconds: float = 120, **extra: str) -> Ran:
        """Run a command to its end; what it says on an error is one sentence."""
        done = subprocess.run(
            [COMMAND, *arguments],
            cwd=self.folder,
            env=environment(**extra),
            input=given,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
        ran = Ran(done.returncode, done.stdout.decode(), done.stderr.decode())
        assert "Traceback" not in ran.error
        return ran

    def file(self, name: str, events: Sequence[Mapping[str, object] | str]) -> str:
        """Write a file of events, or of other lines."""
        lines = (event if isinstance(event, str) else json.dumps(event) for event in events)
        (self.folder / name).write_text("".join(f"{line}\n" for line in lines))
        return name


class Ran:
    """What came of a command."""

    def __init__(self, status: int, output: str, error: str) -> None:
        """Keep it."""
        self.status, self.output, self.error = status, output, error

    def refuses(self, status: int, *says: str) -> None:
        """Make sure that it failed with a status and one sentence that says certain things, on standard error."""
        assert self.status == status, self.error
        assert self.output == ""
        assert self.error.startswith("growthgauge: ")
        assert len(self.error.splitlines()) == 1
        for text in says:
            assert text in self.error


class Up:
    """A `growthgauge up` in a session of its own, as in a terminal."""

    def __init__(self, user: User, *arguments: str, **extra: str) -> None:
        """Start it."""
        self.log = user.folder / f"up-{time.monotonic_ns()}.log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [COMMAND, "up", *arguments],
                cwd=user.folder,
                env=environment(**extra),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._family: dict[int, psutil.Process] = {}

    def text(self) -> str:
        """Give what it has said so far."""
        return self.log.read_text()

    def ready(self) -> Up:
        """Wait until it says so."""
        self.says("Ready after")
        return self

    def says(self, text: str, seconds: float = START_SECONDS) -> None:
        """Wait until it has said something."""
        until = time.monotonic() + seconds
        while text not in self.text():
            assert self.process.poll() is None or text in self.text(), self.text()
            assert time.monotonic() < until, self.text()
            time.sleep(0.1)

    def children(self) -> list[psutil.Process]:
        """Give its child processes."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, name: str) -> psutil.Process:
        """Give the child whose command has a word."""
        return next(child for child in self.children() if any(name in part for part in child.cmdline()[-6:]))

    def kill_group(self) -> None:
        """Send SIGKILL to the whole group at once."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def wait(self, seconds: float) -> int:
        """Wait for its end and give its status."""
        return self.process.wait(seconds)

    def close(self) -> None:
        """Leave nothing behind."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        finally:
            self.process.wait()


def gone(processes: Sequence[psutil.Process], seconds: float) -> bool:
    """Wait for the end of processes; say whether all have ended."""
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    return not [each for each in alive if each.status() != psutil.STATUS_ZOMBIE]


def get(url: str) -> str:
    """Ask an HTTP address, without a proxy."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=20) as response:
        return str(response.read().decode())


def value(exposition: str, sample: str) -> float:
    """Read one sample of an exposition."""
    return float(next(line for line in exposition.splitlines() if line.startswith(f"{sample} ")).rpartition(" ")[2])
