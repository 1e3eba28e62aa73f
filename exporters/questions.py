"""What a query asks for: days, periods, metrics and their labels, each within its bounds or refused in a sentence."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from itertools import chain
from urllib.parse import parse_qs

from aggregators.calendar import civil, date_of, day_of
from aggregators.metrics import CATALOGUE, Metric, periods
from aggregators.metrics.periods import first_of_month
from exporters.days import Filter

DAYS = 400
"""As-of days in one answer."""
METRICS = 25
"""Metrics in one answer of series."""
QUERY = 4_096
"""Characters of a query."""
FIRST = dt.date(1970, 1, 1)
STEPS = ("day", "week", "month")
PERIODS = tuple(period.name for period in periods(0))
BY_NAME = {metric.name: metric for metric in CATALOGUE}

_WEEKDAY_OF_DAY_0 = 3
_DAYS_BEFORE = 89
"""Before the last day, where a series does not say from when."""

Query = Mapping[str, Sequence[str]]
"""By a parameter's name, its values."""


class Refused(Exception):  # noqa: N818 - reads as the outcome it names
    """A question that is not answered: a status and a sentence that says what to ask instead."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        """Keep both."""
        super().__init__(message)
        self.status = status


def parsed(query: str) -> Query:
    """Split a query into its parameters.

    Raises:
        Refused: it is too long, or no query.
    """
    if len(query) > QUERY:
        raise Refused(
            HTTPStatus.REQUEST_URI_TOO_LONG, f"The query is longer than {QUERY:,} characters: ask for less at a time."
        )
    try:
        return parse_qs(query, keep_blank_values=True, strict_parsing=bool(query), max_num_fields=100, errors="strict")
    except ValueError:
        raise Refused(
            HTTPStatus.BAD_REQUEST, "The query cannot be read: write it as name=value&name=value, percent-encoded."
        ) from None


def day_asked(query: Query, today: int, name: str = "as_of", default: int | None = None) -> int:
    """Give the day that a parameter names, today (or another default) if it is not there or blank.

    Raises:
        Refused: it is no day, or a day later than today.
    """
    text = one(query, name)
    if not text:
        return today if default is None else default
    try:
        date = dt.date.fromisoformat(text)
    except ValueError:
        raise Refused(HTTPStatus.BAD_REQUEST, f"{name} must be a day such as 2026-03-31; got {text!r:.40}.") from None
    if not FIRST <= date <= date_of(today):
        raise Refused(HTTPStatus.BAD_REQUEST, f"{name} must be from {FIRST} to today, {date_of(today)}; got {date}.")
    return day_of(date)


def period_asked(query: Query, default: str) -> str:
    """Give the period that is asked for.

    Raises:
        Refused: there is no such period.
    """
    period = one(query, "period") or default
    if period not in PERIODS:
        raise Refused(HTTPStatus.BAD_REQUEST, f"period must be one of {', '.join(PERIODS)}; got {period!r:.40}.")
    return period


def metrics_asked(query: Query, *, required: bool) -> list[Metric]:
    """Give the metrics that are named, each once; all of them if none is and none has to be.

    Raises:
        Refused: there is no such metric, or more are named than one answer has.
    """
    names = list(dict.fromkeys(chain.from_iterable(value.split(",") for value in query.get("metric", ()))))
    if not names:
        if required:
            raise Refused(HTTPStatus.BAD_REQUEST, "Name one metric or more, as in metric=growth_mrr,growth_customers.")
        return list(CATALOGUE)
    if required and len(names) > METRICS:
        raise Refused(HTTPStatus.BAD_REQUEST, f"Name at most {METRICS} metrics at a time; got {len(names)}.")
    for name in names:
        if name not in BY_NAME:
            raise Refused(
                HTTPStatus.BAD_REQUEST,
                f"There is no metric {name!r:.80}: /api/v1/definitions has those that there are.",
            )
    return [BY_NAME[name] for name in names]


def labels_asked(query: Query, metrics: Iterable[Metric], others: set[str]) -> Filter:
    """Give the labels that are asked for.

    Args:
        query: the query.
        metrics: whose labels may be named.
        others: the other parameters that there are.

    Raises:
        Refused: a parameter is neither.
    """
    labels = {label for metric in metrics for label in metric.labels}
    for name in query:
        if name not in labels and name not in others:
            known = ", ".join(sorted(labels | others))
            raise Refused(HTTPStatus.BAD_REQUEST, f"There is no parameter {name!r:.40} here: there are {known}.")
    if "period" in query:
        for period in query["period"]:
            period_asked({"period": [period]}, "")
    return {name: frozenset(values) for name, values in query.items() if name in labels}


def days_asked(query: Query, today: int) -> list[int]:
    """Give the as-of days of a series: every day, or the last days of weeks or months and the last day asked for.

    Raises:
        Refused: a parameter is wrong, or there are more days than one answer has.
    """
    last = day_asked(query, today, "to")
    first = day_asked(query, today, "from", default=max(0, last - _DAYS_BEFORE))
    step = one(query, "step") or "day"
    if step not in STEPS:
        raise Refused(HTTPStatus.BAD_REQUEST, f"step must be one of {', '.join(STEPS)}; got {step!r:.40}.")
    if first > last:
        raise Refused(HTTPStatus.BAD_REQUEST, f"from must not be after to; got {date_of(first)} and {date_of(last)}.")
    days = list(_ends(first, last, step))
    if len(days) > DAYS:
        raise Refused(
            HTTPStatus.BAD_REQUEST, f"These are {len(days):,} days and at most {DAYS} are given: take a greater step."
        )
    return days


def _ends(first: int, last: int, step: str) -> Iterator[int]:
    if step == "day":
        yield from range(first, last + 1)
        return
    if step == "week":
        yield from range(first + 6 - (first + _WEEKDAY_OF_DAY_0) % 7, last, 7)
    else:
        (year, month, _), (last_year, last_month, _) = civil(first), civil(last)
        for following in range(12 * year + month, 12 * last_year + last_month + 1):
            if (end := first_of_month(following) - 1) < last:
                yield end
    yield last


def only(query: Query, *names: str) -> None:
    """Refuse parameters other than these."""
    labels_asked(query, (), set(names))


def one(query: Query, name: str) -> str:
    """Give the one value of a parameter, blank where there is none."""
    values = query.get(name, ())
    if len(values) > 1:
        raise Refused(HTTPStatus.BAD_REQUEST, f"Give {name} once only.")
    return values[0] if values else ""
