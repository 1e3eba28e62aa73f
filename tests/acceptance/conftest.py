"""A user and an `up` for acceptance tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.terminal import Up, User


@pytest.fixture
def user(tmp_path: Path) -> User:
    """Someone in an empty folder."""
    return User(tmp_path)


@pytest.fixture
def up(user: User) -> Iterator[Callable[..., Up]]:
    """Start `up`, and end it with the test."""
    started: list[Up] = []

    def start(*arguments: str, **extra: str) -> Up:
        started.append(Up(user, *arguments, **extra))
        return started[-1]

    yield start
    for each in started:
        each.close()
