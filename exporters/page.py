"""Plain HTML for people: the numbers of the wall, and what each metric means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files

from aggregators.calendar import date_of
from aggregators.metrics import CATALOGUE, Family
from aggregators.metrics.family import Unit
from aggregators.metrics.reading import Number

_STATIC = files("exporters") / "static"

Labels = Mapping[str, str]

WALL: tuple[tuple[str, str, Labels], ...] = (
    ("Customers", "growth_customers", {}),
    ("Subscribers", "growth_subscribers", {}),
    ("MRR", "growth_mrr", {}),
    ("ARR", "growth_arr", {}),
    ("MRR per subscriber", "growth_arpa", {}),
    ("Signups today", "growth_signups", {"period": "day"}),
    ("Customer churn, 30 days", "growth_customer_churn_ratio", {"period": "30d"}),
    ("Customer retention, 30 days", "growth_customer_retention_ratio", {"period": "30d"}),
    ("Net revenue retention, 30 days", "growth_revenue_retention_ratio", {"period": "30d", "kind": "net"}),
    ("Quick ratio, 30 days", "growth_quick_ratio", {"period": "30d"}),
    ("Active users today", "growth_daily_active_users", {}),
    ("Active users, 7 days", "growth_weekly_active_users", {}),
    ("Active users, 30 days", "growth_monthly_active_users", {}),
    ("Stickiness", "growth_stickiness_ratio", {}),
    ("Sessions today", "growth_sessions", {"period": "day"}),
    ("NPS, 90 days", "growth_nps", {"period": "90d"}),
)
"""Title, metric and labels of every card; one without a value today is left out."""

_TIMES = {"growth_quick_ratio"}
"""Ratios that are read as so many times, not as so many percent."""

COLUMNS = ("day", "week", "month", "previous_month", "30d", "year")
ROWS: tuple[tuple[str, str, Labels], ...] = (
    ("Signups", "growth_signups", {}),
    ("Customers new", "growth_customers_new", {}),
    ("Customers lost", "growth_customers_lost", {}),
    ("Customer churn", "growth_customer_churn_ratio", {}),
    ("MRR at start", "growth_mrr_at_start", {}),
    ("MRR new", "growth_mrr_movement", {"movement": "new"}),
    ("MRR expansion", "growth_mrr_movement", {"movement": "expansion"}),
    ("MRR reactivation", "growth_mrr_movement", {"movement": "reactivation"}),
    ("MRR contraction", "growth_mrr_movement", {"movement": "contraction"}),
    ("MRR churn", "growth_mrr_movement", {"movement": "churn"}),
    ("Exchange rates", "growth_mrr_movement", {"movement": "fx"}),
    ("Revenue, recurring", "growth_revenue", {"kind": "recurring"}),
    ("Revenue, one time", "growth_revenue", {"kind": "one_time"}),
    ("Sessions", "growth_sessions", {}),
)

_SHELL = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>growthgauge</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/static/page.css">
{head}</head>
<body>
<header><h1>growthgauge</h1>{state}
<nav><a href="/">Numbers</a> <a href="/definitions">Definitions</a> <a href="/metrics">/metrics</a></nav></header>
<main>
{main}
</main>
<footer><span>Exact, whatever the order of the events.</span>
<span>For Prometheus: <a href="/metrics">/metrics</a></span>
<span>For probes: <a href="/-/ready">/-/ready</a></span></footer>
</body>
</html>
"""


def landing(numbers_html: str) -> str:
    """Wrap the numbers in a page that keeps them moving."""
    head = (
        '<script src="/static/page.js" defer></script>\n<noscript><meta http-equiv="refresh" content="5"></noscript>\n'
    )
    return _SHELL.format(head=head, state=' <span id="state" class="soft" role="status">live</span>', main=numbers_html)


def numbers(families: Sequence[Family], as_of: int, trouble: str | None = None) -> str:
    """Give the part of the landing page that changes: the wall's cards and a table by period."""
    if trouble is not None:
        return f'<p class="trouble" role="alert">{escape(trouble)}</p>'
    wanted = {name for _, name, _ in (*WALL, *ROWS)}
    values = {
        (family.name, frozenset(zip(family.labels, labels, strict=True))): (value, family.unit)
        for family in families
        if family.name in wanted
        for labels, value in family.samples
    }
    currency = next((f.samples[0].labels[0] for f in families if f.name == "growth_reporting_currency_info"), "")

    def show(name: str, labels: Labels, currency: str = "") -> str | None:
        found = values.get((name, frozenset(labels.items())))
        if found is None:
            return None
        value, unit = found
        return escape(formatted(value, "score" if name in _TIMES else unit, currency))

    cards = [
        f"<div><dt>{escape(title)}</dt><dd>{value}</dd></div>"
        for title, name, labels in WALL
        if (value := show(name, labels, currency)) is not None
    ]
    rows = [
        f"<tr><td>{escape(title)}</td>" + "".join(f"<td>{cell or ''}</td>" for cell in cells) + "</tr>"
        for title, name, labels in ROWS
        if any(cells := [show(name, {**labels, "period": period}) for period in COLUMNS])
    ]
    heads = "".join(f"<th>{period.replace('_', ' ')}</th>" for period in COLUMNS)
    return "\n".join(
        (
            f'<p class="soft">{date_of(as_of).isoformat()}</p>',
            '<dl class="cards">',
            *cards,
            "</dl>",
            f"<h2>By period, amounts in {escape(currency)}</h2>",
            f'<div class="scroll"><table>\n<tr><th></th>{heads}</tr>',
            *rows,
            "</table></div>",
        )
    )


def _definitions() -> str:
    rows = [
        f"<tr><td><code>{escape(metric.name)}</code></td><td>{', '.join(metric.labels)}</td>"
        f"<td>{escape(metric.help)}</td></tr>"
        for metric in CATALOGUE
    ]
    heads = "<tr><th>Metric</th><th>Labels</th><th>Meaning</th></tr>"
    return _SHELL.format(head="", state="", main="\n".join(('<table class="words">', heads, *rows, "</table>")))


def formatted(value: Number, unit: Unit, currency: str = "") -> str:
    """Write a value for people: thousands apart, ratios in percent, money with its currency."""
    number = float(value)
    match unit:
        case "count":
            return f"{number:,.0f}"
        case "money":
            return f"{number:,.2f} {currency}".rstrip()
        case "ratio":
            return f"{100 * number:,.1f}%"
        case _:
            return f"{number:,.2f}".removesuffix(".00")


ASSETS: dict[str, tuple[str, bytes]] = {
    "/static/page.css": ("text/css; charset=utf-8", (_STATIC / "page.css").read_bytes()),
    "/static/page.js": ("text/javascript; charset=utf-8", (_STATIC / "page.js").read_bytes()),
    "/definitions": ("text/html; charset=utf-8", _definitions().encode()),
}
"""What never changes while the process runs, by path: content type and body."""
