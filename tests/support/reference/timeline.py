"""One customer's items in their order, and the customer's state after each of them and at the end of each day."""

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from datetime import date

from .days import add_days, add_interval, day_of, local, resolve
from .events import monthly_amount
from .settings import Settings

SIGNUP, DUE, PAYMENT, CANCELLATION = range(4)
LAPSE, TRIAL_END, INACTIVITY = range(3)


@dataclass(frozen=True)
class Item:
    """Something that may change a customer's state: an event, or what falls due because of one."""

    instant: int
    rank: int
    due: int
    subscription: str
    event: dict

    @property
    def key(self) -> tuple[int, int, int, str, str]:
        """The place in the order: of one instant's dues lapses come first, and these by subscription."""
        return self.instant, self.rank, self.due, self.subscription, self.event["id"]


@dataclass(frozen=True)
class Subscription:
    """A subscription with MRR, and the payment that holds it."""

    monthly: int
    currency: str
    payment: dict


@dataclass(frozen=True)
class State:
    """All that is true of a customer at one moment. Reasons are those of the last ending, whenever that was."""

    present: bool = False
    ever_present: bool = False
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    left_reason: str = ""
    mrr_reason: str = ""
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def mrr(self) -> dict[str, int]:
        """Millionths a month by currency, of currencies with MRR only."""
        total: dict[str, int] = {}
        for subscription in self.subscriptions.values():
            total[subscription.currency] = total.get(subscription.currency, 0) + subscription.monthly
        return total

    @property
    def subscriber(self) -> bool:
        """Whether there is MRR in any currency."""
        return bool(self.subscriptions)


NOTHING = State()


def is_recurring(event: dict) -> bool:
    """Whether an event is a succeeded payment of a subscription."""
    return event["type"] == "payment" and event["status"] == "succeeded" and event["interval"] != "one_time"


def coverage_end(payment: dict, settings: Settings) -> int:
    """The instant up to which a recurring payment pays."""
    if "covers_until" in payment:
        return payment["covers_until"]
    wall = local(payment["occurred_at"], settings.zone)
    return resolve(add_interval(wall, payment["interval"], payment["interval_count"]), settings.zone)


def lapse_instant(payment: dict, settings: Settings) -> int:
    """The instant at which a recurring payment that nothing follows stops counting."""
    return add_days(coverage_end(payment, settings), settings.lapse_grace_days, settings.zone)


def trial_due(signup: dict, settings: Settings) -> int:
    """The instant at which an unconverted trial makes its customer absent."""
    return add_days(signup["trial_ends_at"], settings.lapse_grace_days, settings.zone)


def items_of(events: list[dict], settings: Settings) -> list[Item]:
    """All items of one customer in order, with everything that may fall due, whether or not it will."""
    items = []
    for event in events:
        at = event["occurred_at"]
        if event["type"] == "signup":
            items.append(Item(at, SIGNUP, 0, "", event))
            if "trial_ends_at" in event:
                items.append(Item(trial_due(event, settings), DUE, TRIAL_END, "", event))
        elif event["type"] == "cancellation":
            items.append(Item(event["effective_at"], CANCELLATION, 0, "", event))
        elif event["type"] == "payment":
            items.append(Item(at, PAYMENT, 0, "", event))
            if is_recurring(event) and monthly_amount(event) > 0:
                lapse = lapse_instant(event, settings)
                items.append(Item(lapse, DUE, LAPSE, event["subscription_id"], event))
            if event["status"] == "succeeded" and settings.purchase_lapse_days is not None:
                inactive = add_days(at, settings.purchase_lapse_days, settings.zone)
                items.append(Item(inactive, DUE, INACTIVITY, "", event))
    return sorted(items, key=lambda item: item.key)


