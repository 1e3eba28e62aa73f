"""Takes the documentation's pictures of the page: `python -m tests.browser.screenshots http://127.0.0.1:9108/`.

Give it the page of `make up`, once the demo company's two years are in.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).parents[2] / "docs" / "images"
SIZES = {1440: 1290, 390: 844}
"""Widths and heights."""
MOST = 300_000
"""Bytes of a picture."""


def take(url: str) -> None:
    """Write a picture for each theme and size."""
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            for width, height in SIZES.items():
                viewport = {"width": width, "height": height}
                page = browser.new_context(viewport=viewport, color_scheme=scheme, locale="en-GB").new_page()
                page.goto(url)
                page.wait_for_selector("[data-chart=movements] canvas")
                page.wait_for_timeout(500)
                path = IMAGES / f"page-{scheme}-{width}.png"
                size = len(page.screenshot(path=path))
                assert size < MOST, f"{path} has {size:,} bytes."
                print(f"{path} is written: {size:,} bytes.")
        browser.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Give one address: that of the page, such as http://127.0.0.1:9108/.")
    take(sys.argv[1])
