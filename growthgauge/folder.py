"""The data folder of `up`: locks that say who uses it, and a note by which the other commands find what runs."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from growthgauge.errors import GrowthgaugeError

DEMO = "demo"
"""The demo's folder inside the data folder."""


class Note(msgspec.Struct, frozen=True):
    """What a running `up` says of itself."""

    pid: int
    settings: dict[str, Any]
    """Every setting that was given or chosen, without secrets."""


class Folder:
    """A data folder."""

    def __init__(self, path: Path) -> None:
        """Nothing is made before `claim`."""
        self.path = path.absolute()
        self._held: list[int] = []

    @property
    def redis(self) -> Path:
        """Where Redis keeps its data."""
        return self.path / "redis"

    @property
    def logs(self) -> Path:
        """Where the output of the children goes."""
        return self.path / "logs"

    @property
    def _note(self) -> Path:
        return self.path / "up.json"

    def make(self) -> None:
        """Make the folder, for its owner alone.

        Raises:
            GrowthgaugeError: it cannot be made or written to.
        """
        try:
            for path in (self.path, self.redis, self.logs):
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.path / "up.lock").touch()
        except OSError as error:
            raise GrowthgaugeError(
                f"The data folder {self.path} cannot be used ({error.strerror}): give another with --data-dir."
            ) from None

    def claim(self, wait_seconds: float = 15) -> int:
        """Make the folder this process' own until it ends; gives a descriptor that children are to inherit.

        The children hold it open as long as they live, so that a second Redis never writes to the same files: those
        of a parent that was killed are waited for.

        Raises:
            GrowthgaugeError: another `up` runs here, or the last one's servers do not end.
        """
        if not self._lock("up.lock", 1.0):
            note = self._read()
            who = f" (process {note.pid})" if note else ""
            raise GrowthgaugeError(
                f"Another `growthgauge up`{who} is using the data folder {self.path}: end it first, "
                "or give another folder with --data-dir."
            )
        if not self._lock("servers.lock", wait_seconds):
            self.release()
            raise GrowthgaugeError(
                f"Servers of an earlier `growthgauge up` still use {self.path} and do not end: end them by hand, "
                "or give another folder with --data-dir."
            )
        return self._held[-1]

    def release(self) -> None:
        """Let go of the folder; the end of the process does the same."""
        while self._held:
            os.close(self._held.pop())

    def _lock(self, name: str, wait_seconds: float) -> bool:
        descriptor = os.open(self.path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        until = time.monotonic() + wait_seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if time.monotonic() >= until:
                    os.close(descriptor)
                    return False
                time.sleep(0.05)
            else:
                self._held.append(descriptor)
                return True

    def write(self, settings: dict[str, Any]) -> None:
        """Leave the note."""
        draft = self._note.with_suffix(".new")
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(Note(os.getpid(), settings)), indent=2) + b"\n")
        draft.chmod(0o600)
        draft.replace(self._note)

    def forget(self) -> None:
        """Take the note away."""
        self._note.unlink(missing_ok=True)

    def running(self) -> Note | None:
        """Give the note of an `up` that runs here now; None if none does."""
        try:
            descriptor = os.open(self.path / "up.lock", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return self._read()
        finally:
            os.close(descriptor)
        return None

    def _read(self) -> Note | None:
        try:
            return msgspec.json.decode(self._note.read_bytes(), type=Note)
        except (OSError, msgspec.MsgspecError):
            return None


def candidates(data_dir: Path) -> Iterator[Folder]:
    """Give the folders in which an `up` may run: the data folder, then the demo's."""
    yield Folder(data_dir)
    yield Folder(data_dir / DEMO)
