"""The book of running sums against a plain sum of facts."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregators.calendar import LAST_DAY
from aggregators.facts import key
from aggregators.metrics import Book


def test_before_all_facts_everything_is_0() -> None:
    """An empty book, a measure that never came and days before the first fact give 0."""
    book = Book()
    assert book.total("new", 20_000) == 0
    assert book.flow("new", 19_000, 20_000) == 0
    book.update(0, {20_000: {"new": 2}})
    assert book.total("new", 19_999) == 0
    assert book.total("returned", 20_000) == 0


def test_totals_and_flows_add_up_shards_days_and_labels() -> None:
    """A total counts all days up to one, a flow those between two, over all labels that begin as asked."""
    book = Book()
    book.update(0, {10: {key("mrr", "new", "USD", ""): 5}, 12: {key("mrr", "churn", "USD", "x"): -2}})
    book.update(1, {12: {key("mrr", "new", "EUR", ""): 7}})
    assert book.total("mrr", 11) == 5
    assert book.total("mrr", 12) == 10
    assert book.total("mrr", 12, "new") == 12
    assert book.total("mrr", 12, "new", "EUR") == 7
    assert book.flow("mrr", 11, 12) == 5
    assert book.flow("mrr", 11, 12, "churn", "USD", "x") == -2


def test_a_changed_day_replaces_what_its_shard_had_on_it() -> None:
    """A day comes whole: facts that it no longer has are gone, other shards' facts stay."""
    book = Book()
    book.update(0, {10: {"new": 5, "signups": 1}, 11: {"new": 1}})
    book.update(1, {10: {"new": 100}})
    assert book.total("new", 11) == 106
    book.update(0, {10: {"new": 3}})
    assert book.total("new", 11) == 104
    assert book.total("signups", 11) == 0
    book.update(0, {10: {}})
    assert book.total("new", 10) == 100


def test_any_text_is_safe_in_a_label() -> None:
    """Labels that hold the separator, the escape or nothing at all are told apart."""
    book = Book()
    reasons = ["", "a", "a\x1fb", "a\x1eb", "a\x1e1b", 'a"b\n\\', "ü€\x00"]
    book.update(0, {1: {key("churned", reason): n for n, reason in enumerate(reasons, 1)}})
    assert [book.total("churned", 1, reason) for reason in reasons] == [1, 2, 3, 4, 5, 6, 7]
    assert list(book.columns("churned")) == [(reason,) for reason in reasons]


def test_distant_days_cost_a_row_and_not_a_calendar() -> None:
    """Facts in the year 1 or 9999 are read like any other and leave the matrix small."""
    book = Book()
    book.update(0, {-719_000: {"new": 1}, 20_000: {"new": 1}, LAST_DAY: {"new": 1}})
    assert book.total("new", 20_000) == 2
    assert book.total("new", LAST_DAY) == 3
    assert book._sums.size < 10_000


def test_days_ahead_wait_outside_the_matrix() -> None:
    """What folds write ahead costs nothing until its day is asked for, however often it changes."""
    book = Book()
    book.update(0, {day: {"new": 1} for day in range(10_000)})
    assert book.total("new", 9) == 10
    assert len(book._days) == 10
    book.update(0, {5_000: {"new": 7}, 5_001: {}})
    assert len(book._days) == 10
    assert book.total("new", 5_001) == 5_007


@pytest.mark.parametrize("amount", [2**61, 2**62, 2**63 - 1, 2**64, -(2**63), 10**30])
def test_sums_beyond_64_bits_are_exact(amount: int) -> None:
    """Where 64 bits could overflow the book goes on in Python's integers."""
    book = Book()
    book.update(0, {1: {"new": 1, "a": amount}, 2: {"a": amount}})
    assert book.total("a", 2) == 2 * amount
    book.update(1, {day: {"a": amount} for day in range(100)})
    assert book.total("a", 99) == 102 * amount
    assert book.total("new", 99) == 1
    book.update(1, {day: {} for day in range(100)})
    assert book.total("a", 99) == 2 * amount


def test_a_sum_of_columns_may_pass_64_bits() -> None:
    """Each column fits into 64 bits and their sum does not: it is exact all the same."""
    book = Book()
    book.update(0, {1: {key("cash", kind, "VND"): 2**61 for kind in "abcdefgh"}})
    assert book.total("cash", 1) == 2**64


_DAYS = st.one_of(st.integers(0, 12), st.sampled_from([-500, 40, 3_000_000]))
_AMOUNTS = st.one_of(st.integers(-5, 5), st.sampled_from([2**60, -(2**61), 2**63, 10**20]))
_UPDATES = st.tuples(
    st.integers(0, 2), st.dictionaries(_DAYS, st.dictionaries(st.sampled_from("abcdef"), _AMOUNTS, max_size=4))
)
_QUERIES = st.tuples(
    st.sampled_from("abcdefg"), st.lists(st.one_of(_DAYS, st.integers(-2, 15)), min_size=1, max_size=4)
)


@given(st.lists(st.one_of(_UPDATES, _QUERIES), max_size=12))
def test_any_updates_and_questions_agree_with_a_plain_sum(steps: list) -> None:
    """Whatever is updated and asked in whatever order, an answer is the sum of the facts at that time."""
    book, facts = Book(), {}
    for first, second in steps:
        if isinstance(first, int):
            book.update(first, second)
            facts.update({(first, day): of_day for day, of_day in second.items()})
            continue
        sums = Counter()
        for days in second:
            sums[days] = sum(of_day.get(first, 0) for (_, day), of_day in facts.items() if day <= days)
        assert [book.total(first, day) for day in second] == [sums[day] for day in second]
        assert book.flow(first, second[0], second[-1]) == sums[second[-1]] - sum(
            of_day.get(first, 0) for (_, day), of_day in facts.items() if day < second[0]
        )


def test_what_has_come_is_told_by_the_days_up_to_one() -> None:
    """A level that is 0 again has come; one that nets out within its day, or comes later, has not."""
    book = Book()
    book.update(0, {10: {key("plan_subscriptions", "a"): 2, key("plan_subscriptions", "b"): 1}})
    book.update(1, {10: {key("plan_subscriptions", "b"): -1}, 12: {key("plan_subscriptions", "a"): -2}})
    book.update(1, {12: {key("plan_subscriptions", "a"): -2}, 14: {key("plan_subscriptions", "c"): 1}})
    assert book.come("plan_subscriptions", 9) == {}
    assert book.come("plan_subscriptions", 10) == {("a",): 2}
    assert book.come("plan_subscriptions", 13) == {("a",): 0}
    assert book.come("plan_subscriptions", 14) == {("a",): 0, ("c",): 1}
    assert book.come("plan_mrr", 14) == {}


def test_each_column_on_a_day_of_its_own() -> None:
    """Sums of several columns, each up to the end of another day."""
    book = Book()
    book.update(0, {10: {"new": 5, "signups": 1}, 12: {"new": 1, "signups": 3}})
    columns = [book.columns(name)[()] for name in ("new", "signups")]
    assert book.each(np.array([[10, 12], [9, 11], [12, 10]]), columns).tolist() == [[5, 4], [0, 1], [6, 1]]
    assert book.each(np.empty((2, 0), np.int64), []).shape == (2, 0)
