"""For all tests: what they may tell while output is captured, and how hypothesis tries examples."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings

# A busy machine is no error; and what a change did not break must not fail by chance.
settings.register_profile("growthgauge", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("growthgauge")


@pytest.fixture(scope="session")
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Write a line; of a process that runs a part of the tests it is written when that process has ended."""
    config = request.config
    if hasattr(config, "workeroutput"):
        said: list[str] = config.workeroutput.setdefault("said", [])
        return said.append
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")

    def write(line: str) -> None:
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(line)

    return write


class _Parts:
    """Listens to the processes that run parts of the tests."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Write what a process' tests have told."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        for line in getattr(node, "workeroutput", {}).get("said", ()):
            reporter.ensure_newline()
            reporter.write_line(line)


def pytest_configure(config: pytest.Config) -> None:
    """Listen where there are such processes."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Parts(config))
