"""The wall: the numbers that matter, each with what it was before and with its target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from aggregators.metrics.reading import Number
from exporters.page import words
from exporters.page.markup import Html, element, joined
from exporters.page.view import View, defined, has_period, unit_of

Better = Literal["up", "down", ""]


class Tile(NamedTuple):
    """One number of the wall."""

    title: str
    name: str
    better: Better = "up"
    """Which way is good news; blank where neither is."""
    labels: Mapping[str, str] = {}
    error: str = ""
    """The metric that is its standard error."""


WALL: dict[str, tuple[Tile, ...]] = {
    "Revenue": (
        Tile("MRR", "growth_mrr"),
        Tile("ARR", "growth_arr"),
        Tile("MRR growth", "growth_mrr_growth_ratio"),
        Tile("Net revenue retention", "growth_revenue_retention_ratio", labels={"kind": "net"}),
        Tile("Gross revenue retention", "growth_revenue_retention_ratio", labels={"kind": "gross"}),
        Tile("Quick ratio", "growth_quick_ratio"),
    ),
    "Customers": (
        Tile("Customers", "growth_customers"),
        Tile("Subscribers", "growth_subscribers"),
        Tile("New customers", "growth_customers_new"),
        Tile("Customers lost", "growth_customers_lost", "down"),
        Tile("Customer churn", "growth_customer_churn_ratio", "down"),
        Tile("Customer retention", "growth_customer_retention_ratio"),
    ),
    "Engagement": (
        Tile("Active users, day", "growth_daily_active_users"),
        Tile("Active users, 7 days", "growth_weekly_active_users"),
        Tile("Active users, 30 days", "growth_monthly_active_users"),
        Tile("Stickiness", "growth_stickiness_ratio"),
        Tile("Sessions", "growth_sessions"),
        Tile("Mean session", "growth_session_duration_seconds_mean", ""),
    ),
    "Voice and health": (
        Tile("NPS", "growth_nps", error="growth_nps_standard_error"),
        Tile("Satisfied (CSAT)", "growth_csat_ratio"),
        Tile("Effort score (CES)", "growth_ces_score"),
        Tile("Found it easy (CES)", "growth_ces_easy_ratio"),
        Tile("Resolved at once (FCR)", "growth_first_contact_resolution_ratio"),
        Tile("Healthy customers", "growth_customer_health", labels={"band": "healthy"}),
    ),
    "Contracts": (
        Tile("Signups", "growth_signups"),
        Tile("Trial conversion", "growth_trial_conversion_ratio"),
        Tile("Renewal rate", "growth_renewal_ratio"),
        Tile("Failed payments", "growth_payment_failure_ratio", "down"),
        Tile("Recovered payments", "growth_payment_recovery_ratio"),
        Tile("Cancellations to come", "growth_cancellations_scheduled", "down"),
    ),
    "Value and cost": (
        Tile("MRR per subscriber", "growth_arpa"),
        Tile("Lifetime value", "growth_lifetime_value"),
        Tile("Average sale price", "growth_average_sale_price"),
        Tile("Recurring revenue", "growth_revenue", labels={"kind": "recurring"}),
        Tile("Cost per new customer", "growth_acquisition_cost_per_customer", "down"),
        Tile("Retention cost per customer", "growth_retention_cost_per_customer", "down"),
    ),
}
"""Titles and tiles of each group; a tile without a value is left out."""


def wall(view: View) -> Html:
    """Show all groups that have a number."""
    groups = ((title, [_tile(view, tile) for tile in tiles]) for title, tiles in WALL.items())
    shown = [
        element(
            "section",
            element("h2", title, id=f"wall-{number}"),
            element("dl", tiles, class_="tiles"),
            aria_labelledby=f"wall-{number}",
        )
        for number, (title, tiles) in enumerate(groups)
        if any(tiles)
    ]
    return joined(shown)


def _tile(view: View, tile: Tile) -> Html | None:
    value = view.value(tile.name, **tile.labels)
    if value is None:
        return None
    text = view.written(tile.name, value)
    if tile.error and (error := view.value(tile.error)) is not None:
        text = f"{float(value):.1f} ± {float(error):.1f}".replace("-", words.MINUS)
    return element(
        "div",
        element("dt", defined(tile.title, tile.name)),
        element("dd", text, class_="value"),
        element("dd", _comparison(view, tile, value), class_="was"),
        _target(view, tile, value),
    )


def _comparison(view: View, tile: Tile, value: Number) -> Html:
    """Compare a level with the period's start, anything else with the period before."""
    report, when = (view.before, "before") if has_period(tile.name) else (view.start, "at start")
    before = view.value(tile.name, report, **tile.labels)
    if before is None:
        return element("span", f"none {when}")
    direction, change = words.changed(value, before, unit_of(tile.name))
    verdict = {0: "", 1: "good", -1: "bad"}[direction * {"up": 1, "down": -1, "": 0}[tile.better]]
    arrow = {0: "", 1: "▲ ", -1: "▼ "}[direction]
    said = {0: "", 1: "up ", -1: "down "}[direction]
    return joined(
        element("span", element("span", arrow, aria_hidden="true"), _unseen(said), change, class_=verdict or None),
        f" {view.written(tile.name, before, bare=True)} {when}",
    )


def _target(view: View, tile: Tile, value: Number) -> Html | None:
    """Show a target, and judge the number by it where it has no period or that of the alerts, 30 days."""
    target = view.value("growth_target", target=tile.name.removeprefix("growth_"))
    if target is None or tile.labels:
        return None
    text = f"target {view.written(tile.name, target, bare=True)}"
    if has_period(tile.name) and view.asked.period != "30d":
        return element("dd", f"{text} in 30 days", class_="was")
    met = value <= target if tile.better == "down" else value >= target
    verdict = element("span", "✓ met" if met else "✗ missed", class_="good" if met else "bad")
    return element("dd", f"{text} ", verdict, class_="was")


def _unseen(text: str) -> Html | None:
    return element("span", text, class_="unseen") if text else None
