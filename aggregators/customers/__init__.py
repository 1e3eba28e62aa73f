"""A customer's billing: events merged into its ledger, and what that changes in the facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from aggregators.activity import Digest
from aggregators.customers import levels, voids
from aggregators.customers.counts import count
from aggregators.customers.ledger import BillingEvent, Item, Ledger, order, pack, unpack
from aggregators.customers.timeline import NO_PAYMENT, Change, Sweep
from aggregators.facts import Facts
from aggregators.merge import verdict
from aggregators.rules import Rules
from aggregators.tables import Space

SPACE: Space = "customers"
PREFIX = "b"
"""First letter of a billing ledger's field, which is followed by the `customer_id`."""

History = list[Change]
"""The days on which a customer's end-of-day state changes, those to come included."""


class Rewritten(NamedTuple):
    """A history as it was and as it is."""

    before: History
    after: History


def apply(
    rules: Rules,
    events: Sequence[BillingEvent],
    ledgers: Mapping[str, bytes],
    facts: Facts,
    outcomes: Counter[str],
) -> tuple[dict[str, bytes], dict[str, Rewritten]]:
    """Merge events into their ledgers, and add what that changes to the facts.

    Args:
        rules: the settings that folds read.
        events: signups, payments and cancellations of any customers, in any order.
        ledgers: the touched ledgers' bytes by field, as far as there are any.
        facts: the sum that the changes of facts are added to.
        outcomes: the counts by `type/outcome` that every event adds one to.

    Returns:
        The ledgers that changed, by field, and the histories that changed, by customer.
    """
    by_customer: dict[str, list[BillingEvent]] = {}
    for event in events:
        by_customer.setdefault(event.customer_id, []).append(event)
    changed: dict[str, bytes] = {}
    rewritten: dict[str, Rewritten] = {}
    for customer_id, its_events in by_customer.items():
        field = PREFIX + customer_id
        ledger = unpack(ledgers.get(field))
        histories = _merge(rules, ledger, its_events, facts, outcomes)
        if histories is not None:
            changed[field] = pack(ledger)
            if histories.before != histories.after:
                rewritten[customer_id] = histories
    return changed, rewritten


def history(rules: Rules, packed: bytes | None) -> History:
    """Give the history that a ledger tells."""
    ledger = unpack(packed)
    if ledger.tip is not None and ledger.tip_rules == rules.tag:
        return Sweep(rules, ledger.tip, ledger.changes).finish()
    sweep = Sweep(rules)
    sweep.run(ledger.items, ledger.terms)
    return sweep.finish()


def digest(history: History) -> Digest:
    """Give what health needs to know of a history: when the customer was present, and how its payments went."""
    presence: list[tuple[int, bool]] = []
    payment: list[tuple[int, int]] = []
    for change in history:
        if change.present != (presence[-1][1] if presence else False):
            presence.append((change.day, change.present))
        if change.paying != (payment[-1][1] if payment else NO_PAYMENT):
            payment.append((change.day, change.paying))
    return Digest(presence, payment)


def fold(rules: Rules, packed: bytes) -> Facts:
    """Give all facts of one ledger."""
    facts = Facts()
    ledger = unpack(packed)
    for item in ledger.items:
        count(rules, item, ledger.terms[item.terms], facts, 1)
    sweep = Sweep(rules)
    sweep.run(ledger.items, ledger.terms)
    changes = sweep.finish()
    for day, fact_key in sweep.decided:
        facts.add(day, fact_key, 1)
    levels.emit(rules, changes, 0, facts, 1)
    voids.emit(rules, changes, 0, facts, 1)
    return facts


def _merge(
    rules: Rules, ledger: Ledger, events: Sequence[BillingEvent], facts: Facts, outcomes: Counter[str]
) -> Rewritten | None:
    """Merge events of one customer, and give its histories before and after; None if the ledger did not change."""
    removed, added = _deduplicate(ledger, events, outcomes)
    if not added:
        return None
    terms = ledger.terms
    for item in removed:
        count(rules, item, terms[item.terms], facts, -1)
    for item in added:
        count(rules, item, terms[item.terms], facts, 1)
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
    for way, sign in ((old, -1), (new, 1)):
        for day, fact_key in way.decided:
            facts.add(day, fact_key, sign)
    _differ(rules, histories, facts)
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


def _differ(rules: Rules, histories: Rewritten, facts: Facts) -> None:
    """Add the facts of a history, and take away those of the one that it replaces."""
    start = 0
    for old, new in zip(*histories, strict=False):
        if old != new:
            break
        start += 1
    days = [changes[start].day for changes in histories if start < len(changes)]
    if not days:
        return
    first = voids.reach(histories.before[:start], min(days))
    for changes, sign in zip(histories, (-1, 1), strict=True):
        levels.emit(rules, changes, start, facts, sign)
        voids.emit(rules, changes, first, facts, sign)
