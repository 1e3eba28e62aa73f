"""One record to its event, or to the reason why not: every rule of SPEC, section 2, and what to tell the producer."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import msgspec

from aggregators import events
from aggregators.calendar import add_interval
from aggregators.events import Cancellation, Event, Expense, Payment, Session, Signup, Survey
from streams.decoding.fields import ENVELOPE, FIELDS, TIME_RULE, Wrong, fields_of, one_of, shown_instant, told
from streams.decoding.partition import partition_of

Reason = Literal["not_json", "schema", "unknown_type", "too_old", "future", "wrong_partition"]
REASONS: tuple[Reason, ...] = get_args(Reason)

MAX_DEPTH = 500
"""Levels that a record may be nested; half of what Python's stack has room for."""
_TOO_DEEP = "the value is nested too deeply: an event is one flat JSON object"
_TOKENS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
"""Strings, the last one perhaps without its end, and brackets."""


class Gate(NamedTuple):
    """What a record is measured against beside its own fields."""

    partition: int
    """The partition that the records come from."""
    partitions: int
    accept_from: int
    """Milliseconds: the first instant that an event may have."""
    allowed_skew_ms: int
    """How much later than its record's timestamp an event may be."""


class Refused(Exception):  # noqa: N818 - an outcome, not an error
    """A record cannot be accepted; the message names the field's path and says what would be right."""

    def __init__(self, reason: Reason, message: str) -> None:
        """Keep the reason as a word for counting."""
        super().__init__(message)
        self.reason = reason
        self.type = "unknown"
        """The event's type where it is one of the six."""


def read(value: bytes | None, timestamp: int, gate: Gate) -> Event | Session:
    """Turn a record's value into its event.

    Of a field that an object has twice the last one counts. A number with a fraction of zero is an integer
    (1.0), true is none.

    Args:
        value: what the record holds, None for a tombstone.
        timestamp: the record's own, in milliseconds; a negative one (Kafka's "none") cannot tell what is `future`.
        gate: where the record comes from, and what is too old or too far ahead.

    Raises:
        Refused: it cannot be accepted.
    """
    record = _object(value)
    type_ = record.get("type")
    if not isinstance(type_, str):
        raise Refused("schema", told("$.type", f"be {one_of(events.TYPES)}", type_))
    if type_ not in FIELDS:
        raise Refused("unknown_type", told("$.type", f"be {one_of(events.TYPES)}", type_))
    try:
        envelope = fields_of(record, ENVELOPE)
        _check_time(envelope["occurred_at"], timestamp, gate)
        make, complete = _MAKERS[type_]
        event: Event | Session = make(**complete(envelope | fields_of(record, FIELDS[type_])))
        _check_partition(event.customer_id, gate)
    except Wrong as wrong:
        refused = Refused("schema", told(wrong.path, wrong.rule, wrong.value))
        refused.type = type_
        raise refused from None
    except Refused as refused:
        refused.type = type_
        raise
    return event


def _object(value: bytes | None) -> dict[str, Any]:
    if value is None:
        raise Refused("not_json", "the record has no value (a tombstone): an event is one JSON object")
    if too_deep(value):
        raise Refused("not_json", _TOO_DEEP)
    try:
        record = _decode(value)
    except msgspec.ValidationError as error:
        raise Refused("schema", f"$: a number is out of range ({error})") from None
    except msgspec.DecodeError as error:
        raise Refused(
            "not_json", f"the value is not JSON in UTF-8: {error}" if value else "the value is empty"
        ) from None
    except UnicodeDecodeError as error:
        raise Refused("not_json", f"the value is not JSON in UTF-8: {error.reason}") from None
    except RecursionError:
        raise Refused("not_json", _TOO_DEEP) from None
    if not isinstance(record, dict):
        raise Refused("schema", told("$", "be a JSON object, one event a record", record))
    return record


def too_deep(value: bytes) -> bool:
    """Say whether a value is nested deeper than `MAX_DEPTH`.

    The decoder's own limit is what is left of the stack: the same record would pass here and be refused there.
    """
    if len(value) <= MAX_DEPTH or value.count(b"[") + value.count(b"{") <= MAX_DEPTH:
        return False
    depth = 0
    for token in _TOKENS.finditer(value):
        mark = token[0]
        if mark in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif mark in b"]}":
            depth -= 1
    return False


