"""Raw events to events: defaults, instants, decimals, and which of several copies counts."""

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from .days import EPOCH

TIMES = ("occurred_at", "trial_ends_at", "covers_until", "effective_at")
DECIMALS = ("amount", "recurring_amount")
ENVELOPE = ("id", "type", "customer_id", "occurred_at", "revision", "withdrawn")
FIELDS = {
    "signup": ("plan", "country", "channel", "owner", "trial_ends_at"),
    "payment": (
        *("amount", "currency", "interval", "interval_count", "recurring_amount", "covers_until", "subscription_id"),
        *("status", "plan"),
    ),
    "cancellation": ("subscription_id", "effective_at", "reason"),
    "session": ("user_id", "duration_seconds", "features", "reactions"),
    "survey": ("kind", "score", "user_id"),
    "expense": ("category", "amount", "currency"),
}
RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)")


def milliseconds(value: str | int) -> int:
    """An instant in milliseconds since the epoch; finer digits are cut off."""
    if isinstance(value, int):
        return value
    day, clock, fraction, offset = RFC3339.fullmatch(value).groups()
    whole = datetime.fromisoformat(f"{day}T{clock}{'+00:00' if offset in 'Zz' else offset}").astimezone(UTC)
    return (whole - EPOCH) // timedelta(milliseconds=1) + int(((fraction or "") + "000")[:3])


def decimal_text(value: str | float) -> str:
    """A decimal as digits, without zeros that say nothing."""
    text = format(Decimal(str(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def half_even(value: Fraction) -> int:
    """The nearest integer, halves to the even one."""
    return round(value)


def millionths(value: str) -> int:
    """A decimal in major units as millionths."""
    return half_even(Fraction(value) * 1_000_000)


def monthly_amount(event: dict) -> int:
    """What a recurring payment adds to MRR, in millionths."""
    per_month = {
        "day": Fraction(365, 12),
        "week": Fraction(52, 12),
        "month": Fraction(1),
        "quarter": Fraction(1, 3),
        "year": Fraction(1, 12),
    }[event["interval"]]
    return half_even(Fraction(event["recurring_amount"]) * per_month / event["interval_count"] * 1_000_000)


def normal(raw: dict) -> dict:
    """An event's known fields with the defaults applied; optional fields without a value are left out."""
    kind = raw["type"]
    defaults = {
        "signup": {},
        "payment": {
            "interval": "month",
            "interval_count": 1,
            "subscription_id": "default",
            "status": "succeeded",
            "recurring_amount": raw.get("amount"),
        },
        "cancellation": {"effective_at": raw["occurred_at"], "reason": "unspecified"},
        "session": {"user_id": raw["customer_id"], "duration_seconds": 0, "features": [], "reactions": 0},
        "survey": {"user_id": raw["customer_id"]},
        "expense": {},
    }[kind]
    event = {"revision": 0, "withdrawn": False, **defaults}
    event |= {name: raw[name] for name in (*ENVELOPE, *FIELDS[kind]) if raw.get(name) is not None}
    event |= {name: milliseconds(event[name]) for name in TIMES if name in event}
    event |= {name: decimal_text(event[name]) for name in DECIMALS if name in event}
    if kind == "session":
        event["duration_ms"] = half_even(Fraction(str(event.pop("duration_seconds"))) * 1000)
    return event


def canonical(event: dict) -> bytes:
    """The bytes that decide between two contents of one revision."""
    return json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def accepted(events: Iterable[dict]) -> list[dict]:
    """The events that count, in normal form: of copies the greatest revision, of those the greatest by bytes.

    Sessions are the exception: their first copy counts, whatever a second one holds.
    """
    chosen: dict[tuple[str, str, str], dict] = {}
    for raw in events:
        event = normal(raw)
        key = (event["customer_id"], event["type"], event["id"])
        if key not in chosen:
            chosen[key] = event
        elif event["type"] != "session":
            chosen[key] = max(chosen[key], event, key=lambda copy: (copy["revision"], canonical(copy)))
    return [event for event in chosen.values() if not event["withdrawn"]]
