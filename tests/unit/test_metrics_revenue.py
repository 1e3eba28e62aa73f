"""MRR, its movements and ratios, cash and expenses, from facts made by hand."""

from __future__ import annotations

from fractions import Fraction

from metrics_support import book_of, read, usd

from aggregators.rates import Rates

EURO = Rates.parse('{"EUR": {"2026-01-01": "1.10", "2026-08-10": "1.25", "2026-09-01": "1.20"}}', "rates.json")


def mrr(movement: str, currency: str = "USD", reason: str = "") -> tuple[str, ...]:
    """Name the fact of a movement."""
    return ("mrr", movement, currency, reason)


AUGUST = book_of(
    {
        "2026-07-10": {mrr("new"): usd("1000"), ("movers", "new"): 10, "subscribers_came": 10, "new": 10},
        "2026-08-05": {
            mrr("new"): usd("300"),
            ("movers", "new"): 2,
            "subscribers_came": 3,
            mrr("expansion"): usd("50"),
            ("movers", "expansion"): 1,
            mrr("reactivation"): usd("30"),
            ("movers", "reactivation"): 1,
        },
        "2026-08-20": {
            mrr("contraction"): -usd("40"),
            ("movers", "contraction"): 2,
            mrr("churn", reason="price"): -usd("100"),
            mrr("churn", reason="lapsed"): -usd("60"),
            ("movers", "churn"): 2,
            "subscribers_left": 2,
        },
    }
)


def test_mrr_and_its_movements() -> None:
    """At start 1000; new 300, expansion 50, reactivation 30, contraction -40, churn -160: 1180 at end."""
    found = read(AUGUST, "2026-08-31")
    assert found["mrr",] == 1180
    assert found["arr",] == 14_160
    assert found["mrr_native", "USD"] == 1180
    assert found["arpa",] == Fraction(1180, 11)
    assert found["mrr_at_start", "month"] == 1000
    movements = {labels[2]: value for labels, value in found.items() if labels[:2] == ("mrr_movement", "month")}
    assert movements == {
        "new": 300,
        "expansion": 50,
        "reactivation": 30,
        "contraction": -40,
        "churn": -160,
        "fx": 0,
    }
    customers = {labels[2]: n for labels, n in found.items() if labels[:2] == ("mrr_movement_customers", "month")}
    assert customers == {"new": 2, "expansion": 1, "reactivation": 1, "contraction": 2, "churn": 2}
    assert found["mrr_churned", "month", "price"] == 100
    assert found["mrr_churned", "month", "lapsed"] == 60
    assert found["mrr_churned", "day", "lapsed"] == 0


def test_ratios_of_movements() -> None:
    """Losses are positive in a ratio; without MRR at start, or without losses, there is none."""
    found = read(AUGUST, "2026-08-31")
    assert found["mrr_churn_ratio", "month", "gross"] == Fraction(200, 1000)
    assert found["mrr_churn_ratio", "month", "net"] == Fraction(120, 1000)
    assert found["mrr_growth_ratio", "month"] == Fraction(180, 1000)
    assert found["quick_ratio", "month"] == Fraction(380, 200)
    assert found["average_sale_price", "month"] == 150
    assert ("mrr_churn_ratio", "year", "gross") not in found
    assert ("quick_ratio", "day") not in found
    assert ("average_sale_price", "day") not in found


def test_revenue_retention_reads_its_voids() -> None:
    """Gross: start less churn and contraction; net: end less new and reactivation; each corrected by its void."""
    assert read(AUGUST, "2026-08-31")["revenue_retention_ratio", "month", "gross"] == Fraction(800, 1000)
    assert read(AUGUST, "2026-08-31")["revenue_retention_ratio", "month", "net"] == Fraction(850, 1000)
    book = book_of(
        {
            "2026-07-10": {mrr("new"): usd("1000")},
            # 100 come and churn within August and the 30 days; in both voids.
            "2026-08-05": {mrr("new"): usd("100")},
            "2026-08-20": {
                mrr("churn", reason="x"): -usd("100"),
                ("void_mrr_gross", "month", "USD"): usd("100"),
                ("void_mrr_net", "month", "USD"): usd("100"),
                ("void_mrr_gross", "30d", "USD"): usd("100"),
                ("void_mrr_net", "30d", "USD"): usd("100"),
            },
        }
    )
    found = read(book, "2026-08-31")
    for kind in ("gross", "net"):
        for period in ("month", "30d"):
            assert found["revenue_retention_ratio", period, kind] == 1
        assert ("revenue_retention_ratio", "90d", kind) not in found


def test_lifetime_value() -> None:
    """ARPA 100 x margin 0.8 / (2 of 8 subscribers in 31 days, a month of 30.4375)."""
    book = book_of(
        {
            "2026-07-10": {mrr("new"): usd("800"), "subscribers_came": 8},
            "2026-08-20": {mrr("churn", reason="x"): -usd("200"), "subscribers_left": 2},
        }
    )
    found = read(book, "2026-08-31", gross_margin=Fraction(4, 5))
    assert found["lifetime_value", "month"] == 80 / (Fraction(2, 8) * Fraction("30.4375") / 31)
    assert ("lifetime_value", "day") not in found
    # All of them came within the year: no churn ratio to divide by.
    assert ("lifetime_value", "year") not in found


