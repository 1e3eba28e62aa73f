"""The bounds of the rules: each is stated once, holds for the setting, and every fold works at both of its ends."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from annotated_types import Ge, Le

from aggregators.batch import fold_batch, touched
from aggregators.calendar import DAY_MS, Zone
from aggregators.events import Cancellation, Event, Expense, Payment, Session, Sessions, Signup, Survey
from aggregators.facts import Facts
from aggregators.rules import BOUNDS, Rules
from growthgauge.settings import Settings

NEW_YORK = Zone("America/New_York")
ENDS = [(name, value) for name, bounds in BOUNDS.items() for value in bounds]
START = 19_000 * DAY_MS


def made(number: int) -> dict[str, Any]:
    """Give the envelope of an event some days after the start."""
    return {"id": f"e{number}", "customer_id": "c", "occurred_at": START + number * 40 * DAY_MS}


EVENTS: list[Event] = [
    Signup(**made(0), plan="pro", trial_ends_at=START + 3 * DAY_MS),
    Payment(**made(1), amount="9", recurring_amount="9", currency="EUR", plan="pro"),
    Payment(**made(2), amount="5", recurring_amount="5", currency="EUR", interval="one_time"),
    Cancellation(**made(3), effective_at=START + 130 * DAY_MS),
    Survey(**made(4), kind="nps", score=9, user_id="u"),
    Expense(**made(5), category="retention", amount="7", currency="EUR"),
]
ROWS = [
    Session(f"s{day}", "c", f"u{day % 3}", START + day * DAY_MS, 1000, 1, ("a", "b"))
    for day in (0, 1, 99, 254, 255, 400)
]


def fold(rules: Rules, batches: list[tuple[list[Session], list[Event]]]) -> tuple[Facts, dict[str, dict[str, bytes]]]:
    """Give the facts and ledgers after some batches."""
    facts = Facts()
    ledgers: dict[Any, dict[str, bytes]] = {"users": {}, "customers": {}}
    for rows, events in batches:
        sessions = Sessions.of(rows)
        wanted = touched(sessions, events)
        held = {
            space: {name: ledgers[space][name] for name in names if name in ledgers[space]}
            for space, names in wanted.items()
        }
        folded = fold_batch(rules, sessions, events, held)
        facts.merge(folded.facts)
        for space, changed in folded.ledgers.items():
            ledgers[space] |= changed
    return facts, ledgers


def test_every_whole_number_has_bounds() -> None:
    """A rule that is a whole number cannot be forgotten here: only the weights, which compare alone, and the tag."""
    whole = {
        field.name for field in msgspec.structs.fields(Rules) if field.type in {int, int | None, "int", "int | None"}
    }
    assert whole - {"tag"} == BOUNDS.keys()


@pytest.mark.parametrize("name", BOUNDS)
def test_a_setting_has_the_bounds_of_its_rule(name: str) -> None:
    """What a setting lets through, the rules take, and nothing more."""
    metadata = Settings.model_fields[name].metadata
    assert [each.ge for each in metadata if isinstance(each, Ge)] == [BOUNDS[name][0]]
    assert [each.le for each in metadata if isinstance(each, Le)] == [BOUNDS[name][1]]


@pytest.mark.parametrize(("name", "value"), ENDS)
def test_folds_work_at_both_ends(name: str, value: int) -> None:
    """Events of every type fold under the least and the greatest value of each rule, in any split and order."""
    rules = Rules(zone=NEW_YORK, **{name: value})
    whole, _ = fold(rules, [(ROWS, EVENTS)])
    split, _ = fold(rules, [([row], []) for row in ROWS] + [([], [event]) for event in reversed(EVENTS)])
    assert whole == split
    assert whole.nonzero()


BEYOND = [(name, beyond) for name, (least, most) in BOUNDS.items() for beyond in (least - 1, most + 1)]


@pytest.mark.parametrize(("name", "value"), BEYOND)
def test_rules_beyond_their_bounds_are_refused(name: str, value: int) -> None:
    """Whoever makes the rules: the sentence names the rule and its bounds."""
    least, most = BOUNDS[name]
    with pytest.raises(ValueError, match=f"{name} is {value}: set it to at least {least} and at most {most}"):
        Rules(zone=NEW_YORK, **{name: value})


def test_the_window_of_ids_is_shorter_than_what_an_id_keeps_of_its_day() -> None:
    """An id keeps the low byte of its day: two days of one window must never look alike."""
    assert BOUNDS["dedupe_days"][1] < 1 << 8
