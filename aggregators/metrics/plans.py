"""Subscriptions with MRR by their own plan (SPEC, sections 3.2 and 4)."""

from __future__ import annotations

from aggregators.metrics.conversion import amount
from aggregators.metrics.family import metric
from aggregators.metrics.reading import Reading, Samples


def subscriptions(r: Reading) -> dict[tuple[str, ...], int]:
    """Give the subscriptions with MRR by plan, of every plan that has had one by the as-of day."""
    return r.once("plan_subscriptions", lambda: r.book.come("plan_subscriptions", r.as_of))


@metric("plan", unit="money")
def growth_plan_mrr(r: Reading) -> Samples:
    """MRR at the end of the as-of day by the subscription's plan.

    Source: [ChartMogul: Subscriptions with multiple components], [Stripe: Billing metric definitions].
    Differs: Each subscription counts under its own plan, so that all plans add up to growth_mrr. growth_segment_mrr
        puts a customer as a whole under the plan of its greatest subscription, as a filter by customers does elsewhere.
    Example: [stripe_mrr_of_two_plans]: plan A 100 x 100 = 10,000, plan B 50 x 600 / 12 = 2,500.
    """
    converted = {plan: 0 for (plan,) in subscriptions(r)}
    rates = r.settings.rates
    for (plan, currency), native in r.book.come("plan_mrr", r.as_of).items():
        if rates.known(currency):
            converted[plan] += native * rates.at(currency, r.as_of)
    for plan in sorted(converted):
        yield (plan,), amount(r, converted[plan])


@metric("plan")
def growth_plan_subscriptions(r: Reading) -> Samples:
    """Subscriptions with MRR at the end of the as-of day by their plan.

    Source: [ChartMogul: Subscriptions].
    Differs: Only subscriptions with MRR count: no trials, no free plans. Seats are not known: one subscription with ten
        seats is one.
    Example: [stripe_mrr_of_two_plans]: 50 on plan B.
    """
    yield from sorted(subscriptions(r).items())
