"""The pages as a whole: what stands around the numbers, and the files that a browser asks for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from aggregators.calendar import date_of
from exporters.page import customers, revenue, words
from exporters.page.definitions import definitions
from exporters.page.markup import Child, Html, element, joined
from exporters.page.pipeline import pipeline
from exporters.page.view import TRENDS, Asked, View, defined
from exporters.page.wall import wall

_STATIC = files("exporters") / "static"
_DOCTYPE = Html("<!doctype html>\n")
_SCRIPT = "text/javascript; charset=utf-8"
_STYLE = "text/css; charset=utf-8"

CHARTS = {
    "mrr": ("MRR", "growth_mrr"),
    "customers": ("Customers and subscribers", "growth_customers"),
    "users": ("Active users", "growth_monthly_active_users"),
    "churn": ("Churn in 30 days", "growth_customer_churn_ratio"),
    "retention": ("Revenue retention in 30 days", "growth_revenue_retention_ratio"),
    "nps": ("NPS in 90 days, with twice its standard error", "growth_nps"),
}
"""Title and metric of each chart of the trends; page.js knows what is drawn."""


def landing(asked: Asked, view: View | None, state: Mapping[str, Any] | None, trouble: str | None = None) -> bytes:
    """Give the page of numbers, or of the reason why there are none.

    Args:
        asked: what is to be shown.
        view: the numbers; None if there are none.
        state: of the pipeline, as the API gives it; None if it is not known.
        trouble: why there are no numbers, in a sentence.
    """
    filled = dict(_parts(asked, view, state, trouble))

    def part(name: str) -> Html:
        return element("div", filled[name], data_part=name)

    main = joined(
        _controls(asked),
        part("asked"),
        part("wall"),
        _section("Trends", "trends", element("div", [_chart(name) for name in CHARTS], class_="charts")),
        _section("MRR movements", "movements", element("div", part("movements"), _chart("movements"), class_="pair")),
        _section("Churn", "churn", element("div", part("reasons"), part("segments"), class_="pair")),
        _section("Cohorts", "cohorts", part("cohorts")),
        _section("Answers and health", "voice", element("div", part("responses"), part("health"), class_="pair")),
        _section("Plans and contracts", "plans", element("div", part("plans"), part("contracts"), class_="pair")),
        _section("Pipeline", "pipeline", part("pipeline")),
    )
    return _page("Numbers", main, live=True)


def parts(asked: Asked, view: View | None, state: Mapping[str, Any] | None, trouble: str | None = None) -> bytes:
    """Give only what changes of the page of numbers, for its script; as `landing`."""
    return joined(element("div", html, data_part=name) for name, html in _parts(asked, view, state, trouble)).encode()


def _parts(
    asked: Asked, view: View | None, state: Mapping[str, Any] | None, trouble: str | None
) -> list[tuple[str, Child]]:
    names = ("wall", "movements", "reasons", "segments", "cohorts", "responses", "health", "plans", "contracts")
    shown: dict[str, Child] = dict.fromkeys(names)
    if view is not None:
        heat = element(
            "div",
            customers.cohorts(view, "growth_cohort_customers", "Customers still there, by months since the first"),
            customers.cohorts(view, "growth_cohort_mrr", f"Their MRR, {view.currency}, by months since the first"),
            class_="pair",
        )
        shown = {
            "wall": wall(view),
            "movements": revenue.movements(view),
            "reasons": revenue.reasons(view),
            "segments": customers.segments(view),
            "cohorts": joined(
                element(
                    "p",
                    "Shares of month 0: ",
                    defined("customers", "growth_cohort_customers"),
                    " and ",
                    defined("MRR", "growth_cohort_mrr"),
                    ". The stronger the colour, the more is left.",
                    class_="soft",
                ),
                heat,
            ),
            "responses": customers.responses(view),
            "health": customers.health(view),
            "plans": revenue.plans(view),
            "contracts": customers.contracts(view),
        }
    shown["pipeline"] = pipeline(state) if state is not None else None
    return [("asked", _asked(asked, view, trouble)), *shown.items()]


def _asked(asked: Asked, view: View | None, trouble: str | None) -> Html:
    days = {"data_as_of": date_of(asked.as_of).isoformat(), "data_today": date_of(asked.today).isoformat()}
    if trouble is not None:
        return element("p", trouble, class_="trouble", role="alert", **days)
    period = asked.chosen
    state = "still open" if period.end >= asked.today and not period.rolling else ""
    told = [
        element("b", words.day(asked.as_of)),
        f". {words.PERIODS[period.name]}: {words.span(period)}{f', {state}' if state else ''}. ",
        f"Before: the period as of {words.day(asked.compared)}. At start: the end of {words.day(period.before)}.",
    ]
    failed = view.now.failed if view else ()
    if failed:
        told.append(element("b", f" Left out by a bug, which the exporter's log shows: {', '.join(failed)}."))
    unconverted = sorted(view.by_label("growth_currency_unconverted", "currency")) if view else []
    if unconverted:
        name = defined("no rate", "growth_currency_unconverted")
        told += [element("b", f" Amounts are without {', '.join(unconverted)}"), ", for which there is ", name, "."]
    return element("p", told, class_="soft", **days)


def _controls(asked: Asked) -> Html:
    today = date_of(asked.today).isoformat()
    as_of = None if asked.as_of == asked.today else date_of(asked.as_of).isoformat()
    dimensions = {name: name.capitalize() for name in asked.dimensions}
    return element(
        "form",
        _choice("Period", "period", words.PERIODS, asked.period),
        element(
            "label",
            "As of ",
            element("input", type="date", name="as_of", value=as_of or today, max=today, min="1970-01-01"),
        ),
        element("button", "Today", type="button", id="today", hidden=as_of is None),
        _choice("Segments by", "by", dimensions, asked.by),
        _choice("Trends over", "trend", TRENDS, asked.trend),
        element("noscript", element("button", "Show", type="submit")),
        class_="controls",
        id="controls",
        action="/",
        aria_label="What to show",
    )


def _choice(title: str, name: str, values: Mapping[str, str], chosen: str) -> Html:
    options = [element("option", text, value=value, selected=value == chosen) for value, text in values.items()]
    return element("label", f"{title} ", element("select", options, name=name))


def _chart(name: str) -> Html:
    title, metric = CHARTS.get(name, ("MRR movements by month, 12 months", "growth_mrr_movement"))
    return element(
        "figure",
        element("figcaption", defined(title, metric)),
        element("div", class_="plot"),
        element("noscript", element("p", "Charts need JavaScript; the same numbers are at /api/v1/series.")),
        element(
            "details",
            element("summary", f"{title} as a table"),
            element("div", class_="scroll", tabindex="0", role="group", aria_label=f"{title}, the numbers"),
        ),
        data_chart=name,
    )


def _section(title: str, name: str, *content: Child) -> Html:
    return element("section", element("h2", title, id=name), content, aria_labelledby=name)


def _page(title: str, main: Html, *, live: bool = False) -> bytes:
    scripts: list[Html] = [element("script", src="/static/theme.js")]
    if live:
        scripts += [
            element("link", rel="stylesheet", href="/static/uplot.min.css"),
            element("script", src="/static/uplot.min.js", defer=True),
            element("script", src="/static/page.js", type="module"),
            element("noscript", element("meta", http_equiv="refresh", content="10")),
        ]
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"{title} · growthgauge"),
        element("link", rel="icon", href="data:,"),
        element("link", rel="stylesheet", href="/static/page.css"),
        scripts,
    )
    pages = {"/": "Numbers", "/definitions": "Definitions", "/api/v1": "API", "/metrics": "Prometheus"}
    links = [
        element("a", text, href=path, aria_current="page" if text == title else None) for path, text in pages.items()
    ]
    # The name is the heading of the page of numbers; other pages have one of their own.
    name = element("h1" if live else "p", element("a", "growthgauge", href="/"), class_="name")
    state = element("p", "live", id="state", role="status") if live else None
    theme = element("button", "Theme: auto", type="button", id="theme")
    body = element(
        "body",
        element("a", "Skip to the contents", href="#main", class_="skip"),
        element("header", name, state, element("nav", links, aria_label="Pages"), theme),
        element("main", main, id="main", tabindex="-1"),
        element("footer", element("p", "Any order, any duplicates, any crash: the same numbers.")),
    )
    return f"{_DOCTYPE}{element('html', head, body, lang='en')}\n".encode()


def _file(name: str) -> bytes:
    return (_STATIC / name).read_bytes()


ASSETS: dict[str, tuple[str, bytes]] = {
    "/definitions": ("text/html; charset=utf-8", _page("Definitions", definitions())),
    "/static/page.css": (_STYLE, _file("page.css")),
    "/static/page.js": (_SCRIPT, _file("page.js")),
    "/static/charts.js": (_SCRIPT, _file("charts.js")),
    "/static/drawing.js": (_SCRIPT, _file("drawing.js")),
    "/static/morph.js": (_SCRIPT, _file("morph.js")),
    "/static/theme.js": (_SCRIPT, _file("theme.js")),
    "/static/uplot.min.js": (_SCRIPT, _file("uplot.min.js")),
    "/static/uplot.min.css": (_STYLE, _file("uplot.min.css")),
    "/static/uplot.LICENSE": ("text/plain; charset=utf-8", _file("uplot.LICENSE")),
}
"""What never changes while the process runs, by path: content type and body."""
