"""Recurring revenue: MRR, its movements, what churn takes of it and what is kept (SPEC, sections 3.2 and 4)."""

from __future__ import annotations

from fractions import Fraction

from aggregators.metrics.conversion import MILLIONTHS, added, amount, amounts, at_rates_of, converted_flows, unit
from aggregators.metrics.customers import reason_names, subscribers_at_end, subscribers_at_start, subscribers_lost
from aggregators.metrics.family import metric
from aggregators.metrics.reading import Reading, Samples
from aggregators.metrics.vector import Vector, one_ratio, ratio

MOVEMENTS = ("new", "expansion", "contraction", "churn", "reactivation")
_MONTH_DAYS = Fraction(487, 16)
"""A month's mean length, 30.4375 days."""


def mrr_at_end(r: Reading) -> Vector:
    """Give MRR at the end of each period's last day, converted at that day's rates."""
    return r.once("mrr_at_end", lambda: at_rates_of(r, r.by_label("end", "mrr", "currency"), r.last_days))


def mrr_at_start(r: Reading) -> Vector:
    """Give MRR at the end of the day before each period, converted at that day's rates."""
    return r.once("mrr_at_start", lambda: at_rates_of(r, r.by_label("start", "mrr", "currency"), r.days_before))


def movement(r: Reading, *movements: str) -> Vector:
    """Give the converted sum of some movements in each period, losses negative."""
    return added(r, (flow for (name, _), flow in converted_flows(r, "mrr").items() if name in movements))


def mrr_kept(r: Reading, kind: str) -> Vector:
    """Give what customers with MRR at each period's start still have at its end, at the start's rates.

    Args:
        r: the reading.
        kind: `gross` counts no more than a customer's MRR at the start in each currency, `net` all of its MRR.
    """
    at_start, at_end = r.by_label("start", "mrr", "currency"), r.by_label("end", "mrr", "currency")
    kept: dict[str, Vector] = {}
    for currency in at_start:
        if kind == "gross":
            fallen = r.where("flow", "mrr", currency=currency, movement=("churn", "contraction"))
            kept[currency] = at_start[currency] + fallen + r.void("void_mrr_gross", currency)
        else:
            come = r.where("flow", "mrr", currency=currency, movement=("new", "reactivation"))
            kept[currency] = at_end[currency] - come + r.void("void_mrr_net", currency)
    return at_rates_of(r, kept, r.days_before)


@metric(unit="money")
def growth_mrr(r: Reading) -> Samples:
    """Monthly recurring revenue at the end of the as-of day, in the reporting currency.

    Of each subscription the latest succeeded recurring payment, brought to a month: a day x 365/12, a week x 52/12, a
    quarter / 3, a year / 12, each / `interval_count`.

    Source: [Stripe: Billing metric definitions], [ChartMogul: MRR].
    Differs: What was paid counts, not list prices or invoices: discounts are in, trials are not, a prorated charge
        counts with its `recurring_amount`. [Paddle: How MRR is calculated] takes 4.33 weeks a month, [Kaching: How we
        calculate MRR] 30.437 days. Stripe drops a cancelled subscription at once, here it counts until `effective_at`;
        one unpaid counts until `LAPSE_GRACE_DAYS` are over.
    Example: [stripe_mrr_of_two_plans]: 100 at 100 a month and 50 at 600 a year: 10,000 + 2,500 = 12,500.
    """
    yield (), amount(r, mrr_at_end(r)[0])


@metric(unit="money")
def growth_arr(r: Reading) -> Samples:
    """Annual recurring revenue: 12 times MRR.

    Source: [ChartMogul: Annual run rate].
    Differs: [FirstOfficer: ARR] sums the MRR of the past twelve months for reports of the past; others count yearly
        contracts only.
    Example: [stripe_mrr_of_two_plans]: MRR 12,500 is 150,000 a year.
    """
    yield (), amount(r, 12 * mrr_at_end(r)[0])


@metric("currency", unit="money")
def growth_mrr_native(r: Reading) -> Samples:
    """MRR by billing currency, in that currency, unconverted.

    Source: [ChartMogul: Foreign currencies].
    Differs: Most tools show the converted total only. There is no rate in this one, so it also holds what no rate
        converts.
    Example: [chartmogul_exchange_rate_impact]: 150 EUR, which is 180 in growth_mrr at 1.20.
    """
    natives = r.by_label("end", "mrr", "currency")
    for currency in sorted(r.values("mrr", "currency")):
        yield (currency,), Fraction(natives[currency][0], MILLIONTHS)


