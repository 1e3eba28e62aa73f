"""Customers, subscribers and their ratios, from facts made by hand."""

from __future__ import annotations

from fractions import Fraction

from metrics_support import book_of, day, read, settings

from aggregators.metrics import CATALOGUE, Book, samples


def test_before_any_data_levels_and_counts_are_0_and_ratios_are_left_out() -> None:
    """Known label sets are there with 0 in all periods; open ones and all that divides are not."""
    found = read(Book(), "2026-08-19")
    assert found["customers",] == found["subscribers",] == found["mrr",] == found["arr",] == 0
    assert found["customers_new", "month"] == found["customers_lost", "365d"] == 0
    assert {name for name in found if name[0] == "payments" and name[1] == "day"} == {
        ("payments", "day", status) for status in ("succeeded", "failed", "refunded")
    }
    assert {labels[-1] for labels in found if labels[0] == "mrr_movement"} == {
        "new",
        "expansion",
        "contraction",
        "churn",
        "reactivation",
        "fx",
    }
    assert all(value == 0 for (name, *_), value in found.items() if "timestamp" not in name and "info" not in name)
    assert not [name for name, *_ in found if name.endswith("_ratio")]
    assert not {name for name, *_ in found} & {
        "arpa",
        "nps",
        "ces_score",
        "mrr_native",
        "customers_churned",
        "mrr_churned",
        "average_sale_price",
        "lifetime_value",
    }


def test_the_catalogue_names_each_metric_once_with_one_line_of_help() -> None:
    """Names are unique and prefixed, helps are one sentence that ends with a full stop."""
    names = [metric.name for metric in CATALOGUE]
    assert len(names) == len(set(names))
    for metric in CATALOGUE:
        assert metric.name.startswith("growth_")
        assert metric.help.endswith(".")
        assert "\n" not in metric.help
        assert metric.unit == "ratio" or not metric.name.endswith("_ratio")


def test_retention_of_the_published_example() -> None:
    """70 customers, 30 gained, 10 of the 70 lost: retention 60/70."""
    book = book_of(
        {
            "2026-07-31": {"new": 70},
            "2026-08-05": {"new": 28, "returned": 2},
            "2026-08-09": {("churned", "lapsed"): 7, ("churned", "price"): 3},
        }
    )
    found = read(book, "2026-08-31")
    assert found["customers",] == 90
    assert found["customers_at_start", "month"] == 70
    assert found["customers_new", "month"] == 28
    assert found["customers_returned", "month"] == 2
    assert found["customers_gained", "month"] == 30
    assert found["customers_lost", "month"] == 10
    assert found["customers_churned", "month", "lapsed"] == 7
    assert found["customers_churned", "month", "price"] == 3
    assert found["customers_churned", "7d", "price"] == 0
    assert found["customer_churn_ratio", "month"] == Fraction(1, 7)
    assert found["customer_retention_ratio", "month"] == Fraction(60, 70)
    assert ("customer_churn_ratio", "year") not in found


def test_voids_are_levels_in_windows_and_flows_in_calendar_periods() -> None:
    """Who came and left within one period is neither gained nor lost in it; each period reads its own void.

    ::

        Aug   1 ......... 10 ........ 12 ........ 18 ..... 19
              period      come        left        7d       as of
        30d   void 1 from the 12th on; month: +1 on the 12th; 7d: 1 from the 12th, back to 0 on the 17th
    """
    book = book_of(
        {
            "2026-07-01": {"new": 5},
            "2026-08-10": {"new": 1},
            "2026-08-12": {
                ("churned", "x"): 1,
                ("void_customers", "7d"): 1,
                ("void_customers", "30d"): 1,
                ("void_customers", "week"): 1,
                ("void_customers", "month"): 1,
            },
            "2026-08-17": {("void_customers", "7d"): -1},
        }
    )
    in_august = read(book, "2026-08-19")
    assert in_august["customers_lost", "month"] == 0
    assert in_august["customers_gained", "month"] == 0
    assert in_august["customers_lost", "30d"] == 0
    # The 7 days begin on the 13th: nothing in them, and no void left.
    assert in_august["customers_lost", "7d"] == 0
    assert in_august["customers_lost", "previous_week"] == 0
    assert in_august["customers_churned", "previous_week", "x"] == 1
    at_once = read(book, "2026-08-12")
    assert at_once["customers_lost", "7d"] == at_once["customers_lost", "week"] == 0
    # On the day itself the customer was there in the morning.
    assert at_once["customers_lost", "day"] == 1
    in_september = read(book, "2026-09-19")
    assert in_september["customers_lost", "previous_month"] == 0
    assert in_september["customers_gained", "previous_month"] == 0
    assert in_september["customers_lost", "month"] == 0


