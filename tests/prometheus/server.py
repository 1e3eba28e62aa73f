"""A real Prometheus for tests: on a free loopback port, with data, scrape targets and rules of the test's choice."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import pytest

from tests.support.servers import free_port

SECONDS_TO_START = 60
"""Machines that run tests are busy."""

Samples = dict[frozenset[tuple[str, str]], float]
"""Labels, the metric's name as `__name__` among them, to a value."""

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def need_prometheus() -> None:
    """Skip, or fail where nothing may be left out, if prometheus and promtool are not here."""
    lacking = [tool for tool in ("prometheus", "promtool") if shutil.which(tool) is None]
    if lacking:
        said = f"{' and '.join(lacking)} not here: both come with Prometheus"
        assert not os.environ.get("GROWTHGAUGE_REQUIRE_PROMTOOL"), said
        pytest.skip(said)


def promtool(*arguments: str | Path) -> str:
    """Run promtool, and give what it printed; fail with it if it fails."""
    ran = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


class QueryError(Exception):
    """Prometheus refused a query; the message is its own."""


class Prometheus:
    """One server, which can be ended and started again on the same data.

    Args:
        folder: for its configuration and log.
        data: where its blocks are; a folder inside `folder` if not given.
        jobs: targets, as host:port, by the name of the job that scrapes them.
        rules: files of rules; their groups' own intervals count.
        every: scrape and evaluation interval, as Prometheus writes durations.
        options: further flags.
    """

    def __init__(
        self,
        folder: Path,
        *,
        data: Path | None = None,
        jobs: Mapping[str, Iterable[str]] | None = None,
        rules: Iterable[Path] = (),
        every: str = "1s",
        options: Iterable[str] = (),
    ) -> None:
        """Write the configuration; `start` starts it."""
        self.folder, self.data, self.port = folder, data or folder / "data", 0
        folder.mkdir(parents=True, exist_ok=True)
        self._options = list(options)
        self._process: subprocess.Popen[bytes] | None = None
        self._targets = sum(len(list(targets)) for targets in (jobs or {}).values())
        configuration = {
            "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
            "rule_files": [str(path.absolute()) for path in rules],
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": list(targets)}]}
                for job, targets in (jobs or {}).items()
            ],
        }
        # JSON is YAML.
        self._file = folder / "prometheus.yml"
        self._file.write_text(json.dumps(configuration), encoding="utf-8")

    def start(self) -> Self:
        """Start it and wait until it serves queries."""
        for _ in range(5):
            self.port = self.port or free_port()
            command = ["prometheus", f"--config.file={self._file}", f"--storage.tsdb.path={self.data}"]
            command += [f"--web.listen-address=127.0.0.1:{self.port}", "--storage.tsdb.retention.time=20y"]
            with (self.folder / "log").open("ab") as log:
                self._process = subprocess.Popen([*command, *self._options], stdout=log, stderr=log)
            deadline = time.monotonic() + SECONDS_TO_START
            while time.monotonic() < deadline and self._process.poll() is None:
                try:
                    with _direct.open(f"{self.url}/-/ready", timeout=5) as answer:
                        if answer.status == 200:
                            return self
                except OSError:
                    time.sleep(0.05)
            self.stop()
            self.port = 0  # someone else may have taken it
        raise RuntimeError(f"No Prometheus came up: {(self.folder / 'log').read_text(errors='replace')[-2000:]}")

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """SIGTERM, and SIGKILL after ten seconds."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(self, *exc: object) -> None:
        """End it."""
        self.stop()

    def get(self, path: str, **parameters: str | float) -> Any:
        """Ask the API, such as `get("rules")`, and give its `data`.

        Raises:
            QueryError: it answered with an error.
        """
        address = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with _direct.open(address, timeout=60) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise QueryError(json.load(error)["error"]) from None

    def query(self, expression: str, at: float | None = None, **parameters: str | float) -> Samples:
        """Evaluate an instant query that gives a vector or a scalar, now or at an instant in seconds."""
        when = {} if at is None else {"time": at}
        found = self.get("query", query=expression, **when, **parameters)
        if found["resultType"] == "scalar":
            return {frozenset(): float(found["result"][1])}
        return {frozenset(one["metric"].items()): float(one["value"][1]) for one in found["result"]}

    def query_range(
        self, expression: str, start: float, end: float, step: float, **parameters: str | float
    ) -> dict[frozenset[tuple[str, str]], dict[float, float]]:
        """Evaluate a query at each step, all in seconds: labels to instants to values."""
        found = self.get("query_range", query=expression, start=start, end=end, step=step, **parameters)
        return {
            frozenset(one["metric"].items()): {float(at): float(value) for at, value in one["values"]}
            for one in found["result"]
        }

    def wait_for(self, expression: str, seconds: float = 60) -> Samples:
        """Wait until a query has a result, and give it."""
        deadline = time.monotonic() + seconds
        while not (found := self.query(expression)):
            assert time.monotonic() < deadline, f"{expression}: nothing within {seconds} s; {self.get('targets')}"
            time.sleep(0.1)
        return found

    def wait_for_scrapes(self, seconds: float = 60) -> None:
        """Wait until every target has been scraped with success."""
        self.wait_for(f"count(up == 1) == {self._targets}", seconds)