@metric(unit="money")
def growth_arpa(r: Reading) -> Samples:
    """Average revenue per account: MRR per subscriber.

    growth_mrr / growth_subscribers.

    Source: [ChartMogul: Average revenue per account].
    Differs: Elsewhere ARPU is often the cash of a period, or per active user. Free customers and those in a trial are
        not divided by.
    Example: [chartmogul_arpa]: accounts at 100, 100, 300, 500 and 500: 1,500 / 5 = 300.
    """
    return one_ratio(mrr_at_end(r)[0], subscribers_at_end(r)[0] * unit(r))


@metric("period", unit="money")
def growth_mrr_at_start(r: Reading) -> Samples:
    """MRR at the end of the day before the period, at that day's rates.

    Source: [Stripe: Billing metric definitions] (MRR growth).
    Differs: At the rates of the day before the period. Tools that convert the whole past at today's rates show another
        number.
    Example: [stripe_mrr_growth]: 50.
    """
    return r.by_period(amounts(r, mrr_at_start(r)))


@metric("period", "movement", unit="money")
def growth_mrr_movement(r: Reading) -> Samples:
    """What changed MRR in the period, losses negative; fx is what rates changed: at start + all movements = at end.

    By customer, currency and day: `new` is its first MRR ever, `reactivation` MRR after a day without, `churn` the end
    of its last, `expansion` and `contraction` any other change; `fx` is what rates did.

    Source: [ChartMogul: Understanding MRR movements], [Stripe: Billing metric definitions].
    Differs: Who comes back is `reactivation` however late, where Maxio says new after 90 days. The end of one of two
        subscriptions is `contraction`. A day's changes net out; ChartMogul joins those within the hour. [Paddle:
        ProfitWell Metrics vs Recurly]: ProfitWell leaves out who comes and goes in one month, here both stand.
    Example: [stripe_mrr_growth]: 50 + 8 new + 4 expansion + 1 reactivation - 2 contraction - 3 churn = 58.
    """
    for name in MOVEMENTS:
        yield from r.by_period(amounts(r, movement(r, name)), name)
    yield from r.by_period(amounts(r, mrr_at_end(r) - mrr_at_start(r) - movement(r, *MOVEMENTS)), "fx")


@metric("period", "movement")
def growth_mrr_movement_customers(r: Reading) -> Samples:
    """Customer-days with such a movement in the period, in any currency.

    Source: [ChartMogul: Chart data].
    Differs: A customer that expands on two days of the period counts 2; ChartMogul counts customers of the interval,
        before 2025 it counted activities.
    Example: [chartmogul_average_sale_price]: ten customers begin to pay: `new` 10.
    """
    for name in MOVEMENTS:
        yield from r.by_period(r.flow("movers", name), name)


@metric("period", "reason", unit="money")
def growth_mrr_churned(r: Reading) -> Samples:
    """MRR of the movement churn in the period as a positive amount, by the reason of what ended it.

    Source: [Chargebee: Charts] (voluntary and involuntary cancellation MRR), [Stripe: Churned revenue].
    Differs: Chargebee knows two reasons, here each `reason` of a cancellation is one, beside those of
        growth_customers_churned. Contraction is not in it, though some count it as partial churn.
    Example: [chargebee_voluntary_cancellation]: 15 customers leave at 10 a month: `too_expensive` 150; 10 cannot pay:
        `payment_failed` 100.
    """
    flows, come = converted_flows(r, "mrr"), r.values("mrr", "reason", "churn")
    shown: dict[str, list[Vector]] = {}
    for reason, name in reason_names(r).items():
        if reason in come:
            shown.setdefault(name, []).append(flows.get(("churn", reason), added(r, ())))
    for name, vectors in sorted(shown.items()):
        yield from r.by_period(amounts(r, -added(r, vectors)), name)


@metric("period", "kind", unit="ratio")
def growth_mrr_churn_ratio(r: Reading) -> Samples:
    """MRR that churn and contraction took per MRR at start; net: less what expansion and reactivation brought.

    `gross`: (churn + contraction) / at start; `net`: the same less expansion and reactivation. Losses count as
    positive.

    Source: [ChartMogul: MRR churn rate], [ChartMogul: Net MRR churn rate].
    Differs: Some call churn without contraction gross, or leave reactivation out of net. The other formula of
        ChartMogul's page, Shopify's, adds up the ratios of days; here a period has one. What new customers lose again
        is in it: growth_revenue_retention_ratio is over those at the start alone.
    Example: [chartmogul_gross_mrr_churn]: of 100, 10 churn and 10 by contraction, 10 expansion: gross 0.2, net 0.1.
    """
    start = mrr_at_start(r)
    yield from r.by_period(ratio(-movement(r, "churn", "contraction"), start), "gross")
    net = -movement(r, "churn", "contraction", "expansion", "reactivation")
    yield from r.by_period(ratio(net, start), "net")


