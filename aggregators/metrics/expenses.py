"""Expenses, and what it costs to keep a customer and to win one (SPEC, section 4)."""

from __future__ import annotations

from aggregators.metrics.conversion import added, amounts, converted_flows, unit
from aggregators.metrics.customers import customers_at_end, customers_at_start
from aggregators.metrics.family import metric
from aggregators.metrics.reading import Reading, Samples
from aggregators.metrics.vector import Vector, ratio


def expense(r: Reading, category: str) -> Vector:
    """Give one category's converted expenses in each period."""
    return converted_flows(r, "expense").get((category,), added(r, ()))


@metric("period", "category", unit="money")
def growth_expense(r: Reading) -> Samples:
    """Expenses of the period by category, at each day's rates."""
    for category in ("retention", "acquisition"):
        yield from r.by_period(amounts(r, expense(r, category)), category)


@metric("period", unit="money")
def growth_retention_cost_per_customer(r: Reading) -> Samples:
    """Retention expenses of the period per customer, by the mean of customers at its start and its end."""
    twice_the_mean = customers_at_start(r) + customers_at_end(r)
    return r.by_period(ratio(expense(r, "retention") * 2, twice_the_mean * unit(r)))


@metric("period", unit="money")
def growth_acquisition_cost_per_customer(r: Reading) -> Samples:
    """Acquisition expenses of the period per new customer."""
    return r.by_period(ratio(expense(r, "acquisition"), r.flow("new") * unit(r)))
