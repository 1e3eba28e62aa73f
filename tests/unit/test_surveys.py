"""Surveys: each respondent once a period for nps, every answer for the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from aggregators import surveys
from aggregators.calendar import DAY_MS, Zone, period_number
from aggregators.customers.histories import History, Rewritten
from aggregators.events import Survey
from aggregators.facts import ROLLING_WINDOWS, Facts, key
from aggregators.rules import Rules
from aggregators.surveys import nps_outcome

RULES = Rules(zone=Zone(), dimensions=())
HISTORY: History = []
NOBODY = {"c": Rewritten(HISTORY, HISTORY)}
NOON = DAY_MS // 2


def answer(day: int, score: int, name: str = "a", user: str = "u", kind: str = "nps", **more: object) -> Survey:
    """Make an answer at noon of a day."""
    return Survey(
        id=name, customer_id="c", user_id=user, occurred_at=day * DAY_MS + NOON, kind=kind, score=score, **more
    )  # type: ignore[arg-type]


def facts_of(events: Sequence[Survey]) -> Facts:
    """Fold answers that arrive in this order, one by one."""
    facts, ledgers = Facts(), {}
    for event in events:
        ledgers.update(surveys.apply(RULES, [event], ledgers, NOBODY, facts, Counter())[0])
    return facts


def test_the_days_last_answer_counts_and_ties_go_to_the_greater_id() -> None:
    """Two answers of one instant are one, the greater id's."""
    facts = facts_of([answer(10, 10, "a"), answer(10, 0, "b")])
    assert facts == Facts({10: {key("nps", "detractor"): 1}})


def test_a_later_answer_supersedes_in_the_windows_that_hold_both() -> None:
    """Eight days apart: not in one week, yet in one month.

    day   10 ........ 18 ......... 40
          promoter    detractor    the window of 30 days has left day 10
    """
    facts = facts_of([answer(10, 9, "a"), answer(18, 3, "b")])
    assert facts.days[18][key("void_nps", "30d", "promoter")] == 1
    assert facts.days[40] == {key("void_nps", "30d", "promoter"): -1}
    assert key("void_nps", "7d", "promoter") not in facts.days[18]
    assert facts.days[18][key("void_nps", "month", "promoter")] == 1


def test_single_contacts_count_every_answer() -> None:
    """csat, ces and fcr count each answer by its outcome; a ces outcome is its score."""
    facts = facts_of(
        [
            answer(1, 4, "a", kind="csat"),
            answer(1, 3, "b", kind="csat"),
            answer(1, 7, "c", kind="ces"),
            answer(1, 1, "d", kind="fcr"),
            answer(1, 0, "e", kind="fcr"),
        ]
    )
    assert facts.nonzero()[1] == {
        key("csat", "satisfied"): 1,
        key("csat", "unsatisfied"): 1,
        key("ces", "7"): 1,
        key("fcr", "resolved"): 1,
        key("fcr", "unresolved"): 1,
    }


def test_a_revision_may_change_everything() -> None:
    """An answer revised to another user, kind and day leaves nothing of itself."""
    revised = answer(30, 5, "a", "v", "csat", revision=1)
    assert (
        facts_of([answer(10, 9, "a", "u"), revised]) == facts_of([revised]) == facts_of([revised, answer(10, 9, "a")])
    )


answers = st.builds(
    answer,
    st.integers(0, 120),
    st.integers(0, 10),
    st.sampled_from("abcdef"),
    st.sampled_from("uv"),
    revision=st.sampled_from([0, 0, 1]),
    withdrawn=st.booleans(),
)


@given(st.lists(answers, min_size=1, max_size=10), st.randoms(use_true_random=False))
def test_any_order_the_same_facts_and_each_respondent_once(events: list[Survey], random: object) -> None:
    """Windows hold each respondent once, with its last answer, however the answers arrived."""
    facts = facts_of(events)
    random.shuffle(events)  # type: ignore[attr-defined]
    again = facts_of([*events, *events[:3]])
    assert facts == again
    ledgers, _ = surveys.apply(RULES, events, {}, NOBODY, Facts(), Counter())
    assert surveys.fold(RULES, ledgers["sc"], []) == facts

    standing: dict[str, Survey] = {}
    for event in events:
        if event.id not in standing or surveys.verdict(standing[event.id], event)[1]:
            standing[event.id] = event
    last: dict[str, list[tuple[int, str, int]]] = {}
    for event in standing.values():
        if not event.withdrawn:
            last.setdefault(event.user_id, []).append((event.occurred_at // DAY_MS, event.id, event.score))

    def total(fact_key: str, first: int, end: int) -> int:
        return sum(amounts.get(fact_key, 0) for day, amounts in facts.days.items() if first <= day <= end)

    for end in range(0, 150, 7):
        for window, length in ROLLING_WINDOWS.items():
            expected = Counter(
                nps_outcome(max(a for a in given if end - length < a[0] <= end)[2])
                for given in last.values()
                if any(end - length < a[0] <= end for a in given)
            )
            for outcome in ("promoter", "passive", "detractor"):
                counted = total(key("nps", outcome), end - length + 1, end)
                assert counted - total(key("void_nps", window, outcome), -1000, end) == expected[outcome]
        first = min(
            day for day in range(end - 31, end + 1) if period_number("month", day) == period_number("month", end)
        )
        expected = Counter(
            nps_outcome(max(a for a in given if first <= a[0] <= end)[2])
            for given in last.values()
            if any(first <= a[0] <= end for a in given)
        )
        for outcome in ("promoter", "passive", "detractor"):
            counted = total(key("nps", outcome), first, end) - total(key("void_nps", "month", outcome), first, end)
            assert counted == expected[outcome]
