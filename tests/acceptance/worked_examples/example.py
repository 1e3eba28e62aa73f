"""What a worked example is: a published definition, events that act it out, and the samples that must come of them.

Many examples live in one company, each in a year of its own: what an example began it ends, so that levels are 0 when
the next one begins, and periods keep the flows apart. Payments, sessions and surveys do not touch one another, so that
examples of different lanes may share a year.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

Number = int | float | Fraction | None
"""An expected value; None for a sample that must not be there. Only a float may differ in its last digits."""
Key = tuple[str, tuple[tuple[str, str], ...]]

FIRST_YEAR = 1980
COMPANIES: dict[str, dict[str, str]] = {
    "usual": {"accept_from": "1970-01-01"},
    "strict": {"accept_from": "1970-01-01", "lapse_grace_days": "0", "purchase_lapse_days": "90"},
}
"""The settings of each company; all else is the default. The strict one has no grace, as most of what is published."""


@dataclass(frozen=True)
class Source:
    """A public page."""

    title: str
    address: str


@dataclass
class Example:
    """One published definition, acted out."""

    name: str
    source: Source
    says: str
    company: str
    differs: str
    ours: bool
    report: dict[str, str]
    """Settings of what is shown that this example's reports are asked with."""
    year: int
    events: list[dict[str, Any]] = field(default_factory=list)
    expected: dict[date, dict[str, Number]] = field(default_factory=dict)
    """By as-of day: samples as Prometheus writes them, without their prefix."""

    def at(self, when: str) -> str:
        """Give an instant of UTC: `06-08` is noon of that day in the example's year, `06-08 09:30` that time."""
        day, _, time = when.partition(" ")
        return f"{self.day(day)}T{time or '12:00'}:00Z"

    def day(self, when: str) -> date:
        """Give a day of the example's year, or one that is written with its own."""
        return date.fromisoformat(when if len(when) > 5 else f"{self.year}-{when}")

    def event(self, kind: str, customer: str, when: str, /, **fields: Any) -> None:
        """Let something happen."""
        times = {"covers_until", "effective_at", "trial_ends_at"}
        self.events.append(
            {
                "id": f"{self.name}-{len(self.events)}",
                "type": kind,
                "customer_id": f"{self.name}/{customer}",
                "occurred_at": self.at(when),
                **{name: self.at(value) if name in times else value for name, value in fields.items()},
            }
        )

    def signup(self, customer: str, when: str, **fields: Any) -> None:
        """Someone signs up."""
        self.event("signup", customer, when, **fields)

    def pay(self, customer: str, when: str, amount: float | str, **fields: Any) -> None:
        """Someone pays, in dollars unless told otherwise."""
        self.event("payment", customer, when, **{"amount": amount, "currency": "USD", **fields})

    def subscribe(self, customer: str, when: str, monthly: float | str, **fields: Any) -> None:
        """Someone pays a monthly price and is covered until the year's end: bills between would change nothing."""
        self.pay(customer, when, monthly, **{"covers_until": "12-31", **fields})

    def cancel(self, customer: str, when: str, **fields: Any) -> None:
        """Someone cancels."""
        self.event("cancellation", customer, when, **fields)

    def session(self, user: str, when: str, **fields: Any) -> None:
        """Someone uses the product."""
        self.event("session", user, when, **fields)

    def survey(self, kind: str, when: str, scores: dict[int, int]) -> None:
        """People answer: so many of them each score."""
        for score, people in scores.items():
            for number in range(people):
                self.event("survey", f"{score}-{number}", when, kind=kind, score=score)

    def expense(self, category: str, when: str, amount: float) -> None:
        """Money is spent."""
        self.event("expense", "books", when, category=category, amount=amount, currency="USD")

    def on(self, when: str, samples: dict[str, Number | str]) -> None:
        """Expect samples on a day; a text is a decimal."""
        self.expected[self.day(when)] = {
            sample: Fraction(value) if isinstance(value, str) else value for sample, value in samples.items()
        }

    def close(self) -> None:
        """End all that it began, on the day after the last that is asked for."""
        after = str(max(self.expected) + timedelta(days=1))
        customers = {event["customer_id"]: None for event in self.events if event["type"] in {"signup", "payment"}}
        for customer in customers:
            self.cancel(customer.partition("/")[2], f"{after} 00:00")


EXAMPLES: list[Example] = []
_years: dict[tuple[str, str], int] = {}


def example(
    source: Source,
    *,
    company: str = "usual",
    lane: str = "money",
    differs: str = "",
    ours: bool = False,
    report: dict[str, str] | None = None,
    years: int = 1,
    first: bool = False,
) -> Callable[[Callable[[Example], None]], Example]:
    """Make an example of a function that acts it out; the function's docstring is what the source says.

    Args:
        source: where it is published.
        company: whose settings it needs.
        lane: examples of one lane get different years.
        differs: where the source's number is another one than ours, and why.
        ours: whether the source defines without figures, or with others, so that the figures are ours.
        report: settings of what is shown; `YEAR` in them is the example's year.
        years: how many years it takes.
        first: whether it must be its company's first, since it counts whoever has ever paid.
    """

    def make(act: Callable[[Example], None]) -> Example:
        year = FIRST_YEAR - 1 if first else _years.get((company, lane), FIRST_YEAR)
        if not first:
            _years[company, lane] = year + years
        shown = {name: value.replace("YEAR", str(year)) for name, value in (report or {}).items()}
        made = Example(act.__name__, source, (act.__doc__ or "").strip(), company, differs, ours, shown, year)
        act(made)
        made.close()
        EXAMPLES.append(made)
        return made

    return make


def key(sample: str) -> Key:
    """Read a sample as Prometheus writes it; its labels in any order."""
    name, _, labels = sample.partition("{")
    return f"growth_{name}", tuple(sorted(re.findall(r'(\w+)="([^"]*)"', labels)))
