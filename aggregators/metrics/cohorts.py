"""Customers by the month they were first present in, and the days until they found value (SPEC, section 4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from aggregators.calendar import civil
from aggregators.metrics.conversion import amount
from aggregators.metrics.family import metric
from aggregators.metrics.periods import first_of_month
from aggregators.metrics.reading import Reading, Samples
from aggregators.metrics.vector import ratio


class _Cohort(NamedTuple):
    """A month's new customers."""

    name: str
    """The month, such as 2026-03."""
    first: int
    """The position of its own month among those shown."""


def _month_ends(r: Reading) -> list[int]:
    """Give the last days of the months shown, the as-of day in the current one."""
    year, month, _ = civil(r.as_of)
    following = 12 * year + month
    first = following - r.settings.cohort_months + 1
    return [first_of_month(number) - 1 for number in range(first, following)] + [r.as_of]


def _cohorts(r: Reading) -> list[_Cohort]:
    """Give the cohorts of the months shown that have had a customer by the as-of day."""
    come = r.book.come("cohort_customers", r.as_of)
    months = (civil(day) for day in _month_ends(r))
    cohorts = [_Cohort(f"{year:04}-{month:02}", position) for position, (year, month, _) in enumerate(months)]
    return [cohort for cohort in cohorts if (cohort.name,) in come]


def _by_month(cohort: _Cohort, values: list[int]) -> Iterator[tuple[tuple[str, str], int]]:
    """Give a cohort's values at the ends of its months, from its own on."""
    for month, value in enumerate(values[cohort.first :]):
        yield (cohort.name, str(month)), value


@metric("cohort", "month")
def growth_cohort_customers(r: Reading) -> Samples:
    """Of the customers first present in a month, those present at the end of its month-th month after.

    Source: [Recurly: Subscriber retention report], [Feedgot: Customer cohorts].
    Differs: Recurly sorts by the first paid invoice, and its months run from each customer's own day; here by the month
        first present, in a trial too, at the ends of calendar months. Numbers, not percent: month 0 is who is left at
        its end. Who returns counts again.
    Example: [feedgot_cohort]: 200 join in January: `month="0"` 200, `"1"` 170, `"3"` 140.
    """
    ends, columns = _month_ends(r), r.book.columns("cohort_customers")
    for cohort in _cohorts(r):
        yield from _by_month(cohort, r.book.sums(ends, [columns[cohort.name,]])[:, 0].tolist())


@metric("cohort", "month", unit="money")
def growth_cohort_mrr(r: Reading) -> Samples:
    """MRR of the customers first present in a month at the end of its month-th month after, at that day's rates.

    Source: [Chargebee: MRR retention cohort], [ChartMogul: Net MRR retention].
    Differs: Amounts, not percent of the first month. A customer's cohort is the month it was first present in, not that
        of its first payment. Exchange rates move it.
    Example: [chartmogul_customer_retention_rate]: 30 customers at 10 a month and 29 of them a month later: `month="1"`
        290.
    """
    ends, rates, shown = _month_ends(r), r.settings.rates, _cohorts(r)
    converted = {cohort.name: [0] * len(ends) for cohort in shown}
    for (name, currency), column in r.book.columns("cohort_mrr").items():
        if name in converted and rates.known(currency):
            natives = r.book.sums(ends, [column])[:, 0].tolist()
            for position, (day, native) in enumerate(zip(ends, natives, strict=True)):
                converted[name][position] += native * rates.at(currency, day)
    for cohort in shown:
        for labels, value in _by_month(cohort, converted[cohort.name]):
            yield labels, amount(r, value)


@metric("period", "milestone", unit="days")
def growth_time_to_value_days_mean(r: Reading) -> Samples:
    """Mean days from a customer's first day present to a milestone (session, payment) that it reached in the period.

    `session` is a customer's first session, `payment` its first MRR; one before it was present counts 0 days.

    Source: [NovaCalculator: Time to value], [ChartMogul: Trial-to-paid conversion and leads].
    Differs: By the day of the milestone, over those who reached it: not by signup, where the number would go on
        changing. Some take the median.
    Example: [chartmogul_average_sales_cycle]: paying 2, 4 and 9 days after the signup: 15 / 3 = 5.
    """
    for milestone in ("session", "payment"):
        means = ratio(r.flow("time_to_value_days", milestone), r.flow("time_to_value", milestone))
        yield from r.by_period(means, milestone)
