"""Amounts in the reporting currency: a flow at the rate of its day, a level at the rate of the day it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from aggregators.facts import MEASURES
from aggregators.metrics.book import Sums
from aggregators.metrics.periods import Period
from aggregators.metrics.reading import Reading
from aggregators.metrics.vector import Vector

MILLIONTHS = 1_000_000
_BITS = 62
"""What sums of 64-bit integers may use."""


def unit(reading: Reading) -> int:
    """Give how many of the whole numbers that converted amounts are counted in make one major unit."""
    return MILLIONTHS * reading.settings.rates.scale


def amount(reading: Reading, converted: int) -> Fraction:
    """Turn a converted whole number into major units of the reporting currency."""
    return Fraction(converted, unit(reading))


def amounts(reading: Reading, converted: Iterable[int]) -> Iterator[Fraction]:
    """Turn converted whole numbers into major units of the reporting currency."""
    one = unit(reading)
    return (Fraction(value, one) for value in converted)


def at_rates_of(reading: Reading, natives: Mapping[str, Vector], days: Sequence[int]) -> Vector:
    """Convert amounts by currency, each element at the rate of its own day, and add them up.

    A currency without any rate is left out.
    """
    rates = reading.settings.rates
    known = ((currency, native) for currency, native in natives.items() if rates.known(currency))
    return added(reading, (native * Vector([rates.at(currency, day) for day in days]) for currency, native in known))


def added(reading: Reading, vectors: Iterable[Vector]) -> Vector:
    """Add up vectors; 0 in every period if there are none."""
    return sum(vectors, start=Vector(0 for _ in reading.periods))


def converted_flows(reading: Reading, measure: str) -> Mapping[tuple[str, ...], Vector]:
    """Give a measure's converted sum over each period's days, by its labels without the currency.

    A currency without any rate is left out.
    """
    return reading.once(("converted", measure), lambda: _converted_flows(reading, measure))


def _converted_flows(reading: Reading, measure: str) -> dict[tuple[str, ...], Vector]:
    position = MEASURES[measure].labels.index("currency")
    by_currency: dict[str, dict[tuple[str, ...], int]] = {}
    for labels, column in reading.book.columns(measure).items():
        by_currency.setdefault(labels[position], {})[labels[:position] + labels[position + 1 :]] = column
    total: dict[tuple[str, ...], Vector] = {}
    for currency, columns in by_currency.items():
        if reading.settings.rates.known(currency):
            block = at_daily_rates(
                reading, currency, reading.periods, partial(reading.book.sums, columns=list(columns.values()))
            )
            for labels, row in zip(columns, block.T.tolist(), strict=True):
                flows = Vector(row)
                total[labels] = total[labels] + flows if labels in total else flows
    return total


class _Stretches(NamedTuple):
    """The days of some periods cut where a period begins or ends and where a currency's rate changes."""

    bounds: list[int]
    """The days at whose end a stretch ends; the first of them is the day before all of the periods."""
    weights: list[int]
    """Each stretch's rate."""
    starts: list[int]
    """By period, the position of the bound it begins after."""
    ends: list[int]
    """By period, the position of the bound it ends with."""


def _stretches(reading: Reading, currency: str, spans: Sequence[Period]) -> _Stretches:
    rates = reading.settings.rates
    before, last = [period.before for period in spans], [period.last for period in spans]
    steps = rates.changes(currency, min(before) + 1, max(last))
    bounds = sorted({*before, *last, *(day - 1 for day in steps)})
    position = {day: index for index, day in enumerate(bounds)}
    return _Stretches(
        bounds,
        [rates.at(currency, day + 1) for day in bounds[:-1]],
        [position[day] for day in before],
        [position[day] for day in last],
    )


def at_daily_rates(
    reading: Reading, currency: str, spans: Sequence[Period], sums_up_to: Callable[[Sequence[int]], Sums]
) -> Sums:
    """Convert flows in one currency, each at the rate of its day.

    Args:
        reading: the reading.
        currency: a currency with a rate.
        spans: periods of the reading, at least one.
        sums_up_to: gives what is to be converted as running sums up to the ends of days, a row a day.

    Returns:
        The flows over each of the periods, a row a period, as Python's integers.
    """
    known_as = "stretches", currency, tuple(period.name for period in spans)
    bounds, weights, starts, ends = reading.once(known_as, lambda: _stretches(reading, currency, spans))
    sums = sums_up_to(bounds)

    def weighed(flows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        running = np.zeros(sums.shape, flows.dtype)
        np.cumsum(flows * np.array(weights, flows.dtype)[:, None], axis=0, out=running[1:])
        return (running[ends] - running[starts]).astype(object)

    flows = np.diff(sums, axis=0)
    # 64-bit flows are weighed in two halves of few bits, whose weighted sums cannot overflow: 20 times as fast.
    bits = _BITS - max(weights).bit_length() - len(weights).bit_length()
    if flows.dtype != object and bits > 0 and int(np.abs(flows >> bits).max(initial=0)).bit_length() <= bits:
        found: Sums = weighed(flows >> bits) * (1 << bits) + weighed(flows & ((1 << bits) - 1))
        return found
    return weighed(flows.astype(object))
