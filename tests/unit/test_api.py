"""The JSON API on tables in memory: what its page of documentation shows, its bounds, and what it keeps."""

import json
import re
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from aggregators.facts import key
from aggregators.metrics import CATALOGUE, Metric
from aggregators.metrics.identities import IDENTITIES
from exporters import pipeline
from exporters.days import Busy, Days
from exporters.questions import days_asked
from tests.unit.exporter_facts import AS_OF, filled, growth_of, put
from tests.unit.test_exporter_server import serving

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "json-api.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```sh\ncurl -s '(.*?)'\n```\n\n```text\n(.*?)```", PAGE, re.DOTALL)

WORKER = """\
# TYPE growth_consumer_lag gauge
growth_consumer_lag{topic="growth.sessions",partition="0"} 5.0
growth_consumer_lag{topic="growth.sessions",partition="1"} 2.0
# TYPE growth_records_lost_total counter
growth_records_lost_total{topic="growth.sessions",partition="0"} 3.0
# TYPE growth_last_event_timestamp_seconds gauge
growth_last_event_timestamp_seconds{type="session"} 1.7752e+09
"""


def asked(ask, path):
    """Give the status and the JSON of an answer."""
    status, headers, body = ask(path)
    assert headers["Content-Type"] == "application/json"
    return status, json.loads(body)


@pytest.mark.parametrize(("address", "answer"), EXAMPLES, ids=[address for address, _ in EXAMPLES])
def test_an_example_of_the_documentation_is_true(address, answer):
    """The small company's exporter answers exactly so."""
    parts = urlsplit(address)
    with serving(filled(), worker_metrics=lambda: WORKER) as ask:
        found = asked(ask, f"{parts.path}?{parts.query}" if parts.query else parts.path)[1]
        for each in found.get("collectors", ()):
            each["seconds"] = 0.001
        if "tables" in found:
            # The small company's facts are made up by hand, and say what no fold does.
            assert {*found["tables"]["unbalanced"]} < {*IDENTITIES}
            found["tables"]["unbalanced"] = []
        shown = json.loads(answer)
        if shown.get("collectors"):
            assert shown["collectors"][0] in found["collectors"]
            del shown["collectors"], found["collectors"]
        assert found == shown


def test_the_documentation_has_an_example_of_each_address():
    """And of an error."""
    shown = {urlsplit(address).path for address, _ in EXAMPLES}
    with serving(filled()) as ask:
        assert {*asked(ask, "/api/v1")[1]["addresses"], "/api/v1"} <= shown
    assert any('"error"' in answer for _, answer in EXAMPLES)


def test_a_report_has_every_metric_or_those_asked_for():
    """All of the day that is asked for, as `growthgauge report --format json` has it; or by name and label."""
    with serving(filled()) as ask:
        status, report = asked(ask, "/api/v1/report")
        assert (status, report["as_of"]) == (200, "2026-03-31")
        assert {metric["name"] for metric in report["metrics"]} <= {metric.name for metric in CATALOGUE}
        assert len(report["metrics"]) > 60
        few = asked(ask, "/api/v1/report?metric=growth_signups,growth_mrr&metric=growth_nps&period=30d&period=90d")[1]
        assert [metric["name"] for metric in few["metrics"]] == ["growth_signups", "growth_mrr", "growth_nps"]
        periods = {s["labels"].get("period") for metric in few["metrics"] for s in metric["samples"]}
        assert periods == {None, "30d", "90d"}


def test_a_series_ends_weeks_and_months():
    """Every day, or the last days of weeks and months and the day asked for, which is no week's end."""
    assert days_asked({"from": ["2026-03-29"]}, AS_OF) == [AS_OF - 2, AS_OF - 1, AS_OF]
    assert len(days_asked({}, AS_OF)) == 90
    weeks = days_asked({"from": ["2026-03-10"], "step": ["week"]}, AS_OF)
    assert [AS_OF - day for day in weeks] == [16, 9, 2, 0]
    months = days_asked({"from": ["2025-12-31"], "to": ["2026-03-01"], "step": ["month"]}, AS_OF)
    assert [AS_OF - day for day in months] == [90, 59, 31, 30]
    assert days_asked({"from": ["2026-03-31"], "step": ["month"]}, AS_OF) == [AS_OF]