def test_subscribers() -> None:
    """Subscribers are counted like customers, with voids of their own."""
    book = book_of(
        {
            "2026-07-31": {"subscribers_came": 8},
            "2026-08-05": {"subscribers_came": 3, "subscribers_left": 2, ("void_subscribers", "month"): 1},
            "2026-09-30": {"subscribers_left": 9},
        }
    )
    found = read(book, "2026-08-31")
    assert found["subscribers",] == 9
    assert found["subscribers_at_start", "month"] == 8
    assert found["subscribers_churned", "month"] == 2
    assert found["subscribers_gained", "month"] == 2
    assert found["subscribers_lost", "month"] == 1
    assert found["subscriber_churn_ratio", "month"] == Fraction(1, 8)


def test_events_are_counted_on_their_day_and_scheduled_cancellations_are_a_level() -> None:
    """Signups and cancellations are flows; a cancellation ahead counts until it takes effect."""
    book = book_of(
        {
            "2026-08-18": {"signups": 3, "cancellations": 2, "cancellations_scheduled": 2},
            "2026-08-19": {"signups": 1},
            "2026-08-20": {"cancellations_scheduled": -1},
        }
    )
    found = read(book, "2026-08-19")
    assert found["signups", "day"] == 1
    assert found["signups", "week"] == 4
    assert found["cancellations", "previous_day"] == 2
    assert found["cancellations_scheduled",] == 2
    assert read(book, "2026-08-20")["cancellations_scheduled",] == 1


def test_reasons_stay_once_they_came_and_future_ones_do_not_show() -> None:
    """A reason seen by the as-of day keeps its series in every period; one written ahead has none yet."""
    book = book_of({"2020-01-01": {("churned", "old"): 1}, "2026-08-20": {("churned", "ahead"): 1}})
    reasons = {labels[-1] for labels in read(book, "2026-08-19") if labels[0] == "customers_churned"}
    assert reasons == {"old"}


def test_reasons_beyond_the_limit_are_other() -> None:
    """The reasons of most customers keep their names, ties go by name, the rest adds up under `other`."""
    facts = {("churned", "a"): 1, ("churned", "b"): 5, ("churned", "c"): 1, ("churned", "d"): 1}
    book = book_of({"2026-08-19": {**facts, ("mrr", "churn", "USD", "d"): -3_000_000}})
    found = read(book, "2026-08-19", segment_limit=2)
    assert {labels[-1]: value for labels, value in found.items() if labels[:2] == ("customers_churned", "day")} == {
        "a": 1,
        "b": 5,
        "other": 2,
    }
    assert found["mrr_churned", "day", "other"] == 3


def test_any_text_is_safe_as_a_reason() -> None:
    """Reasons are data: separators, quotes and new lines come out as they went in."""
    reasons = ["", "a\x1fb", "a\x1eb", '"\n\\{}', "é"]
    book = book_of({"2026-08-19": {("churned", reason): 1 for reason in reasons}})
    found = read(book, "2026-08-19")
    assert {labels[-1] for labels in found if labels[0] == "customers_churned"} == set(reasons)


def test_what_is_known_now_about_an_earlier_day() -> None:
    """An earlier as-of day sees its own past alone, whatever has been asked before."""
    book = book_of({"2026-01-01": {"new": 1}, "2026-02-01": {"new": 10}})
    assert read(book, "2026-03-01")["customers",] == 11
    assert read(book, "2026-01-15")["customers",] == 1
    assert read(book, "2025-12-31")["customers",] == 0


def test_families_without_samples_are_left_out() -> None:
    """What has nothing to say on a day is not in the list at all."""
    families = samples(Book(), settings(), day("2026-08-19"))
    assert all(family.samples for family in families)
    assert "growth_customer_churn_ratio" not in {family.name for family in families}
    assert all(len(sample.labels) == len(family.labels) for family in families for sample in family.samples)
