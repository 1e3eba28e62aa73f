"""The log as a whole: every customer's timeline, what changed from day to day, and the metrics of an as-of day."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from functools import cached_property

from . import cohorts, contracts, customers, engagement, health, payments, revenue, segments, voice
from .days import ONE_DAY, Period, day_of, first_instant, periods
from .events import accepted
from .flows import Flow, Past, flows_between
from .settings import Settings
from .sheet import Samples, Sheet
from .timeline import State, Timeline

GROUPS = (customers, revenue, payments, contracts, engagement, voice, cohorts, segments, health)


class Reference:
    """The metrics of one log under one settings; what does not depend on the as-of day is computed once."""

    def __init__(self, events: list[dict], settings: Settings) -> None:
        """Take raw events in any order, repeated at will."""
        self.settings = settings
        self.events = accepted(events)
        by_customer: dict[str, list[dict]] = defaultdict(list)
        for event in self.events:
            by_customer[event["customer_id"]].append(event)
        self.timelines = {name: Timeline(own, settings) for name, own in by_customer.items()}
        self._pasts = {name: Past() for name in self.timelines}
        self._flows: dict[date, list[Flow]] = {}

    @cached_property
    def dated(self) -> dict[str, list[tuple[date, dict]]]:
        """Events of each type with the day of `occurred_at`."""
        found: dict[str, list[tuple[date, dict]]] = defaultdict(list)
        for event in self.events:
            found[event["type"]].append((day_of(event["occurred_at"], self.settings.zone), event))
        return found

    @cached_property
    def first_day(self) -> date | None:
        """The first day on which any customer's state may change."""
        return min((line.days[0] for line in self.timelines.values() if line.days), default=None)

    def since_ever(self, last: date) -> Period:
        """All days with flows up to a day, as a period."""
        first = last + ONE_DAY if self.first_day is None else self.first_day
        return Period("ever", first, max(last, first - ONE_DAY), last)

    def happened(self, kind: str, period: Period) -> list[tuple[date, dict]]:
        """Events of a type in a period, each with its day."""
        return [(day, event) for day, event in self.dated[kind] if day in period]

    def states(self, day: date) -> dict[str, State]:
        """Every customer's state at the end of a day."""
        return {name: line.at_end_of(day) for name, line in self.timelines.items()}

    def flows(self, period: Period) -> Iterator[Flow]:
        """What changed between the ends of neighbouring days, for every day of a period."""
        self._compare_days_up_to(period.last)
        for day in period.days():
            yield from self._flows.get(day, ())

    def _compare_days_up_to(self, last: date) -> None:
        if self.first_day is None:
            return
        day = max(self._flows, default=self.first_day - ONE_DAY) + ONE_DAY
        while day <= last:
            self._flows[day] = []
            for name, line in self.timelines.items():
                before, after = line.at_end_of(day - ONE_DAY), line.at_end_of(day)
                self._flows[day] += flows_between(name, day, before, after, self._pasts[name])
            day += ONE_DAY

    def metrics(self, as_of: date) -> Samples:
        """All samples, by name and sorted labels. Of open label sets only the values that are not 0 are there."""
        sheet = Sheet()
        for group in GROUPS:
            group.write(self, as_of, sheet)
        for period in periods(as_of):
            start = first_instant(period.first, self.settings.zone)
            end = first_instant(period.end + ONE_DAY, self.settings.zone)
            sheet.put("growth_period_start_timestamp_seconds", _seconds(start), period=period.name)
            sheet.put("growth_period_end_timestamp_seconds", _seconds(end), period=period.name)
        for target, value in self.settings.targets.items():
            sheet.put("growth_target", value, target=target)
        sheet.put("growth_reporting_currency_info", 1, currency=self.settings.reporting_currency)
        return sheet.samples


def _seconds(instant: int) -> int:
    assert instant % 1000 == 0
    return instant // 1000
