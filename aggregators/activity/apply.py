"""A batch put into its customers' activity: what is new to each, from when to when it matters, what it changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat

import numpy as np

from aggregators.activity import digest, merging
from aggregators.activity.digest import Digest, Excerpts, replaced
from aggregators.activity.flows import Reach, differ, first_sessions
from aggregators.activity.ledgers import ANSWERS, EMPTY, PAYMENT, PRESENCE, Ledgers, State, write
from aggregators.events import Sessions
from aggregators.facts import Facts
from aggregators.rules import Rules
from aggregators.tables.door import Space
from aggregators.users.seen import WINDOW, Seen, days_in, owners_of

SPACE: Space = "customers"
PREFIX = "a"
"""First letter of an activity ledger's field, which is followed by the `customer_id`."""

WHOLE = Excerpts({}, {})

Sections = dict[int, dict[int, list[int]]]
"""Entries by section and owner."""


def field(customer_id: str) -> str:
    """Name the field of a customer's ledger."""
    return PREFIX + customer_id


def fields(sessions: Sessions) -> list[str]:
    """Name the fields of the ledgers of a batch's customers, each once."""
    return list(map(PREFIX.__add__, sessions.customers[0]))


def apply(
    rules: Rules,
    seen: Seen,
    digests: Mapping[str, Digest],
    answers: Mapping[str, Iterable[tuple[int, str, int]]],
    ledgers: Mapping[str, bytes],
    facts: Facts,
    excerpts: Excerpts = WHOLE,
) -> dict[str, bytes]:
    """Put what a batch says of customers into their ledgers, and add what that changes to the facts.

    Args:
        rules: the settings that folds read.
        seen: what the batch's sessions say.
        digests: the billing of customers whose billing may have changed.
        answers: all standing nps answers, as (instant, id, score), of customers whose answers may have changed.
        ledgers: by field, of those customers that have one: of `seen.customers` and of those in the other two.
        facts: is added to.
        excerpts: which of `digests` and `answers` tell of some days only.

    Returns:
        The ledgers that changed; empty bytes for one that holds nothing any more.

    Raises:
        ValueError: a ledger of an unknown format.
    """
    names = list(dict.fromkeys((*seen.customers, *digests, *answers)))
    if not names:
        return {}
    stored = Ledgers(list(map(ledgers.get, map(field, names), repeat(EMPTY))))
    reach = Reach(len(names))
    days = merging.unknown_days(stored, seen.days)
    uses = merging.unknown_uses(stored, *seen.uses)
    reach.widen(owners_of(days), days_in(days), days_in(days) + merging.LONGEST)
    reach.widen(owners_of(uses[0]), days_in(uses[0]), days_in(uses[0]) + WINDOW)
    # Steps add up to 0: with the last one the levels meet again.
    reach.widen(owners_of(seen.steps[0]), days_in(seen.steps[0]), days_in(seen.steps[0]))
    sections = _sections(rules, stored, names, digests, answers, excerpts, reach)
    owners = reach.owners()
    if not len(owners):
        return {}
    before = stored.state(owners)
    after = State(
        merging.with_days(before.words, days),
        merging.with_uses(before.features, *uses),
        merging.with_steps(before.steps, seen.steps),
        replaced(before.presence, sections[PRESENCE]),
        replaced(before.payment, sections[PAYMENT]),
        replaced(before.answers, sections[ANSWERS]),
    )
    first_sessions(before, after, reach, facts)
    differ(rules, before, after, reach, facts)
    picked = [names[owner] for owner in owners.tolist()]
    return dict(zip(map(field, picked), write(owners, after), strict=True))


def _sections(
    rules: Rules,
    stored: Ledgers,
    names: Sequence[str],
    digests: Mapping[str, Digest],
    answers: Mapping[str, Iterable[tuple[int, str, int]]],
    excerpts: Excerpts,
    reach: Reach,
) -> Sections:
    """Give the sections that digests and answers change, and widen the reach to what that changes."""
    changed: Sections = {PRESENCE: {}, PAYMENT: {}, ANSWERS: {}}
    if not digests and not answers:
        return changed
    numbers = {name: owner for owner, name in enumerate(names)}
    told = [
        (name, billed.sections(None if name in excerpts.digests else 0), excerpts.digests.get(name))
        for name, billed in digests.items()
    ]
    told += [
        (name, digest.answer_sections(rules.zone, given), excerpts.answers.get(name)) for name, given in answers.items()
    ]
    rows: list[tuple[int, int, int]] = []
    for name, sections, spans in told:
        owner = numbers[name]
        for section, entries in sections.items():
            old = stored.listed(section, owner)
            new = entries if spans is None else digest.spliced(old, entries, spans)
            differs = digest.difference(section, old, new)
            if differs is not None:
                changed[section][owner] = new
                rows.append((owner, *differs))
    if rows:
        reach.widen(*np.array(rows, np.int64).T)
    return changed
