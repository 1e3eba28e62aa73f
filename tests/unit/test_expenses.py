"""Expenses: each counts by itself, once, as its greatest revision says."""

from __future__ import annotations

from collections import Counter

from aggregators import expenses
from aggregators.calendar import DAY_MS, Zone
from aggregators.events import Expense
from aggregators.facts import Facts, key
from aggregators.rules import Rules

RULES = Rules(zone=Zone("America/New_York"))


def expense(name: str, amount: str, at: int = 10 * DAY_MS, **more: object) -> Expense:
    """Make an expense of a cost centre."""
    fields = {"category": "retention", "currency": "USD", **more}
    return Expense(id=name, customer_id="support", occurred_at=at, amount=amount, **fields)  # type: ignore[arg-type]


def test_expenses_add_up_by_day_category_and_currency() -> None:
    """Midnight in UTC is the evening before in New York."""
    facts = Facts()
    events = [expense("a", "10.5"), expense("b", "2"), expense("c", "1", category="acquisition", currency="EUR")]
    ledgers = expenses.apply(RULES, events, {}, facts, Counter())
    assert facts.nonzero() == {
        9: {key("expense", "retention", "USD"): 12_500_000, key("expense", "acquisition", "EUR"): 1_000_000}
    }
    whole = Facts()
    for packed in ledgers.values():
        whole.merge(expenses.fold(RULES, packed))
    assert whole == facts


def test_an_expense_is_revised_and_taken_back_across_batches() -> None:
    """A greater revision takes the place of what is stored; a withdrawal leaves nothing."""
    facts, outcomes, ledgers = Facts(), Counter[str](), {}
    for event in (
        expense("a", "10"),
        expense("a", "10"),
        expense("a", "11"),
        expense("a", "7", revision=2),
        expense("a", "99", revision=1),
    ):
        ledgers.update(expenses.apply(RULES, [event], ledgers, facts, outcomes))
    assert facts.nonzero() == {9: {key("expense", "retention", "USD"): 7_000_000}}
    assert outcomes == {"expense/accepted": 1, "expense/duplicate": 1, "expense/conflict": 1, "expense/revised": 2}
    ledgers.update(expenses.apply(RULES, [expense("a", "7", revision=3, withdrawn=True)], ledgers, facts, outcomes))
    assert facts == Facts()
    assert expenses.fold(RULES, next(iter(ledgers.values()))) == Facts()


def test_ids_belong_to_their_cost_centre() -> None:
    """The same id of another centre is another expense, and no two names run together."""
    one = expense("b\x1fc", "1")
    other = Expense(id="c", customer_id="support\x1fb", occurred_at=0, amount="1", category="retention", currency="USD")
    assert expenses.field(one) != expenses.field(other)
