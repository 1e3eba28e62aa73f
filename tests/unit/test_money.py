"""Money in millionths, and monthly amounts."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregators.money import half_even, millionths, monthly_millionths


@pytest.mark.parametrize(
    ("amount", "interval", "count", "monthly"),
    [
        ("1200", "year", 1, 100_000_000),
        ("90", "month", 3, 30_000_000),
        ("90", "quarter", 1, 30_000_000),
        ("100", "week", 1, 433_333_333),
        ("1", "day", 1, 30_416_667),
        ("2000", "year", 1, 166_666_667),
        ("0.000001", "month", 2, 0),
        ("0.000003", "month", 2, 2),
        ("0", "month", 1, 0),
    ],
)
def test_monthly_amounts(amount: str, interval: str, count: int, monthly: int) -> None:
    """A price for an interval becomes millionths a month, rounded half to even."""
    assert monthly_millionths(amount, interval, count) == monthly


@given(st.decimals(0, 10**11, places=9, allow_nan=False))
def test_millionths_round_half_to_even(amount: Decimal) -> None:
    """Any amount is rounded once, as decimal arithmetic rounds it."""
    expected = int((amount * 10**6).to_integral_value(ROUND_HALF_EVEN))
    assert millionths(format(amount, "f")) == expected


@given(st.integers(-(10**20), 10**20), st.integers(1, 10**9))
def test_half_even_is_pythons_rounding_of_fractions(numerator: int, denominator: int) -> None:
    """Rounding agrees with that of exact fractions, for negative numbers too."""
    assert half_even(numerator, denominator) == round(Fraction(numerator, denominator))
