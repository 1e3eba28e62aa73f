"""The reader's formulas against states compared day by day: at start and what happened give at end, whatever happened.

Random customers have a state at the end of every day. Their facts are made from those states by the definitions
alone (a void is what the flows of a window say less what its two ends say), and so are the expected metrics.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from functools import cache

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from metrics_support import day, settings

from aggregators.facts import CALENDAR_WINDOWS, ROLLING_WINDOWS, Facts, key
from aggregators.metrics import Book, periods, samples
from aggregators.rates import Rates

FIRST, QUIET, LAST = day("2025-12-20"), day("2026-02-10"), day("2026-03-15")
"""Nobody is there on the first day, and nothing changes from the quiet day on but what windows say."""
RATES = Rates.parse(
    '{"EUR": {"2025-12-25": "1.1", "2025-12-31": "1.203", "2026-01-15": "0.97", "2026-02-03": "1.4"}}', "rates.json"
)
CURRENCIES = ("USD", "EUR", "JPY")
"""The yen has no rate."""
MOVEMENTS = ("new", "expansion", "contraction", "churn", "reactivation")

State = tuple[bool, dict[str, int]]
"""Whether a customer is present, and its MRR by currency, without zeros."""
NOBODY: State = (False, {})

_STATES = st.one_of(
    st.just(NOBODY),
    st.just((True, {})),
    st.dictionaries(st.sampled_from(CURRENCIES), st.integers(1, 5), min_size=1).map(lambda mrr: (True, mrr)),
)
_CUSTOMERS = st.lists(st.dictionaries(st.integers(FIRST + 1, QUIET), _STATES, max_size=9), min_size=1, max_size=4)


class World:
    """The states of some customers at the end of every day."""

    def __init__(self, customers: list[dict[int, State]]) -> None:
        """Carry each customer's state on from one change to the next, and add up what happened."""
        self.customers: list[dict[int, State]] = []
        for changes in customers:
            states, state = {FIRST: NOBODY}, NOBODY
            for date in range(FIRST + 1, LAST + 1):
                state = states[date] = changes.get(date, state)
            self.customers.append(states)
        self.flows = {date: self._flows(date) for date in range(FIRST + 1, LAST + 1)}
        self.voids = cache(self._voids)

    def between(self, before: int, last: int) -> Counter[tuple[str, ...]]:
        """Give the sum of the ordinary facts after one day and up to another."""
        found: Counter[tuple[str, ...]] = Counter()
        for date in range(max(before, FIRST) + 1, last + 1):
            for name, amount in self.flows[date].items():
                found[name] += amount
        return found

    def compared(self, before: int, last: int) -> Counter[tuple[str, ...]]:
        """Give what two days' states say: who was lost and gained, and the MRR that fell, came and was kept."""
        found: Counter[tuple[str, ...]] = Counter()
        for states in self.customers:
            (was, old), (now, new) = states.get(before, NOBODY), states.get(last, NOBODY)
            found["customers",] += was
            found["customers_lost",] += was and not now
            found["customers_gained",] += now and not was
            found["subscribers",] += bool(old)
            found["subscribers_lost",] += bool(old) and not new
            found["subscribers_gained",] += bool(new) and not old
            for currency in CURRENCIES:
                at_start, at_end = old.get(currency, 0), new.get(currency, 0)
                found["start", currency] += at_start
                found["end", currency] += at_end
                found["gross", currency] += min(at_start, at_end)
                found["net", currency] += at_end if old else 0
        return found

    def facts(self) -> Facts:
        """Give all facts: flows as they are, rolling voids as steps of a level, calendar voids as flows."""
        facts = Facts()
        for date, flows in self.flows.items():
            for name, amount in flows.items():
                facts.add(date, key(*name), amount)
            for window, voids, before in self._steps(date):
                for (measure, *labels), amount in voids.items():
                    facts.add(date, key(measure, window, *labels), amount - before[(measure, *labels)])
        return facts

    def _flows(self, date: int) -> Counter[tuple[str, ...]]:
        found: Counter[tuple[str, ...]] = Counter()
        for states in self.customers:
            (was, old), (now, new) = states[date - 1], states[date]
            present_before, paid_before = (any(states[d][part] for d in range(FIRST, date)) for part in (0, 1))
            found["churned", "x"] += was and not now
            found["returned" if present_before else "new",] += now and not was
            found["subscribers_left",] += bool(old) and not new
            found["subscribers_came",] += bool(new) and not old
            for currency in {*old, *new}:
                change = new.get(currency, 0) - old.get(currency, 0)
                if change > 0:
                    movement = "expansion" if old else "reactivation" if paid_before else "new"
                else:
                    movement = "contraction" if new else "churn"
                found["mrr", movement, currency, "x" if movement == "churn" else ""] += change
        return found

    def _voids(self, before: int, last: int) -> Counter[tuple[str, ...]]:
        flows, ends = self.between(before, last), self.compared(before, last)
        found = Counter(
            {
                ("void_customers",): flows["churned", "x"] - ends["customers_lost",],
                ("void_subscribers",): flows["subscribers_left",] - ends["subscribers_lost",],
            }
        )
        for currency in CURRENCIES:
            fallen = -flows["mrr", "churn", currency, "x"] - flows["mrr", "contraction", currency, ""]
            come = flows["mrr", "new", currency, ""] + flows["mrr", "reactivation", currency, ""]
            found["void_mrr_gross", currency] = fallen - (ends["start", currency] - ends["gross", currency])
            found["void_mrr_net", currency] = come - (ends["end", currency] - ends["net", currency])
        return found

    def _steps(self, date: int) -> Iterator[tuple[str, Counter, Counter]]:
        """Give each window's voids on a day, and those the day before that they go on from."""
        for window, days in ROLLING_WINDOWS.items():
            yield window, self.voids(date - days, date), self.voids(date - 1 - days, date - 1)
        for period in periods(date):
            if period.name in CALENDAR_WINDOWS:
                begins = date == period.start
                before = Counter() if begins else self.voids(period.before, date - 1)
                yield period.window, self.voids(period.before, date), before


