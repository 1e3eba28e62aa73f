"""Money as integer millionths of the major unit: amounts and the monthly amounts of subscriptions."""

from __future__ import annotations

from functools import lru_cache

MILLION = 1_000_000

_PER_MONTH: dict[str, tuple[int, int]] = {
    "day": (365, 12),
    "week": (52, 12),
    "month": (1, 1),
    "quarter": (1, 3),
    "year": (1, 12),
}
"""An interval's monthly share as numerator and denominator (SPEC, section 3.2)."""


def half_even(numerator: int, denominator: int) -> int:
    """Divide two integers, the second above 0, and round half to even."""
    quotient, rest = divmod(numerator, denominator)
    if 2 * rest > denominator or (2 * rest == denominator and quotient & 1):
        return quotient + 1
    return quotient


@lru_cache(maxsize=65_536)
def millionths(amount: str) -> int:
    """Turn a decimal string of major units, such as "49.00", into millionths, rounded half to even."""
    whole, _, fraction = amount.partition(".")
    if len(fraction) <= 6:
        return int(whole + fraction.ljust(6, "0"))
    return half_even(int(whole + fraction) * MILLION, 10 ** len(fraction))


@lru_cache(maxsize=65_536)
def monthly_millionths(amount: str, interval: str, count: int) -> int:
    """Give the monthly amount, in millionths, of a price of `amount` major units for `count` intervals.

    A day counts 365/12, a week 52/12, a quarter 1/3, a year 1/12, each divided by `count`; rounded half to even once.
    """
    whole, _, fraction = amount.partition(".")
    numerator, denominator = _PER_MONTH[interval]
    return half_even(int(whole + fraction) * MILLION * numerator, 10 ** len(fraction) * denominator * count)
