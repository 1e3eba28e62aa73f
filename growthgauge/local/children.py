"""Child processes of `up`: started on a leash, their output in files, watched, and ended in order."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

LOG_BYTES = 5_000_000
"""A log file that grows beyond this is moved aside, in place of the one moved before: logs stay bounded."""


class Child:
    """One process, and its log."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        environment: Mapping[str, str] | None = None,
        standard_input: bytes | None = None,
        inherit: Sequence[int] = (),
    ) -> None:
        """Start it: on Linux it dies with the thread that calls this, which has to be the main one.

        Args:
            name: what it is called to the user.
            command: its program, by absolute path, and arguments.
            log: the file that gets what it writes.
            environment: variables to add to this process' own.
            standard_input: what it reads; nothing if None.
            inherit: descriptors that it keeps open.
        """
        self.name = name
        self.log = log
        leash = [sys.executable, "-P", "-m", "growthgauge.local.die_with_parent", str(os.getpid())]
        self._process = subprocess.Popen(  # noqa: S603
            [*leash, *command],
            stdin=subprocess.DEVNULL if standard_input is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | dict(environment or {}),
            pass_fds=inherit,
        )
        if standard_input is not None:
            assert self._process.stdin is not None
            self._process.stdin.write(standard_input)
            self._process.stdin.close()
        assert self._process.stdout is not None
        self._last: list[str] = []
        self._reader = threading.Thread(target=self._keep, args=(self._process.stdout,), daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        code = self._process.poll()
        if code is None:
            return "is running"
        return f"ended with status {code}" if code >= 0 else f"was ended by signal {-code}"

    def last_words(self) -> str:
        """Give the last sentence that it wrote, once it has ended by itself; none for one that was killed."""
        self._reader.join(1)
        if (self._process.poll() or 0) < 0:
            return ""
        line = next((line for line in reversed(self._last) if line), "")
        with contextlib.suppress(ValueError, KeyError, TypeError):
            line = str(json.loads(line)["message"])
        return line.removeprefix("growthgauge: ").rstrip(".")[:300]

    def terminate(self) -> None:
        """Ask it to end."""
        if self.alive:
            self._process.terminate()

    def kill(self) -> None:
        """End it."""
        if self.alive:
            self._process.kill()

    def wait(self, until: float) -> bool:
        """Wait for its end until a moment of the monotonic clock; say whether it has come."""
        try:
            self._process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            return False
        return True

    def _keep(self, output: IO[bytes]) -> None:
        written = 0
        file = self.log.open("wb", buffering=0)
        try:
            for line in output:
                if written > LOG_BYTES:
                    file.close()
                    self.log.replace(self.log.with_suffix(".1.log"))
                    file, written = self.log.open("wb", buffering=0), 0
                file.write(line)
                written += len(line)
                self._last = [*self._last[-9:], line.decode(errors="replace").strip()]
        except OSError:
            # A full disk must not stop the child on a full pipe.
            for _ in output:
                pass
        finally:
            file.close()


def end(groups: Sequence[Sequence[Child]], deadline: float = 12) -> None:
    """End children, one group after the other, all within a deadline in seconds: who does not leave is killed."""
    until = time.monotonic() + deadline
    for number, group in enumerate(groups):
        share = (until - time.monotonic()) / (len(groups) - number)
        for child in group:
            child.terminate()
        group_until = time.monotonic() + share
        for child in group:
            if not child.wait(group_until):
                child.kill()
                child.wait(group_until + 1)
