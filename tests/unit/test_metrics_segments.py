"""Customers, MRR and its movements by segment, from facts made by hand."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from metrics_support import book_of, read, usd

from aggregators.metrics import Book
from aggregators.rates import Rates

EURO = Rates.parse('{"EUR": {"2026-01-01": "1.10", "2026-08-10": "1.25", "2026-08-20": "1.20"}}', "rates.json")


def level(segment: str, what: str = "customers", dimension: str = "owner") -> tuple[str, ...]:
    """Name a fact of a segment."""
    return (f"segment_{what}", dimension, segment)


def mrr(segment: str, movement: str, currency: str = "USD") -> tuple[str, ...]:
    """Name the fact of a segment's movement."""
    return ("segment_mrr", "owner", segment, movement, currency)


def by_segment(found: dict[tuple[str, ...], Any], name: str, *labels: str) -> dict[str, Any]:
    """Give a metric's values by owner; `labels` are those before and after dimension and segment."""
    before, after = labels[:1], labels[1:]
    return {
        key[2 + len(before)]: value
        for key, value in found.items()
        if key[: len(before) + 2] == (name, *before, "owner") and key[len(before) + 3 :] == after
    }


OWNERS = book_of(
    {
        "2026-07-10": {
            level("ann"): 10,
            level("ann", "new"): 10,
            level("ann", "subscribers"): 4,
            mrr("ann", "new"): usd("400"),
            level("bob"): 2,
            level("bob", "new"): 2,
        },
        "2026-08-05": {
            level("ann"): -3,
            level("ann", "churned"): 3,
            level("bob"): 1,
            level("bob", "new"): 1,
            level("bob", "subscribers"): 1,
            level("ann", "subscribers"): -1,
            mrr("ann", "left"): -usd("100"),
            mrr("bob", "entered"): usd("100"),
            mrr("bob", "expansion"): usd("20"),
        },
        # One of the three came back to ann within the month: not lost, though it churned.
        "2026-08-15": {
            level("ann"): 1,
            ("void_segment_churned", "month", "owner", "ann"): 1,
            ("void_segment_churned", "30d", "owner", "ann"): 1,
        },
        "2026-09-01": {("void_segment_churned", "30d", "owner", "ann"): -1, level("zoe"): 1},
    }
)


def test_customers_by_segment() -> None:
    """Levels on the as-of day; new and lost in the periods; lost per customer at the start."""
    found = read(OWNERS, "2026-08-31")
    assert by_segment(found, "segment_customers") == {"ann": 8, "bob": 3}
    assert by_segment(found, "segment_subscribers") == {"ann": 3, "bob": 1}
    assert by_segment(found, "segment_customers_new", "month") == {"ann": 0, "bob": 1}
    assert by_segment(found, "segment_customers_new", "previous_month") == {"ann": 10, "bob": 2}
    assert by_segment(found, "segment_customers_lost", "month") == {"ann": 2, "bob": 0}
    assert by_segment(found, "segment_customers_lost", "30d") == {"ann": 2, "bob": 0}
    assert by_segment(found, "segment_customer_churn_ratio", "month") == {"ann": Fraction(2, 10), "bob": 0}
    assert by_segment(found, "segment_customer_churn_ratio", "previous_month") == {}
    assert by_segment(read(OWNERS, "2026-09-01"), "segment_customers_lost", "previous_month") == {
        "ann": 2,
        "bob": 0,
        "zoe": 0,
    }


def test_a_move_leaves_one_segment_and_enters_the_other() -> None:
    """Start and all movements give the end, in each segment."""
    found = read(OWNERS, "2026-08-31")
    assert by_segment(found, "segment_mrr") == {"ann": 300, "bob": 120}
    moved = {
        segment: {
            key[4]: n for key, n in found.items() if key[:4] == ("segment_mrr_movement", "month", "owner", segment)
        }
        for segment in ("ann", "bob")
    }
    nothing = dict.fromkeys(("new", "expansion", "contraction", "churn", "reactivation", "left", "entered", "fx"), 0)
    assert moved == {"ann": {**nothing, "left": -100}, "bob": {**nothing, "entered": 100, "expansion": 20}}


def test_movements_are_converted_at_their_day_and_the_rest_is_fx() -> None:
    """100 euros come at 1.10, 40 go at 1.25; at the end 60 are worth 72: fx 12."""
    book = book_of(
        {
            "2026-08-01": {level("ann"): 1, mrr("ann", "new", "EUR"): usd("100"), mrr("ann", "new", "CHF"): usd("9")},
            "2026-08-12": {mrr("ann", "contraction", "EUR"): -usd("40")},
        }
    )
    found = read(book, "2026-08-31", rates=EURO)
    assert found["segment_mrr", "owner", "ann"] == 72
    names = ("new", "contraction", "fx")
    assert [found["segment_mrr_movement", "month", "owner", "ann", name] for name in names] == [110, -50, 12]


