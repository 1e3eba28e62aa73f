"""Ports of this machine: taken or free, and which one a server gets."""

from __future__ import annotations

import fcntl
import ipaddress
import os
import socket
import tempfile
from pathlib import Path


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_free(host: str, port: int) -> bool:
    """Say whether a server could bind a port now; one that a dead server's connections linger on is free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            # Two sockets may be bound with SO_REUSEADDR as long as neither listens.
            probe.listen(1)
        except OSError:
            return False
        return True


class Claims:
    """Ports that this process means to use.

    Each is locked against others that mean to: of two that start at once both would find a port free, and one would
    take the other's server for its own.
    """

    def __init__(self) -> None:
        """Claim nothing yet."""
        self._locks: dict[int, int] = {}

    def get(self, port: int) -> bool:
        """Claim a port until `release` or the end of the process; say whether it is this process' now."""
        if port in self._locks:
            return True
        path = Path(tempfile.gettempdir()) / f"growthgauge-{os.getuid()}-port-{port}.lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError:
            return True  # where no lock can be made, ports are taken as they are found
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        self._locks[port] = descriptor
        return True

    def release(self) -> None:
        """Let go of all ports."""
        while self._locks:
            os.close(self._locks.popitem()[1])


def any_free(host: str) -> int:
    """Give a port that is free now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