def _check_time(occurred_at: int, timestamp: int, gate: Gate) -> None:
    if occurred_at < gate.accept_from:
        hint = ""
        if gate.accept_from <= 1000 * occurred_at <= events.LAST_INSTANT:
            hint = "; are these seconds? An integer is milliseconds"
        first = shown_instant(gate.accept_from)
        rule = f"not be before accept_from, {first}"
        raise Refused("too_old", told("$.occurred_at", rule, shown_instant(occurred_at)) + hint)
    if 0 <= timestamp < occurred_at - gate.allowed_skew_ms:
        hint = ""
        if occurred_at > events.LAST_INSTANT:
            hint = "; are these microseconds? An integer is milliseconds"
        hours = f"{gate.allowed_skew_ms / 3_600_000:g} h"
        rule = f"be at most {hours} later than the record's own timestamp, {shown_instant(timestamp)}"
        raise Refused("future", told("$.occurred_at", rule, shown_instant(occurred_at)) + hint)
    if not events.FIRST_INSTANT <= occurred_at <= events.LAST_INSTANT:
        raise Wrong("$.occurred_at", f"be {TIME_RULE} in years 1 to 9999", occurred_at)


def _check_partition(customer_id: str, gate: Gate) -> None:
    right = partition_of(customer_id, gate.partitions)
    if right != gate.partition:
        rule = (
            f"belong to the record's partition: it is partition {right} of {gate.partitions} that has this customer, "
            f"not {gate.partition}; key records by customer_id, with murmur2 (librdkafka: partitioner=murmur2_random)"
        )
        raise Refused("wrong_partition", told("$.customer_id", rule, customer_id))


# What the fields of a type have to do with each other.


def _complete_signup(fields: dict[str, Any]) -> dict[str, Any]:
    _check_ahead(fields, "trial_ends_at")
    return fields


def _complete_payment(fields: dict[str, Any]) -> dict[str, Any]:
    if fields["recurring_amount"] is None:
        fields["recurring_amount"] = fields["amount"]
    _check_ahead(fields, "covers_until")
    return fields


def _complete_cancellation(fields: dict[str, Any]) -> dict[str, Any]:
    if fields["effective_at"] is None:
        fields["effective_at"] = fields["occurred_at"]
    _check_ahead(fields, "effective_at")
    return fields


def _complete_survey(fields: dict[str, Any]) -> dict[str, Any]:
    least, most = events.SCORES[fields["kind"]]
    if not least <= fields["score"] <= most:
        raise Wrong("$.score", f"be an integer from {least} to {most} for {fields['kind']}", fields["score"])
    return _complete_user(fields)


def _complete_session(fields: dict[str, Any]) -> dict[str, Any]:
    revision, withdrawn = fields.pop("revision"), fields.pop("withdrawn")
    if revision:
        raise Wrong("$.revision", "be 0 or left out, for a session cannot be revised", revision)
    if withdrawn:
        raise Wrong("$.withdrawn", "be false or left out, for a session cannot be withdrawn", withdrawn)
    fields["duration"] = fields.pop("duration_seconds")
    return _complete_user(fields)


def _complete_expense(fields: dict[str, Any]) -> dict[str, Any]:
    return fields


def _complete_user(fields: dict[str, Any]) -> dict[str, Any]:
    if fields["user_id"] is None:
        fields["user_id"] = fields["customer_id"]
    return fields


def _check_ahead(fields: dict[str, Any], name: str) -> None:
    moment, occurred_at = fields[name], fields["occurred_at"]
    if moment is None:
        return
    after = name == "covers_until"
    latest = min(add_interval(occurred_at, "year", events.MAX_YEARS_AHEAD), events.LAST_INSTANT)
    if not occurred_at + after <= moment <= latest:
        since = "after" if after else "not before"
        rule = f"be {since} occurred_at, {shown_instant(occurred_at)}, and at most {events.MAX_YEARS_AHEAD} years later"
        raise Wrong(f"$.{name}", rule, shown_instant(moment))


_Maker: TypeAlias = tuple[Callable[..., Event | Session], Callable[[dict[str, Any]], dict[str, Any]]]
_MAKERS: dict[str, _Maker] = {
    "signup": (Signup, _complete_signup),
    "payment": (Payment, _complete_payment),
    "cancellation": (Cancellation, _complete_cancellation),
    "session": (Session, _complete_session),
    "survey": (Survey, _complete_survey),
    "expense": (Expense, _complete_expense),
}

# Without the hook a number too great for a double would refuse the record even in a field that nobody reads.
_decode = msgspec.json.Decoder(float_hook=float).decode
