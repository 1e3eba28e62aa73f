"""The main metrics by plan, country, channel and owner, and subscriptions by their own plan.

Which values are beyond the limit is told by the customers of the as-of day; of the values without any, those take part,
by name, that a customer present at the end of some day up to it has had, or one who answered to nps at the end of the
answer's day. A move between two values is a move also where both are beyond the limit: `other` then shows it as both
`left` and `entered`.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING

from .customers import names_within
from .days import ONE_DAY, Period, day_of, periods
from .sheet import Sheet
from .timeline import State, Subscription
from .voice import last_answers, outcome

if TYPE_CHECKING:
    from .book import Reference

UNKNOWN = "unknown"
Namer = Callable[[State], str]


def plan_of(subscription: Subscription, state: State) -> str:
    """A subscription's own plan."""
    return subscription.payment.get("plan") or state.attributes.get("signup_plan") or UNKNOWN


def segment(state: State, dimension: str) -> str:
    """A customer's segment in a dimension."""
    if dimension == "plan" and state.subscriptions:
        greatest = min(state.subscriptions, key=lambda name: (-state.subscriptions[name].monthly, name))
        return plan_of(state.subscriptions[greatest], state)
    return state.attributes.get(dimension) or UNKNOWN


def write(book: "Reference", as_of: date, sheet: Sheet) -> None:
    """Write the group's samples."""
    _plans(book, as_of, sheet)
    for dimension in book.settings.dimensions:
        count: Counter[str] = Counter()
        for line in book.timelines.values():
            ends = [line.at_end_of(day) for day in line.days if day <= as_of]
            count.update({segment(state, dimension): 0 for state in ends if state.present})
        for day, event in book.dated["survey"]:
            if event["kind"] == "nps" and day <= as_of:
                count[segment(book.timelines[event["customer_id"]].at_end_of(day), dimension)] += 0
        count.update(segment(state, dimension) for state in book.states(as_of).values() if state.present)
        namer = names_within(book.settings.segment_limit, count)

        def name_of(state: State, dimension: str = dimension, namer: Callable[[str], str] = namer) -> str:
            return namer(segment(state, dimension))

        _levels(book, as_of, dimension, name_of, sheet)
        for period in periods(as_of):
            if period.name in book.settings.segment_periods:
                _customers(book, period, dimension, name_of, sheet)
                _movements(book, period, dimension, namer, sheet)
                _nps(book, period, dimension, name_of, sheet)


def _plans(book: "Reference", as_of: date, sheet: Sheet) -> None:
    number: Counter[str] = Counter()
    money: dict[str, Fraction] = defaultdict(Fraction)
    for state in book.states(as_of).values():
        for subscription in state.subscriptions.values():
            plan = plan_of(subscription, state)
            number[plan] += 1
            money[plan] += book.settings.convert({subscription.currency: subscription.monthly}, as_of)
    for plan in number:
        sheet.put_open("growth_plan_subscriptions", number[plan], plan=plan)
        sheet.put_open("growth_plan_mrr", money[plan], plan=plan)


def _worth(book: "Reference", day: date, name_of: Namer) -> dict[str, Fraction]:
    """MRR by segment at the end of a day."""
    worth: dict[str, Fraction] = defaultdict(Fraction)
    for state in book.states(day).values():
        worth[name_of(state)] += book.settings.convert(state.mrr, day)
    return worth


def _levels(book: "Reference", as_of: date, dimension: str, name_of: Namer, sheet: Sheet) -> None:
    now = book.states(as_of).values()
    for name, number in Counter(name_of(state) for state in now if state.present).items():
        sheet.put("growth_segment_customers", number, dimension=dimension, segment=name)
    for name, number in Counter(name_of(state) for state in now if state.subscriber).items():
        sheet.put("growth_segment_subscribers", number, dimension=dimension, segment=name)
    for name, worth in _worth(book, as_of, name_of).items():
        sheet.put_open("growth_segment_mrr", worth, dimension=dimension, segment=name)


def _customers(book: "Reference", period: Period, dimension: str, name_of: Namer, sheet: Sheet) -> None:
    new = Counter(
        name_of(book.timelines[flow.customer].at_end_of(flow.day))
        for flow in book.flows(period)
        if flow.measure == "new"
    )
    start, end = book.states(period.before), book.states(period.last)
    old = Counter(name_of(state) for state in start.values() if state.present)
    lost = Counter(name_of(state) for name, state in start.items() if state.present and not end[name].present)
    for name in sorted({*new, *old}):
        labels = {"period": period.name, "dimension": dimension, "segment": name}
        sheet.put_open("growth_segment_customers_new", new[name], **labels)
        sheet.put_open("growth_segment_customers_lost", lost[name], **labels)
        sheet.ratio("growth_segment_customer_churn_ratio", lost[name], old[name], **labels)


def _movements(book: "Reference", period: Period, dimension: str, namer: Callable[[str], str], sheet: Sheet) -> None:
    def name_of(state: State) -> str:
        return namer(segment(state, dimension))

    moved: dict[tuple[str, str], Fraction] = defaultdict(Fraction)
    for flow in book.flows(period):
        if flow.measure == "movement":
            line = book.timelines[flow.customer]
            day = flow.day - ONE_DAY if flow.label == "churn" else flow.day
            worth = book.settings.convert({flow.currency: flow.amount}, flow.day)
            moved[name_of(line.at_end_of(day)), flow.label] += worth
    for line in book.timelines.values():
        for day in sorted({day for day in line.days if day in period}):
            before, after = line.at_end_of(day - ONE_DAY), line.at_end_of(day)
            if before.subscriber and after.subscriber and segment(before, dimension) != segment(after, dimension):
                worth = book.settings.convert(before.mrr, day)
                moved[name_of(before), "left"] -= worth
                moved[name_of(after), "entered"] += worth
    start, end = _worth(book, period.before, name_of), _worth(book, period.last, name_of)
    for name in sorted({*start, *end, *(name for name, _ in moved)}):
        told = sum((worth for (other, _), worth in moved.items() if other == name), Fraction(0))
        moved[name, "fx"] = end.get(name, Fraction(0)) - start.get(name, Fraction(0)) - told
    for (name, movement), worth in moved.items():
        labels = {"period": period.name, "dimension": dimension, "segment": name, "movement": movement}
        sheet.put_open("growth_segment_mrr_movement", worth, **labels)


def _nps(book: "Reference", period: Period, dimension: str, name_of: Namer, sheet: Sheet) -> None:
    count: dict[str, Counter[str]] = defaultdict(Counter)
    for event in last_answers([event for _, event in book.happened("survey", period)]):
        day = day_of(event["occurred_at"], book.settings.zone)
        count[name_of(book.timelines[event["customer_id"]].at_end_of(day))][outcome("nps", event["score"])] += 1
    for name, answers in count.items():
        balance = 100 * (answers["promoter"] - answers["detractor"])
        labels = {"period": period.name, "dimension": dimension, "segment": name}
        sheet.ratio("growth_segment_nps", balance, sum(answers.values()), **labels)
