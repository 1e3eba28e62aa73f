"""Prometheus servers for tests, ended with the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.prometheus.server import Prometheus, need_prometheus


@pytest.fixture(scope="session", autouse=True)
def _prometheus_is_here() -> None:
    """Nothing here can do without."""
    need_prometheus()


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Prometheus]]:
    """Start a Prometheus, with the arguments of its class but the folder."""
    with ExitStack() as stack:

        def start(**arguments: Any) -> Prometheus:
            return stack.enter_context(Prometheus(tmp_path_factory.mktemp("prometheus"), **arguments))

        yield start
