"""The demo company's reports, from live tables: whatever can be added up adds up."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

import pytest

from tests.acceptance import sums
from tests.acceptance.sums import Report
from tests.support.terminal import Up, User

DAY = dt.timedelta(days=1)


class Told(NamedTuple):
    """What the demo's reports said."""

    reports: dict[dt.date, Report]
    rates: dict[str, dict[str, str]]


def days(today: dt.date) -> Iterator[dt.date]:
    """Name earlier days: in the middle of months and at their ends, near the beginning, and before it.

    None is so near that the demo might still be sending its events.
    """
    for back in (30, 130, 400, 700):
        middle = today - back * DAY
        start = middle.replace(day=1) - DAY
        yield from {middle, middle - DAY, start}
    yield today - 740 * DAY


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Start the demo, and ask for its reports while it goes on; all cohorts are shown."""
    user = User(tmp_path_factory.mktemp("demo"))
    running = Up(user, "--demo")

    def asked(*as_of: str) -> Report:
        ran = user.runs("report", "--format", "json", *as_of, GROWTHGAUGE_COHORT_MONTHS="36")
        assert ran.status == 0, ran.error
        return Report(ran.output)

    try:
        running.ready()
        running.says("two years are in")
        latest = asked()
        found = [latest, *(asked("--as-of", str(day)) for day in sorted(set(days(latest.day))))]
        rates = json.loads((user.folder / ".growthgauge/demo/rates.json").read_text())
    finally:
        running.close()
    return Told({report.day: report for report in found}, rates)


def broken(found: Iterator[sums.Sum]) -> list[str]:
    """Name the sums that do not agree."""
    return [f"{each.what}: {sum(each.left)} and {sum(each.right)}" for each in found if not each.holds]


def test_every_report_adds_up(told: Told):
    """Segments to their total, bands to customers, cohorts to the month's end, movements to what they moved."""
    for day, report in told.reports.items():
        found = list(sums.within(report, told.rates))
        print(f"\n{day}: {report.one('customers'):,.0f} customers, {len(found):,} sums", end="")
        assert not broken(iter(found)), day
    latest = max(told.reports.values(), key=lambda report: report.day)
    assert latest.one("customers") > 500
    assert latest.one("plan_subscriptions", plan="analytics") > 0
    assert sum(latest.all("plan_subscriptions")) >= latest.one("subscribers")


def test_reports_of_several_days_agree(told: Told):
    """A month's movements lead each segment from one report to the other; a day's users come from the day before."""
    counts = {"months": 0, "nights": 0}
    for day, report in told.reports.items():
        before = told.reports.get(day.replace(day=1) - DAY)
        if before is not None:
            counts["months"] += 1
            assert not broken(sums.between(before, report)), day
        yesterday = told.reports.get(day - DAY)
        if yesterday is not None:
            counts["nights"] += 1
            assert not broken(sums.overnight(yesterday, report)), day
    assert min(counts.values()) >= 4


def test_before_its_first_day_there_is_nothing(told: Told):
    """Levels and counts are 0, ratios are not there."""
    report = min(told.reports.values(), key=lambda report: report.day)
    assert (report.one("customers"), report.one("mrr")) == (0, 0)
    assert not [name for name in report.samples if name.endswith("_ratio")]


COVERED = (
    *("customers", "mrr", "arr", "arpa", "plan_mrr", "mrr_native", "customer_health", "mrr_churned"),
    *("customers_at_start", "customers_new", "customers_returned", "customers_churned", "customers_gained"),
    *("customers_lost", "customer_churn_ratio", "customer_retention_ratio", "subscriber_churn_ratio"),
    *(
        "subscribers",
        "subscribers_at_start",
        "subscribers_gained",
        "subscribers_lost",
        "cohort_customers",
        "cohort_mrr",
    ),
    *("mrr_at_start", "mrr_movement", "mrr_churn_ratio", "mrr_growth_ratio", "quick_ratio", "average_sale_price"),
    *("segment_customers", "segment_subscribers", "segment_mrr", "segment_customers_new", "segment_customers_lost"),
    *("segment_mrr_movement", "users_lifecycle", "daily_active_users", "stickiness_ratio", "payment_failure_ratio"),
    *("renewal_ratio", "nps", "csat_ratio", "first_contact_resolution_ratio", "retention_cost_per_customer"),
    *("acquisition_cost_per_customer", "renewals", "renewals_due", "renewals_pending"),
)
"""Metrics of which no sample, or only a cohort's older ones and those of the state `dormant`, may be wrong unseen."""


@pytest.mark.parametrize("name", COVERED)
def test_a_wrong_number_would_be_noticed(told: Told, name: str):
    """One more in any one of some samples of today's report, and some sum does not agree."""
    report = max(told.reports.values(), key=lambda report: report.day)
    samples = report.samples[name]
    seen = [labels for labels in samples if dict(labels).get("state") != "dormant"]
    if name.startswith("cohort_"):
        newest = Counter[str]()
        for labels in seen:
            newest[dict(labels)["cohort"]] += 1
        seen = [labels for labels in seen if int(dict(labels)["month"]) >= newest[dict(labels)["cohort"]] - 3]
    if name in {"renewals_due", "renewals_pending"}:
        # Of those decided so far none may have been renewed: no number of them makes that ratio wrong.
        seen = [labels for labels in seen if report.maybe("renewal_ratio", **dict(labels)) != 0]
    assert seen
    for labels in Random(name).sample(seen, min(len(seen), 20)):
        samples[labels] += 1
        try:
            assert broken(sums.within(report, told.rates)), labels
        finally:
            samples[labels] -= 1
