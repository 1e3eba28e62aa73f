"""The rate table: what is read from it, and what is refused."""

from __future__ import annotations

from fractions import Fraction

import pytest
from metrics_support import day

from aggregators.rates import Rates, RatesError

TABLE = """{
  "EUR": {"2026-01-10": "1.10", "2026-01-20": "1.2", "2026-02-01": "1.2"},
  "JPY": {"2025-12-31": "0.006512"}
}"""


def rate(rates: Rates, currency: str, date: str) -> Fraction:
    """Give a day's rate as an exact number."""
    return Fraction(rates.at(currency, day(date)), rates.scale)


def test_the_latest_rate_at_or_before_a_day_holds_and_before_the_first_the_first() -> None:
    """A rate holds from its day until the next one's; the first holds for all days before it too."""
    rates = Rates.parse(TABLE, "rates.json")
    assert rate(rates, "EUR", "2025-06-01") == Fraction("1.10")
    assert rate(rates, "EUR", "2026-01-10") == Fraction("1.10")
    assert rate(rates, "EUR", "2026-01-19") == Fraction("1.10")
    assert rate(rates, "EUR", "2026-01-20") == Fraction("1.2")
    assert rate(rates, "EUR", "2030-01-01") == Fraction("1.2")


def test_rates_are_exact_on_one_scale() -> None:
    """Rates are whole multiples of one scale, to the last digit, and the reporting currency's is 1."""
    rates = Rates.parse(TABLE, "rates.json", "USD")
    assert rate(rates, "JPY", "2026-01-01") == Fraction(6512, 1_000_000)
    assert rate(rates, "USD", "2026-01-01") == 1
    assert rates.known("USD")
    assert rates.known("JPY")
    assert not rates.known("GBP")


def test_numbers_are_taken_digit_by_digit() -> None:
    """A rate written as a JSON number is what its digits say, not the nearest float."""
    rates = Rates.parse('{"EUR": {"2026-01-01": 1.100000000001, "2026-01-02": 2}}', "rates.json")
    assert rate(rates, "EUR", "2026-01-01") == Fraction("1.100000000001")
    assert rate(rates, "EUR", "2026-01-02") == 2


def test_changes_are_the_days_on_which_the_rate_may_differ_from_the_day_before() -> None:
    """The first rate's day changes nothing: it holds before that day as well."""
    rates = Rates.parse(TABLE, "rates.json")
    january = day("2026-01-01"), day("2026-01-31")
    assert rates.changes("EUR", *january) == (day("2026-01-20"),)
    assert rates.changes("EUR", day("2026-01-20"), day("2026-02-01")) == (day("2026-01-20"), day("2026-02-01"))
    assert rates.changes("EUR", day("2026-01-21"), day("2026-01-31")) == ()
    assert rates.changes("JPY", *january) == rates.changes("USD", *january) == ()


def test_the_reporting_currency_may_stand_there_with_rates_of_1_only() -> None:
    """A table that says dollars are worth a dollar is fine; another rate is refused."""
    assert not Rates.parse('{"USD": {"2026-01-01": "1.00"}}', "rates.json", "USD").steps
    with pytest.raises(RatesError, match="USD is the reporting currency, whose rate is always 1: leave it out"):
        Rates.parse('{"USD": {"2026-01-01": "1.1"}}', "rates.json", "USD")


def test_an_empty_table_knows_the_reporting_currency_alone() -> None:
    """No rates are a table too."""
    rates = Rates.parse("{}", "rates.json", "EUR")
    assert rates == Rates("EUR")
    assert rates.at("EUR", 0) == rates.scale == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "rates.json: not JSON"),
        ("[" * 100_000, "rates.json: not JSON"),
        (b"\xff\xff", "rates.json: not JSON"),
        ("[]", "rates.json: a rate table is an object by currency"),
        ('{"eur": {"2026-01-01": "1"}}', "rates.json: 'eur' is no currency; write its ISO 4217 code, such as EUR"),
        ('{"EUR": "1.1"}', "rates.json: EUR needs at least one rate by its first day"),
        ('{"EUR": {}}', "rates.json: EUR needs at least one rate by its first day"),
        ('{"EUR": {"2026-02-30": "1"}}', "rates.json: EUR: '2026-02-30' is no date; write it as 2026-01-31"),
        ('{"EUR": {"20260201": "1"}}', "rates.json: EUR: '20260201' is no date"),
        ('{"EUR": {"2026-02-01": "0.00"}}', "rates.json: EUR, 2026-02-01: '0.00' is no rate; write a decimal above 0"),
        ('{"EUR": {"2026-02-01": "-1"}}', "EUR, 2026-02-01: '-1' is no rate"),
        ('{"EUR": {"2026-02-01": 1e3}}', "EUR, 2026-02-01: '1e3' is no rate"),
        ('{"EUR": {"2026-02-01": NaN}}', "EUR, 2026-02-01: 'NaN' is no rate"),
        ('{"EUR": {"2026-02-01": "1,1"}}', "EUR, 2026-02-01: '1,1' is no rate"),
        ('{"EUR": {"2026-02-01": "٣"}}', "EUR, 2026-02-01: '٣' is no rate"),
        ('{"EUR": {"2026-02-01": null}}', "EUR, 2026-02-01: None is no rate"),
        ('{"EUR": {"2026-02-01": "1", "2026-02-01": "2"}}', "rates.json: 2026-02-01 stands there twice"),
        ('{"EUR": {"2026-02-01": "1"}, "EUR": {"2026-02-01": "1"}}', "rates.json: EUR stands there twice"),
    ],
)
def test_a_wrong_table_is_refused_with_its_place_and_what_is_right(text: str | bytes, message: str) -> None:
    """One sentence names the file, the currency and the date, and says what would be right."""
    with pytest.raises(RatesError) as raised:
        Rates.parse(text, "rates.json")
    assert str(raised.value).startswith("rates.json: ")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
