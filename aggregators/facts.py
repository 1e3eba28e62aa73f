"""Facts: integers at (day, measure, labels), from which alone every metric derives.

A fact's key is one string, its measure and labels joined by `SEPARATOR`, so that a day's facts are a plain map that
packs, adds and compares at C speed. `MEASURES` is the catalogue: what the folds write and the metrics read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from aggregators.calendar import LAST_DAY

SEPARATOR = "\x1f"
"""Between a key's parts; inside a part it is written as `ESCAPE` and a 1, the escape itself as `ESCAPE` and a 0."""
ESCAPE = "\x1e"

Group = Literal["billing", "segments", "voids", "users", "sessions", "surveys", "activity", "expenses"]


class Measure(msgspec.Struct, frozen=True):
    """What one measure counts.

    A level is read as the sum of all days up to one; a flow as the sum over the days of a period.
    """

    group: Group
    """The part of a day's hash that holds it: measures that the same fold writes stand together."""
    kind: Literal["level", "flow"]
    labels: tuple[str, ...] = ()
    kept: bool = False
    """Whether it counts what no ledger keeps, so that a rebuild leaves it as it is."""


MEASURES: dict[str, Measure] = {
    # A customer's presence: customers on a day = the sum of new + returned - churned up to it.
    "new": Measure("billing", "flow"),
    "returned": Measure("billing", "flow"),
    "churned": Measure("billing", "flow", ("reason",)),
    # Subscribers on a day = the sum of came - left up to it.
    "subscribers_came": Measure("billing", "flow"),
    "subscribers_left": Measure("billing", "flow"),
    # Millionths, losses negative; MRR of a currency on a day = the sum over all movements and reasons up to it.
    # The reason is empty but for churn.
    "mrr": Measure("billing", "flow", ("movement", "currency", "reason")),
    "movers": Measure("billing", "flow", ("movement",)),
    "signups": Measure("billing", "flow"),
    "cancellations": Measure("billing", "flow"),
    "cancellations_scheduled": Measure("billing", "level"),
    "payments": Measure("billing", "flow", ("status",)),
    "cash": Measure("billing", "flow", ("kind", "currency")),
    "refunds": Measure("billing", "flow", ("currency",)),
    # Events that fell due, by due day, and what came of them: on the due day, or `later` days after it.
    "trials_started": Measure("billing", "flow"),
    "trials_ended": Measure("billing", "flow"),
    "trials_decided": Measure("billing", "flow", ("outcome", "later")),
    "renewals_due": Measure("billing", "flow"),
    "renewals_decided": Measure("billing", "flow", ("outcome", "later")),
    # Episodes of failed payments that ended.
    "recoveries": Measure("billing", "flow", ("outcome",)),
    # Customers with one succeeded payment or more, and with two or more.
    "payers": Measure("billing", "level"),
    "repeat_payers": Measure("billing", "level"),
    "plan_mrr": Measure("billing", "level", ("plan", "currency")),
    "plan_subscriptions": Measure("billing", "level", ("plan",)),
    # By the month of the first day present, such as 2026-03.
    "cohort_customers": Measure("billing", "level", ("cohort",)),
    "cohort_mrr": Measure("billing", "level", ("cohort", "currency")),
    # Customers that reached a milestone, and the days that they took, by the milestone's day.
    "time_to_value": Measure("billing", "flow", ("milestone",)),
    "time_to_value_days": Measure("billing", "flow", ("milestone",)),
    # By plan, country, channel and owner. Who churned is booked in the segment of the day before; MRR of a segment is
    # the sum over all movements.
    "segment_customers": Measure("segments", "level", ("dimension", "segment")),
    "segment_subscribers": Measure("segments", "level", ("dimension", "segment")),
    "segment_new": Measure("segments", "flow", ("dimension", "segment")),
    "segment_churned": Measure("segments", "flow", ("dimension", "segment")),
    "segment_mrr": Measure("segments", "flow", ("dimension", "segment", "movement", "currency")),
    # Two days compared: the ordinary flows of a window less what the states at its two ends say. The windows 7d 30d
    # 90d 365d are levels, read on the window's last day; week month quarter year are flows, summed inside the period.
    "void_customers": Measure("voids", "level", ("window",)),
    "void_subscribers": Measure("voids", "level", ("window",)),
    "void_mrr_gross": Measure("voids", "level", ("window", "currency")),
    "void_mrr_net": Measure("voids", "level", ("window", "currency")),
    "void_segment_churned": Measure("voids", "level", ("window", "dimension", "segment")),
    "users_active": Measure("users", "level", ("days",)),
    "users_repeat": Measure("users", "level"),
    "users_new": Measure("users", "flow"),
    "users_returning": Measure("users", "flow"),
    "users_resurrected": Measure("users", "flow"),
    "users_dormant": Measure("users", "flow"),
    "users_retained": Measure("users", "flow", ("days",)),
    "sessions": Measure("sessions", "flow", kept=True),
    "session_milliseconds": Measure("sessions", "flow", kept=True),
    "session_reactions": Measure("sessions", "flow", kept=True),
    # One a respondent and day, the day's last; void_nps is what a later answer in the same window supersedes.
    "nps": Measure("surveys", "flow", ("outcome",)),
    "void_nps": Measure("surveys", "level", ("window", "outcome")),
    "segment_nps": Measure("surveys", "flow", ("dimension", "segment", "outcome")),
    "void_segment_nps": Measure("surveys", "level", ("window", "dimension", "segment", "outcome")),
    "csat": Measure("surveys", "flow", ("outcome",)),
    "ces": Measure("surveys", "flow", ("outcome",)),
    "fcr": Measure("surveys", "flow", ("outcome",)),
    # Of customers present: their health's band, and how many were last seen so many days ago or more.
    "customer_health": Measure("activity", "level", ("band",)),
    "customers_inactive": Measure("activity", "level", ("days",)),
    "expense": Measure("expenses", "flow", ("category", "currency")),
}

