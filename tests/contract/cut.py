"""Cuts what is done to Redis off after some of its commands, as a signal would."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from aggregators.tables.redis.connection import Link


@contextmanager
def cut_off(monkeypatch: pytest.MonkeyPatch, after: int) -> Iterator[None]:
    """Let so many calls to Redis through, and interrupt every later one."""
    whole, calls = Link.call, 0

    def call(self: Link, *commands, resume: bool = False):
        nonlocal calls
        calls += 1
        if calls > after:
            raise KeyboardInterrupt
        return whole(self, *commands, resume=resume)

    with monkeypatch.context() as patched:
        patched.setattr(Link, "call", call)
        yield
