"""A real Chromium, an exporter for it to show, and the rules that every page keeps."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from aggregators.tables.memory import Tables
from exporters.server import ExporterConfig, ExporterServer
from tests.browser import company

PATIENCE = 60_000
"""Milliseconds that anything may take: the page looks every three seconds, on a machine that may be busy."""
_QUIET = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A Chromium of the system's: none is downloaded."""
    path = os.environ.get("GROWTHGAUGE_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    assert path, "There is no Chromium: install the package chromium, or say in GROWTHGAUGE_CHROMIUM where one is."
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", *_QUIET])
        yield chromium
        chromium.close()


class Serving:
    """An exporter over tables in memory, which may go and come back on the same port."""

    def __init__(self) -> None:
        """Start it."""
        self.tables: Tables = company.company()
        self.today = company.TODAY
        self._port = 0
        self._server: ExporterServer | None = None
        self.start()

    def start(self) -> None:
        """Listen."""
        config = ExporterConfig(
            today=lambda: self.today,
            partitions=company.PARTITIONS,
            settings=company.SETTINGS,
            port=self._port,
            worker_metrics=lambda: 'growth_consumer_lag{topic="growth.sessions",partition="0"} 17\n',
        )
        self._server = ExporterServer(config, self.tables)
        self._port = self._server.port
        self._server.start()

    def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    @property
    def url(self) -> str:
        """Where its page is."""
        return f"http://127.0.0.1:{self._port}/"


@pytest.fixture
def serving() -> Iterator[Serving]:
    """An exporter of this test's own."""
    exporter = Serving()
    yield exporter
    exporter.stop()


class Watched:
    """A page, and what it did that no page may do."""

    def __init__(self, page: Page, url: str) -> None:
        """Listen before anything is loaded."""
        self.page, self.errors, self.strange = page, list[str](), list[str]()
        self.requests, self.bytes = 0, 0
        self._host = urlsplit(url).netloc
        page.on("console", self._told)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self._asked(request.url))

    def _told(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def _asked(self, url: str) -> None:
        self.requests += 1
        if not url.startswith("data:") and urlsplit(url).netloc != self._host:
            self.strange.append(url)


Open = Callable[..., Watched]


@pytest.fixture
def visit(browser: Browser, serving: Serving) -> Iterator[Open]:
    """Open the page; at the end it has written no error and asked no other host."""
    opened: list[Watched] = []
    contexts = []

    def go(path: str = "", *, width: int = 1440, height: int = 900, wait: bool = True, **context: object) -> Watched:
        contexts.append(browser.new_context(viewport={"width": width, "height": height}, **context))
        contexts[-1].set_default_timeout(PATIENCE)
        watched = Watched(contexts[-1].new_page(), serving.url)
        opened.append(watched)
        watched.page.goto(f"{serving.url}{path}")
        if wait:
            watched.page.wait_for_selector("[data-chart=nps] canvas")
            watched.page.wait_for_selector("[data-chart=movements] canvas")
        return watched

    yield go
    for context in contexts:
        context.close()
    assert [watched.errors for watched in opened] == [[] for _ in opened]
    assert [watched.strange for watched in opened] == [[] for _ in opened]
