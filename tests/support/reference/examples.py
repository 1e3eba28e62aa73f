"""Short hands for worked examples: events with ids of their own, and a look-up of the samples of a day."""

from datetime import UTC, date, datetime, timedelta

from .book import Reference, Samples
from .settings import Settings

COUNTER = iter(range(10**6))


def ms(text: str) -> int:
    """An instant written in UTC (or with an offset) in milliseconds."""
    when = datetime.fromisoformat(text)
    return (when.replace(tzinfo=when.tzinfo or UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def event(kind: str, customer: str, at: str, /, **fields) -> dict:
    """An event with an id of its own, at an instant of UTC."""
    base = {"id": f"e{next(COUNTER)}", "type": kind, "customer_id": customer, "occurred_at": ms(at)}
    return {**base, **fields}


def signup(customer: str, at: str, **fields) -> dict:
    """A signup."""
    return event("signup", customer, at, **fields)


def pay(customer: str, at: str, amount: str | float = 10, **fields) -> dict:
    """A succeeded monthly payment in USD unless told otherwise."""
    return event("payment", customer, at, **{"amount": amount, "currency": "USD", **fields})


def cancel(customer: str, at: str, **fields) -> dict:
    """A cancellation."""
    return event("cancellation", customer, at, **fields)


def get(samples: Samples, name: str, **labels: str):
    """A sample's value, 0 of an open set, None for a ratio that is left out."""
    found = samples.get((f"growth_{name}", tuple(sorted(labels.items()))))
    return 0 if found is None and ("reason" in labels or "currency" in labels) else found


def at(log: list[dict], day: str, **settings):
    """A look-up of the samples of a day."""
    samples = Reference(log, Settings(**settings)).metrics(date.fromisoformat(day))
    return lambda name, **labels: get(samples, name, **labels)
