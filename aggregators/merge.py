"""The same event again: which of two events with one id stands (SPEC, section 2)."""

from __future__ import annotations

from typing import Literal

from aggregators.events import Event, canonical

Verdict = Literal["duplicate", "revised", "conflict"]


def verdict(stored: Event, arriving: Event) -> tuple[Verdict, bool]:
    """Compare an arriving event with the one stored under its id.

    Returns:
        What the arriving one is, and whether it takes the stored one's place. Whichever came first, the same one
        stands in the end: the greater revision, and at equal revisions the greater canonical form.
    """
    if stored == arriving:
        return "duplicate", False
    if stored.revision != arriving.revision:
        return "revised", arriving.revision > stored.revision
    return "conflict", canonical(arriving) > canonical(stored)