@metric("period", "kind", unit="ratio")
def growth_revenue_retention_ratio(r: Reading) -> Samples:
    """MRR at end of the customers with MRR at start, per MRR at start, at the start's rates; gross: without growth.

    `gross`: the sum of min(start, end) by customer and currency / at start; `net`: the sum of end / at start.

    Source: [ChurnZero: Net revenue retention], [Superleap: Gross revenue retention].
    Differs: [Chargebee: Gross and net revenue retention] takes the smaller of two totals, where one customer's growth
        hides another's loss. 1 - net churn, as elsewhere, also holds customers who came later. Rates do not move it.
        The usual one over 12 months is `365d`.
    Example: [superleap_gross_revenue_retention]: 100,000, less 6,000 of downgrades and 8,000 of churn: gross 0.86; with
        8,000 of expansion net 0.94.
    """
    start = mrr_at_start(r)
    for kind in ("gross", "net"):
        yield from r.by_period(ratio(mrr_kept(r, kind), start), kind)


@metric("period", unit="ratio")
def growth_mrr_growth_ratio(r: Reading) -> Samples:
    """All movements of MRR in the period but fx, per MRR at start.

    Source: [Stripe: Billing metric definitions] (MRR growth), [Revenue Calculators: MRR growth].
    Differs: Stripe counts what exchange rates did, and so does whoever compares MRR at start and at end; here `fx` is
        left out.
    Example: [stripe_mrr_growth]: (8 + 4 + 1 - 2 - 3) / 50 = 0.16.
    """
    return r.by_period(ratio(movement(r, *MOVEMENTS), mrr_at_start(r)))


@metric("period", unit="ratio")
def growth_quick_ratio(r: Reading) -> Samples:
    """MRR won in the period (new, expansion, reactivation) per MRR lost in it (contraction, churn).

    Source: [ProfitWell: SaaS quick ratio], [PitchKit: Quick ratio].
    Differs: Elsewhere over a month; here over any period. Some have no reactivation, or book it as new. Left out where
        nothing was lost, not infinite.
    Example: [pitchkit_quick_ratio]: (20,000 new + 8,000 expansion) / (3,000 contraction + 5,000 churn) = 3.5.
    """
    won, lost = movement(r, "new", "expansion", "reactivation"), movement(r, "contraction", "churn")
    return r.by_period(ratio(won, -lost))


@metric("period", unit="money")
def growth_average_sale_price(r: Reading) -> Samples:
    """New MRR of the period per customer who brought it.

    The movement `new` / the customers with that movement.

    Source: [ChartMogul: Average sale price].
    Differs: Sales tools mean the size of a deal, often a year's contract or a one-time price. Here it is MRR, at the
        end of a customer's first day with MRR; what is added on later days is expansion, who comes back is not in it.
    Example: [chartmogul_average_sale_price]: 3 at 100 and 7 at 50: 650 / 10 = 65.
    """
    return r.by_period(ratio(movement(r, "new"), r.flow("movers", "new") * unit(r)))


@metric("period", unit="money")
def growth_lifetime_value(r: Reading) -> Samples:
    """ARPA on the period's last day x gross margin / the subscriber churn ratio of a month, at the period's pace.

    ARPA x `GROSS_MARGIN` / (growth_subscriber_churn_ratio x 30.4375 / days elapsed in the period).

    Source: [ProfitWell: Lifetime value], [Baremetrics: Lifetime value].
    Differs: Most divide by the churn of a month as it is; here any period's churn is brought to a month of 30.4375
        days. Some have no margin, or the churn of MRR. Left out where nobody was lost, not infinite.
    Example: [profitwell_lifetime_value]: ARPA 10, churn 4 % in June: 10 / (0.04 x 30.4375 / 30) = 246.41; the source
        has 250.
    """
    days = Vector(period.days for period in r.periods)
    start, lost, margin = subscribers_at_start(r), subscribers_lost(r), r.settings.gross_margin / _MONTH_DAYS
    # ARPA x days / churn ratio; without subscribers at the start there is no churn ratio to divide by.
    begun = Vector(bool(count) for count in start)
    values = ratio(mrr_at_end(r) * start * days, subscribers_at_end(r) * lost * begun * unit(r))
    return r.by_period(None if value is None else value * margin for value in values)
