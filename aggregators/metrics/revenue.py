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
    """Monthly recurring revenue at the end of the as-of day, in the reporting currency."""
    yield (), amount(r, mrr_at_end(r)[0])


@metric(unit="money")
def growth_arr(r: Reading) -> Samples:
    """Annual recurring revenue: 12 times MRR."""
    yield (), amount(r, 12 * mrr_at_end(r)[0])


@metric("currency", unit="money")
def growth_mrr_native(r: Reading) -> Samples:
    """MRR by billing currency, in that currency, unconverted."""
    natives = r.by_label("end", "mrr", "currency")
    for currency in sorted(r.values("mrr", "currency")):
        yield (currency,), Fraction(natives[currency][0], MILLIONTHS)


@metric(unit="money")
def growth_arpa(r: Reading) -> Samples:
    """Average revenue per account: MRR per subscriber."""
    return one_ratio(mrr_at_end(r)[0], subscribers_at_end(r)[0] * unit(r))


@metric("period", unit="money")
def growth_mrr_at_start(r: Reading) -> Samples:
    """MRR at the end of the day before the period, at that day's rates."""
    return r.by_period(amounts(r, mrr_at_start(r)))


@metric("period", "movement", unit="money")
def growth_mrr_movement(r: Reading) -> Samples:
    """What changed MRR in the period, losses negative; fx is what rates changed: at start + all movements = at end."""
    for name in MOVEMENTS:
        yield from r.by_period(amounts(r, movement(r, name)), name)
    yield from r.by_period(amounts(r, mrr_at_end(r) - mrr_at_start(r) - movement(r, *MOVEMENTS)), "fx")


@metric("period", "movement")
def growth_mrr_movement_customers(r: Reading) -> Samples:
    """Customer-days with such a movement in the period, in any currency."""
    for name in MOVEMENTS:
        yield from r.by_period(r.flow("movers", name), name)


@metric("period", "reason", unit="money")
def growth_mrr_churned(r: Reading) -> Samples:
    """MRR of the movement churn in the period as a positive amount, by the reason of what ended it."""
    flows, come = converted_flows(r, "mrr"), r.values("mrr", "reason", "churn")
    shown: dict[str, list[Vector]] = {}
    for reason, name in reason_names(r).items():
        if reason in come:
            shown.setdefault(name, []).append(flows.get(("churn", reason), added(r, ())))
    for name, vectors in sorted(shown.items()):
        yield from r.by_period(amounts(r, -added(r, vectors)), name)


@metric("period", "kind", unit="ratio")
def growth_mrr_churn_ratio(r: Reading) -> Samples:
    """MRR that churn and contraction took per MRR at start; net: less what expansion and reactivation brought."""
    start = mrr_at_start(r)
    yield from r.by_period(ratio(-movement(r, "churn", "contraction"), start), "gross")
    net = -movement(r, "churn", "contraction", "expansion", "reactivation")
    yield from r.by_period(ratio(net, start), "net")


@metric("period", "kind", unit="ratio")
def growth_revenue_retention_ratio(r: Reading) -> Samples:
    """MRR at end of the customers with MRR at start, per MRR at start, at the start's rates; gross: without growth."""
    start = mrr_at_start(r)
    for kind in ("gross", "net"):
        yield from r.by_period(ratio(mrr_kept(r, kind), start), kind)


@metric("period", unit="ratio")
def growth_mrr_growth_ratio(r: Reading) -> Samples:
    """All movements of MRR in the period but fx, per MRR at start."""
    return r.by_period(ratio(movement(r, *MOVEMENTS), mrr_at_start(r)))


@metric("period", unit="ratio")
def growth_quick_ratio(r: Reading) -> Samples:
    """MRR won in the period (new, expansion, reactivation) per MRR lost in it (contraction, churn)."""
    won, lost = movement(r, "new", "expansion", "reactivation"), movement(r, "contraction", "churn")
    return r.by_period(ratio(won, -lost))


@metric("period", unit="money")
def growth_average_sale_price(r: Reading) -> Samples:
    """New MRR of the period per customer who brought it."""
    return r.by_period(ratio(movement(r, "new"), r.flow("movers", "new") * unit(r)))


@metric("period", unit="money")
def growth_lifetime_value(r: Reading) -> Samples:
    """ARPA on the period's last day x gross margin / the subscriber churn ratio of a month, at the period's pace."""
    days = Vector(period.days for period in r.periods)
    start, lost, margin = subscribers_at_start(r), subscribers_lost(r), r.settings.gross_margin / _MONTH_DAYS
    # ARPA x days / churn ratio; without subscribers at the start there is no churn ratio to divide by.
    begun = Vector(bool(count) for count in start)
    values = ratio(mrr_at_end(r) * start * days, subscribers_at_end(r) * lost * begun * unit(r))
    return r.by_period(None if value is None else value * margin for value in values)