def test_levels_at_the_rate_of_their_day_flows_at_that_of_theirs() -> None:
    """100 euros: 110 dollars in July, 125 at the end of August; the new 10 of the 20th are 12.50, the rest is fx.

    ::

        Jan 1          Jul 10     Aug 5    Aug 10     Aug 20    Aug 31
        1.10 ---------------------------> 1.25 ------------------------>
                       new 100    new 20              new 10
    """
    book = book_of(
        {
            "2026-07-10": {mrr("new", "EUR"): usd("100")},
            "2026-08-05": {mrr("new", "EUR"): usd("20")},
            "2026-08-20": {mrr("new", "EUR"): usd("10"), ("cash", "recurring", "EUR"): usd("40")},
        }
    )
    found = read(book, "2026-08-31", rates=EURO)
    assert found["mrr",] == Fraction("162.5")
    assert found["mrr_native", "EUR"] == 130
    assert found["mrr_at_start", "month"] == 110
    assert found["mrr_movement", "month", "new"] == Fraction("34.5")
    assert found["mrr_movement", "month", "fx"] == 18
    assert found["mrr_movement", "day", "fx"] == 0
    # The day before this window's first is the 24th: no rate has changed since.
    assert found["mrr_movement", "7d", "fx"] == 0
    assert found["revenue", "month", "recurring"] == 50
    assert found["revenue_retention_ratio", "month", "net"] == 1
    # Before the first rate the first one holds.
    assert read(book, "2026-09-01", rates=EURO)["mrr_movement", "day", "fx"] == Fraction("-6.5")


def test_a_currency_without_a_rate_is_left_out_and_told_of() -> None:
    """Yen without a rate are in no converted amount, but in their own MRR, and marked from their first day on."""
    book = book_of(
        {
            "2026-07-10": {mrr("new"): usd("100"), mrr("new", "JPY"): usd("9000"), mrr("churn", "JPY", "x"): -usd("1")},
            "2026-08-20": {("cash", "one_time", "GBP"): 5, ("refunds", "CHF"): 5, ("cash", "recurring", "EUR"): 7},
        }
    )
    found = read(book, "2026-08-31", rates=EURO)
    assert found["mrr",] == 100
    assert found["mrr_native", "JPY"] == 8999
    assert found["revenue", "month", "one_time"] == 0
    assert found["refunds", "month"] == 0
    assert found["mrr_churned", "90d", "x"] == 0
    assert {labels[1] for labels in found if labels[0] == "currency_unconverted"} == {"JPY", "GBP", "CHF"}
    earlier = read(book, "2026-08-19", rates=EURO)
    assert {labels[1] for labels in earlier if labels[0] == "currency_unconverted"} == {"JPY"}
    assert not [labels for labels in read(book, "2026-07-09", rates=EURO) if labels[0] == "currency_unconverted"]


def test_the_reporting_currency_names_itself() -> None:
    """Another reporting currency has rate 1, and dollars without a rate are then what is left out."""
    found = read(AUGUST, "2026-08-31", rates=Rates("EUR"))
    assert found["reporting_currency_info", "EUR"] == 1
    assert found["mrr",] == 0
    assert found["currency_unconverted", "USD"] == 1


def test_cash_and_payments() -> None:
    """Payments by status, cash by kind, refunds by themselves."""
    book = book_of(
        {
            "2026-08-20": {
                ("payments", "succeeded"): 9,
                ("payments", "failed"): 1,
                ("payments", "refunded"): 2,
                ("cash", "recurring", "USD"): usd("90.5"),
                ("cash", "one_time", "USD"): usd("5"),
                ("cash", "one_time", "EUR"): usd("4"),
                ("refunds", "USD"): usd("12.25"),
                ("refunds", "EUR"): usd("1"),
            }
        }
    )
    found = read(book, "2026-08-31", rates=EURO)
    assert [found["payments", "month", status] for status in ("succeeded", "failed", "refunded")] == [9, 1, 2]
    assert found["payment_failure_ratio", "month"] == Fraction(1, 10)
    assert ("payment_failure_ratio", "day") not in found
    assert found["revenue", "month", "recurring"] == Fraction("90.5")
    assert found["revenue", "month", "one_time"] == 10
    assert found["refunds", "month"] == Fraction("13.5")


def test_expenses_and_what_a_customer_costs() -> None:
    """Retention per customer of the mean (10 at start, 14 at end), acquisition per new customer."""
    book = book_of(
        {
            "2026-07-01": {"new": 10},
            "2026-08-20": {
                "new": 4,
                ("expense", "retention", "USD"): usd("60"),
                ("expense", "acquisition", "EUR"): usd("80"),
            },
        }
    )
    found = read(book, "2026-08-31", rates=EURO)
    assert found["expense", "month", "retention"] == 60
    assert found["expense", "month", "acquisition"] == 100
    assert found["retention_cost_per_customer", "month"] == 5
    assert found["acquisition_cost_per_customer", "month"] == 25
    assert found["retention_cost_per_customer", "day"] == 0
    assert ("acquisition_cost_per_customer", "day") not in found


def test_amounts_beyond_64_bits_are_exact() -> None:
    """Billions of a small currency at a rate of many digits, daily steps: not a unit is lost."""
    steps = ", ".join(f'"2026-08-{day:02}": "0.0000{4000 + day}"' for day in range(1, 32))
    rates = Rates.parse(f'{{"VND": {{{steps}}}}}', "rates.json")
    amount = 12_345_678_901_234_567
    book = book_of({f"2026-08-{day:02}": {("cash", "recurring", "VND"): amount + day} for day in range(1, 32)})
    expected = sum(Fraction((amount + day) * (4000 + day), 10**8 * 10**6) for day in range(1, 32))
    assert read(book, "2026-08-31", rates=rates)["revenue", "month", "recurring"] == expected
    huge = book_of({"2026-08-20": {("cash", "recurring", "VND"): 10**30}})
    assert read(huge, "2026-08-31", rates=rates)["revenue", "month", "recurring"] == 10**30 * Fraction(4020, 10**14)
