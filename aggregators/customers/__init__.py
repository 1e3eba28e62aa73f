"""A customer's billing: events merged into its ledger, and what that changes in the facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from aggregators.customers import levels, voids
from aggregators.customers.counts import count
from aggregators.customers.histories import END, FIRST, History, Rewritten
from aggregators.customers.items import Item, Terms, order
from aggregators.customers.ledger import BillingEvent, Ledger, pack, unpack
from aggregators.customers.long import Chunk, Long, is_long, is_to_be_long
from aggregators.customers.timeline import Sweep
from aggregators.facts import Facts
from aggregators.merge import verdict
from aggregators.parts import Read, whole
from aggregators.rules import Rules
from aggregators.tables.door import Space

SPACE: Space = "customers"
PREFIX = "b"
"""First letter of a billing ledger's field, which is followed by the `customer_id`."""


def apply(
    rules: Rules,
    events: Sequence[BillingEvent],
    ledgers: Mapping[str, bytes],
    facts: Facts,
    outcomes: Counter[str],
    reading: Read = whole,
) -> tuple[dict[str, bytes], dict[str, Rewritten]]:
    """Merge events into their ledgers, and add what that changes to the facts.

    Args:
        rules: the settings that folds read.
        events: signups, payments and cancellations of any customers, in any order.
        ledgers: the touched ledgers' bytes by field, as far as there are any.
        facts: the sum that the changes of facts are added to.
        outcomes: the counts by `type/outcome` that every event adds one to.
        reading: reads parts of long ledgers.

    Returns:
        The ledgers and parts that changed, by field, and the histories that changed, by customer.
    """
    by_customer: dict[str, list[BillingEvent]] = {}
    for event in events:
        by_customer.setdefault(event.customer_id, []).append(event)
    changed: dict[str, bytes] = {}
    rewritten: dict[str, Rewritten] = {}
    for customer_id, its_events in by_customer.items():
        field = PREFIX + customer_id
        packed = ledgers.get(field)
        if packed is not None and is_long(packed):
            long = Long.unpack(rules, packed, reading)
            histories = _merge_long(rules, long, its_events, facts, outcomes)
            if histories is not None:
                changed |= long.packed()
        else:
            ledger = unpack(packed)
            histories = _merge(rules, ledger, its_events, facts, outcomes)
            if histories is not None and is_to_be_long(ledger):
                changed |= Long.of(rules, field, ledger, reading).packed()
            elif histories is not None:
                changed[field] = pack(ledger)
        if histories is not None and histories.before != histories.after:
            rewritten[customer_id] = histories
    return changed, rewritten


def unchanged(rules: Rules, packed: bytes | None, reading: Read) -> Rewritten:
    """Give the history that a ledger tells, as one that did not change."""
    if packed is None or not is_long(packed):
        told = history(rules, packed)
        return Rewritten(told, told)
    long = Long.unpack(rules, packed, reading)
    return Rewritten([], [], END, FIRST, long.history)


def history(rules: Rules, packed: bytes | None, reading: Read = whole) -> History:
    """Give the whole history that a ledger tells."""
    if packed is not None and is_long(packed):
        return Long.unpack(rules, packed, reading).whole()
    ledger = unpack(packed)
    if ledger.tip is not None and ledger.tip_rules == rules.tag:
        return Sweep(rules, ledger.tip, ledger.changes).finish()
    sweep = Sweep(rules)
    sweep.run(ledger.items, ledger.terms)
    return sweep.finish()


def fold(rules: Rules, packed: bytes, reading: Read = whole) -> Facts:
    """Give all facts of one ledger."""
    facts = Facts()
    chunks: Iterable[Ledger | Chunk] = (
        Long.unpack(rules, packed, reading).chunks() if is_long(packed) else (unpack(packed),)
    )
    sweep = Sweep(rules)
    for chunk in chunks:
        for item in chunk.items:
            count(rules, item, chunk.terms[item.terms], facts, 1)
        sweep.run(chunk.items, chunk.terms)
    changes = sweep.finish()
    for day, fact_key in sweep.decided:
        facts.add(day, fact_key, 1)
    levels.emit(rules, changes, 0, facts, 1)
    voids.emit(rules, changes, FIRST, facts, 1)
    return facts


