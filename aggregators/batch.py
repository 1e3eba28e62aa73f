"""A batch: which ledgers its events touch, and what merging them changes in ledgers, facts and counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

import msgspec

from aggregators import activity, customers, expenses, surveys, users
from aggregators.activity import Excerpts
from aggregators.customers.ledger import BillingEvent
from aggregators.events import Event, Expense, Sessions, Survey
from aggregators.facts import Facts
from aggregators.parts import Further, all_whole
from aggregators.rules import Rules
from aggregators.tables.door import Space
from aggregators.users import Seen


class Folded(msgspec.Struct, frozen=True):
    """What one batch changes: the content of its transaction."""

    ledgers: dict[Space, dict[str, bytes]]
    """The ledgers that changed, by table and field."""
    facts: Facts
    """What to add to the facts."""
    outcomes: Counter[str]
    """Events by `type/outcome`."""


def touched(sessions: Sessions, events: Sequence[Event]) -> dict[Space, list[str]]:
    """Name the fields of all ledgers that a batch's events read or change: of a long one the head."""
    fields = dict.fromkeys(activity.fields(sessions)) if len(sessions) else {}
    for event in events:
        if isinstance(event, Expense):
            fields[expenses.field(event)] = None
        else:
            # An answer is booked in its customer's segment, a segment moves answers, and health looks at both.
            fields[customers.PREFIX + event.customer_id] = None
            fields[surveys.PREFIX + event.customer_id] = None
            fields[activity.field(event.customer_id)] = None
    return {"users": users.fields(sessions) if len(sessions) else [], "customers": list(fields)}


def fold_batch(
    rules: Rules,
    sessions: Sessions,
    events: Sequence[Event],
    ledgers: Mapping[Space, Mapping[str, bytes]],
    further: Further = all_whole,
) -> Folded:
    """Merge a batch of events of one shard into its ledgers.

    Args:
        rules: the settings that folds read.
        sessions: the batch's sessions.
        events: all its other events, in any order.
        ledgers: what is stored of the ledgers that `touched` names.
        further: reads further fields of the same tables: the parts of long ledgers that the events turn out to need.

    Returns:
        The ledgers that changed, what to add to the facts, and the counts of the outcomes.
    """
    facts = Facts()
    outcomes: Counter[str] = Counter()
    stored = ledgers["customers"]
    billing: list[BillingEvent] = []
    answers: list[Survey] = []
    spent: list[Expense] = []
    for event in events:
        if isinstance(event, Survey):
            answers.append(event)
        elif isinstance(event, Expense):
            spent.append(event)
        else:
            billing.append(event)
    changed: dict[Space, dict[str, bytes]] = {"users": {}, "customers": {}}
    seen = Seen()
    if len(sessions):
        changed["users"] = users.apply(
            rules, sessions, ledgers["users"], facts, outcomes, seen, partial(further, "users")
        )
    reading = partial(further, "customers")
    billed, histories = customers.apply(rules, billing, stored, facts, outcomes, reading)
    digests = {customer_id: history.digest() for customer_id, history in histories.items()}
    for customer_id in {answer.customer_id for answer in answers} - histories.keys():
        histories[customer_id] = customers.unchanged(rules, stored.get(customers.PREFIX + customer_id), reading)
    answered, heard = surveys.apply(rules, answers, stored, histories, facts, outcomes, reading)
    voices = {customer_id: told.answers for customer_id, told in heard.items()}
    excerpts = Excerpts(
        {name: [(told.since, told.until)] for name, told in histories.items() if told.elsewhere is not None},
        {name: [(day, day + 1) for day in told.days] for name, told in heard.items() if told.days is not None},
    )
    changed["customers"] = {
        **billed,
        **answered,
        **expenses.apply(rules, spent, stored, facts, outcomes),
        **activity.apply(rules, seen, digests, voices, stored, facts, excerpts),
    }
    return Folded(changed, facts, outcomes)