def test_segments_beyond_the_limit_are_other() -> None:
    """Those with most customers on the as-of day keep their names, ties by name; the rest adds up."""
    facts = {level(name): count for name, count in (("a", 1), ("b", 5), ("c", 1), ("d", 2))}
    book = book_of(
        {
            "2026-08-01": {**facts, mrr("c", "new"): usd("7")},
            "2026-08-05": {mrr("c", "left"): -usd("7"), mrr("a", "entered"): usd("7")},
        }
    )
    found = read(book, "2026-08-31", segment_limit=2)
    assert by_segment(found, "segment_customers") == {"b": 5, "d": 2, "other": 2}
    assert by_segment(found, "segment_mrr") == {"b": 0, "d": 0, "other": 7}
    # A move between two of them is a move still.
    assert by_segment(found, "segment_mrr_movement", "month", "left")["other"] == -7
    assert by_segment(found, "segment_mrr_movement", "month", "entered")["other"] == 7
    assert by_segment(read(book, "2026-08-31", segment_limit=3), "segment_customers") == {
        "a": 1,
        "b": 5,
        "d": 2,
        "other": 1,
    }


def test_a_segment_called_other_stands_with_the_others() -> None:
    """There is one series of that name, and it holds both."""
    book = book_of({"2026-08-01": {level("other"): 5, level("a"): 1}})
    assert by_segment(read(book, "2026-08-31", segment_limit=1), "segment_customers") == {"other": 6}


def test_a_segment_stays_once_it_came_and_one_to_come_takes_no_place() -> None:
    """Who left by the as-of day is shown with 0; who comes after it neither shows nor uses the limit up."""
    book = book_of({"2026-08-01": {level("b"): 1}, "2026-08-02": {level("b"): -1}, "2026-09-01": {level("a"): 1}})
    assert by_segment(read(book, "2026-08-31", segment_limit=1), "segment_customers") == {"b": 0}
    assert by_segment(read(book, "2026-09-01", segment_limit=1), "segment_customers") == {"a": 1, "other": 0}


def test_nps_by_segment_counts_each_respondent_once() -> None:
    """Two promoters, of whom one says less later, and a detractor: 100 x (1 - 1) / 3; absent customers answer too."""
    nps, void = ("segment_nps", "owner", "ann"), ("void_segment_nps", "month", "owner", "ann")
    book = book_of(
        {
            "2026-08-01": {(*nps, "promoter"): 2, (*nps, "detractor"): 1},
            "2026-08-09": {(*nps, "passive"): 1, (*void, "promoter"): 1},
        }
    )
    found = read(book, "2026-08-31")
    assert by_segment(found, "segment_nps", "month") == {"ann": 0}
    assert by_segment(read(book, "2026-08-08"), "segment_nps", "month") == {"ann": Fraction(100, 3)}
    assert by_segment(found, "segment_customers") == {"ann": 0}
    assert by_segment(found, "segment_nps", "previous_month") == {}


def test_settings_choose_dimensions_and_periods() -> None:
    """What is not asked for is not there; without dimensions or periods nothing fails."""
    assert not [key for key in read(OWNERS, "2026-08-31", dimensions=("plan",)) if key[0].startswith("segment")]
    found = read(OWNERS, "2026-08-31", segment_periods=("day", "365d"))
    assert {key[1] for key in found if key[0] == "segment_customers_new"} == {"day", "365d"}
    assert by_segment(found, "segment_customers_lost", "day") == {"ann": 0, "bob": 0}
    found = read(OWNERS, "2026-08-31", segment_periods=())
    assert {key[0] for key in found if key[0].startswith("segment")} == {
        "segment_customers",
        "segment_subscribers",
        "segment_mrr",
    }
    assert not [key for key in read(Book(), "2026-08-31") if key[0].startswith("segment")]


def test_amounts_beyond_64_bits_stay_exact() -> None:
    """Two segments that are shown together, each with more than a sum of both could hold."""
    huge = 1 << 62
    book = book_of({"2026-08-01": {level("a"): 1, level("b"): 1, mrr("a", "new"): huge, mrr("b", "new"): huge - 1}})
    found = read(book, "2026-08-31", segment_limit=0, rates=EURO)
    assert by_segment(found, "segment_mrr") == {"other": Fraction(2 * huge - 1, 10**6)}
    assert by_segment(found, "segment_mrr_movement", "month", "new") == {"other": Fraction(2 * huge - 1, 10**6)}
