"""The JSON API: reports of days, series over days, periods, definitions and the pipeline's state, within bounds."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any

import msgspec

from aggregators.calendar import date_of
from aggregators.metrics import Family, Metric, MetricSettings, periods
from aggregators.metrics.sources import SOURCES
from aggregators.tables.door import TablesUnavailable
from exporters import pipeline, report
from exporters.days import Busy, Days, Filter, Labels, State, rounded_once
from exporters.growth import TablesMismatch
from exporters.questions import (
    BY_NAME,
    Query,
    Refused,
    day_asked,
    days_asked,
    labels_asked,
    metrics_asked,
    only,
    parsed,
)

logger = logging.getLogger(__name__)

SERIES = 2_000
"""Series in one answer."""


class Api:
    """Answers the questions below `/api/v1`.

    Args:
        days: the days.
        settings: for the definitions' currency.
        today: gives today's day number in the reporting zone.
        worker: gives the text of a worker's `/metrics`, None if there is none to ask or it does not answer.
    """

    def __init__(
        self, days: Days, settings: MetricSettings, today: Callable[[], int], worker: Callable[[], str | None]
    ) -> None:
        """Nothing is read before it is asked for."""
        self._days = days
        self._settings = settings
        self._today = today
        self._worker = worker
        self._answers: dict[str, Callable[[Query], dict[str, Any]]] = {
            "": self._index,
            "/report": self._report,
            "/series": self._series,
            "/periods": self._periods,
            "/definitions": self._definitions,
            "/pipeline": self._pipeline,
        }

    def answer(self, path: str, query: str) -> tuple[HTTPStatus, bytes]:
        """Answer a question: status and JSON; never raises.

        Args:
            path: what comes after `/api/v1`.
            query: what comes after the question mark.
        """
        try:
            ask = self._answers.get(path.rstrip("/"), _nothing)
            return HTTPStatus.OK, msgspec.json.encode(ask(parsed(query)))
        except Refused as refused:
            return refused.status, _error(str(refused))
        except (TablesUnavailable, TablesMismatch, Busy) as error:
            return HTTPStatus.SERVICE_UNAVAILABLE, _error(str(error))
        except Exception:
            logger.exception("The API failed at %s", path, extra={"action": "api_failed"})
            return HTTPStatus.INTERNAL_SERVER_ERROR, _error(
                "This failed, which is a bug: the exporter's log says where."
            )

    def looked(self, as_of: int) -> tuple[State | None, str | None]:
        """Look at the tables: their state, or why there is none."""
        try:
            return self._days.state(as_of), None
        except (TablesUnavailable, TablesMismatch, Busy) as error:
            return None, str(error)

    def pipeline(self, as_of: int) -> dict[str, Any]:
        """Give the state of the pipeline; never fails because of what is down."""
        return pipeline.state(*self.looked(as_of), self._worker())

    def _index(self, query: Query) -> dict[str, Any]:
        only(query)
        addresses = [f"/api/v1{path}" for path in self._answers if path]
        return {
            "addresses": addresses,
            "today": _iso(self._today()),
            "currency": self._settings.reporting_currency,
            "version": self._settings.version,
        }

    def _report(self, query: Query) -> dict[str, Any]:
        metrics = metrics_asked(query, required=False)
        wanted = labels_asked(query, metrics, {"as_of", "metric"})
        [found] = self._days.reports([day_asked(query, self._today())])
        names = {metric.name for metric in metrics}
        return report.document(_filtered(found.families, names, wanted), found.as_of)

    def _series(self, query: Query) -> dict[str, Any]:
        metrics = metrics_asked(query, required=True)
        wanted = labels_asked(query, metrics, {"from", "to", "step", "metric"})
        days = days_asked(query, self._today())
        series: dict[tuple[str, Labels], list[int | float | None]] = {}
        for name, by_day in self._days.series(metrics, days, wanted).items():
            for place, samples in enumerate(by_day):
                for labels, value in samples:
                    values = series.get((name, labels))
                    if values is None:
                        if len(series) == SERIES:
                            raise Refused(
                                HTTPStatus.BAD_REQUEST,
                                f"These are more than {SERIES:,} series: name fewer metrics, or labels, as in "
                                "period=30d.",
                            )
                        values = series[name, labels] = [None] * len(days)
                    values[place] = rounded_once(value)
        return {
            "days": list(map(_iso, days)),
            "series": [
                {
                    "metric": name,
                    "labels": dict(zip(BY_NAME[name].labels, labels, strict=True)),
                    "values": values,
                }
                for (name, labels), values in series.items()
            ],
        }

    def _periods(self, query: Query) -> dict[str, Any]:
        only(query, "as_of")
        as_of = day_asked(query, self._today())
        found = [
            {
                "period": period.name,
                "start": _iso(period.start),
                "last": _iso(period.last),
                "end": _iso(period.end),
                "open": period.end >= self._today(),
            }
            for period in periods(as_of)
        ]
        return {"as_of": _iso(as_of), "periods": found}

    def _definitions(self, query: Query) -> dict[str, Any]:
        metrics = metrics_asked(query, required=False)
        only(query, "metric")
        told = "".join(f"{metric.definition}{metric.source}{metric.differs}" for metric in metrics)
        sources = {title: address for title, address in SOURCES.items() if f"[{title}]" in told}
        return {"definitions": [_definition(metric) for metric in metrics], "sources": sources}

    def _pipeline(self, query: Query) -> dict[str, Any]:
        only(query)
        return self.pipeline(self._today())


def _nothing(_: Query) -> dict[str, Any]:
    raise Refused(HTTPStatus.NOT_FOUND, "There is no such address: /api/v1 has those that there are.")


def _definition(metric: Metric) -> dict[str, Any]:
    return {
        "metric": metric.name,
        "labels": metric.labels,
        "unit": metric.unit,
        "help": metric.help,
        "definition": metric.definition,
        "source": metric.source,
        "differs": metric.differs,
        "example": metric.example,
    }


def _filtered(families: Iterable[Family], names: set[str], wanted: Filter) -> Iterator[Family]:
    for family in families:
        places = [(family.labels.index(label), values) for label, values in wanted.items() if label in family.labels]
        samples = [each for each in family.samples if all(each.labels[place] in values for place, values in places)]
        if samples and family.name in names:
            yield msgspec.structs.replace(family, samples=samples)


def _iso(day: int) -> str:
    return date_of(day).isoformat()


def _error(sentence: str) -> bytes:
    return msgspec.json.encode({"error": sentence})
