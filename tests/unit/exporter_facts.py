"""A small fixed company as facts, for the exporter's tests: not all that a company has, so its books do not balance."""

import datetime as dt
from fractions import Fraction
from functools import cache

from aggregators.calendar import Zone, day_of
from aggregators.facts import Facts, key
from aggregators.metrics import MetricSettings
from aggregators.tables.door import Commit
from aggregators.tables.memory import Tables
from exporters.growth import Growth

AS_OF = day_of(dt.date(2026, 3, 31))
MONEY = 1_000_000
"""Millionths of a major unit."""


@cache
def settings() -> MetricSettings:
    """Give the settings of the small company."""
    return MetricSettings(
        zone=Zone("Europe/Berlin"),
        gross_margin=Fraction(4, 5),
        targets={"customer_churn_ratio": 0.03},
        version="0.1.0",
    )


def put(tables, shard: int, days: dict[int, dict[str, int]], fingerprint: str = "rules") -> None:
    """Commit facts to one shard of two."""
    opened = tables.shard(shard)
    opened.commit(
        Commit(
            based_on=opened.begin(),
            fingerprint=fingerprint,
            partitions=2,
            ledgers={"customers": {}, "users": {}},
            facts=Facts({day: dict(facts) for day, facts in days.items()}),
            offsets={},
            outcomes={},
        )
    )
    opened.close()


def fill(tables, fingerprint: str = "rules") -> None:
    """Write four customers over two months: one leaves, one expands, one pays in euros."""
    january, march = AS_OF - 60, AS_OF - 10
    put(
        tables,
        0,
        {
            january: {
                key("new"): 3,
                key("signups"): 3,
                key("subscribers_came"): 2,
                key("mrr", "new", "USD", ""): 79 * MONEY + 333_333,
                key("movers", "new"): 2,
                key("payments", "succeeded"): 2,
                key("cash", "recurring", "USD"): 79 * MONEY + 333_333,
                key("payers"): 2,
                key("plan_subscriptions", "pro"): 2,
                key("plan_mrr", "pro", "USD"): 79 * MONEY + 333_333,
                key("cohort_customers", "2026-01"): 3,
                key("cohort_mrr", "2026-01", "USD"): 79 * MONEY + 333_333,
                key("segment_customers", "country", "DE"): 2,
                key("segment_customers", "country", "unknown"): 1,
                key("segment_new", "country", "DE"): 2,
                key("segment_new", "country", "unknown"): 1,
                key("segment_subscribers", "country", "DE"): 2,
                key("segment_mrr", "country", "DE", "new", "USD"): 79 * MONEY + 333_333,
            },
            march: {
                key("churned", "unspecified"): 1,
                key("cancellations"): 1,
                key("subscribers_left"): 1,
                key("mrr", "churn", "USD", "unspecified"): -29 * MONEY,
                key("movers", "churn"): 1,
                key("mrr", "expansion", "USD", ""): 10 * MONEY,
                key("movers", "expansion"): 1,
                key("renewals_due"): 2,
                key("renewals_decided", "lost", "0"): 1,
                key("repeat_payers"): 1,
                key("plan_subscriptions", "pro"): -1,
                key("plan_mrr", "pro", "USD"): -19 * MONEY,
                key("cohort_customers", "2026-01"): -1,
                key("cohort_mrr", "2026-01", "USD"): -19 * MONEY,
                key("segment_customers", "country", "DE"): -1,
                key("segment_churned", "country", "DE"): 1,
                key("segment_subscribers", "country", "DE"): -1,
                key("segment_mrr", "country", "DE", "churn", "USD"): -29 * MONEY,
                key("segment_mrr", "country", "DE", "expansion", "USD"): 10 * MONEY,
            },
            AS_OF: {
                key("sessions"): 4,
                key("session_milliseconds"): 1_001,
                key("session_reactions"): 2,
                key("users_active", "1"): 2,
                key("users_active", "7"): 2,
                key("users_active", "30"): 3,
                key("users_repeat"): 1,
                key("nps", "promoter"): 2,
                key("nps", "detractor"): 1,
                key("csat", "satisfied"): 1,
            },
            AS_OF + 1: {key("churned", "lapsed"): 1},
        },
        fingerprint,
    )
    put(
        tables,
        1,
        {
            AS_OF: {
                key("new"): 1,
                key("signups"): 1,
                key("subscribers_came"): 1,
                key("mrr", "new", "EUR", ""): 49 * MONEY,
                key("movers", "new"): 1,
                key("payments", "succeeded"): 1,
                key("cash", "recurring", "EUR"): 49 * MONEY,
                key("refunds", "USD"): 5 * MONEY,
            }
        },
        fingerprint,
    )


def filled(fingerprint: str = "rules") -> Tables:
    """Make tables in memory that hold the small company."""
    tables = Tables()
    fill(tables, fingerprint)
    return tables


def growth_of(tables) -> Growth:
    """Open tables for reading, whatever rules they were written under."""
    return Growth(tables.reader(), partitions=2, settings=settings())
