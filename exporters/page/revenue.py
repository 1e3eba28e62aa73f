"""What moved MRR in a period, what plans it comes from, and why it and customers were lost."""

from __future__ import annotations

from collections.abc import Mapping

from aggregators.metrics.reading import Number
from exporters.page.markup import Html, bar, element, joined, span_bar, table
from exporters.page.view import View, defined

MOVEMENTS = {
    "new": "New",
    "expansion": "Expansion",
    "reactivation": "Reactivation",
    "contraction": "Contraction",
    "churn": "Churn",
    "fx": "Exchange rates",
}
_MOVEMENT = "growth_mrr_movement"


def movements(view: View) -> Html:
    """Show how MRR went from the period's start to its end, step by step."""
    at_start = view.value("growth_mrr_at_start")
    if at_start is None:
        return element("p", "No MRR yet.", class_="soft")
    moved = {name: view.value(_MOVEMENT, movement=name) or 0 for name in MOVEMENTS}
    rows: list[tuple[Html, Number | None, Number, Number, Number, str]] = []
    level: Number = at_start
    for name, amount in moved.items():
        customers = view.value("growth_mrr_movement_customers", movement=name)
        rows.append((defined(MOVEMENTS[name], _MOVEMENT), customers, amount, level, level + amount, name))
        level += amount
    levels = [float(each) for row in rows for each in row[3:5]]
    low, high = _bounds(levels)

    def share(value: Number) -> float:
        return (float(value) - low) / (high - low)

    def line(title: Html, customers: Number | None, amount: Number, bar_: Html) -> list[Html | str]:
        count = "" if customers is None else view.written("growth_mrr_movement_customers", customers)
        return [title, view.written(_MOVEMENT, amount, bare=True), count, element("td", bar_, class_="bars")]

    lines = [line(defined("At start", "growth_mrr_at_start"), None, at_start, span_bar(0, share(at_start), "level"))]
    lines += [
        line(title, customers, amount, span_bar(share(before), share(after), f"move-{name}"))
        for title, customers, amount, before, after, name in rows
    ]
    lines.append(line(defined("At end", "growth_mrr"), None, level, span_bar(0, share(level), "level")))
    cut = element("p", f"Bars begin at {view.written('growth_mrr', low, bare=True)}.", class_="soft") if low else None
    return joined(table(("Step", view.currency, "Customers", "From start to end"), lines, "MRR movements"), cut)


def _bounds(levels: list[float]) -> tuple[float, float]:
    """Give the ends of a scale on which the steps can be seen: from 0, unless they are small beside the whole."""
    low, high = min(0.0, *levels), max(levels)
    steps = high - min(levels)
    if low >= 0 and steps < high / 3:
        low = float(round(max(0.0, min(levels) - steps / 2)))
    return low, high if high > low else low + 1


def plans(view: View) -> Html:
    """Show the subscriptions and the MRR of each plan."""
    mrr = view.by_label("growth_plan_mrr", "plan")
    counts = view.by_label("growth_plan_subscriptions", "plan")
    names = sorted({*mrr, *counts}, key=lambda name: (-float(mrr.get(name, 0)), name))
    if not names:
        return element("p", "No subscriptions yet.", class_="soft")
    total = float(sum(mrr.values())) or 1.0
    rows = [
        [
            _named(name),
            view.written("growth_plan_subscriptions", counts.get(name, 0)),
            view.written("growth_plan_mrr", mrr.get(name, 0), bare=True),
            _share(float(mrr.get(name, 0)) / total),
        ]
        for name in names
    ]
    head = (
        "Plan",
        defined("Subscriptions", "growth_plan_subscriptions"),
        defined(f"MRR, {view.currency}", "growth_plan_mrr"),
        "Share of MRR",
    )
    return table(head, rows, "Plans")


def reasons(view: View) -> Html:
    """Show why customers left in the period, and the MRR that went with each reason."""
    customers = view.by_label("growth_customers_churned", "reason")
    mrr = view.by_label("growth_mrr_churned", "reason")
    shown: Mapping[str, Number] = {name: customers.get(name, 0) for name in {*customers, *mrr}}
    names = sorted(
        (name for name, count in shown.items() if count or mrr.get(name)), key=lambda name: (-shown[name], name)
    )
    if not names:
        return element("p", "Nobody left in this period.", class_="soft")
    total = float(sum(shown.values())) or 1.0
    rows = [
        [
            _named(name),
            view.written("growth_customers_churned", shown[name]),
            view.written("growth_mrr_churned", mrr.get(name, 0), bare=True),
            _share(float(shown[name]) / total),
        ]
        for name in names
    ]
    head = (
        "Reason",
        defined("Customers", "growth_customers_churned"),
        defined(f"MRR, {view.currency}", "growth_mrr_churned"),
        "Share of customers",
    )
    return table(head, rows, "Churn by reason")


def _share(share: float) -> Html:
    return element("td", bar(share), element("span", f"{100 * share:.0f}%", class_="share"), class_="bars")


def _named(name: str) -> str:
    return name.replace("_", " ") or "(none)"
