"""Cash: payments by outcome, revenue, refunds, and the currencies that cannot be converted (SPEC, section 4)."""

from __future__ import annotations

from aggregators.metrics.conversion import added, amounts, converted_flows
from aggregators.metrics.family import metric
from aggregators.metrics.reading import Reading, Samples
from aggregators.metrics.vector import one_ratio, ratio


@metric("period", "status")
def growth_payments(r: Reading) -> Samples:
    """Payment events of the period by status; a refund is an event of its own.

    Source: [Rekko: Payment recovery success], [GrowPanel: Refunds].
    Differs: Events count, so each failed try does if it is sent. A refund does not take the succeeded payment away.
    Example: [rekko_failure_and_recovery]: 70 of 1,000 payments fail: `failed` 70.
    """
    for status in ("succeeded", "failed", "refunded"):
        yield from r.by_period(r.flow("payments", status), status)


@metric("period", unit="ratio")
def growth_payment_failure_ratio(r: Reading) -> Samples:
    """Failed payments of the period per failed or succeeded one.

    `failed` / (`failed` + `succeeded`) of growth_payments.

    Source: [Rekko: Payment recovery success].
    Differs: By tries, of recurring and one-time payments; others count invoices, where three tries on one are one
        failure.
    Example: [rekko_failure_and_recovery]: 70 / 1,000 = 0.07.
    """
    failed, succeeded = r.flow("payments", "failed"), r.flow("payments", "succeeded")
    return r.by_period(ratio(failed, failed + succeeded))


@metric("period", "kind", unit="money")
def growth_revenue(r: Reading) -> Samples:
    """Cash received in the period from recurring and one-time payments, at each day's rates.

    Source: [ChartMogul: Gross cash flow], [Paddle: Understanding cash flow].
    Differs: Cash on the day that it came, not revenue recognised over time. Net of tax, which ChartMogul includes;
        refunds and fees are not deducted.
    Example: [stripe_annual_subscription]: 1,200 for a year: `recurring` 1,200 in that month, while MRR is 100.
    """
    flows = converted_flows(r, "cash")
    for kind in ("recurring", "one_time"):
        yield from r.by_period(amounts(r, flows.get((kind,), added(r, ()))), kind)


@metric("period", unit="money")
def growth_refunds(r: Reading) -> Samples:
    """Cash paid back in the period, at each day's rates.

    Source: [GrowPanel: Refunds], [Paddle: Understanding cash flow].
    Differs: A positive amount on the day of the refund, not that of the payment; some tools take it off revenue. MRR
        stays as it is, as with ChartMogul.
    Example: [chartmogul_refunds_and_one_time_payments]: 50 paid back: 50, MRR still 50.
    """
    return r.by_period(amounts(r, added(r, converted_flows(r, "refunds").values())))


@metric(unit="ratio")
def growth_repeat_purchase_ratio(r: Reading) -> Samples:
    """Customers with two or more succeeded payments by the as-of day per customer with one or more.

    Source: [Little Stream Software: Repeat purchase rate], [BLOY: Repeat purchase rate].
    Differs: Over all time up to the as-of day; shops often take the orders of 90 or 365 days. Payments of any kind
        count, so a renewed subscription is a repeat purchase.
    Example: [littlestream_repeat_purchase_rate]: 8 of 26 ordered more than once: 0.308.
    """
    return one_ratio(r.now("repeat_payers"), r.now("payers"))


@metric("currency")
def growth_currency_unconverted(r: Reading) -> Samples:
    """1 for a currency with MRR or cash by the as-of day that has no rate and is missing from converted metrics.

    Source: [ChartMogul: Foreign currencies].
    Differs: Other tools bring rates of their own for all currencies. Here rates come from `RATES_FILE`, none is
        guessed, and what is missing in converted metrics is named.
    Example: [nonoisemetrics_in_euro]: 1,108.33 EUR and no rate for it: 1 for `EUR`, and growth_mrr is 0.
    """
    for currency in sorted(
        {value for measure in ("mrr", "cash", "refunds") for value in r.values(measure, "currency")}
    ):
        if not r.settings.rates.known(currency):
            yield (currency,), 1
