"""Customers' activity: their health, and how long they have been silent (SPEC, sections 4 and 5)."""

from __future__ import annotations

from aggregators.metrics.family import metric
from aggregators.metrics.reading import Reading, Samples


@metric("days")
def growth_customers_inactive(r: Reading) -> Samples:
    """Customers present whose last session was so many days ago or more; those never seen in one are not counted."""
    for days in (7, 14, 30, 60, 90):
        yield (str(days),), r.now("customers_inactive", str(days))


@metric("band")
def growth_customer_health(r: Reading) -> Samples:
    """Customers present on the as-of day by the band of their health score, from the parts that there is data for."""
    for band in ("healthy", "at_risk", "critical"):
        yield (band,), r.now("customer_health", band)
