"""Exchange rates by day: what one unit of a currency is worth in the reporting currency, exactly."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import msgspec

from aggregators.calendar import day_of

_CURRENCY = re.compile(r"[A-Z]{3}")
_RATE = re.compile(r"(\d{1,12})(?:\.(\d{1,12}))?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class RatesError(ValueError):
    """A rate table that cannot be used; the message names the place and what would be right."""


class _Steps(msgspec.Struct, frozen=True):
    """One currency's rates, sorted by day; each holds until the next one's day."""

    days: tuple[int, ...]
    rates: tuple[int, ...]

    @classmethod
    def of(cls, rates: Mapping[int, Fraction], scale: int) -> _Steps:
        """Sort a currency's rates by day and make them whole."""
        return cls(tuple(sorted(rates)), tuple(int(rates[day] * scale) for day in sorted(rates)))


class Rates(msgspec.Struct, frozen=True):
    """A rate table, its rates as whole multiples of 1 / `scale`."""

    reporting: str = "USD"
    """The reporting currency: its rate is 1."""
    scale: int = 1
    steps: Mapping[str, _Steps] = {}

    def known(self, currency: str) -> bool:
        """Tell whether amounts in a currency can be converted."""
        return currency == self.reporting or currency in self.steps

    def at(self, currency: str, day: int) -> int:
        """Give the rate of a day times `scale`: the latest at or before it, before the first the first.

        Raises:
            KeyError: the currency has no rate.
        """
        if currency == self.reporting:
            return self.scale
        steps = self.steps[currency]
        position = bisect_right(steps.days, day)
        return steps.rates[position - 1 if position else 0]

    def changes(self, currency: str, first: int, last: int) -> tuple[int, ...]:
        """Give the days from `first` to `last` on which a currency's rate may differ from the day before."""
        if currency == self.reporting:
            return ()
        days = self.steps[currency].days
        # The first rate holds before its day too.
        return days[max(bisect_right(days, first - 1), 1) : bisect_right(days, last)]

    @classmethod
    def parse(cls, data: bytes | str, source: str, reporting: str = "USD") -> Rates:
        """Read a rate table in JSON: `{"EUR": {"2026-01-01": "1.10", ...}}`, reporting units for one unit.

        Args:
            data: the JSON text; rates may be strings or numbers, and are taken digit by digit.
            source: the file's name, for messages.
            reporting: the reporting currency; it may be in the table only with rates of 1.

        Raises:
            RatesError: the text is not such a table.
        """
        try:
            table = json.loads(data, object_pairs_hook=_unique, parse_float=str, parse_int=str, parse_constant=str)
        except RatesError as error:
            raise RatesError(f"{source}: {error}") from None
        except (ValueError, RecursionError) as error:
            raise RatesError(f'{source}: not JSON ({error}); write {{"EUR": {{"2026-01-01": "1.10"}}}}') from None
        if not isinstance(table, dict):
            raise RatesError(f'{source}: a rate table is an object by currency: {{"EUR": {{"2026-01-01": "1.10"}}}}')
        exact = {currency: _currency(source, currency, dates) for currency, dates in table.items()}
        if any(rate != 1 for rate in exact.pop(reporting, {}).values()):
            raise RatesError(f"{source}: {reporting} is the reporting currency, whose rate is always 1: leave it out")
        scale = math.lcm(*(rate.denominator for rates in exact.values() for rate in rates.values()))
        return cls(reporting, scale, {currency: _Steps.of(rates, scale) for currency, rates in exact.items()})


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object's map, and refuse one that says two things of the same name."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise RatesError(f"{twice} stands there twice; keep one of the two")
    return found


def _currency(source: str, currency: str, dates: Any) -> dict[int, Fraction]:
    """Check one currency's part of the table and give its rates by day."""
    if not _CURRENCY.fullmatch(currency):
        raise RatesError(f"{source}: {currency!r} is no currency; write its ISO 4217 code, such as EUR")
    if not isinstance(dates, dict) or not dates:
        raise RatesError(f'{source}: {currency} needs at least one rate by its first day: {{"2026-01-01": "1.10"}}')
    rates: dict[int, Fraction] = {}
    for date, rate in dates.items():
        try:
            day = day_of(dt.date.fromisoformat(date)) if _DATE.fullmatch(date) else None
        except ValueError:
            day = None
        if day is None:
            raise RatesError(f"{source}: {currency}: {date!r} is no date; write it as 2026-01-31")
        # Numbers arrive as their text: JSON's own parser would round them.
        if not (isinstance(rate, str) and _RATE.fullmatch(rate) and (exact := Fraction(rate)) > 0):
            raise RatesError(
                f'{source}: {currency}, {date}: {rate!r} is no rate; write a decimal above 0, such as "1.10",'
                " with at most 12 digits before and after the point"
            )
        rates[day] = exact
    return rates
