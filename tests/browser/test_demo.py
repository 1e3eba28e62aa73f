"""The page as a newcomer meets it: `growthgauge up --demo`, and a browser that waits for the first numbers."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Watched
from tests.support.terminal import START_SECONDS, Up, User

TILE = "[data-part=wall] .tiles > div"


def number(page: Page, title: str) -> float:
    """Give a number of the wall, 0 where there is none yet."""
    found = page.locator(TILE).filter(has=page.locator("dt", has_text=re.compile(f"^{re.escape(title)}$")))
    return float(found.locator(".value").inner_text().split()[0].replace(",", "")) if found.count() else 0.0


def until(page: Page, true: Callable[[], bool]) -> None:
    """Wait for something that the page shows by itself."""
    end = time.monotonic() + START_SECONDS
    while not true():
        assert time.monotonic() < end, page.locator("main").inner_text()
        page.wait_for_timeout(100)


def test_the_demo_comes_alive_in_an_open_page(browser: Browser, tmp_path: Path, tell: Callable[[str], None]):
    """Opened before there are any events, it shows the history as it comes in, then charts, and goes on moving."""
    began = time.monotonic()
    running = Up(User(tmp_path), "--demo")
    try:
        running.ready()
        ready = time.monotonic() - began
        url = re.search(r"Ready after \d+ s: (\S+)", running.text())[1]
        watched = Watched(browser.new_context(viewport={"width": 1440, "height": 900}).new_page(), url)
        page = watched.page
        page.goto(url)
        until(page, lambda: number(page, "Customers") > 0)
        tell(f"The page: ready after {ready:.1f} s, the first customers on it after {time.monotonic() - began:.1f} s.")
        running.says("two years are in")
        until(page, lambda: number(page, "Customers") > 500)
        drawn = page.locator("[data-chart=mrr] .plot")
        expect(drawn).to_have_attribute("aria-label", re.compile(r"at the end: MRR \d+,\d{3}"))
        assert page.locator("[data-part=segments] tbody tr").count() >= 4
        assert page.locator("[data-part=cohorts] tbody tr").count() == 24
        sessions = number(page, "Sessions")
        until(page, lambda: number(page, "Sessions") > sessions)
        expect(page.locator("#state")).to_have_text("live")
        expect(page.locator("[data-part=pipeline]")).to_contain_text("records")
        assert (watched.errors, watched.strange) == ([], [])
    finally:
        running.close()
