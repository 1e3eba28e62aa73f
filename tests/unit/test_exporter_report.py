"""The report in its three forms."""

import io
import json
import random
from fractions import Fraction

import pytest
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from aggregators.tables.memory import Tables
from exporters import report
from tests.unit.exporter_facts import AS_OF, filled, growth_of, put
from tests.unit.test_exporter_metrics import exposed

ABOUT_THE_SCRAPE = ("growth_redis_up", "growth_collector_", "growth_facts_")


def growth_lines(text):
    """Keep the lines of growth metrics."""
    about = tuple(prefix for name in ABOUT_THE_SCRAPE for prefix in (name, f"# HELP {name}", f"# TYPE {name}"))
    return [line for line in text.splitlines() if not line.startswith(about)]


def table(families, **options):
    """Write the table to a text."""
    out = io.StringIO()
    report.write_table(families, AS_OF, Console(file=out, **options))
    return out.getvalue()


def test_the_exposition_is_the_exporters_growth_metrics():
    """Line by line what a scrape shows, and nothing about the scrape."""
    growth = growth_of(filled())
    assert report.as_exposition(growth.families(AS_OF)).splitlines() == growth_lines(exposed(growth))


def test_json_holds_every_sample_of_the_exposition():
    """The same names, labels and values, as one JSON object with its day."""
    families = growth_of(filled()).families(AS_OF)
    document = json.loads(report.as_json(families, AS_OF))
    assert document["as_of"] == "2026-03-31"
    found = {
        (metric["name"], tuple(sorted(sample["labels"].items()))): sample["value"]
        for metric in document["metrics"]
        for sample in metric["samples"]
    }
    wanted = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(report.as_exposition(families))
        for sample in family.samples
    }
    assert found == wanted


def test_the_order_does_not_depend_on_the_order_of_the_facts():
    """Facts committed in another order, and over other shards' first days, give the same report to the byte."""
    reports = set()
    for seed in range(3):
        source, tables = filled().reader(), Tables()
        facts = [
            (shard, day, fact, n)
            for shard in (0, 1)
            for day, some in source.changes(shard, {})[0].days.items()
            for fact, n in some.items()
        ]
        random.Random(seed).shuffle(facts)
        for shard, day, fact, n in facts:
            put(tables, shard, {day: {fact: n}})
        families = growth_of(tables).families(AS_OF)
        reports.add((report.as_json(families, AS_OF), report.as_exposition(families), table(families)))
    assert len(reports) == 1


def test_the_table_holds_every_value_whole():
    """Written to a file the table is as wide as it must be: no digit is cut and nothing is wrapped."""
    families = growth_of(filled()).families(AS_OF)
    text = table(families)
    lines = text.splitlines()
    assert "…" not in text
    assert any(line.split()[:2] == ["customers", "3"] for line in lines)
    assert any(line.split() == ["mrr", "60.333333"] for line in lines)
    calendar = text[text.index("Calendar periods") : text.index("Previous periods")]
    churn = next(line for line in calendar.splitlines() if "customer_churn_ratio" in line.split())
    assert churn.split() == ["customer_churn_ratio", "0", "0", "0.333333"]


def test_a_narrow_terminal_gets_narrower_tables():
    """On 80 columns no name, label or number is broken over lines: the periods are spread over more tables."""
    families = growth_of(filled()).families(AS_OF)
    text = table(families, width=80, force_terminal=True, color_system=None)
    words = {word for line in text.splitlines() for word in line.split()}
    assert max(map(len, text.splitlines())) <= 80
    assert {"customer_retention_ratio", "subscriber_churn_ratio", "movement=reactivation", "0.666667"} <= words
    assert text.count("Calendar periods") > 1


def test_the_table_of_empty_tables_is_there():
    """Without any data the report is a table of zeros."""
    text = table(growth_of(Tables()).families(AS_OF))
    assert any(line.split() == ["customers", "0"] for line in text.splitlines())


def test_markup_in_labels_is_text():
    """A label that looks like rich's markup is shown as it is."""
    tables = filled()
    put(tables, 0, {AS_OF: {"churned\x1f[red]x": 1}})
    assert "reason=[red]x" in table(growth_of(tables).families(AS_OF), width=200, force_terminal=True)


def test_control_characters_in_labels_are_spelled_out():
    """No event can move the cursor of whoever reads the report, or break a line of it."""
    tables = filled()
    put(tables, 0, {AS_OF: {"churned\x1f\x1b[2Jwiped\nout": 1}})
    text = table(growth_of(tables).families(AS_OF))
    assert "\x1b" not in text
    assert r"reason=\x1b[2Jwiped\nout" in text


def test_a_label_longer_than_a_terminal_goes_on_below():
    """All of it is shown, in its column, beside a value that stays whole."""
    tables = filled()
    words = " ".join(f"word{number}" for number in range(40))
    put(tables, 0, {AS_OF: {f"churned\x1f{words}": 1}})
    text = table(growth_of(tables).families(AS_OF), width=80, force_terminal=True, color_system=None)
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("word39") == text.count("reason=word0")
    first = next(line for line in text.splitlines() if "reason=word0" in line)
    assert first.split()[-1] == "1"


@pytest.mark.parametrize(
    ("value", "unit", "written"),
    [
        (0, "count", "0"),
        (1234567, "count", "1,234,567"),
        (Fraction(-1, 3), "ratio", "-0.333333"),
        (Fraction(5, 10_000_000), "money", "0"),
        (Fraction(15, 10_000_000), "money", "0.000002"),
        (Fraction(123456789123456789, 1_000_000), "money", "123,456,789,123.456789"),
        (100, "score", "100"),
        (0.03, "ratio", "0.03"),
        (1767225600, "timestamp", "2026-01-01 00:00Z"),
    ],
)
def test_numbers_are_written_to_the_millionth(value, unit, written):
    """Thousands apart, half-even to the millionth, no trailing zeros; instants as dates."""
    assert report.formatted(value, unit) == written