ROLLING_WINDOWS = {"7d": 7, "30d": 30, "90d": 90, "365d": 365}
CALENDAR_WINDOWS = ("week", "month", "quarter", "year")


def key(measure: str, *labels: str) -> str:
    """Join a measure and its labels to a fact's key; any text is safe in a label."""
    if not labels:
        return measure
    return SEPARATOR.join((measure, *map(_escape, labels)))


def parts(fact_key: str) -> tuple[str, ...]:
    """Split a fact's key into its measure and labels: the inverse of `key`."""
    return tuple(map(_unescape, fact_key.split(SEPARATOR)))


def group_of(fact_key: str) -> Group:
    """Name the group that a fact's key is stored in; KeyError for a measure that the catalogue does not have."""
    return MEASURES[fact_key.partition(SEPARATOR)[0]].group


def _escape(label: str) -> str:
    if ESCAPE in label or SEPARATOR in label:
        return label.replace(ESCAPE, ESCAPE + "0").replace(SEPARATOR, ESCAPE + "1")
    return label


def _unescape(label: str) -> str:
    if ESCAPE in label:
        return label.replace(ESCAPE + "1", SEPARATOR).replace(ESCAPE + "0", ESCAPE)
    return label


class Facts:
    """A sum of facts, by day (days since 1970-01-01) and key. Days after `LAST_DAY` are left out."""

    __slots__ = ("days",)

    def __init__(self, days: dict[int, dict[str, int]] | None = None) -> None:
        """Start from nothing, or from a map of days, which is then owned by this object."""
        self.days: dict[int, dict[str, int]] = {} if days is None else days

    def add(self, day: int, fact_key: str, amount: int) -> None:
        """Add an amount to one fact."""
        if day > LAST_DAY:
            return
        facts = self.days.get(day)
        if facts is None:
            facts = self.days[day] = {}
        facts[fact_key] = facts.get(fact_key, 0) + amount

    def merge(self, other: Facts, sign: int = 1) -> None:
        """Add all facts of another sum, or take them away with `sign=-1`."""
        for day, facts in other.days.items():
            for fact_key, amount in facts.items():
                self.add(day, fact_key, sign * amount)

    def nonzero(self) -> dict[int, dict[str, int]]:
        """Give the facts that are not zero, days without any left out."""
        kept = ((day, {k: n for k, n in facts.items() if n}) for day, facts in self.days.items())
        return {day: facts for day, facts in kept if facts}

    def __iter__(self) -> Iterator[tuple[int, str, int]]:
        """Iterate over (day, key, amount) of all facts that are not zero."""
        for day, facts in self.days.items():
            for fact_key, amount in facts.items():
                if amount:
                    yield day, fact_key, amount

    def __eq__(self, other: object) -> bool:
        """Equal are sums with the same facts, zeros apart."""
        return isinstance(other, Facts) and self.nonzero() == other.nonzero()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Show the facts that are not zero."""
        return f"Facts({self.nonzero()!r})"
