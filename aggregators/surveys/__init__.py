"""A customer's surveys: its answers, deduplicated, and the facts of nps, csat, ces and fcr (SPEC, section 3.4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from aggregators.calendar import Zone
from aggregators.customers.histories import History, Rewritten, segment_on
from aggregators.customers.timeline import Segment
from aggregators.events import Kind, Survey
from aggregators.facts import Facts, key
from aggregators.merge import verdict
from aggregators.parts import Read, whole
from aggregators.rules import Rules
from aggregators.surveys import nps
from aggregators.surveys.ledgers import Answer, Long, Short, Told, open_ledger
from aggregators.surveys.nps import nps_outcome
from aggregators.tables.door import Space

__all__ = ["PREFIX", "SPACE", "Heard", "apply", "contact_outcome", "fold", "nps_outcome"]

SPACE: Space = "customers"
PREFIX = "s"
"""First letter of a ledger's field, which is followed by the `customer_id`."""

_key = lru_cache(maxsize=1024)(key)


class Heard(NamedTuple):
    """Standing nps answers of a customer."""

    answers: Sequence[Told]
    days: Collection[int] | None = None
    """Those that these are the last answers of; None: they are all answers of all days."""


def apply(
    rules: Rules,
    events: Sequence[Survey],
    ledgers: Mapping[str, bytes],
    histories: Mapping[str, Rewritten],
    facts: Facts,
    outcomes: Counter[str],
    reading: Read = whole,
) -> tuple[dict[str, bytes], dict[str, Heard]]:
    """Merge survey events into their ledgers, and add what that, and a customer's new history, changes to the facts.

    Args:
        rules: the settings that folds read.
        events: surveys of any customers, in any order.
        ledgers: the touched ledgers' bytes by field, as far as there are any: also those of customers in `histories`.
        histories: of every customer with an event, and of those whose history changed: an answer is booked in the
            segment that its customer is in at the end of its day.
        facts: the sum that the changes of facts are added to.
        outcomes: the counts by `type/outcome` that every event adds one to.
        reading: reads parts of long ledgers.

    Returns:
        The ledgers and parts that changed, by field, and the nps answers of customers whose answers changed.
    """
    by_customer: dict[str, list[Survey]] = {
        customer_id: [] for customer_id in histories if PREFIX + customer_id in ledgers
    }
    for event in events:
        by_customer.setdefault(event.customer_id, []).append(event)
    changed: dict[str, bytes] = {}
    heard: dict[str, Heard] = {}
    for customer_id, its_events in by_customer.items():
        history = histories[customer_id]
        moved = history.moved()
        if not its_events and moved[0] >= moved[1]:
            continue
        field = PREFIX + customer_id
        ledger = open_ledger(field, ledgers.get(field), reading)
        merged = _merge(ledger, its_events, outcomes)
        days = _book(rules, ledger, merged, history, moved, facts)
        if merged:
            changed |= ledger.packed()
            heard[customer_id] = _heard(rules, ledger, days)
    return changed, heard


def fold(rules: Rules, packed: bytes, history: History, reading: Read = whole) -> Facts:
    """Give all facts of one ledger, whose customer has this history."""
    facts = Facts()
    by_user: dict[str, list[Told]] = {}
    for name, answer in open_ledger("", packed, reading).everything().items():
        if answer.told:
            by_user.setdefault(answer.user_id, []).append((answer.at, name, answer.score))
        else:
            _count(rules, answer, facts, 1)
    for told in by_user.values():
        nps.book(rules, sorted(told), lambda day: segment_on(rules, history, day), facts, 1)
    return facts


Merged = dict[str, tuple[Answer | None, Answer]]
"""By id, the answer that was there and the one in its place."""


def _merge(ledger: Short | Long, events: Sequence[Survey], outcomes: Counter[str]) -> Merged:
    """Tell which answers events change; they are not put in yet."""
    before = ledger.known({event.id for event in events}) if events else {}
    standing = dict(before)
    for event in events:
        known = standing.get(event.id)
        outcome, replaces = ("accepted", True) if known is None else verdict(_event(event, known), event)
        outcomes[f"survey/{outcome}"] += 1
        if replaces:
            standing[event.id] = Answer(
                event.occurred_at, event.kind, event.score, event.user_id, 2 * event.revision + event.withdrawn
            )
    return {name: (before.get(name), answer) for name, answer in standing.items() if answer != before.get(name)}


def _book(
    rules: Rules, ledger: Short | Long, merged: Merged, history: Rewritten, moved: tuple[int, int], facts: Facts
) -> set[int]:
    """Put answers in, add what that and segments that moved change, and give the days whose nps answers changed.

    A user's answers are looked at around the days that change: the last one before and the first one after them frame
    what is booked anew, and are themselves booked as they were.
    """
    zone = rules.zone
    days: dict[str, set[int]] = {}
    for answer in (answer for versions in merged.values() for answer in versions if answer is not None):
        if answer.told:
            days.setdefault(answer.user_id, set()).add(zone.day(answer.at))
    changed = set().union(*days.values())
    for user_id, day in _moved(zone, ledger, moved):
        days.setdefault(user_id, set()).add(day)
    spans = {user_id: (min(its_days), max(its_days)) for user_id, its_days in days.items()}
    ledger.expect((user_id, nps.first_instant(zone, first)) for user_id, (first, _) in spans.items())
    for version, sign in enumerate((-1, 1)):

        def segment_at(day: int, version: int = version) -> Segment:
            return segment_on(rules, history.at(day)[version], day)

        for versions in merged.values():
            _count(rules, versions[version], facts, sign)
        for user_id, span in spans.items():
            nps.book(rules, nps.around(zone, ledger, user_id, *span), segment_at, facts, sign)
        if version == 0 and merged:
            ledger.put(merged)
    return changed


def _moved(zone: Zone, ledger: Short | Long, moved: tuple[int, int]) -> Iterator[tuple[str, int]]:
    """Give users and days of the nps answers of some days."""
    first, end = moved
    if first < end:
        for at, _, user_id, _ in ledger.since(nps.first_instant(zone, first)):
            if zone.day(at) >= end:
                break
            yield user_id, zone.day(at)


def _heard(rules: Rules, ledger: Short | Long, days: Collection[int]) -> Heard:
    """Give the nps answers of days, or all of them where they are at hand."""
    if isinstance(ledger, Short):
        return Heard(ledger.told())
    lasts = [ledger.last(nps.first_instant(rules.zone, day + 1)) for day in days]
    return Heard([told for told in lasts if told is not None and rules.zone.day(told[0]) in days], days)


def _event(like: Survey, answer: Answer) -> Survey:
    """Give back a stored event, whose ids are those of the one that arrives."""
    return Survey(
        id=like.id,
        customer_id=like.customer_id,
        occurred_at=answer.at,
        revision=answer.stamp >> 1,
        withdrawn=answer.withdrawn,
        kind=answer.kind,
        score=answer.score,
        user_id=answer.user_id,
    )


def _count(rules: Rules, answer: Answer | None, facts: Facts, sign: int) -> None:
    """Add an answer that rates a single contact, or take it away."""
    if answer is not None and answer.kind != "nps" and not answer.withdrawn:
        facts.add(rules.zone.day(answer.at), _key(answer.kind, contact_outcome(answer.kind, answer.score)), sign)


def contact_outcome(kind: Kind, score: int) -> str:
    """Name the outcome of a survey that rates a single contact: every answer of it counts."""
    if kind == "csat":
        return "satisfied" if score >= 4 else "unsatisfied"
    if kind == "fcr":
        return "resolved" if score else "unresolved"
    return str(score)
