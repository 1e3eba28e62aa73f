"""A score of every customer present, from the parts that there is data for (SPEC.md, section 5)."""

from collections import Counter, defaultdict
from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING

from .days import ONE_DAY
from .sheet import Sheet
from .timeline import PAYMENT, Timeline

if TYPE_CHECKING:
    from .book import Reference

BANDS = ("healthy", "at_risk", "critical")
Dated = list[tuple[date, dict]]


def write(book: "Reference", as_of: date, sheet: Sheet) -> None:
    """Write the group's samples."""
    sessions, surveys = _by_customer(book.dated["session"], as_of), _by_customer(book.dated["survey"], as_of)
    count: Counter[str] = Counter()
    for name, line in book.timelines.items():
        if line.at_end_of(as_of).present:
            parts = score_parts(book, line, as_of, sessions[name], surveys[name])
            weights = {part: book.settings.health_weights[part] for part in parts}
            total = sum(weights.values())
            if total:
                score = Fraction(sum(weights[part] * parts[part] for part in parts), total)
                count["healthy" if score >= 70 else "at_risk" if score >= 40 else "critical"] += 1
    for band in BANDS:
        sheet.put("growth_customer_health", count[band], band=band)


def _by_customer(dated: Dated, as_of: date) -> dict[str, Dated]:
    found: dict[str, Dated] = defaultdict(list)
    for day, event in dated:
        if day <= as_of:
            found[event["customer_id"]].append((day, event))
    return found


def score_parts(book: "Reference", line: Timeline, today: date, sessions: Dated, surveys: Dated) -> dict[str, int]:
    """The parts of a customer's score, 0 to 100 each, that it has data for."""
    parts = {"tenure": _tenure(line, today)}
    if sessions:
        recent = [(day, event) for day, event in sessions if day > today - 28 * ONE_DAY]
        quiet = (today - max(day for day, _ in sessions)).days
        users = len({event["user_id"] for _, event in recent})
        features = len({feature for _, event in recent for feature in event["features"]})
        parts["recency"] = max(0, 100 - 25 * (quiet // 7))
        parts["frequency"] = min(100, 5 * len({day for day, _ in recent}))
        parts["breadth"] = min(100, 100 * users // book.settings.health_users)
        parts["adoption"] = min(100, 100 * features // book.settings.health_features)
    tried = [
        item.event["status"]
        for item, day in zip(line.items, line.days, strict=True)
        if item.rank == PAYMENT and day <= today and item.event["interval"] != "one_time"
    ]
    fates = [status for status in tried if status != "refunded"]
    if tried:
        parts["payment"] = 0 if fates and fates[-1] == "failed" else 100
    answers = [event for day, event in surveys if event["kind"] == "nps" and day > today - 90 * ONE_DAY]
    if answers:
        parts["sentiment"] = 10 * max(answers, key=lambda event: (event["occurred_at"], event["id"]))["score"]
    return parts


def _tenure(line: Timeline, today: date) -> int:
    """By the days since the first day of the present presence; a day counts as present by its end."""
    since = today
    while line.at_end_of(since - ONE_DAY).present:
        since -= ONE_DAY
    days = (today - since).days
    return 0 if days < 90 else 50 if days < 365 else 100
