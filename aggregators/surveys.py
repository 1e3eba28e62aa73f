"""A customer's surveys: its answers, deduplicated, and the facts of nps, csat, ces and fcr (SPEC, section 3.4)."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import msgspec

from aggregators.calendar import period_number
from aggregators.customers import History, Rewritten
from aggregators.customers.timeline import UNKNOWN, Segment
from aggregators.events import Kind, Survey
from aggregators.facts import CALENDAR_WINDOWS, ROLLING_WINDOWS, Facts, key
from aggregators.merge import verdict
from aggregators.rules import Rules
from aggregators.tables import Space

SPACE: Space = "customers"
PREFIX = "s"
"""First letter of a ledger's field, which is followed by the `customer_id`."""
FORMAT = 1

_key = lru_cache(maxsize=8192)(key)


class Answer(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One survey event in a ledger."""

    at: int
    kind: Kind
    score: int
    user_id: str
    stamp: int
    """Twice the revision, and 1 more if withdrawn."""


class Ledger(msgspec.Struct, array_like=True):
    """All survey events of one customer, by id."""

    format: int = FORMAT
    answers: dict[str, Answer] = {}


_decoder = msgspec.msgpack.Decoder(Ledger)
_encoder = msgspec.msgpack.Encoder()


def apply(
    rules: Rules,
    events: Sequence[Survey],
    ledgers: Mapping[str, bytes],
    histories: Mapping[str, Rewritten],
    facts: Facts,
    outcomes: Counter[str],
) -> dict[str, bytes]:
    """Merge survey events into their ledgers, and add what that, and a customer's new history, changes to the facts.

    Args:
        rules: the settings that folds read.
        events: surveys of any customers, in any order.
        ledgers: the touched ledgers' bytes by field, as far as there are any: also those of customers in `histories`.
        histories: of every customer with an event, and of those whose history changed: an answer is booked in the
            segment that its customer is in at the end of its day.
        facts: the sum that the changes of facts are added to.
        outcomes: the counts by `type/outcome` that every event adds one to.

    Returns:
        The ledgers that changed.
    """
    by_customer: dict[str, list[Survey]] = {
        customer_id: [] for customer_id in histories if PREFIX + customer_id in ledgers
    }
    for event in events:
        by_customer.setdefault(event.customer_id, []).append(event)
    changed = {}
    for customer_id, its_events in by_customer.items():
        field = PREFIX + customer_id
        ledger = _unpack(ledgers.get(field))
        before = dict(ledger.answers)
        for event in its_events:
            standing = ledger.answers.get(event.id)
            outcome, replaces = (
                ("accepted", True) if standing is None else verdict(_event(event.id, standing, customer_id), event)
            )
            outcomes[f"survey/{outcome}"] += 1
            if replaces:
                ledger.answers[event.id] = Answer(
                    event.occurred_at, event.kind, event.score, event.user_id, 2 * event.revision + event.withdrawn
                )
        if before != ledger.answers:
            changed[field] = _encoder.encode(ledger)
        _differ(rules, (before, ledger.answers), histories[customer_id], facts)
    return changed


def fold(rules: Rules, packed: bytes, history: History) -> Facts:
    """Give all facts of one ledger, whose customer has this history."""
    facts = Facts()
    _differ(rules, ({}, _unpack(packed).answers), Rewritten(history, history), facts)
    return facts


def nps_answers(packed: bytes | None) -> list[tuple[int, str, int]]:
    """Give a ledger's standing nps answers of all users as (instant, id, score), in order."""
    answers = _unpack(packed).answers.items()
    return sorted((a.at, name, a.score) for name, a in answers if a.kind == "nps" and not a.stamp & 1)


def _unpack(packed: bytes | None) -> Ledger:
    return Ledger() if packed is None else _decoder.decode(packed)


def _event(event_id: str, answer: Answer, customer_id: str) -> Survey:
    return Survey(
        id=event_id,
        customer_id=customer_id,
        occurred_at=answer.at,
        revision=answer.stamp >> 1,
        withdrawn=bool(answer.stamp & 1),
        kind=answer.kind,
        score=answer.score,
        user_id=answer.user_id,
    )


Answers = Mapping[str, Answer]


def _differ(rules: Rules, versions: tuple[Answers, Answers], histories: Rewritten, facts: Facts) -> None:
    """Add the facts of the answers after a merge, and take away those of the answers before it."""
    before, after = versions
    respondents = set()
    for answers, others, sign in ((before, after, -1), (after, before, 1)):
        for event_id, answer in answers.items():
            if others.get(event_id) == answer:
                continue
            if answer.kind == "nps":
                respondents.add(answer.user_id)
            elif not answer.stamp & 1:
                facts.add(
                    rules.zone.day(answer.at), _key(answer.kind, contact_outcome(answer.kind, answer.score)), sign
                )
    if histories.before is not histories.after:
        respondents.update(answer.user_id for answer in after.values() if answer.kind == "nps")
    if respondents:
        for answers, history, sign in zip(versions, histories, (-1, 1), strict=True):
            for told in _nps_histories(answers, respondents):
                _nps(rules, told, history, facts, sign)


def contact_outcome(kind: Kind, score: int) -> str:
    """Name the outcome of a survey that rates a single contact: every answer of it counts."""
    if kind == "csat":
        return "satisfied" if score >= 4 else "unsatisfied"
    if kind == "fcr":
        return "resolved" if score else "unresolved"
    return str(score)


def nps_outcome(score: int) -> str:
    """Name the group of an nps score, 0 to 10."""
    if score >= 9:
        return "promoter"
    return "passive" if score >= 7 else "detractor"


def _nps_histories(answers: Mapping[str, Answer], respondents: set[str]) -> Iterable[list[tuple[int, str, int]]]:
    """Give each of the respondents' standing nps answers as (instant, id, score), in order."""
    by_user: dict[str, list[tuple[int, str, int]]] = {}
    for event_id, answer in answers.items():
        if answer.kind == "nps" and not answer.stamp & 1 and answer.user_id in respondents:
            by_user.setdefault(answer.user_id, []).append((answer.at, event_id, answer.score))
    for history in by_user.values():
        history.sort()
        yield history


def _nps(rules: Rules, told: Sequence[tuple[int, str, int]], history: History, facts: Facts, sign: int) -> None:
    """Add one respondent's facts: the last answer of each day, and where a later one supersedes it in a window."""
    last_of_day = {rules.zone.day(at): nps_outcome(score) for at, _, score in told}
    days = list(last_of_day)
    for day, following in zip(days, [*days[1:], None], strict=True):
        outcome = last_of_day[day]
        booked: list[tuple[str, str, tuple[str, ...]]] = [("nps", "void_nps", (outcome,))]
        for dimension, segment in zip(rules.dimensions, segment_on(rules, history, day), strict=True):
            booked.append(("segment_nps", "void_segment_nps", (dimension, segment, outcome)))
        for flow, void, labels in booked:
            facts.add(day, _key(flow, *labels), sign)
            if following is None:
                continue
            for window, length in ROLLING_WINDOWS.items():
                if following < day + length:
                    facts.add(following, _key(void, window, *labels), sign)
                    facts.add(day + length, _key(void, window, *labels), -sign)
            for window in CALENDAR_WINDOWS:
                if period_number(window, following) == period_number(window, day):
                    facts.add(following, _key(void, window, *labels), sign)


def segment_on(rules: Rules, history: History, day: int) -> Segment:
    """Give what a customer was in each dimension at the end of a day."""
    place = bisect_right(history, day, key=lambda change: change.day)
    return history[place - 1].segment if place else (UNKNOWN,) * len(rules.dimensions)
