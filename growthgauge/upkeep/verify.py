"""Whether the books balance: every shard's facts against the folds of all its ledgers, and against each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from aggregators.facts import SEPARATOR, Facts
from aggregators.metrics.book import Book
from aggregators.metrics.identities import unbalanced
from aggregators.refold import Damaged, refold
from aggregators.rules import Rules
from aggregators.tables import commits
from aggregators.tables.agreement import disagreement
from aggregators.tables.door import Busy, Tables
from growthgauge.errors import GrowthgaugeError
from growthgauge.upkeep.shard_copy import Copy

DAYS_AT_ONCE = 64


class Difference(msgspec.Struct, frozen=True):
    """A fact that is not what the ledgers fold to."""

    shard: int
    day: int
    key: str
    stored: int
    folded: int


class Unbalanced(msgspec.Struct, frozen=True):
    """Facts that contradict each other."""

    shard: int
    identity: str
    days: list[int]
    """All on which it does not hold, ascending."""


class Unsound(msgspec.Struct, frozen=True):
    """A ledger that no worker has written so."""

    shard: int
    space: str
    field: str
    """Its letter, and the ids that name it."""
    why: str


class Verified(msgspec.Struct):
    """What came of it."""

    shards: int = 0
    """Those compared."""
    ledgers: int = 0
    facts: int = 0
    """Facts compared: all that are stored and derive from ledgers."""
    kept: int = 0
    """Facts left out, because no ledger keeps what they count."""
    differing: Counter[str] = msgspec.field(default_factory=Counter)
    """How many facts differ, by measure."""
    differences: list[Difference] = []
    """The first of them."""
    unsound: list[Unsound] = []
    unbalanced: list[Unbalanced] = []
    busy: list[int] = []
    """Shards that could not be read whole, because somebody kept committing."""

    @property
    def balanced(self) -> bool:
        """Whether everything was looked at and nothing is wrong."""
        return not (self.differing or self.unsound or self.unbalanced or self.busy)


def verify(tables: Tables, rules: Rules, partitions: int, limit: int, progress: Callable[[int, int], None]) -> Verified:
    """Compare, shard by shard, one version of the facts with the folds of the same version's ledgers; only reads.

    Args:
        tables: where they are; workers may go on.
        rules: the settings that they were folded with.
        partitions: how many shards there are.
        limit: how many differences to keep.
        progress: called with the shards done and the ledgers folded so far.

    Raises:
        GrowthgaugeError: the tables were folded with other rules.
        TablesUnavailable: the store does not answer.
    """
    result = Verified()
    folded = 0
    for number in range(partitions):

        def count(ledgers: int, number: int = number) -> None:
            nonlocal folded
            folded += ledgers
            progress(number, folded)

        _verify_shard(tables, rules, partitions, limit, number, result, count)
        progress(number + 1, folded)
    return result


def _verify_shard(
    tables: Tables,
    rules: Rules,
    partitions: int,
    limit: int,
    number: int,
    result: Verified,
    count: Callable[[int], None],
) -> None:
    copy = Copy()
    try:
        try:
            changes = tables.snapshot(number, copy)
        except Busy:
            result.busy.append(number)
            return
        sentence = disagreement(changes.meta, rules.fingerprint(), partitions)
        if sentence is not None:
            raise GrowthgaugeError(sentence)
        result.ledgers += copy.finish()
        folded, stale, damaged = refold(rules, copy, count)
    finally:
        copy.close()
    result.shards += 1
    damaged += [Damaged("customers", field, "it disagrees with the customer's billing ledger") for field in stale]
    result.unsound += [Unsound(number, *each) for each in damaged]
    stored = {day: {key: n for key, n in facts.items() if not commits.kept(key)} for day, facts in changes.days.items()}
    result.facts += sum(map(len, stored.values()))
    result.kept += sum(map(len, changes.days.values())) - sum(map(len, stored.values()))
    for difference in _differences(number, stored, folded):
        result.differing[difference.key.partition(SEPARATOR)[0]] += 1
        if len(result.differences) < limit:
            result.differences.append(difference)
    result.unbalanced += _contradictions(number, changes.days, rules.dimensions)


def _differences(shard: int, stored: Mapping[int, Mapping[str, int]], folded: Facts) -> Iterator[Difference]:
    """Give the facts that differ, by day and key."""
    expected = folded.nonzero()
    nothing: Mapping[str, int] = {}
    for day in sorted(stored.keys() | expected.keys()):
        here, there = stored.get(day, nothing), expected.get(day, nothing)
        if here == there:
            continue
        for key in sorted(here.keys() | there.keys()):
            if here.get(key, 0) != there.get(key, 0):
                yield Difference(shard, day, key, here.get(key, 0), there.get(key, 0))


def _contradictions(
    shard: int, days: Mapping[int, Mapping[str, int]], dimensions: Sequence[str]
) -> Iterator[Unbalanced]:
    """Give the identities that do not hold, without a look at ledgers."""
    book = Book()
    book.update(0, days)
    ordered = sorted(days)
    found: dict[str, list[int]] = {}
    for first in range(0, len(ordered), DAYS_AT_ONCE):
        for name, wrong in unbalanced(book, ordered[first : first + DAYS_AT_ONCE], dimensions).items():
            if wrong:
                found.setdefault(name, []).extend(wrong)
    return (Unbalanced(shard, name, wrong) for name, wrong in found.items())
