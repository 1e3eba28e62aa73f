"""A shard's facts folded anew from its ledgers: what `rebuild` puts in place and `verify` compares."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from aggregators import activity, customers, expenses, parts, surveys, users
from aggregators.customers.histories import History, Rewritten
from aggregators.facts import Facts
from aggregators.parts import Read
from aggregators.rules import Rules
from aggregators.tables.door import Meta, Space

CUSTOMERS_AT_ONCE = 500
PREFIXES = (customers.PREFIX, surveys.PREFIX, activity.PREFIX)


class Source(Protocol):
    """Where ledgers are read: a shard, or a copy of one."""

    def ledgers(self, space: Space) -> Iterator[tuple[str, bytes]]:
        """Iterate over all ledgers of one table, in no order."""

    def begin(self) -> Meta:
        """Come before every `read`."""

    def read(self, space: Space, fields: Sequence[str]) -> list[bytes | None]:
        """Read ledgers, None where there is none, in the order of the fields."""


class Damaged(NamedTuple):
    """A ledger that cannot be folded."""

    space: Space
    field: str
    why: str


class Refolded(NamedTuple):
    """What folding a shard's ledgers anew gives."""

    facts: Facts
    """All facts that derive from ledgers: what no ledger keeps is not among them."""
    ledgers: dict[str, bytes]
    """The activity ledgers, by field, whose digest of billing is another one under these rules."""
    damaged: list[Damaged]
    """Ledgers that no worker has written so: their facts are not among the others."""


def refold(rules: Rules, source: Source, progress: Callable[[int], None]) -> Refolded:
    """Fold all ledgers of a shard.

    Args:
        rules: the settings to fold with.
        source: is only read.
        progress: called with the number of ledgers folded since the last call.
    """
    folded = Refolded(Facts(), {}, [])
    covered = users.Covered()
    for field, ledger in source.ledgers("users"):
        if _guarded(folded, "users", field, partial(users.fold, rules, field, ledger)):
            covered.take(field, ledger)
        progress(1)
    folded.damaged.extend(Damaged("users", field, why) for field, why in covered.wrong())
    owners: dict[str, None] = {}
    for field, ledger in source.ledgers("customers"):
        if field.startswith(expenses.PREFIX):
            _guarded(folded, "customers", field, partial(expenses.fold, rules, ledger))
            progress(1)
        elif field.startswith(PREFIXES):
            owners[field[1:]] = None
        elif not field.startswith(parts.PREFIX):
            folded.damaged.append(Damaged("customers", field, "no ledger is named so"))
    for customer_ids in _pieces(list(owners), CUSTOMERS_AT_ONCE):
        fields = [prefix + customer_id for customer_id in customer_ids for prefix in PREFIXES]
        source.begin()
        found = zip(fields, source.read("customers", fields), strict=True)
        ledgers = {field: ledger for field, ledger in found if ledger is not None}
        for customer_id in customer_ids:
            _fold_customer(rules, customer_id, ledgers, folded, partial(source.read, "customers"))
        progress(len(ledgers))
    return folded


def _fold_customer(
    rules: Rules, customer_id: str, ledgers: Mapping[str, bytes], folded: Refolded, reading: Read = parts.whole
) -> None:
    """Fold all ledgers of one customer, up to the first that is damaged: the others depend on billing."""
    billing, answers, known = (ledgers.get(prefix + customer_id) for prefix in PREFIXES)
    history: History = []

    def fold_billing() -> Facts:
        nonlocal history
        history = customers.history(rules, billing, reading)
        return Facts() if billing is None else customers.fold(rules, billing, reading)

    def fold_answers() -> Facts:
        return Facts() if answers is None else surveys.fold(rules, answers, history, reading)

    def fold_activity() -> Facts:
        now = activity.renewed(known, Rewritten(history, history).digest())
        if now != (known or b""):
            folded.ledgers[activity.field(customer_id)] = now
        return activity.fold(rules, now) if now else Facts()

    for prefix, fold in zip(PREFIXES, (fold_billing, fold_answers, fold_activity), strict=True):
        if not _guarded(folded, "customers", prefix + customer_id, fold):
            break


def _guarded(folded: Refolded, space: Space, field: str, fold: Callable[[], Facts]) -> bool:
    """Add what a fold gives, or note that its ledger is damaged; says which of the two."""
    try:
        facts = fold()
    except Exception as error:  # noqa: BLE001 - there is no telling what bytes that nobody wrote do to a fold
        folded.damaged.append(Damaged(space, field, f"{type(error).__name__}: {error}"))
        return False
    folded.facts.merge(facts)
    return True


def _pieces(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), size):
        yield names[start : start + size]
