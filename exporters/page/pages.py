"""Answers whoever asks for the page of numbers, or for what has changed on it."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from aggregators.metrics import MetricSettings
from aggregators.tables.door import TablesUnavailable
from exporters.api import Api
from exporters.days import Busy, Days
from exporters.growth import TablesMismatch
from exporters.page.shell import ASSETS, landing, parts
from exporters.page.view import TRENDS, Asked, View
from exporters.questions import Refused, day_asked, one, parsed, period_asked

__all__ = ["ASSETS", "Pages"]


class Pages:
    """The page of numbers.

    Args:
        days: the days.
        api: for the state of the pipeline.
        settings: for the currency, the dimensions and the periods of segments.
        today: gives today's day number in the reporting zone.
    """

    def __init__(self, days: Days, api: Api, settings: MetricSettings, today: Callable[[], int]) -> None:
        """Nothing is read before it is asked for."""
        self._days = days
        self._api = api
        self._settings = settings
        self._today = today

    def answer(self, query: str, *, whole: bool) -> tuple[HTTPStatus, bytes]:
        """Give the page, or only what changes of it; where there are no numbers it says why."""
        write = landing if whole else parts
        today = self._today()
        try:
            asked = self._asked(query, today)
        except Refused as refused:
            return refused.status, write(Asked(today, today), None, None, str(refused))
        view, trouble = None, None
        try:
            now, before, start = self._days.reports(asked.days)
            view = View(
                asked,
                now,
                before,
                start,
                self._settings.reporting_currency,
                self._settings.segment_periods,
            )
        except (TablesUnavailable, TablesMismatch, Busy) as error:
            trouble = str(error)
        return HTTPStatus.OK, write(asked, view, self._api.pipeline(today), trouble)

    def _asked(self, query: str, today: int) -> Asked:
        given = parsed(query)
        return Asked(
            as_of=day_asked(given, today),
            today=today,
            period=period_asked(given, "30d"),
            by=self._choice(one(given, "by"), "by", self._settings.dimensions),
            trend=self._choice(one(given, "trend") or "90", "trend", tuple(TRENDS)),
            dimensions=self._settings.dimensions,
        )

    def _choice(self, value: str, name: str, values: tuple[str, ...]) -> str:
        if value and value not in values:
            raise Refused(HTTPStatus.BAD_REQUEST, f"{name} must be one of {', '.join(values)}; got {value!r:.40}.")
        return value or next(iter(values), "")
