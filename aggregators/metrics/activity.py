"""Customers' activity: their health, and how long they have been silent (SPEC, sections 4 and 5)."""

from __future__ import annotations

from aggregators.metrics.family import metric
from aggregators.metrics.reading import Reading, Samples


@metric("days")
def growth_customers_inactive(r: Reading) -> Samples:
    """Customers present whose last session was so many days ago or more; those never seen in one are not counted.

    Source: [Branch: Dormant user].
    Differs: Usually users, and one limit; here customers, seen if any of their users was, and five limits at once: who
        is silent for 30 days is in `7` and `14` too. Who left is not in it.
    Example: [branch_dormant_users]: customers last seen 13, 14 and 30 days ago: `7` 3, `14` 2, `30` 1.
    """
    for days in (7, 14, 30, 60, 90):
        yield (str(days),), r.now("customers_inactive", str(days))


@metric("band")
def growth_customer_health(r: Reading) -> Samples:
    """Customers present on the as-of day by the band of their health score, from the parts that there is data for.

    The score is the mean of seven parts, each 0 to 100 and weighted by `HEALTH_WEIGHTS`: days since the last activity,
    active days of the last 28, users and features of the last 28 days, failed payments, the latest nps answer and the
    time present. A part without data is left out. `healthy` is 70 or more, `at_risk` 40 or more.

    Source: [Free Online Calculators: Customer health score].
    Differs: Every tool has parts, weights and limits of its own; the source has support tickets, which are not known
        here, and healthy above 75. Nothing is learned from data: the same events give the same score.
    Example: [weighted_health_score]: scores above 70, between 40 and 70, and below 40: 1 customer in each band.
    """
    for band in ("healthy", "at_risk", "critical"):
        yield (band,), r.now("customer_health", band)
