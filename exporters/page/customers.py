"""Customers by segment and by cohort, their health, and what they agreed to."""

from __future__ import annotations

from collections.abc import Sequence

from aggregators.metrics.reading import Number
from exporters.page import words
from exporters.page.markup import Html, bar, element, joined, table
from exporters.page.view import View, defined

_BANDS = {"healthy": "Healthy", "at_risk": "At risk", "critical": "Critical"}
_STEPS = 10
"""Shades of a heat map."""


def segments(view: View) -> Html:
    """Show customers, MRR, churn and nps by the segments of the dimension asked for."""
    by = view.asked.by
    period = view.asked.period
    note = None
    if period not in view.segment_periods:
        if not view.segment_periods:
            return element("p", "The setting segment_periods names no period.", class_="soft")
        period = "30d" if "30d" in view.segment_periods else view.segment_periods[0]
        note = element("p", f"Segments are not kept for that period: this is {words.PERIODS[period]}.", class_="soft")
    columns = {
        "growth_segment_customers": "Customers",
        "growth_segment_mrr": f"MRR, {view.currency}",
        "growth_segment_customers_lost": "Lost",
        "growth_segment_customer_churn_ratio": "Churn",
        "growth_segment_nps": "NPS",
    }
    found = {name: view.by_label(name, "segment", dimension=by, period=period) for name in columns}
    customers = found["growth_segment_customers"]
    if not by:
        return element("p", "The setting dimensions names nothing to tell customers apart by.", class_="soft")
    if not customers:
        return element("p", f"Customers are not told apart by {by}.", class_="soft")
    names = sorted(customers, key=lambda name: (-customers[name], name))
    churn = found["growth_segment_customer_churn_ratio"]
    worst = max(map(float, churn.values()), default=0.0) or 1.0

    def line(segment: str) -> list[Html | str]:
        shown = [view.written(name, found[name].get(segment), bare=True) for name in columns]
        drawn = element("td", bar(float(churn.get(segment, 0)) / worst, "move-churn"), class_="bars")
        return [segment, *shown, drawn]

    head = (by.capitalize(), *(defined(title, name) for name, title in columns.items()), "Churn, drawn")
    return joined(note, table(head, map(line, names), f"Segments by {by}"))


def cohorts(view: View, metric: str, caption: str) -> Html:
    """Show a heat map: of what each month's new customers were at first, the share that is there months later."""
    by_cohort: dict[str, dict[int, Number]] = {}
    for (cohort, month), value in view.now.values.get(metric, {}).items():
        by_cohort.setdefault(cohort, {})[int(month)] = value
    if not by_cohort:
        return element("p", "No cohorts yet.", class_="soft")
    months = range(max(max(values) for values in by_cohort.values()) + 1)
    rows = [
        [cohort, view.written(metric, values.get(0), bare=True), *_heat(values, months)]
        for cohort, values in sorted(by_cohort.items())
    ]
    head = ("First month", "Month 0", *(str(month) for month in months[1:]))
    return table(head, rows, caption, class_="heat")


def _heat(values: dict[int, Number], months: Sequence[int]) -> list[Html]:
    first = float(values.get(0, 0))
    cells = []
    for month in months[1:]:
        value = values.get(month)
        if value is None:
            cells.append(element("td"))
        elif not first:
            cells.append(element("td", words.NONE))
        else:
            share = float(value) / first
            shade = max(0, min(_STEPS, round(share * _STEPS)))
            cells.append(element("td", f"{100 * share:.0f}%", class_=f"h{shade}"))
    return cells


def health(view: View) -> Html:
    """Show customers by health band, and those who have been silent for so many days."""
    bands = view.by_label("growth_customer_health", "band")
    total = float(sum(bands.values())) or 1.0
    rows = [
        [
            title,
            view.written("growth_customer_health", bands.get(band, 0)),
            element(
                "td",
                bar(float(bands.get(band, 0)) / total, f"band-{band}"),
                element("span", f"{100 * float(bands.get(band, 0)) / total:.0f}%", class_="share"),
                class_="bars",
            ),
        ]
        for band, title in _BANDS.items()
    ]
    silent = view.by_label("growth_customers_inactive", "days")
    return joined(
        table(("Band", defined("Customers", "growth_customer_health"), "Share"), rows, "Health bands"),
        table(
            ("No session for", defined("Customers", "growth_customers_inactive")),
            [
                [f"{days} days or more", view.written("growth_customers_inactive", silent[days])]
                for days in sorted(silent, key=int)
            ],
            "Silent customers",
        ),
    )


def responses(view: View) -> Html:
    """Show the net promoter score with its error, and all answers to surveys."""
    rows = [
        (survey, outcome, float(count))
        for survey in ("nps", "csat", "ces", "fcr")
        for outcome, count in view.by_label("growth_survey_responses", "outcome", survey=survey).items()
    ]
    totals = {survey: sum(count for its, _, count in rows if its == survey) or 1.0 for survey, _, _ in rows}
    score, error = view.value("growth_nps"), view.value("growth_nps_standard_error")
    told = None
    if score is not None and error is not None:
        low, high = (max(-100.0, min(100.0, float(score) + 2 * sign * float(error))) for sign in (-1, 1))
        told = element(
            "p",
            defined("NPS", "growth_nps"),
            f" {view.written('growth_nps', score)}, standard error {float(error):.1f}: "
            f"with 95% confidence from {low:.0f} to {high:.0f}.".replace("-", words.MINUS),
        )
    lines = [
        [
            f"{survey.upper()}, {outcome}",
            f"{count:,.0f}",
            element(
                "td",
                bar(count / totals[survey], f"answer-{outcome}"),
                element("span", f"{100 * count / totals[survey]:.0f}%", class_="share"),
                class_="bars",
            ),
        ]
        for survey, outcome, count in rows
    ]
    head = ("Survey and outcome", defined("Answers", "growth_survey_responses"), "Share of the survey")
    return joined(told, table(head, lines, "Answers to surveys"))


def contracts(view: View) -> Html:
    """Show trials, renewals and payments of the period beside those of the period before."""
    rows: list[tuple[str, str, dict[str, str]]] = [
        ("Trials started", "growth_trials_started", {}),
        ("Trials ended", "growth_trials_ended", {}),
        ("Trials not decided yet", "growth_trials_pending", {}),
        ("Trial conversion", "growth_trial_conversion_ratio", {}),
        ("Renewals due", "growth_renewals_due", {}),
        ("Renewed", "growth_renewals", {}),
        ("Renewals not decided yet", "growth_renewals_pending", {}),
        ("Renewal rate", "growth_renewal_ratio", {}),
        ("Payments succeeded", "growth_payments", {"status": "succeeded"}),
        ("Payments failed", "growth_payments", {"status": "failed"}),
        ("Payments refunded", "growth_payments", {"status": "refunded"}),
        ("Revenue, recurring", "growth_revenue", {"kind": "recurring"}),
        ("Revenue, one time", "growth_revenue", {"kind": "one_time"}),
        ("Refunds", "growth_refunds", {}),
        ("Spent on acquisition", "growth_expense", {"category": "acquisition"}),
        ("Spent on retention", "growth_expense", {"category": "retention"}),
    ]
    lines = [
        [defined(title, name), view.shown(name, **labels), view.shown(name, view.before, **labels)]
        for title, name, labels in rows
    ]
    return table(("What", "This period", "The one before"), lines, "Trials, renewals and payments")
