"""Expenses: each is a ledger of its own, since none depends on another (SPEC, section 3.4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec

from aggregators.events import Category, Expense
from aggregators.facts import Facts, key
from aggregators.merge import verdict
from aggregators.money import millionths
from aggregators.rules import Rules
from aggregators.tables.door import Space

SPACE: Space = "customers"
PREFIX = "e"
"""First letter of a ledger's field, which is followed by the `customer_id` (the cost centre) and the event's id."""
FORMAT = 1

_key = lru_cache(maxsize=1024)(key)


class Ledger(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One expense event."""

    format: int
    at: int
    category: Category
    amount: str
    currency: str
    stamp: int
    """Twice the revision, and 1 more if withdrawn."""


_decoder = msgspec.msgpack.Decoder(Ledger)
_encoder = msgspec.msgpack.Encoder()


def field(event: Expense) -> str:
    """Name the field of the ledger that an event belongs to."""
    return PREFIX + key(event.customer_id, event.id)


def apply(
    rules: Rules,
    events: Sequence[Expense],
    ledgers: Mapping[str, bytes],
    facts: Facts,
    outcomes: Counter[str],
) -> dict[str, bytes]:
    """Merge expense events into their ledgers, and add what that changes to the facts; as `customers.apply`."""
    standing: dict[str, Expense] = {}
    changed: set[str] = set()
    for event in events:
        name = field(event)
        packed = ledgers.get(name)
        if name not in standing and packed is not None:
            standing[name] = _event(event, _decoder.decode(packed))
        stored = standing.get(name)
        outcome, replaces = ("accepted", True) if stored is None else verdict(stored, event)
        outcomes[f"expense/{outcome}"] += 1
        if replaces:
            if stored is not None:
                _count(rules, stored, facts, -1)
            _count(rules, event, facts, 1)
            standing[name] = event
            changed.add(name)
    return {name: _encoder.encode(_ledger(standing[name])) for name in changed}


def fold(rules: Rules, packed: bytes) -> Facts:
    """Give the fact of one ledger."""
    facts = Facts()
    ledger = _decoder.decode(packed)
    if not ledger.stamp & 1:
        facts.add(
            rules.zone.day(ledger.at), _key("expense", ledger.category, ledger.currency), millionths(ledger.amount)
        )
    return facts


def _count(rules: Rules, event: Expense, facts: Facts, sign: int) -> None:
    if not event.withdrawn:
        amount = sign * millionths(event.amount)
        facts.add(rules.zone.day(event.occurred_at), _key("expense", event.category, event.currency), amount)


def _ledger(event: Expense) -> Ledger:
    stamp = 2 * event.revision + event.withdrawn
    return Ledger(FORMAT, event.occurred_at, event.category, event.amount, event.currency, stamp)


def _event(like: Expense, ledger: Ledger) -> Expense:
    """Give back a stored event, whose ids are those of the one that arrives."""
    return Expense(
        id=like.id,
        customer_id=like.customer_id,
        occurred_at=ledger.at,
        revision=ledger.stamp >> 1,
        withdrawn=bool(ledger.stamp & 1),
        category=ledger.category,
        amount=ledger.amount,
        currency=ledger.currency,
    )
