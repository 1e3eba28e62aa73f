"""The demo company's first days in any tables, as a worker would have written them."""

from __future__ import annotations

import datetime as dt

import msgspec

from aggregators.batch import fold_batch
from aggregators.calendar import day_of
from aggregators.rules import Rules
from aggregators.tables.door import Commit, Offset, Tables
from growthgauge.local.demo.company import Company
from growthgauge.local.demo.life import DAY_MS
from streams.decoding.decode import decode
from streams.decoding.partition import partition_of


def fill(tables: Tables, rules: Rules, *, first: dt.date, days: int, partitions: int) -> None:
    """Fold all events of the first days at once into empty tables."""
    start = day_of(first) * DAY_MS
    events = list(Company(1, first).events(start, start + days * DAY_MS))
    for number in range(partitions):
        values = [msgspec.json.encode(e) for e in events if partition_of(e["customer_id"], partitions) == number]
        decoded = decode(
            values,
            [start + 999 * DAY_MS] * len(values),
            partition=number,
            partitions=partitions,
            accept_from=0,
            allowed_skew_ms=0,
        )
        folded = fold_batch(rules, decoded.sessions, decoded.events, {"users": {}, "customers": {}})
        shard = tables.shard(number)
        shard.commit(
            Commit(
                based_on=shard.begin(),
                fingerprint=rules.fingerprint(),
                partitions=partitions,
                ledgers=folded.ledgers,
                facts=folded.facts,
                offsets={"t": Offset("id", len(values))},
                outcomes=dict(folded.outcomes),
            )
        )
        shard.close()
