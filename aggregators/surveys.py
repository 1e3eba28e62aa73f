"""A customer's surveys: its answers, deduplicated, and the facts of nps, csat, ces and fcr (SPEC, section 3.4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

import msgspec

from aggregators.calendar import period_number
from aggregators.events import Kind, Survey
from aggregators.facts import CALENDAR_WINDOWS, ROLLING_WINDOWS, Facts, key
from aggregators.merge import verdict
from aggregators.rules import Rules
from aggregators.tables import Space

SPACE: Space = "customers"
PREFIX = "s"
"""First letter of a ledger's field, which is followed by the `customer_id`."""
FORMAT = 1

_key = lru_cache(maxsize=1024)(key)


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


def field(event: Survey) -> str:
    """Name the field of the ledger that an event belongs to."""
    return PREFIX + event.customer_id


def apply(
    rules: Rules,
    events: Sequence[Survey],
    ledgers: Mapping[str, bytes],
    facts: Facts,
    outcomes: Counter[str],
) -> dict[str, bytes]:
    """Merge survey events into their ledgers, and add what that changes to the facts; as `customers.apply`."""
    by_field: dict[str, list[Survey]] = {}
    for event in events:
        by_field.setdefault(field(event), []).append(event)
    changed = {}
    for name, its_events in by_field.items():
        packed = ledgers.get(name)
        ledger = Ledger() if packed is None else _decoder.decode(packed)
        before = dict(ledger.answers)
        for event in its_events:
            standing = ledger.answers.get(event.id)
            outcome, replaces = (
                ("accepted", True)
                if standing is None
                else verdict(_event(event.id, standing, event.customer_id), event)
            )
            outcomes[f"survey/{outcome}"] += 1
            if replaces:
                ledger.answers[event.id] = Answer(
                    event.occurred_at, event.kind, event.score, event.user_id, 2 * event.revision + event.withdrawn
                )
        if before != ledger.answers:
            changed[name] = _encoder.encode(ledger)
            _differ(rules, before, ledger.answers, facts)
    return changed


def fold(rules: Rules, packed: bytes) -> Facts:
    """Give all facts of one ledger."""
    facts = Facts()
    _differ(rules, {}, _decoder.decode(packed).answers, facts)
    return facts


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


def _differ(rules: Rules, before: Mapping[str, Answer], after: Mapping[str, Answer], facts: Facts) -> None:
    """Add the facts of the answers after a merge, and take away those of the answers before it."""
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
    if respondents:
        for answers, sign in ((before, -1), (after, 1)):
            for history in _nps_histories(answers, respondents):
                _nps(rules, history, facts, sign)


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


def _nps(rules: Rules, history: Sequence[tuple[int, str, int]], facts: Facts, sign: int) -> None:
    """Add one respondent's facts: the last answer of each day, and where a later one supersedes it in a window."""
    last_of_day = {rules.zone.day(at): nps_outcome(score) for at, _, score in history}
    days = list(last_of_day)
    for day, outcome in last_of_day.items():
        facts.add(day, _key("nps", outcome), sign)
    for day, following in pairwise(days):
        outcome = last_of_day[day]
        for window, length in ROLLING_WINDOWS.items():
            if following < day + length:
                facts.add(following, _key("void_nps", window, outcome), sign)
                facts.add(day + length, _key("void_nps", window, outcome), -sign)
        for window in CALENDAR_WINDOWS:
            if period_number(window, following) == period_number(window, day):
                facts.add(following, _key("void_nps", window, outcome), sign)
