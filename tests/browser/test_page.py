"""The exporter's page in a real Chromium: live, whole, safe, and usable by everybody."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from aggregators.facts import Facts, key
from tests.browser.company import EVIL, TODAY, put
from tests.browser.conftest import Open, Serving


def tile(page: Page, title: str) -> str:
    """Give a number of the wall."""
    found = page.locator(".tiles > div").filter(has=page.locator("dt", has_text=re.compile(f"^{re.escape(title)}$")))
    return found.locator(".value").inner_text()


def choose(page: Page, name: str, value: str) -> None:
    """Choose in one of the lists, and wait for what it gives."""
    with page.expect_response(re.compile(rf"/numbers\?.*{name}={value}")):
        page.select_option(f"select[name={name}]", value)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_page_has_no_barrier(visit: Open, scheme: str, width: int):
    """Axe finds no violation on either page, whatever the theme and the width; nothing is wider than the screen."""
    page = visit(width=width, color_scheme=scheme).page
    page.locator("summary").first.click()
    assert [violation["id"] for violation in Axe().run(page).response["violations"]] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.goto(f"{page.url.partition('?')[0]}definitions")
    assert [violation["id"] for violation in Axe().run(page).response["violations"]] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_names_from_events_are_text(visit: Open):
    """Plans, reasons, owners and channels that are markup are shown as they are, and do nothing."""
    page = visit("?period=365d&by=owner").page
    expect(page.locator("[data-part=plans]")).to_contain_text(EVIL)
    expect(page.locator("[data-part=segments]")).to_contain_text(EVIL)
    for dimension in ("channel", "plan"):
        choose(page, "by", dimension)
        expect(page.locator("[data-part=segments]")).to_contain_text(EVIL)
    assert page.locator("img").count() == 0
    assert "growthgauge" in page.title()


def test_every_period_can_be_chosen(visit: Open):
    """Each of the fourteen gives its numbers without a new page, and the address keeps the choice."""
    page = visit().page
    page.evaluate("window.same = true")
    values = page.locator("select[name=period] option").evaluate_all("all => all.map(each => each.value)")
    assert len(values) == 14
    told = set()
    for period in values:
        choose(page, "period", period)
        title = page.locator(f"select[name=period] option[value='{period}']").inner_text()
        expect(page.locator("[data-part=asked]")).to_contain_text(f"{title}: ")
        told.add(page.locator("[data-part=asked]").inner_text())
        assert f"period={period}" in page.url
    assert len(told) == 14
    assert page.evaluate("window.same")
    page.reload()
    assert page.input_value("select[name=period]") == values[-1]


def test_an_earlier_day_can_be_chosen(visit: Open):
    """The numbers and the charts are as of that day, and one button leads back to today."""
    page = visit().page
    now = tile(page, "Customers")
    with page.expect_response(re.compile("/numbers.*as_of=2026-05-01")):
        page.fill("input[name=as_of]", "2026-05-01")
        page.dispatch_event("input[name=as_of]", "change")
    expect(page.locator("#state")).to_have_text("as of 2026-05-01")
    expect(page.locator("[data-part=asked]")).to_contain_text("1 May 2026")
    assert int(tile(page, "Customers")) < int(now)
    expect(page.locator("[data-chart=mrr] .plot")).to_have_attribute("aria-label", re.compile("to 2026-05-01"))
    page.click("#today")
    expect(page.locator("#state")).to_have_text("live")
    expect(page.locator("[data-part=wall]")).to_contain_text(now)
    assert "as_of" not in page.url


def test_a_chart_can_be_read_as_a_table(visit: Open):
    """Each chart has the same numbers in words and in a table, as of the days that are chosen."""
    page = visit().page
    for figure in page.locator("figure").all():
        name = figure.locator(".plot").get_attribute("aria-label")
        assert re.search(r"at the end: \S", name)
        figure.locator("summary").click()
        cells = figure.locator("details tbody tr:last-child td").all_inner_texts()
        assert cells
        assert all(cell in name for cell in cells)
    assert page.locator("[data-chart=mrr] details tbody tr").count() == 90
    with page.expect_response(re.compile("series.*step=week")):
        choose(page, "trend", "365")
    expect(page.locator("[data-chart=mrr] details tbody tr")).to_have_count(53)


def test_the_numbers_are_live(visit: Open, serving: Serving):
    """New facts are shown without a reload, while focus, an open table and the text around stay as they are."""
    page = visit().page
    page.evaluate("document.querySelectorAll('.tiles > div').forEach(each => each.seen = true)")
    page.locator("[data-chart=mrr] summary").click()
    link = page.locator("[data-part=wall] a", has_text=re.compile("^Customers$"))
    link.focus()
    before = int(tile(page, "Customers"))
    put(serving.tables, Facts({TODAY: {key("new"): 900}}))
    expect(page.locator("[data-part=wall]")).to_contain_text(f"{before + 900:,}")
    expect(link).to_be_focused()
    assert page.evaluate("[...document.querySelectorAll('.tiles > div')].every(each => each.seen)")
    assert page.locator("[data-chart=mrr] details").evaluate("each => each.open")
    choose(page, "period", "7d")
    drawn = page.locator("[data-chart=customers] .plot")
    expect(drawn).to_have_attribute("aria-label", re.compile(f"Customers {before + 900:,}"))
    expect(drawn.locator(".u-legend")).to_contain_text(f"{before + 900:,}")
    serving.today += 1
    expect(page.locator("input[name=as_of]")).to_have_value("2026-07-30")


def test_an_exporter_that_goes_and_comes_back(visit: Open, serving: Serving):
    """The page says that the numbers are old, keeps them, and goes on by itself."""
    watched = visit()
    page = watched.page
    shown = tile(page, "Customers")
    serving.stop()
    expect(page.locator("#state")).to_contain_text("no answer from the exporter")
    assert tile(page, "Customers") == shown
    serving.start()
    expect(page.locator("#state")).to_have_text("live")
    # A browser writes each refused connection to the console itself.
    assert all("ERR_CONNECTION" in error or "ERR_EMPTY" in error for error in watched.errors)
    watched.errors.clear()


def test_the_keyboard_is_enough(visit: Open):
    """The first key leads past the head; controls, theme and tables are reached in order, each visibly."""
    page = visit().page
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("select[name=period]")).to_be_focused()
    outline = "document.activeElement && getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid"
    with page.expect_response(re.compile("/numbers.*period=90d")):
        page.keyboard.type("90")
    page.locator("#theme").focus()
    page.keyboard.press("Enter")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    page.locator("[data-chart=mrr] summary").focus()
    page.keyboard.press("Space")
    expect(page.locator("[data-chart=mrr] details table")).to_be_visible()


def test_the_theme_is_the_systems_until_one_is_chosen(visit: Open):
    """Auto follows the system; light and dark are kept over a reload, and charts follow."""
    page = visit(color_scheme="dark").page
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    marker = "getComputedStyle(document.querySelector('[data-chart=mrr] .u-marker')).borderColor"
    drawn = page.evaluate(f"{marker}") if page.locator("[data-chart=mrr] .u-marker").count() else None
    page.click("#theme")
    light = page.evaluate(ground)
    assert light != dark
    assert page.locator("#theme").inner_text() == "Theme: light"
    page.reload()
    page.wait_for_selector("[data-chart=mrr] canvas")
    assert page.evaluate(ground) == light
    assert page.evaluate(marker) != drawn
    page.click("#theme")
    assert page.evaluate(ground) == dark
    page.click("#theme")
    page.emulate_media(color_scheme="light")
    assert page.evaluate(ground) == light


def test_the_page_is_whole_without_scripts(visit: Open):
    """All tables and numbers are in the HTML, and the controls are a form."""
    page = visit("?period=365d", wait=False, java_script_enabled=False).page
    assert int(tile(page, "Customers")) > 0
    assert page.locator("[data-part=cohorts] table").count() == 2
    page.select_option("select[name=period]", "7d")
    page.click("button[type=submit]")
    expect(page.locator("[data-part=asked]")).to_contain_text("7 days: ")


def test_the_pipeline_is_told(visit: Open):
    """What came in, what was rejected, how far behind the worker is, and that Redis answers."""
    page = visit().page
    told = page.locator("[data-part=pipeline]")
    for text in ("✓ answers", "✓ balance", "3 (3 schema)", "17 records", "growth.sessions", "segments"):
        expect(told).to_contain_text(text)


def test_a_number_leads_to_its_definition(visit: Open):
    """The link of a tile ends at the metric's own place."""
    page = visit().page
    page.click("text=Customer churn")
    assert page.url.endswith("/definitions#growth_customer_churn_ratio")
    expect(page.locator("#growth_customer_churn_ratio")).to_be_in_viewport()
