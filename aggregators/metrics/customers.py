"""Customers and subscribers: how many, who came, who left and why (SPEC, sections 3.2 and 4)."""

from __future__ import annotations

from aggregators.metrics.family import metric
from aggregators.metrics.grouping import names_within
from aggregators.metrics.reading import Reading, Samples
from aggregators.metrics.vector import Vector, ratio


def customers_at_start(r: Reading) -> Vector:
    """Give the customers present at the end of the day before each period."""
    return r.at_start("new") + r.at_start("returned") - r.at_start("churned")


def customers_at_end(r: Reading) -> Vector:
    """Give the customers present at the end of each period's last day."""
    return r.at_end("new") + r.at_end("returned") - r.at_end("churned")


def customers_lost(r: Reading) -> Vector:
    """Give the customers present at each period's start and absent at its end."""
    return r.flow("churned") - r.void("void_customers")


def customers_gained(r: Reading) -> Vector:
    """Give the customers absent at each period's start and present at its end."""
    return r.flow("new") + r.flow("returned") - r.void("void_customers")


def subscribers_at_start(r: Reading) -> Vector:
    """Give the customers with MRR at the end of the day before each period."""
    return r.at_start("subscribers_came") - r.at_start("subscribers_left")


def subscribers_at_end(r: Reading) -> Vector:
    """Give the customers with MRR at the end of each period's last day."""
    return r.at_end("subscribers_came") - r.at_end("subscribers_left")


def subscribers_lost(r: Reading) -> Vector:
    """Give the customers with MRR at each period's start and without at its end."""
    return r.flow("subscribers_left") - r.void("void_subscribers")


def reason_names(r: Reading) -> dict[str, str]:
    """Give the name that each reason of a departure by the as-of day is shown by.

    Those beyond the limit, by customers churned until then (ties by name), are `other`.
    """
    counts = dict.fromkeys(r.values("mrr", "reason", "churn"), 0) | r.values("churned", "reason")
    return names_within(r.settings.segment_limit, counts)


@metric()
def growth_customers(r: Reading) -> Samples:
    """Customers present at the end of the as-of day."""
    yield (), customers_at_end(r)[0]


@metric()
def growth_subscribers(r: Reading) -> Samples:
    """Customers with MRR above zero at the end of the as-of day."""
    yield (), subscribers_at_end(r)[0]


@metric("period")
def growth_signups(r: Reading) -> Samples:
    """Signup events that occurred in the period."""
    return r.by_period(r.flow("signups"))


@metric("period")
def growth_cancellations(r: Reading) -> Samples:
    """Cancellation events that occurred in the period, whenever they take effect."""
    return r.by_period(r.flow("cancellations"))


@metric()
def growth_cancellations_scheduled(r: Reading) -> Samples:
    """Cancellations asked for on or before the as-of day that take effect on a day after it."""
    yield (), r.now("cancellations_scheduled")


@metric("period")
def growth_customers_at_start(r: Reading) -> Samples:
    """Customers present at the end of the day before the period."""
    return r.by_period(customers_at_start(r))


@metric("period")
def growth_customers_new(r: Reading) -> Samples:
    """Customers who were present for the first time in the period."""
    return r.by_period(r.flow("new"))


@metric("period")
def growth_customers_returned(r: Reading) -> Samples:
    """Times that a customer who had left was present again in the period."""
    return r.by_period(r.flow("returned"))


@metric("period", "reason")
def growth_customers_churned(r: Reading) -> Samples:
    """Times that a customer left in the period, by the reason of what ended its presence."""
    come = r.values("churned", "reason")
    names = {reason: name for reason, name in reason_names(r).items() if reason in come}
    for name, flow in sorted(r.by_label("flow", "churned", "reason", names).items()):
        yield from r.by_period(flow, name)


@metric("period")
def growth_customers_gained(r: Reading) -> Samples:
    """Customers absent at the end of the day before the period and present at the end of its last day."""
    return r.by_period(customers_gained(r))


@metric("period")
def growth_customers_lost(r: Reading) -> Samples:
    """Customers present at the end of the day before the period and absent at the end of its last day."""
    return r.by_period(customers_lost(r))


@metric("period", unit="ratio")
def growth_customer_churn_ratio(r: Reading) -> Samples:
    """Customers lost in the period per customer at its start."""
    return r.by_period(ratio(customers_lost(r), customers_at_start(r)))


@metric("period", unit="ratio")
def growth_customer_retention_ratio(r: Reading) -> Samples:
    """Share of the customers at the period's start who are present at its end."""
    start = customers_at_start(r)
    return r.by_period(ratio(start - customers_lost(r), start))


@metric("period")
def growth_subscribers_at_start(r: Reading) -> Samples:
    """Customers with MRR at the end of the day before the period."""
    return r.by_period(subscribers_at_start(r))


@metric("period")
def growth_subscribers_churned(r: Reading) -> Samples:
    """Times that a customer lost its last MRR in the period."""
    return r.by_period(r.flow("subscribers_left"))


@metric("period")
def growth_subscribers_gained(r: Reading) -> Samples:
    """Customers without MRR at the end of the day before the period and with MRR at the end of its last day."""
    return r.by_period(r.flow("subscribers_came") - r.void("void_subscribers"))


@metric("period")
def growth_subscribers_lost(r: Reading) -> Samples:
    """Customers with MRR at the end of the day before the period and without at the end of its last day."""
    return r.by_period(subscribers_lost(r))


@metric("period", unit="ratio")
def growth_subscriber_churn_ratio(r: Reading) -> Samples:
    """Subscribers lost in the period per subscriber at its start."""
    return r.by_period(ratio(subscribers_lost(r), subscribers_at_start(r)))