def converted(natives: Counter, name: str, date: int) -> Fraction:
    """Convert what is counted by currency under a name at one day's rates; the yen is left out."""
    return sum(natives[name, c] * Fraction(RATES.at(c, date), RATES.scale * 10**6) for c in ("USD", "EUR"))


@hypothesis_settings(deadline=None, max_examples=30)
@given(_CUSTOMERS, st.lists(st.integers(FIRST, LAST), min_size=1, max_size=3))
def test_every_period_says_what_the_states_at_its_two_ends_say(customers: list, days: list[int]) -> None:
    """Lost, gained, kept MRR, movements at daily rates and fx: all as the definitions give them, exactly."""
    world, book = World(customers), Book()
    book.update(0, world.facts().days)
    for as_of in days:
        found = {
            (family.name.removeprefix("growth_"), *sample.labels): sample.value
            for family in samples(book, settings(rates=RATES), as_of)
            for sample in family.samples
        }
        for period in periods(as_of):
            ends = world.compared(period.before, period.last)
            for noun in ("customers", "subscribers"):
                for what in ("lost", "gained"):
                    assert found[f"{noun}_{what}", period.name] == ends[f"{noun}_{what}",]
                assert found[f"{noun}_at_start", period.name] == ends[noun,]
            start, end = converted(ends, "start", period.before), converted(ends, "end", period.last)
            for kind in ("gross", "net"):
                kept = found.get(("revenue_retention_ratio", period.name, kind))
                assert kept == (converted(ends, kind, period.before) / start if start else None)
            assert found["mrr_at_start", period.name] == start
            moved = {name: found["mrr_movement", period.name, name] for name in (*MOVEMENTS, "fx")}
            assert start + sum(moved.values()) == end
            expected = dict.fromkeys(MOVEMENTS, Fraction(0))
            for date in range(max(period.start, FIRST + 1), period.last + 1):
                for (measure, *labels), amount in world.flows[date].items():
                    if measure == "mrr" and labels[1] != "JPY":
                        rate = Fraction(RATES.at(labels[1], date), RATES.scale * 10**6)
                        expected[labels[0]] += amount * rate
            assert {name: moved[name] for name in MOVEMENTS} == expected
        assert found["mrr",] == converted(world.compared(as_of, as_of), "end", as_of)
