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
    """Expenses of the period by category, at each day's rates.

    Source: [SalesHive: Customer acquisition cost].
    Differs: What was sent as expense events, on their day. Others take it from ad accounts or the books, and may spread
        it over months.
    Example: [saleshive_acquisition_cost]: 100,000 for marketing and sales in a year: `acquisition` 100,000.
    """
    for category in ("retention", "acquisition"):
        yield from r.by_period(amounts(r, expense(r, category)), category)


@metric("period", unit="money")
def growth_retention_cost_per_customer(r: Reading) -> Samples:
    """Retention expenses of the period per customer, by the mean of customers at its start and its end.

    Retention expense / mean of the customers at start and at end.

    Source: [Certified Calculator: Customer retention cost].
    Differs: The source divides by the number of customers, without saying of which day. Free customers and trials are
        divided by too.
    Example: [certifiedcalculator_retention_cost]: 10,000 / 500 = 20.
    """
    twice_the_mean = customers_at_start(r) + customers_at_end(r)
    return r.by_period(ratio(expense(r, "retention") * 2, twice_the_mean * unit(r)))


@metric("period", unit="money")
def growth_acquisition_cost_per_customer(r: Reading) -> Samples:
    """Acquisition expenses of the period per new customer.

    Acquisition expense / growth_customers_new.

    Source: [SalesHive: Customer acquisition cost], [Groew: Customer acquisition cost].
    Differs: Customers in a trial and free ones are new as well; who divides by new payers gets more:
        growth_mrr_movement_customers has those. Expense and customers are of the same period, with no lag for the time
        that a sale takes.
    Example: [groew_acquisition_cost]: (12,000 + 4,000 + 2,000 + 2,000) / 40 = 500.
    """
    return r.by_period(ratio(expense(r, "acquisition"), r.flow("new") * unit(r)))
