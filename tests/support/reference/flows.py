"""What one customer's day changed: the end of the day before against the end of the day."""

from dataclasses import dataclass
from datetime import date

from .timeline import State


@dataclass(frozen=True)
class Flow:
    """A change of a customer on a day. `measure` names it; the rest (`amount` in millionths) where it applies."""

    customer: str
    day: date
    measure: str
    label: str = ""
    currency: str = ""
    amount: int = 0


@dataclass
class Past:
    """What was true of a customer at the end of any day before."""

    present: bool = False
    subscriber: bool = False


def flows_between(customer: str, day: date, before: State, after: State, past: Past) -> list[Flow]:
    """The flows of one day of one customer; remembers the day in `past`, so days must come in order."""
    if before is after:
        return []
    flows = [Flow(customer, day, *rest) for rest in (*_presence(before, after, past), *_movements(before, after, past))]
    past.present |= after.present
    past.subscriber |= after.subscriber
    return flows


def _presence(before: State, after: State, past: Past) -> list[tuple]:
    flows = []
    if after.present and not before.present:
        flows.append(("returned" if past.present else "new",))
    if before.present and not after.present:
        flows.append(("churned", after.left_reason))
    if before.subscriber and not after.subscriber:
        flows.append(("subscriber_churned",))
    return flows


def _movements(before: State, after: State, past: Past) -> list[tuple]:
    flows = []
    old, new = before.mrr, after.mrr
    for currency in sorted({*old, *new}):
        change = new.get(currency, 0) - old.get(currency, 0)
        if change > 0 and not past.subscriber:
            movement = "new"
        elif change > 0:
            movement = "expansion" if before.subscriber else "reactivation"
        else:
            movement = "contraction" if after.subscriber else "churn"
        if change:
            flows.append(("movement", movement, currency, change))
        if change and movement == "churn":
            flows.append(("mrr_churned", after.mrr_reason, currency, -change))
    moved = {label for measure, label, *_ in flows if measure == "movement"}
    return flows + [("movement_customer", movement) for movement in sorted(moved)]