def test_days_without_a_value_are_null():
    """A series has an element a day."""
    with serving(filled()) as ask:
        found = asked(ask, "/api/v1/series?metric=growth_nps&period=7d&from=2026-03-30")[1]
        assert [each["values"] for each in found["series"]] == [[None, pytest.approx(33.333, abs=0.01)]]


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("report?as_of=31.3.2026", 400, "must be a day such as"),
        ("report?as_of=2026-04-01", 400, "to today, 2026-03-31"),
        ("report?as_of=1969-12-31", 400, "from 1970-01-01"),
        ("report?as_of=2026-03-01&as_of=2026-03-02", 400, "once only"),
        ("report?metric=growth_nothing", 400, "/api/v1/definitions"),
        ("report?colour=red", 400, "There is no parameter 'colour'"),
        ("report?period=fortnight", 400, "period must be one of"),
        ("report?%ff=1", 400, "percent-encoded"),
        ("report?nothing", 400, "name=value"),
        ("report?metric=" + "x" * 5_000, 414, "ask for less"),
        ("series", 400, "Name one metric or more"),
        ("series?metric=" + ",".join(metric.name for metric in CATALOGUE[:26]), 400, "at most 25"),
        ("series?metric=growth_mrr&from=2020-01-01", 400, "2,282 days and at most 400"),
        ("series?metric=growth_mrr&from=2026-03-02&to=2026-03-01", 400, "must not be after"),
        ("series?metric=growth_mrr&step=year", 400, "day, week, month"),
        ("periods?metric=growth_mrr", 400, "There is no parameter"),
        ("nothing", 404, "/api/v1 has those"),
    ],
)
def test_a_wrong_question_is_refused_in_a_sentence(query, status, words):
    """Errors are JSON with one sentence that says what to ask instead."""
    with serving(filled()) as ask:
        found, body = asked(ask, f"/api/v1/{query}")
        assert (found, list(body)) == (status, ["error"])
        assert words in body["error"]
        assert re.fullmatch(r"[A-Z\w].*\.", body["error"])
        assert len(body["error"]) < 400


def test_tables_that_cannot_be_read_are_503():
    """Every question about facts says why; the pipeline's state is told all the same."""
    with serving(filled("theirs"), fingerprint="ours") as ask:
        for path in ("report", "series?metric=growth_mrr"):
            status, body = asked(ask, f"/api/v1/{path}")
            assert status == 503
            assert "growthgauge rebuild" in body["error"]
        status, body = asked(ask, "/api/v1/pipeline")
        assert (status, body["tables"]["up"], body["worker"]) == (200, False, None)
        assert "growthgauge rebuild" in body["tables"]["trouble"]


def test_a_worker_that_answers_nonsense_says_nothing():
    """What cannot be read as metrics is no error."""
    told = pipeline.state(None, "down", "<html>")["worker"]
    assert told == {"lag": {}, "records_lost": 0, "last_event": {}}


class Counted:
    """A metric that counts how often it was worked out."""

    def __init__(self):
        """Begin."""
        self.days = []
        self.metric = Metric("growth_customers", "", ("period",), "count", self.read)

    def read(self, reading):
        """Give two samples."""
        self.days.append(reading.as_of)
        yield ("30d",), reading.now("new")
        yield ("90d",), 0


def test_a_day_is_worked_out_once_until_a_fact_before_its_end_changes():
    """A late event renews its own day and those after it; one of today leaves the past as it is."""
    tables, counted = filled(), Counted()
    growth = growth_of(tables)
    kept = Days(growth)
    days = range(AS_OF - 9, AS_OF + 1)

    def series():
        counted.days.clear()
        found = kept.series([counted.metric], days, {"period": frozenset({"30d"})})
        return [samples[0].value for samples in found["growth_customers"]], sorted(counted.days)

    assert series() == ([3] * 9 + [4], [*days])
    assert series()[1] == []
    put(tables, 1, {AS_OF: {key("new"): 1}})
    assert series() == ([3] * 9 + [5], [AS_OF])
    put(tables, 0, {AS_OF - 3: {key("new"): 1}})
    assert series() == ([3] * 6 + [4] * 3 + [6], [*range(AS_OF - 3, AS_OF + 1)])
    [now, before] = kept.reports([AS_OF, AS_OF - 1])
    assert (now.values["growth_customers"][()], before.values["growth_customers"][()]) == (5, 3)
    assert kept.reports([AS_OF])[0] is now
    put(tables, 0, {AS_OF: {key("new"): 1}})
    again = kept.reports([AS_OF, AS_OF - 1])
    assert again[0].values["growth_customers"][()] == 6
    assert again[1] is before
    growth.close()


def test_others_get_the_book_between_the_slices_of_a_series():
    """A scrape that comes while a long series is worked out is served before that is through."""
    tables = filled()
    growth = growth_of(tables)
    kept = Days(growth)
    begun, served, worked = threading.Event(), threading.Event(), []

    def read(reading):
        worked.append(reading.as_of)
        begun.set()
        served.wait(0.02)
        yield (), 1

    metric = Metric("growth_customers", "", (), "count", read)
    thread = threading.Thread(target=kept.series, args=([metric], range(AS_OF - 999, AS_OF + 1), {}))
    thread.start()
    begun.wait()
    with growth.at(AS_OF):
        assert len(worked) < 1000
        served.set()
    thread.join()
    assert len(worked) == 1000
    growth.close()


def test_whoever_asks_while_others_are_answered_is_told_so():
    """Nobody waits for ever, and a series that takes too long says so and gets further the next time."""
    growth = growth_of(filled())
    kept = Days(growth, patience=0.01)
    inside, leave = threading.Event(), threading.Event()

    def read(_):
        inside.set()
        leave.wait()
        yield (), 1

    slow = Metric("growth_customers", "", (), "count", read)
    thread = threading.Thread(target=kept.series, args=([slow], [AS_OF], {}))
    thread.start()
    inside.wait()
    with pytest.raises(Busy, match="ask again"):
        kept.reports([AS_OF])
    leave.set()
    thread.join()
    growth.close()
