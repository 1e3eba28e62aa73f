"""A shard's facts folded anew from its ledgers: what `rebuild` puts in place and `verify` compares."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from aggregators import activity, customers, expenses, surveys, users
from aggregators.facts import Facts
from aggregators.rules import Rules
from aggregators.tables import Shard

CUSTOMERS_AT_ONCE = 500
PREFIXES = (customers.PREFIX, surveys.PREFIX, activity.PREFIX)


class Refolded(NamedTuple):
    """What folding a shard's ledgers anew gives."""

    facts: Facts
    """All facts that derive from ledgers: what no ledger keeps is not among them."""
    ledgers: dict[str, bytes]
    """The activity ledgers, by field, whose digest of billing is another one under these rules."""


def refold(rules: Rules, shard: Shard, progress: Callable[[int], None]) -> Refolded:
    """Fold all ledgers of a shard.

    Args:
        rules: the settings to fold with.
        shard: is only read.
        progress: called with the number of ledgers folded since the last call.
    """
    facts = Facts()
    stale: dict[str, bytes] = {}
    for field, ledger in shard.ledgers("users"):
        facts.merge(users.fold(rules, field, ledger))
        progress(1)
    owners: dict[str, None] = {}
    for field, ledger in shard.ledgers("customers"):
        if field.startswith(expenses.PREFIX):
            facts.merge(expenses.fold(rules, ledger))
            progress(1)
        else:
            owners[field[1:]] = None
    for customer_ids in _pieces(list(owners), CUSTOMERS_AT_ONCE):
        fields = [prefix + customer_id for customer_id in customer_ids for prefix in PREFIXES]
        shard.begin()
        found = zip(fields, shard.read("customers", fields), strict=True)
        ledgers = {field: ledger for field, ledger in found if ledger is not None}
        for customer_id in customer_ids:
            facts.merge(fold_customer(rules, customer_id, ledgers, stale))
        progress(len(ledgers))
    return Refolded(facts, stale)


def fold_customer(rules: Rules, customer_id: str, ledgers: Mapping[str, bytes], stale: dict[str, bytes]) -> Facts:
    """Give all facts that derive from one customer's ledgers, given by field; `stale` gets what to write anew."""
    facts = Facts()
    billing = ledgers.get(customers.PREFIX + customer_id)
    answers = ledgers.get(surveys.PREFIX + customer_id)
    history = customers.history(rules, billing)
    if billing is not None:
        facts.merge(customers.fold(rules, billing))
    if answers is not None:
        facts.merge(surveys.fold(rules, answers, history))
    field = activity.field(customer_id)
    known = activity.renewed(ledgers.get(field), customers.digest(history))
    if known != ledgers.get(field, b""):
        stale[field] = known
    if known:
        facts.merge(activity.fold(rules, known))
    return facts


def _pieces(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), size):
        yield names[start : start + size]
