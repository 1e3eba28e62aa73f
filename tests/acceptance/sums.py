"""Sums that must agree within a report, and between the reports of two days, whatever the company."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

DIMENSIONS = ("plan", "country", "channel", "owner")
SEGMENT_PERIODS = ("month", "previous_month", "30d")
KINDS = ("day", "week", "month", "quarter", "year")
ROLLING = ("7d", "30d", "90d", "365d")
PERIODS = (*KINDS, *(f"previous_{kind}" for kind in KINDS), *ROLLING)
MOVEMENTS = ("new", "expansion", "contraction", "churn", "reactivation")

Labels = frozenset[tuple[str, str]]


class Sum(NamedTuple):
    """Two lists of terms whose sums must be equal."""

    what: str
    left: list[float]
    right: list[float]

    @property
    def holds(self) -> bool:
        """Whether they are, as far as floats can tell: each term was rounded once."""
        terms = [*self.left, *self.right]
        difference = math.fsum([*self.left, *(-term for term in self.right)])
        return abs(difference) <= 1e-9 * math.fsum(map(abs, terms))


class Report:
    """One day's report, with the first letters of every name left out."""

    def __init__(self, text: str) -> None:
        """Read the JSON form."""
        document = json.loads(text)
        self.day = dt.date.fromisoformat(document["as_of"])
        self.samples: dict[str, dict[Labels, float]] = {
            metric["name"].removeprefix("growth_"): {
                frozenset(sample["labels"].items()): sample["value"] for sample in metric["samples"]
            }
            for metric in document["metrics"]
        }

    def all(self, name: str, **labels: str) -> list[float]:
        """Give the values of a metric where the labels named have these values."""
        wanted = labels.items()
        return [value for found, value in self.samples.get(name, {}).items() if wanted <= found]

    def one(self, name: str, **labels: str) -> float:
        """Give the only value under exactly these labels; KeyError if there is none."""
        return self.samples[name][frozenset(labels.items())]

    def maybe(self, name: str, **labels: str) -> float | None:
        """Give it, or None: ratios without a denominator are left out."""
        return self.samples.get(name, {}).get(frozenset(labels.items()))

    def values(self, name: str, label: str) -> set[str]:
        """Give the values that a label of a metric has."""
        return {dict(labels)[label] for labels in self.samples.get(name, {})}

    def at_end(self, level: str, period: str) -> float:
        """Give a level at a period's end: now, or at the start of the period that came after."""
        if period.startswith("previous_"):
            return self.one(f"{level}_at_start", period=period.removeprefix("previous_"))
        return self.one(level)


def negative(values: Iterable[float]) -> list[float]:
    """Turn the signs."""
    return [-value for value in values]


def within(report: Report, rates: Mapping[str, Mapping[str, str]]) -> Iterator[Sum]:
    """Give every sum of one report; `rates` are the dollars for one unit of other currencies by date."""
    yield from _levels(report, rates)
    for period in PERIODS:
        yield from (Sum(f"{period}: {what}", left, right) for what, left, right in _flows(report, period))
    yield from _cohorts(report)
    for dimension in DIMENSIONS:
        yield from (Sum(f"{dimension}: {what}", left, right) for what, left, right in _segments(report, dimension))


def _levels(report: Report, rates: Mapping[str, Mapping[str, str]]) -> Iterator[Sum]:
    mrr, customers = [report.one("mrr")], [report.one("customers")]
    yield Sum("health bands = customers", report.all("customer_health"), customers)
    yield Sum("MRR of plans = MRR", report.all("plan_mrr"), mrr)
    native = []
    for currency in report.values("mrr_native", "currency"):
        steps = {date: rate for date, rate in rates.get(currency, {}).items() if date <= str(report.day)}
        rate = 1.0 if currency == "USD" else float(steps[max(steps)])
        native.append(rate * report.one("mrr_native", currency=currency))
    yield Sum("MRR of currencies at the day's rates = MRR", native, mrr)
    yield Sum("ARR = 12 MRR", [report.one("arr")], 12 * mrr)
    arpa = report.maybe("arpa")
    if arpa is not None:
        yield Sum("MRR per subscriber x subscribers = MRR", [arpa * report.one("subscribers")], mrr)
    lifecycle = [report.one("users_lifecycle", state=state) for state in ("new", "returning", "resurrected")]
    yield Sum("new + returning + resurrected = active today", lifecycle, [report.one("daily_active_users")])
    stickiness = report.maybe("stickiness_ratio")
    if stickiness is not None:
        monthly = report.one("monthly_active_users")
        yield Sum("stickiness x monthly = daily", [stickiness * monthly], [report.one("daily_active_users")])


