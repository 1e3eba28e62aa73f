"""What a contract comes to: trials, renewals, failed payments and their recovery, each with its day of decision."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from .days import day_of, periods
from .events import monthly_amount
from .sheet import Sheet
from .timeline import CANCELLATION, DUE, LAPSE, PAYMENT, SIGNUP, TRIAL_END, Item, Timeline, coverage_end, is_recurring

if TYPE_CHECKING:
    from .book import Reference


@dataclass(frozen=True)
class Trial:
    """A trial: its days, and whether and on which day it was decided that it converted."""

    start: date
    end: date
    decided: date
    converted: bool


@dataclass(frozen=True)
class Renewal:
    """A coverage that fell due, and what came of it on which day."""

    due: date
    decided: date
    renewed: bool


@dataclass(frozen=True)
class Episode:
    """A run of failed payments of a subscription with MRR, by the day on which it ended."""

    end: date
    recovered: bool


def _pays(item: Item) -> bool:
    """Whether an item is a succeeded recurring payment of more than nothing a month."""
    return item.rank == PAYMENT and is_recurring(item.event) and monthly_amount(item.event) > 0


def _cancels(item: Item, subscription: str) -> bool:
    """Whether an item cancels a subscription, alone or with all others."""
    return item.rank == CANCELLATION and item.event.get("subscription_id", subscription) == subscription


def trials(line: Timeline) -> Iterator[Trial]:
    """All trials of a customer."""
    for index, item in enumerate(line.items):
        if item.rank != SIGNUP or "trial_ends_at" not in item.event:
            continue
        end = day_of(item.event["trial_ends_at"], line.settings.zone)
        deadline = next(
            n
            for n, other in enumerate(line.items)
            if other.rank == DUE and other.due == TRIAL_END and other.event is item.event
        )
        paid = next((n for n in range(index, deadline) if _pays(line.items[n])), None)
        if paid is not None:
            yield Trial(line.days[index], end, line.days[paid], converted=True)
            continue
        left = [
            line.days[n]
            for n in range(index + 1, deadline)
            if line.items[n].rank == CANCELLATION and line.states[n - 1].present and not line.states[n].present
        ]
        decided = min([line.days[deadline], *left])
        yield Trial(line.days[index], min(end, decided), decided, converted=False)


def renewals(line: Timeline) -> Iterator[Renewal]:
    """All coverages of a customer that fall due."""
    for index, item in enumerate(line.items):
        if not _pays(item):
            continue
        name, start, end = item.event["subscription_id"], item.instant, coverage_end(item.event, line.settings)
        for n in range(index + 1, len(line.items)):
            other = line.items[n]
            follows = other.rank == PAYMENT and is_recurring(other.event) and other.event["subscription_id"] == name
            lapses = other.rank == DUE and other.due == LAPSE and other.event is item.event
            if follows and 4 * (other.instant - start) < 3 * (end - start):
                break  # replaced before the last quarter: never due
            if follows or lapses or _cancels(other, name):
                yield Renewal(day_of(end, line.settings.zone), line.days[n], follows and _pays(other))
                break


def episodes(line: Timeline) -> Iterator[Episode]:
    """All episodes of failed payments of a customer that ended."""
    failing: set[str] = set()
    for n, item in enumerate(line.items):
        before = line.states[n - 1].subscriptions if n else {}
        after = line.states[n].subscriptions
        if item.rank == PAYMENT and item.event["interval"] != "one_time":
            name = item.event["subscription_id"]
            if item.event["status"] == "failed" and name in before:
                failing.add(name)
            elif item.event["status"] == "succeeded" and name in failing:
                failing.remove(name)
                yield Episode(line.days[n], recovered=True)
        for name in sorted(failing - set(after)):
            failing.remove(name)
            yield Episode(line.days[n], recovered=False)


def write(book: "Reference", as_of: date, sheet: Sheet) -> None:
    """Write the group's samples."""
    all_trials = [trial for line in book.timelines.values() for trial in trials(line)]
    all_renewals = [renewal for line in book.timelines.values() for renewal in renewals(line)]
    all_episodes = [episode for line in book.timelines.values() for episode in episodes(line)]
    for period in periods(as_of):
        label = {"period": period.name}
        ended = [trial for trial in all_trials if trial.end in period]
        pending = sum(trial.decided > as_of for trial in ended)
        converted = sum(trial.converted for trial in ended if trial.decided <= as_of)
        sheet.put("growth_trials_started", sum(trial.start in period for trial in all_trials), **label)
        sheet.put("growth_trials_ended", len(ended), **label)
        sheet.put("growth_trials_pending", pending, **label)
        sheet.ratio("growth_trial_conversion_ratio", converted, len(ended) - pending, **label)
        due = [renewal for renewal in all_renewals if renewal.due in period]
        pending = sum(renewal.decided > as_of for renewal in due)
        renewed = sum(renewal.renewed for renewal in due if renewal.decided <= as_of)
        sheet.put("growth_renewals_due", len(due), **label)
        sheet.put("growth_renewals", renewed, **label)
        sheet.put("growth_renewals_pending", pending, **label)
        sheet.ratio("growth_renewal_ratio", renewed, len(due) - pending, **label)
        over = [episode.recovered for episode in all_episodes if episode.end in period]
        sheet.ratio("growth_payment_recovery_ratio", sum(over), len(over), **label)