def _merge(
    rules: Rules, ledger: Ledger, events: Sequence[BillingEvent], facts: Facts, outcomes: Counter[str]
) -> Rewritten | None:
    """Merge events of one customer, and give its histories before and after; None if the ledger did not change."""
    removed, added = _deduplicate(ledger, events, outcomes)
    if not added:
        return None
    terms = ledger.terms
    # Both histories are one up to the first item that differs: sweep it once, and fork there.
    place = ledger.place(min((*removed, *added), key=order))
    if place == len(ledger.items) and ledger.tip is not None and ledger.tip_rules == rules.tag:
        sweep = Sweep(rules, ledger.tip, ledger.changes)
    else:
        sweep = Sweep(rules)
        sweep.run(ledger.items[:place], terms)
    old = sweep.fork()
    old.run(ledger.items[place:], terms)
    for item in removed:
        ledger.remove(item)
    for item in added:
        ledger.insert(item)
    new = sweep.fork()
    new.run(ledger.items[place:], terms)
    ledger.tip, ledger.changes, ledger.tip_rules = new.state.copy(), new.changes.copy(), rules.tag
    histories = Rewritten(old.finish(), new.finish())
    _differ(rules, (removed, added), terms, (old, new), histories, facts)
    return histories


def _merge_long(
    rules: Rules, long: Long, events: Sequence[BillingEvent], facts: Facts, outcomes: Counter[str]
) -> Rewritten | None:
    """Merge events of one customer into its long ledger; as `_merge`."""
    known = long.known(events)
    removed, added = _deduplicate(known, events, outcomes)
    if not added:
        return None
    old, new, histories = long.merge(removed, added, known.terms)
    _differ(rules, (removed, added), known.terms, (old, new), histories, facts)
    return histories


def _deduplicate(
    ledger: Ledger, events: Sequence[BillingEvent], outcomes: Counter[str]
) -> tuple[list[Item], list[Item]]:
    """Tell which items events take out of a ledger, and which they put in."""
    stored = {key: ledger.items[index] for key, index in ledger.positions(events).items()}
    standing = dict(stored)
    for event in events:
        item = ledger.item(event)
        key = item.rank, item.id
        known = standing.get(key)
        if known is None:
            outcome, replaces = "accepted", True
        else:
            outcome, replaces = verdict(ledger.event(known, event.customer_id), event)
        outcomes[f"{event.type}/{outcome}"] += 1
        if replaces:
            standing[key] = item
    removed = [item for key, item in stored.items() if standing[key] is not item]
    added = [item for key, item in standing.items() if stored.get(key) is not item]
    return removed, added


def _differ(
    rules: Rules,
    items: tuple[Sequence[Item], Sequence[Item]],
    terms: Sequence[Terms],
    sweeps: tuple[Sweep, Sweep],
    histories: Rewritten,
    facts: Facts,
) -> None:
    """Add the facts of items, sweeps and a history, and take away those of the ones that they replace."""
    for some, sweep, sign in zip(items, sweeps, (-1, 1), strict=True):
        for item in some:
            count(rules, item, terms[item.terms], facts, sign)
        for day, fact_key in sweep.decided:
            facts.add(day, fact_key, sign)
    versions = histories.before, histories.after
    start = 0
    for old, new in zip(*versions, strict=False):
        if old != new:
            break
        start += 1
    days = [changes[start].day for changes in versions if start < len(changes)]
    if not days:
        return
    for changes, sign in zip(versions, (-1, 1), strict=True):
        levels.emit(rules, changes, start, facts, sign)
        voids.emit(rules, changes, min(days), facts, sign)