def _flows(report: Report, period: str) -> Iterator[tuple[str, list[float], list[float]]]:
    def one(name: str, **labels: str) -> float:
        return report.one(name, period=period, **labels)

    def share(name: str, whole: float, part: float, **labels: str) -> tuple[str, list[float], list[float]]:
        """Compare a ratio with what it is made of; without a denominator there must be none."""
        ratio = report.maybe(name, period=period, **labels)
        if ratio is None:
            return f"{name} is left out where it divides by 0", [whole], [0]
        return f"{name} {labels or ''} x {whole} = {part}", [ratio * whole], [part]

    for level in ("customers", "subscribers"):
        start, gained, lost = (one(f"{level}_{what}") for what in ("at_start", "gained", "lost"))
        yield f"{level} at start + gained - lost = at end", [start, gained, -lost], [report.at_end(level, period)]
        yield share(f"{level[:-1]}_churn_ratio", start, lost)
    start = one("customers_at_start")
    left = report.all("customers_churned", period=period)
    new, returned = one("customers_new"), one("customers_returned")
    at_end = [report.at_end("customers", period)]
    yield "customers at start + new + returned - churned = at end", [start, new, returned, *negative(left)], at_end
    yield share("customer_retention_ratio", start, start - one("customers_lost"))

    start = one("mrr_at_start")
    moves = report.all("mrr_movement", period=period)
    yield "MRR at start + all movements = at end", [start, *moves], [report.at_end("mrr", period)]
    move = {name: one("mrr_movement", movement=name) for name in MOVEMENTS}
    yield "MRR churned by reason = churn", report.all("mrr_churned", period=period), [-move["churn"]]
    grown, shrunk = move["expansion"] + move["reactivation"], -move["churn"] - move["contraction"]
    yield share("mrr_churn_ratio", start, shrunk, kind="gross")
    yield share("mrr_churn_ratio", start, shrunk - grown, kind="net")
    yield share("mrr_growth_ratio", start, sum(move.values()))
    yield share("quick_ratio", shrunk, move["new"] + grown)
    yield share("average_sale_price", one("mrr_movement_customers", movement="new"), move["new"])

    paid, failed = (one("payments", status=status) for status in ("succeeded", "failed"))
    yield share("payment_failure_ratio", paid + failed, failed)
    due, pending = one("renewals_due"), one("renewals_pending")
    yield share("renewal_ratio", due - pending, one("renewals"))
    happy, passive, unhappy = (
        one("survey_responses", survey="nps", outcome=outcome) for outcome in ("promoter", "passive", "detractor")
    )
    yield share("nps", happy + passive + unhappy, 100 * (happy - unhappy))
    for name, survey, good, bad in (
        ("csat_ratio", "csat", "satisfied", "unsatisfied"),
        ("first_contact_resolution_ratio", "fcr", "resolved", "unresolved"),
    ):
        yes, no = (one("survey_responses", survey=survey, outcome=outcome) for outcome in (good, bad))
        yield share(name, yes + no, yes)
    mean = (report.one("customers_at_start", period=period) + at_end[0]) / 2
    yield share("retention_cost_per_customer", mean, one("expense", category="retention"))
    yield share("acquisition_cost_per_customer", new, one("expense", category="acquisition"))


def _cohorts(report: Report) -> Iterator[Sum]:
    """Compare all cohorts at the ends of months: the current one's, and the two before."""
    latest = dict.fromkeys(report.values("cohort_customers", "cohort"), 0)
    for labels in report.samples.get("cohort_customers", {}):
        cohort, month = dict(labels)["cohort"], int(dict(labels)["month"])
        latest[cohort] = max(latest[cohort], month)
    for back, period in enumerate((None, "month", "previous_month")):
        for level in ("customers", "mrr"):
            cells = [
                report.one(f"cohort_{level}", cohort=cohort, month=str(month - back))
                for cohort, month in latest.items()
                if month >= back
            ]
            total = report.one(level) if period is None else report.one(f"{level}_at_start", period=period)
            yield Sum(f"{level} of cohorts {back} month ends ago = {level}", cells, [total])


def _segments(report: Report, dimension: str) -> Iterator[tuple[str, list[float], list[float]]]:
    for level in ("customers", "subscribers", "mrr"):
        yield f"{level} = total", report.all(f"segment_{level}", dimension=dimension), [report.one(level)]
    for period in SEGMENT_PERIODS:
        for flow in ("customers_new", "customers_lost"):
            parts = report.all(f"segment_{flow}", dimension=dimension, period=period)
            yield f"{flow} {period} = total", parts, [report.one(flow, period=period)]
        for movement in (*MOVEMENTS, "fx"):
            where = {"period": period, "movement": movement}
            parts = report.all("segment_mrr_movement", dimension=dimension, **where)
            yield f"MRR {movement} {period} = total", parts, [report.one("mrr_movement", **where)]
        moved = {
            movement: report.all("segment_mrr_movement", dimension=dimension, period=period, movement=movement)
            for movement in ("left", "entered")
        }
        yield f"MRR left {period} = - MRR entered", moved["left"], negative(moved["entered"])


def between(before: Report, after: Report) -> Iterator[Sum]:
    """Give the sums of segments over the month that begins after one report's day and holds the other's."""
    assert after.day.replace(day=1) - dt.timedelta(days=1) == before.day
    for labels in after.samples["segment_mrr"]:
        segment = dict(labels)
        start = before.samples["segment_mrr"].get(labels, 0.0)
        moves = after.all("segment_mrr_movement", period="month", **segment)
        what = f"{segment['dimension']} {segment['segment']}: MRR at start + all movements = at end"
        yield Sum(what, [start, *moves], [after.one("segment_mrr", **segment)])
        start = before.samples["segment_customers"].get(labels, 0.0)
        ratio = after.maybe("segment_customer_churn_ratio", period="month", **segment)
        lost = after.one("segment_customers_lost", period="month", **segment)
        what = f"{segment['dimension']} {segment['segment']}: churn ratio x customers at start = lost"
        yield Sum(what, [(ratio or 0.0) * start], [lost])


def overnight(before: Report, after: Report) -> Iterator[Sum]:
    """Give the sums of users over one night."""
    assert after.day - before.day == dt.timedelta(days=1)
    yesterday = [after.one("users_lifecycle", state=state) for state in ("returning", "dormant")]
    yield Sum("returning + dormant = active yesterday", yesterday, [before.one("daily_active_users")])
    yield Sum("customers yesterday", [after.one("customers_at_start", period="day")], [before.one("customers")])
    yield Sum("MRR yesterday", [after.one("mrr_at_start", period="day")], [before.one("mrr")])
