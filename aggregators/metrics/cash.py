"""Cash: payments by outcome, revenue, refunds, and the currencies that cannot be converted (SPEC, section 4)."""

from __future__ import annotations

from aggregators.metrics.conversion import added, amounts, converted_flows
from aggregators.metrics.family import metric
from aggregators.metrics.reading import Reading, Samples
from aggregators.metrics.vector import one_ratio, ratio


@metric("period", "status")
def growth_payments(r: Reading) -> Samples:
    """Payment events of the period by status; a refund is an event of its own."""
    for status in ("succeeded", "failed", "refunded"):
        yield from r.by_period(r.flow("payments", status), status)


@metric("period", unit="ratio")
def growth_payment_failure_ratio(r: Reading) -> Samples:
    """Failed payments of the period per failed or succeeded one."""
    failed, succeeded = r.flow("payments", "failed"), r.flow("payments", "succeeded")
    return r.by_period(ratio(failed, failed + succeeded))


@metric("period", "kind", unit="money")
def growth_revenue(r: Reading) -> Samples:
    """Cash received in the period from recurring and one-time payments, at each day's rates."""
    flows = converted_flows(r, "cash")
    for kind in ("recurring", "one_time"):
        yield from r.by_period(amounts(r, flows.get((kind,), added(r, ()))), kind)


@metric("period", unit="money")
def growth_refunds(r: Reading) -> Samples:
    """Cash paid back in the period, at each day's rates."""
    return r.by_period(amounts(r, added(r, converted_flows(r, "refunds").values())))


@metric(unit="ratio")
def growth_repeat_purchase_ratio(r: Reading) -> Samples:
    """Customers with two or more succeeded payments by the as-of day per customer with one or more."""
    return one_ratio(r.now("repeat_payers"), r.now("payers"))


@metric("currency")
def growth_currency_unconverted(r: Reading) -> Samples:
    """1 for a currency with MRR or cash by the as-of day that has no rate and is missing from converted metrics."""
    for currency in sorted(
        {value for measure in ("mrr", "cash", "refunds") for value in r.values(measure, "currency")}
    ):
        if not r.settings.rates.known(currency):
            yield (currency,), 1
