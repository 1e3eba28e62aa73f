"""The fields of every type: how each is read, its default, and what to tell the producer of one that is wrong."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from aggregators import events
from streams.decoding.times import instant

_MAX_SHOWN = 60
"""Characters of a refused value that a message repeats."""


CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What no text of an event may hold: control characters, and bidirectional embeddings, overrides and isolates.

In a terminal, a log or a page they make a text look like another one.
"""


class Wrong(ValueError):  # noqa: N818 - an outcome, not an error
    """A value breaks a rule of its field."""

    def __init__(self, path: str, rule: str, value: object) -> None:
        """Keep where it is (`$.score`), what would be right (to go after "must"), what there is (None: nothing)."""
        super().__init__(path)
        self.path, self.rule, self.value = path, rule, value


class Field(NamedTuple):
    """How one field is read."""

    rule: str
    """What the value must be, to go after "must be"."""
    read: Callable[[Any], Any]
    """Gives the value, or None for one that is the same as absent; ValueError for one that breaks the rule."""
    default: Any = ...
    """For a field that is absent, null or as good as absent; `...`: there is none, the field is required."""


def fields_of(record: Mapping[str, Any], fields: Mapping[str, Field]) -> dict[str, Any]:
    """Read all of these fields from a record, whose other fields are ignored, with defaults applied; or raise Wrong."""
    values: dict[str, Any] = {}
    for name, (rule, read_field, default) in fields.items():
        given = record.get(name)
        kept = None
        if given is not None:
            try:
                kept = read_field(given)
            except Wrong as wrong:
                raise Wrong(f"$.{name}{wrong.path}", wrong.rule, wrong.value) from None
            except ValueError:
                raise Wrong(f"$.{name}", f"be {rule}", given) from None
        if kept is None:
            if default is ...:
                raise Wrong(f"$.{name}", f"be {rule}", given)
            kept = default
        values[name] = kept
    return values


def told(path: str, rule: str, value: object) -> str:
    """Word a refusal: where, what would be right, and what there is instead."""
    if value is None:
        return f"{path} is missing: it must {rule}"
    return f"{path} must {rule}; got {_shown(value)}"


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, int) and abs(value) >= 10**_MAX_SHOWN:
        return f"an integer of more than {_MAX_SHOWN} digits"
    text = repr(value) if isinstance(value, float) else msgspec.json.encode(value).decode()
    text = CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 3]}... ({len(text)} characters)"


def shown_instant(milliseconds: int) -> str:
    """Write an instant as a time in UTC, or as the number that it is outside of years 1 to 9999."""
    if not events.FIRST_INSTANT <= milliseconds <= events.LAST_INSTANT:
        return str(milliseconds)
    moment = dt.datetime(1970, 1, 1) + dt.timedelta(milliseconds=milliseconds)  # noqa: DTZ001 - shown as UTC
    return f"{moment.isoformat(timespec='milliseconds')}Z"


def one_of(words: tuple[str, ...]) -> str:
    """Word a choice."""
    return f"one of {', '.join(words)}"


# Readers of single values.


def _without_controls(text: str) -> str:
    found = CONTROL.search(text)
    if found is not None:
        rule = "hold no control character and no bidirectional override"
        raise Wrong("", f"{rule} (character {found.start() + 1} is U+{ord(found[0]):04X})", text)
    return text


def _text(most: int) -> Callable[[Any], str | None]:
    def read_text(value: Any) -> str | None:
        if type(value) is not str or len(value) > most:
            raise ValueError
        return _without_controls(value) or None

    return read_text


def _identifier(value: Any) -> str:
    if type(value) is not str or not 0 < len(value) <= events.MAX_ID_LENGTH:
        raise ValueError
    return _without_controls(value)


def _word(words: tuple[str, ...]) -> Callable[[Any], str]:
    def read_word(value: Any) -> str:
        if value not in words:
            raise ValueError
        return str(value)

    return read_word


def _whole(value: Any) -> Any:
    """Return a number without a fraction as an integer (what pandas writes as `9.0`), anything else as it is."""
    return int(value) if type(value) is float and value.is_integer() else value


def _integer(least: int, most: int) -> Callable[[Any], int]:
    def read_integer(value: Any) -> int:
        number = _whole(value)
        if type(number) is not int or not least <= number <= most:
            raise ValueError
        return number

    return read_integer


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError
    return value


def _moment(value: Any) -> int:
    """Read a time that may yet be anywhere: what is too old or in the future is another matter than its form."""
    number = _whole(value)
    if type(number) is int:
        return number
    if type(value) is not str:
        raise ValueError
    return instant(value)


_DECIMAL = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_CURRENCY = re.compile(r"[A-Z]{3}")


def _amount(value: Any) -> str:
    """Read an amount: of a JSON number with a point or an exponent, the shortest decimal that means the same double."""
    if type(value) is str:
        if not _DECIMAL.fullmatch(value):
            raise ValueError
        text = value
    elif type(value) in (int, float) and 0 <= value < 10**events.MAX_AMOUNT_DIGITS:
        text = format(abs(Decimal(repr(value))), "f")
    else:
        raise ValueError
    text = events.decimal(text)
    whole, _, fraction = text.partition(".")
    if len(whole) > events.MAX_AMOUNT_DIGITS or len(fraction) > events.MAX_FRACTION_DIGITS:
        raise ValueError
    return text


