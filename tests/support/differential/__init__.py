"""The product beside the reference: one log through decoder, folds, tables and metrics, and every sample compared."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from fractions import Fraction

from aggregators.batch import fold_batch, touched
from aggregators.calendar import Zone, day_of
from aggregators.facts import MEASURES, Facts, parts
from aggregators.metrics import CATALOGUE, Book, MetricSettings, samples
from aggregators.rates import Rates
from aggregators.refold import refold
from aggregators.rules import HEALTH_PARTS, Rules, whole_weights
from aggregators.tables import memory
from aggregators.tables.door import Commit
from streams.decoding.decode import decode
from streams.decoding.partition import partition_of
from tests.support import reference

PARTITIONS = 3
ARRIVAL = 4_000_000_000_000
"""When every record arrived, in milliseconds: later than all events, so that none lies in its future."""
ACCEPT_FROM = 631_152_000_000

COMPARED = {metric.name for metric in CATALOGUE} - {"growth_build_info"}
"""The reference knows no versions."""

SHOWN: list[dict[str, object]] = [
    {},
    {"segment_limit": 2, "cohort_months": 3, "segment_periods": ("previous_day", "week", "365d"), "health_users": 2},
    {"segment_limit": 1, "gross_margin": "0.8", "dimensions": ("owner", "plan"), "health_features": 2},
    {"segment_limit": 3, "cohort_months": 30, "segment_periods": ("day", "previous_year", "7d", "quarter")},
    {
        "segment_limit": 4,
        "cohort_months": 1,
        "segment_periods": ("previous_month", "year", "90d"),
        "health_weights": dict(zip(HEALTH_PARTS, (4, 1, 3, 2, 0, 1, 0), strict=True)),
    },
]
"""Settings of what is shown, and of the health score; the defaults first."""

Numbers = dict[tuple[str, tuple[tuple[str, str], ...]], Fraction | float | int]


def rules_of(settings: Mapping[str, object]) -> Rules:
    """Turn a reference's settings into the product's rules."""
    given = reference.Settings(**settings)  # type: ignore[arg-type]
    return Rules(
        zone=Zone(str(settings["time_zone"])),
        lapse_grace_days=int(str(settings["lapse_grace_days"])),
        purchase_lapse_days=settings["purchase_lapse_days"],  # type: ignore[arg-type]
        dimensions=given.dimensions,
        health_weights=whole_weights(given.health_weights),
        health_users=given.health_users,
        health_features=given.health_features,
    )


class Product:
    """The product without its servers: batches of records into in-memory tables, and metrics out of them."""

    def __init__(self, settings: Mapping[str, object]) -> None:
        """Start with empty tables."""
        self.rules = rules_of(settings)
        shown = reference.Settings(**settings)  # type: ignore[arg-type]
        self.metric_settings = MetricSettings(
            zone=self.rules.zone,
            rates=Rates.parse(json.dumps(settings["rates"]).encode(), "rates", str(settings["reporting_currency"])),
            targets=shown.targets,
            gross_margin=Fraction(shown.gross_margin),
            dimensions=shown.dimensions,
            segment_periods=shown.segment_periods,
            segment_limit=shown.segment_limit,
            cohort_months=shown.cohort_months,
        )
        self.tables = memory.Tables()
        self.rejected: list[str] = []

    def take(self, log: Sequence[dict], seed: int) -> None:
        """Take a log in random batches, each shard's in the order in which they stand in it."""
        shards: dict[int, list[bytes]] = {}
        for event in log:
            partition = partition_of(event["customer_id"], PARTITIONS)
            shards.setdefault(partition, []).append(json.dumps(event).encode())
        rng = random.Random(seed)
        for partition, values in shards.items():
            shard = self.tables.shard(partition)
            while values:
                size = rng.choice((1, 2, 7, 100, 1000))
                self._commit(shard, partition, values[:size])
                del values[:size]

    def _commit(self, shard: memory.MemoryShard, partition: int, values: Sequence[bytes]) -> None:
        decoded = decode(
            values,
            [ARRIVAL] * len(values),
            partition=partition,
            partitions=PARTITIONS,
            accept_from=ACCEPT_FROM,
            allowed_skew_ms=0,
        )
        self.rejected += [reject.message for reject in decoded.rejects]
        meta = shard.begin()
        stored = {
            space: {
                field: packed
                for field, packed in zip(fields, shard.read(space, fields), strict=True)
                if packed is not None
            }
            for space, fields in touched(decoded.sessions, decoded.events).items()
        }
        folded = fold_batch(self.rules, decoded.sessions, decoded.events, stored, shard.read)
        shard.commit(
            Commit(
                based_on=meta,
                fingerprint=self.rules.fingerprint(),
                partitions=PARTITIONS,
                ledgers=folded.ledgers,
                facts=folded.facts,
                offsets={},
                outcomes=dict(folded.outcomes),
            )
        )

    def unbalanced(self) -> list[str]:
        """Tell which shards' facts are not what folding their ledgers anew gives."""
        told = []
        reader = self.tables.reader()
        for partition in range(PARTITIONS):
            changes, _ = reader.changes(partition, {})
            kept = {
                day: {fact_key: n for fact_key, n in facts.items() if not MEASURES[parts(fact_key)[0]].kept}
                for day, facts in changes.days.items()
            }
            if Facts(kept) != refold(self.rules, self.tables.shard(partition), lambda _: None).facts:
                told.append(f"the facts of shard {partition} are not those of its ledgers")
        return told

    def book(self) -> Book:
        """Read all shards' facts."""
        book, reader = Book(), self.tables.reader()
        for partition in range(PARTITIONS):
            changes, _ = reader.changes(partition, {})
            book.update(partition, changes.days)
        return book

    def metrics(self, book: Book, as_of: date) -> Numbers:
        """Give every sample of an as-of day, exact."""
        families = samples(book, self.metric_settings, day_of(as_of))
        return {
            (family.name, tuple(sorted(zip(family.labels, sample.labels, strict=True)))): sample.value
            for family in families
            for sample in family.samples
        }


def differences(product: Numbers, expected: reference.Samples) -> list[str]:
    """Tell where the two differ.

    Of labels that are not known beforehand (reasons, currencies) the reference has only what is not 0. Exact numbers
    must be equal; only roots, which are not exact, may differ in their last digits.
    """
    told = []
    for key in product.keys() | expected.keys():
        if key[0] not in COMPARED:
            continue
        ours, theirs = product.get(key), expected.get(key)
        if ours is None or theirs is None:
            same = (ours or theirs or 0) == 0 and ours is not None
        elif isinstance(theirs, float) or isinstance(ours, float):
            same = math.isclose(ours, theirs, rel_tol=1e-12)
        else:
            same = ours == theirs
        if not same:
            told.append(f"{key[0]}{dict(key[1])}: {ours} and not {theirs}")
    return sorted(told)


def compare(
    log: Sequence[dict], settings: Mapping[str, object], days: Sequence[date], seed: int
) -> tuple[Counter[str], list[str]]:
    """Run one log through both, count the samples of all as-of days by metric, and compare them."""
    product = Product(settings)
    product.take(log, seed)
    wrong = product.rejected + product.unbalanced()
    if wrong:
        return Counter(), wrong
    book = product.book()
    expected = reference.Reference(list(log), reference.Settings(**settings))  # type: ignore[arg-type]
    compared: Counter[str] = Counter()
    told = []
    for day in days:
        theirs = expected.metrics(day)
        compared.update(name for name, _ in theirs if name in COMPARED)
        told += [f"{day} {line}" for line in differences(product.metrics(book, day), theirs)]
    return compared, told
