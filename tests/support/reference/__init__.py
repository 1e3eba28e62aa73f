"""A slow, plain second opinion on every growth metric: day-by-day states of a list of events, and nothing clever.

It is written from SPEC.md alone and imports nothing from the product, so that where the two differ one has a bug.
"""

from datetime import date

from .book import Reference, Samples
from .events import accepted
from .settings import Settings

__all__ = ["Reference", "Samples", "Settings", "accepted", "metrics"]


def metrics(events: list[dict], settings: Settings, as_of: date) -> Samples:
    """Every metric of `events` (raw JSON objects, in any order, repeated at will) as asked for on the day `as_of`."""
    return Reference(events, settings).metrics(as_of)