def _currency(value: Any) -> str:
    if type(value) is not str or not _CURRENCY.fullmatch(value):
        raise ValueError
    return value


def duration(seconds: float) -> int:
    """Give seconds as milliseconds, rounded half-even by the shortest decimal of the number."""
    return int((Decimal(repr(seconds)) * 1000).to_integral_value())


def _duration(value: Any) -> int:
    if type(value) not in (int, float) or not 0 <= value <= events.MAX_DURATION_SECONDS:
        raise ValueError
    return duration(value)


def _features(value: Any) -> tuple[str, ...]:
    if type(value) is not list or len(value) > events.MAX_FEATURES:
        raise ValueError
    for number, feature in enumerate(value):
        if type(feature) is not str or not 0 < len(feature) <= events.MAX_FEATURE_LENGTH:
            rule = f"be a string of 1 to {events.MAX_FEATURE_LENGTH} characters"
            raise Wrong(f"[{number}]", rule, feature)
        try:
            _without_controls(feature)
        except Wrong as wrong:
            raise Wrong(f"[{number}]", wrong.rule, feature) from None
    return tuple(value)


TIME_RULE = 'a time in RFC 3339 with an offset, such as "2026-01-31T09:30:00Z", or integer milliseconds since 1970'
_ID_RULE = f"a string of 1 to {events.MAX_ID_LENGTH} characters"
_AMOUNT_RULE = (
    f'a decimal string such as "9.90" (digits with an optional fraction, no sign, no exponent) or a number >= 0, '
    f"below 10^{events.MAX_AMOUNT_DIGITS} and with at most {events.MAX_FRACTION_DIGITS} digits after the point"
)
_TEXT_FIELD = Field(
    f"a string of up to {events.MAX_TEXT_LENGTH} characters, or left out", _text(events.MAX_TEXT_LENGTH), None
)
_LATER_FIELD = Field(f"{TIME_RULE}, or left out", _moment, None)
_USER_FIELD = Field(f"{_ID_RULE}, or left out for the customer itself", _identifier, None)
_AMOUNT_FIELD = Field(_AMOUNT_RULE, _amount)
_CURRENCY_FIELD = Field('a currency of ISO 4217, three capital letters such as "EUR"', _currency)

ENVELOPE: dict[str, Field] = {
    "id": Field(_ID_RULE, _identifier),
    "customer_id": Field(_ID_RULE, _identifier),
    "occurred_at": Field(TIME_RULE, _moment),
    "revision": Field("an integer >= 0 (below 2^63)", _integer(0, events.MAX_REVISION), 0),
    "withdrawn": Field("true or false", _flag, False),
}
FIELDS: dict[str, dict[str, Field]] = {
    "signup": {
        "plan": _TEXT_FIELD,
        "country": _TEXT_FIELD,
        "channel": _TEXT_FIELD,
        "owner": _TEXT_FIELD,
        "trial_ends_at": _LATER_FIELD,
    },
    "payment": {
        "amount": _AMOUNT_FIELD,
        "currency": _CURRENCY_FIELD,
        "interval": Field(one_of(events.INTERVALS), _word(events.INTERVALS), "month"),
        "interval_count": Field(
            f"an integer from 1 to {events.MAX_INTERVAL_COUNT}", _integer(1, events.MAX_INTERVAL_COUNT), 1
        ),
        "recurring_amount": Field(f"{_AMOUNT_RULE}, or left out for the amount", _amount, None),
        "covers_until": _LATER_FIELD,
        "subscription_id": Field(f"{_ID_RULE}, or left out", _identifier, events.DEFAULT_SUBSCRIPTION),
        "status": Field(one_of(events.STATUSES), _word(events.STATUSES), "succeeded"),
        "plan": _TEXT_FIELD,
    },
    "cancellation": {
        "subscription_id": Field(f"{_ID_RULE}, or left out where the customer leaves altogether", _identifier, None),
        "effective_at": _LATER_FIELD,
        "reason": _TEXT_FIELD._replace(default=events.DEFAULT_REASON),
    },
    "session": {
        "user_id": _USER_FIELD,
        "duration_seconds": Field(f"a number from 0 to {events.MAX_DURATION_SECONDS}", _duration, 0),
        "features": Field(f"a list of up to {events.MAX_FEATURES} strings", _features, ()),
        "reactions": Field(f"an integer from 0 to {events.MAX_REACTIONS}", _integer(0, events.MAX_REACTIONS), 0),
    },
    "survey": {
        "kind": Field(one_of(tuple(events.SCORES)), _word(tuple(events.SCORES))),
        "score": Field("an integer: nps 0 to 10, csat 1 to 5, ces 1 to 7, fcr 0 or 1", _integer(0, 10)),
        "user_id": _USER_FIELD,
    },
    "expense": {
        "category": Field(one_of(events.CATEGORIES), _word(events.CATEGORIES)),
        "amount": _AMOUNT_FIELD,
        "currency": _CURRENCY_FIELD,
    },
}