class Timeline:
    """A customer's items, the state after each, and the state at the end of any day."""

    def __init__(self, events: list[dict], settings: Settings) -> None:
        """Walk through the items once."""
        self.settings = settings
        self.items = items_of(events, settings)
        self.days = [day_of(item.instant, settings.zone) for item in self.items]
        self.states: list[State] = []
        state = NOTHING
        for index in range(len(self.items)):
            state = _described(self._after(state, index), self.items[index])
            self.states.append(state)

    def at_end_of(self, day: date) -> State:
        """The state after the last item on or before a day."""
        count = bisect_right(self.days, day)
        return self.states[count - 1] if count else NOTHING

    def _after(self, state: State, index: int) -> State:
        item = self.items[index]
        if item.rank == SIGNUP:
            return replace(state, present=True, ever_present=True)
        if item.rank == PAYMENT:
            return self._after_payment(state, item.event)
        if item.rank == CANCELLATION:
            return _after_cancellation(state, item.event)
        return self._after_due(state, index)

    def _after_due(self, state: State, index: int) -> State:
        item = self.items[index]
        if item.due == LAPSE:
            held = state.subscriptions.get(item.subscription)
            if held is None or held.payment is not item.event:
                return state
            return _without(state, item.subscription, self._lapse_reason(index))
        if state.subscriber or not self._is_due(index):
            return state
        return _leave(state, "trial_ended" if item.due == TRIAL_END else "inactive")

    def _after_payment(self, state: State, event: dict) -> State:
        if event["status"] != "succeeded":
            return state
        if event["interval"] == "one_time":
            comes = not state.ever_present or self.settings.purchase_lapse_days is not None
            return replace(state, present=True, ever_present=True) if comes else state
        state = replace(state, present=True, ever_present=True)
        name, monthly = event["subscription_id"], monthly_amount(event)
        if monthly > 0:
            held = Subscription(monthly, event["currency"], event)
            return replace(state, subscriptions={**state.subscriptions, name: held})
        rest = {key: value for key, value in state.subscriptions.items() if key != name}
        ended_last = bool(state.subscriptions) and not rest
        return replace(state, subscriptions=rest, mrr_reason="downgrade" if ended_last else state.mrr_reason)

    def _lapse_reason(self, index: int) -> str:
        """Why a subscription lapsed: a payment of it failed after its last succeeded one, or there was none."""
        lapse = self.items[index]
        since = next(n for n, item in enumerate(self.items) if item.rank == PAYMENT and item.event is lapse.event)
        failed = any(
            item.rank == PAYMENT
            and item.event["status"] == "failed"
            and item.event["interval"] != "one_time"
            and item.event["subscription_id"] == lapse.subscription
            for item in self.items[since + 1 : index]
        )
        return "payment_failed" if failed else "lapsed"

    def _is_due(self, index: int) -> bool:
        """Whether a trial's end or an inactivity is still that of the latest signup or payment, and unconverted."""
        due = self.items[index]
        before = self.items[:index]
        if due.due == INACTIVITY:
            payments = [item for item in before if item.rank == PAYMENT and item.event["status"] == "succeeded"]
            return payments[-1].event is due.event
        signups = [n for n, item in enumerate(before) if item.rank == SIGNUP]
        if before[signups[-1]].event is not due.event:
            return False
        return not any(
            item.rank == PAYMENT and is_recurring(item.event) and monthly_amount(item.event) > 0
            for item in before[signups[-1] :]
        )


def _described(state: State, item: Item) -> State:
    """The customer with what an item says of it: the latest of each, empty ones aside."""
    event, said = item.event, {}
    if item.rank == SIGNUP:
        said = {name: event.get(name) for name in ("country", "channel", "owner", "plan")}
        said["signup_plan"] = said["plan"]
    elif item.rank == PAYMENT and event["status"] == "succeeded":
        said = {"plan": event.get("plan")}
    said = {name: value for name, value in said.items() if value}
    return replace(state, attributes={**state.attributes, **said}) if said else state


def _leave(state: State, reason: str) -> State:
    """The customer without MRR and absent; a reason counts only where there was something to end."""
    return replace(
        state,
        present=False,
        subscriptions={},
        left_reason=reason if state.present else state.left_reason,
        mrr_reason=reason if state.subscriptions else state.mrr_reason,
    )


def _without(state: State, name: str, reason: str) -> State:
    """The customer without one subscription (that it may not have), and absent if no MRR is left."""
    rest = {key: value for key, value in state.subscriptions.items() if key != name}
    return replace(state, subscriptions=rest) if rest else _leave(state, reason)


def _after_cancellation(state: State, event: dict) -> State:
    if "subscription_id" not in event:
        return _leave(state, event["reason"])
    return _without(state, event["subscription_id"], event["reason"])
