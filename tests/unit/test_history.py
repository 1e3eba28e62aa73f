"""Past days as OpenMetrics text: the numbers of the report, in the order and at the times that Prometheus needs."""

import datetime as dt
import io
from collections import defaultdict
from itertools import groupby
from pathlib import Path
from zoneinfo import ZoneInfo

from prometheus_client.openmetrics.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from aggregators.calendar import date_of, day_of
from aggregators.facts import key
from aggregators.metrics import CATALOGUE
from aggregators.tables.memory import Tables
from exporters import report
from exporters.history import History, steps, write_history
from growthgauge.commands.backfill import SCRAPED
from tests.unit.exporter_facts import AS_OF, filled, growth_of, put

DAYS = range(AS_OF - 62, AS_OF + 2)
"""Before the first facts to after the last, over the day that has 23 hours in Berlin."""


def written(tables, *, days=DAYS, metrics=CATALOGUE, labels=None, every=None):
    """Write the history of tables, and give the text and what was said about it."""
    out, counted = io.StringIO(), []
    history = History(days=days, metrics=metrics, labels=labels or {}, every=every)
    with growth_of(tables).at(days[-1]) as reading:
        told = write_history(reading, history, out, lambda: counted.append(1))
    assert len(counted) == steps(history)
    return out.getvalue(), told


def samples(text):
    """Give the lines of samples as name with labels, value, time."""
    return [tuple(line.rsplit(" ", 2)) for line in text.splitlines() if not line.startswith("#")]


def close(day):
    """Give the last second of a day in Berlin, without the product's own calendar."""
    midnight = dt.datetime.combine(date_of(day + 1), dt.time(), ZoneInfo("Europe/Berlin"))
    return int(midnight.timestamp()) - 1


def test_every_day_is_its_report_to_the_digit():
    """Taken by their times, the lines are those of `report --as-of DAY --format prometheus`, and no others."""
    tables = filled()
    text, told = written(tables)
    by_time = defaultdict(set)
    for series, value, time in samples(text):
        by_time[int(time)].add(f"{series} {value}")
    growth = growth_of(tables)
    expected = {}
    for day in DAYS:
        lines = report.as_exposition(growth.families(day)).splitlines()
        expected[close(day)] = {line for line in lines if not line.startswith("#")}
    assert by_time == expected
    assert told.samples == sum(map(len, expected.values()))
    assert told.series == len({series for series, _, _ in samples(text)})


def test_the_text_is_openmetrics():
    """A strict parser takes it: families whole, series whole, times rising; and every series has the labels given."""
    text, told = written(filled(), labels={"job": "growth", "instance": "a:1"})
    families = list(text_string_to_metric_families(text))
    names = [family.name for family in families]
    assert len(names) == len(set(names))
    assert all(family.documentation for family in families)
    runs = [name for name, _ in groupby(samples(text), key=lambda line: line[0])]
    assert len(runs) == len(set(runs)) == told.series
    for _, lines in groupby(samples(text), key=lambda line: line[0]):
        times = [int(line[2]) for line in lines]
        assert times == sorted(set(times))
    assert all(s.labels["job"] == "growth" and s.labels["instance"] == "a:1" for f in families for s in f.samples)
    assert text.endswith("\n# EOF\n")


def test_a_label_may_hold_anything():
    """What events put into labels is escaped, and read again as it was."""
    plan = 'a "plan"\\\nof\x85 two lines'
    tables = Tables()
    put(tables, 0, {AS_OF: {key("plan_subscriptions", plan): 1}})
    text, _ = written(tables, days=range(AS_OF, AS_OF + 1))
    found = {
        s.labels["plan"]: s.value for f in text_string_to_metric_families(text) for s in f.samples if "plan" in s.labels
    }
    assert found[plan] == 1


def test_a_day_may_be_repeated_all_through_it():
    """Counted back from its last second, on days of 23 and of 25 hours too, and never into another day."""
    (metric,) = [metric for metric in CATALOGUE if metric.name == "growth_customers"]
    for date, hours in ((dt.date(2026, 3, 29), 23), (dt.date(2026, 3, 30), 24), (dt.date(2026, 10, 25), 25)):
        day = day_of(date)
        text, told = written(filled(), days=range(day, day + 1), metrics=[metric], every=3600)
        times = [int(time) for _, _, time in samples(text)]
        assert times == [close(day) - 3600 * hour for hour in reversed(range(hours))]
        assert times[0] > close(day - 1)
        assert (told.series, told.samples) == (1, hours)


def test_only_the_metrics_chosen_are_written():
    """One of a group, in the catalogue's order whatever was asked first; the others are not there."""
    chosen = [metric for metric in CATALOGUE if metric.name in ("growth_mrr", "growth_customers", "growth_nps")]
    text, _ = written(filled(), metrics=chosen[::-1])
    assert [f.name for f in text_string_to_metric_families(text)] == ["growth_customers", "growth_mrr", "growth_nps"]


def test_the_first_day_with_facts_is_known():
    """Of the days up to the one asked for; none before any facts."""
    tables = filled()
    with growth_of(tables).at(AS_OF) as reading:
        assert reading.book.first_day == AS_OF - 60
    with growth_of(tables).at(AS_OF - 61) as reading:
        assert reading.book.first_day is None


def test_the_labels_are_those_of_the_scrape_jobs_that_are_deployed():
    """The past and what is scraped are the same series without a word about it."""
    path = Path(__file__).parents[2] / "deploy" / "prometheus" / "prometheus.yml"
    jobs = YAML(typ="safe").load(path.read_text())["scrape_configs"]
    (targets,) = [job["static_configs"][0]["targets"] for job in jobs if job["job_name"] == SCRAPED["job"]]
    assert targets == [SCRAPED["instance"]]
