"""A company for the page to show: the demo's first months, folded into tables in memory, with names that are markup."""

from __future__ import annotations

import datetime as dt
import json
from functools import cache

from aggregators.batch import fold_batch
from aggregators.calendar import Zone, day_of
from aggregators.facts import Facts
from aggregators.metrics import MetricSettings
from aggregators.rates import Rates
from aggregators.rules import Rules
from aggregators.tables.door import Commit
from aggregators.tables.memory import Tables
from growthgauge.local.demo.company import Company
from streams.decoding.decode import decode

FIRST = dt.date(2026, 1, 1)
DAYS = 210
TODAY = day_of(FIRST) + DAYS - 1
DAY_MS = 86_400_000
EVIL = '<img src=x onerror="document.title=1">\'</td><script>document.title=1</script>'
PARTITIONS = 1

RATES = Rates.parse(b'{"EUR": {"2026-01-01": "1.10"}}', "rates")
SETTINGS = MetricSettings(
    zone=Zone("UTC"), rates=RATES, targets={"customer_churn_ratio": 0.03, "customers": 10.0}, version="0.1.0"
)


@cache
def _history() -> tuple[tuple[int, tuple[tuple[str, int], ...]], ...]:
    company = Company(1, FIRST)
    events = list(company.events(day_of(FIRST) * DAY_MS, (TODAY + 1) * DAY_MS))
    for event in events:
        if event.get("owner") == "amara" or event.get("channel") == "events" or event.get("reason") == "support":
            event |= {name: EVIL for name in ("owner", "channel", "reason") if name in event}
        if event.get("plan") == "business":
            event["plan"] = EVIL
    facts = folded(events)
    return tuple((day, tuple(found.items())) for day, found in facts.days.items())


def folded(events: list[dict[str, object]]) -> Facts:
    """Fold events, all at once, into facts."""
    values = [json.dumps(event).encode() for event in events]
    now = (TODAY + 1) * DAY_MS
    found = decode(values, [now] * len(values), partition=0, partitions=1, accept_from=0, allowed_skew_ms=DAY_MS)
    assert not found.rejects, found.rejects[0]
    return fold_batch(Rules(zone=Zone("UTC")), found.sessions, found.events, {"users": {}, "customers": {}}).facts


def company() -> Tables:
    """Give tables of their own that hold the company."""
    tables = Tables()
    put(tables, Facts({day: dict(found) for day, found in _history()}))
    return tables


def put(tables: Tables, facts: Facts) -> None:
    """Commit facts."""
    shard = tables.shard(0)
    shard.commit(
        Commit(
            based_on=shard.begin(),
            fingerprint="rules",
            partitions=PARTITIONS,
            ledgers={"customers": {}, "users": {}},
            facts=facts,
            offsets={},
            outcomes={"signup/accepted": 200, "rejected/schema": 3},
        )
    )
    shard.close()
