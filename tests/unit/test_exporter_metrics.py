"""The exporter's /metrics on tables in memory: the whole text, strange labels, failures of single parts."""

import os
import re
import shutil
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from aggregators.facts import Facts, key
from aggregators.tables.door import TablesUnavailable
from aggregators.tables.memory import Tables
from exporters import collector
from exporters.collector import make_registry
from exporters.growth import Growth, TablesMismatch
from tests.unit.exporter_facts import AS_OF, filled, growth_of, put, settings

GOLDEN = Path(__file__).parent / "golden" / "metrics.txt"
NOT_GROWTH = re.compile(r"^(# (HELP|TYPE) )?(python|process)_.*\n", re.MULTILINE)
DURATIONS = re.compile(r"^(growth_collector_duration_seconds\{.*\}) .*$", re.MULTILINE)


def exposed(growth: Growth) -> str:
    """Scrape once, without what differs from machine to machine."""
    text = generate_latest(make_registry(growth, lambda: AS_OF)).decode()
    return DURATIONS.sub(r"\1 0.0", NOT_GROWTH.sub("", text))


def test_the_whole_text_is_the_golden_file():
    """A small fixed company gives the golden text to the byte; GOLDEN=1 writes it anew, for the diff."""
    text = exposed(growth_of(filled()))
    if os.environ.get("GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_two_scrapes_of_the_same_tables_are_equal():
    """A second scrape, of an exporter that has seen it all before, shows the same as a fresh one's first."""
    tables = filled()
    growth = growth_of(tables)
    assert exposed(growth) == exposed(growth) == exposed(growth_of(tables))


def test_a_scrape_shows_what_was_committed_before_it():
    """New facts, and facts taken back, are in the very next scrape."""
    tables = filled()
    growth = growth_of(tables)
    assert "growth_customers 3.0\n" in exposed(growth)
    put(tables, 1, {AS_OF: {key("new"): 2}})
    assert "growth_customers 5.0\n" in exposed(growth)
    put(tables, 1, {AS_OF: {key("new"): -2}})
    assert "growth_customers 3.0\n" in exposed(growth)


def test_levels_and_counts_are_zero_before_any_data():
    """Empty tables give zeros, and no ratio."""
    text = exposed(growth_of(Tables()))
    assert "growth_customers 0.0\n" in text
    assert 'growth_signups{period="30d"} 0.0\n' in text
    assert "growth_customer_churn_ratio" not in text
    assert "NaN" not in text


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_accepts_the_exposition():
    """Prometheus' own linter has nothing to say about the whole text."""
    text = generate_latest(make_registry(growth_of(filled()), lambda: AS_OF))
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    assert (checked.returncode, checked.stderr.decode()) == (0, "")


STRANGE = ['a"b', "a\\b", "a\nb", "a\\nb", "🙂", "ünïcode", "{a=1},b", " ", "#", "a\rb", "\x1f\x1e", "\u2028"]


@pytest.mark.parametrize(
    "parse_format", [(generate_latest, parse_text), (openmetrics.generate_latest, parse_openmetrics)]
)
def test_strange_labels_come_out_as_they_went_in(parse_format):
    """Quotes, backslashes, newlines and emoji in a label survive both formats."""
    write, parse = parse_format
    tables = Tables()
    put(tables, 0, {AS_OF: {key("churned", reason): 1 + n for n, reason in enumerate(STRANGE)}})
    text = write(make_registry(growth_of(tables), lambda: AS_OF)).decode()
    found = {
        sample.labels["reason"]: sample.value
        for family in parse(text)
        for sample in family.samples
        if sample.name == "growth_customers_churned" and sample.labels["period"] == "day"
    }
    assert found == {reason: 1 + n for n, reason in enumerate(STRANGE)}


def test_openmetrics_is_complete_and_parses():
    """The strict parser accepts the OpenMetrics text, which ends with its mark and has the same samples."""
    registry = make_registry(growth_of(filled()), lambda: AS_OF)
    strict = openmetrics.generate_latest(registry).decode()
    assert strict.endswith("# EOF\n")
    growth = {s for f in parse_openmetrics(strict) for s in map(_identity, f.samples) if s[0].startswith("growth_")}
    plain = {
        s
        for f in parse_text(generate_latest(registry).decode())
        for s in map(_identity, f.samples)
        if s[0].startswith("growth_")
    }
    assert growth == plain


def _identity(sample):
    value = 0 if sample.name == "growth_collector_duration_seconds" else sample.value
    return sample.name, tuple(sorted(sample.labels.items())), value


class Broken:
    """A reader whose store does not answer until it is mended."""

    def __init__(self, tables):
        """Begin broken."""
        self.reader = tables.reader()
        self.broken = True

    def changes(self, shard, seen):
        """Give what changed, if it can."""
        if self.broken:
            raise TablesUnavailable("Redis at 127.0.0.1:1 does not answer: start it.")
        return self.reader.changes(shard, seen)

    def close(self):
        """Close the real one."""
        self.reader.close()


def test_without_redis_growth_metrics_are_left_out_and_the_rest_is_served():
    """An unreachable store is growth_redis_up 0, never an old number; when it is back so is everything."""
    tables = filled()
    reader = Broken(tables)
    growth = Growth(reader, partitions=2, settings=settings())
    registry = make_registry(growth, lambda: AS_OF)
    down = generate_latest(registry).decode()
    assert "growth_redis_up 0.0\n" in down
    assert 'growth_collector_success{collector="tables"} 0.0\n' in down
    assert "growth_customers" not in down
    assert "growth_facts_unbalanced" not in down
    assert 'growth_build_info{version="0.1.0"} 1.0\n' in down
    assert "process_cpu_seconds_total" in down
    reader.broken = False
    assert exposed(growth) == GOLDEN.read_text(encoding="utf-8")
    reader.broken = True
    assert "growth_customers" not in exposed(growth)


def test_one_broken_group_takes_only_itself_down(monkeypatch, caplog):
    """A bug in one group of metrics shows as its collector's failure; the other groups are served whole."""

    def broken(_reading):
        raise ZeroDivisionError("a bug")

    first, *others = collector.GROUPS["customers"]
    monkeypatch.setitem(
        collector.GROUPS, "customers", (first, *(type(m)(m.name, m.help, m.labels, m.unit, broken) for m in others))
    )
    text = exposed(growth_of(filled()))
    assert 'growth_collector_success{collector="customers"} 0.0\n' in text
    assert 'growth_collector_success{collector="revenue"} 1.0\n' in text
    assert "growth_redis_up 1.0\n" in text
    assert "growth_customers " not in text
    assert "growth_mrr " in text
    assert "a bug" in caplog.text


def test_tables_of_other_rules_are_refused_with_what_to_do():
    """Another fingerprint or partition count is no number to show, and the message names the way out."""
    tables = filled(fingerprint="theirs")
    growth = Growth(tables.reader(), partitions=2, settings=settings(), fingerprint="ours")
    with pytest.raises(TablesMismatch, match="growthgauge rebuild"):
        growth.families(AS_OF)
    text = exposed(growth)
    assert "growth_redis_up 1.0\n" in text
    assert 'growth_collector_success{collector="tables"} 0.0\n' in text
    assert "growth_customers" not in text
    with pytest.raises(TablesMismatch, match="set it to 2"):
        Growth(tables.reader(), partitions=4, settings=settings()).families(AS_OF)


def test_tables_under_rebuild_are_refused_until_it_is_done():
    """While a rebuild is under way its end is waited for; after it the numbers are there again."""
    tables = filled(fingerprint="ours")
    growth = Growth(tables.reader(), partitions=2, settings=settings(), fingerprint="ours")
    before = growth.families(AS_OF)
    meta = tables.start_rebuild(1)
    with pytest.raises(TablesMismatch, match="being rebuilt"):
        growth.families(AS_OF)
    tables.replace_facts(1, meta, "ours", Facts())
    assert growth.families(AS_OF) != before


def test_unwritten_shards_have_no_rules_to_differ_from():
    """Fresh tables are readable under any settings."""
    growth = Growth(Tables().reader(), partitions=2, settings=settings(), fingerprint="ours")
    assert growth.families(AS_OF)


class Hanging:
    """A reader whose store takes a request and does not answer until it is released."""

    def __init__(self, tables):
        """Begin hanging."""
        self.reader = tables.reader()
        self.released = threading.Event()

    def changes(self, shard, seen):
        """Give what changed, if it can."""
        self.released.wait(30)
        return self.reader.changes(shard, seen)

    def close(self):
        """Close the real one."""
        self.reader.close()


def test_a_store_that_hangs_costs_a_scrape_its_patience_only():
    """Two scrapes at once of a hanging store end in time with growth_redis_up 0; when it goes on, so do they."""
    reader = Hanging(filled())
    registry = make_registry(Growth(reader, partitions=2, settings=settings(), patience=0.3), lambda: AS_OF)
    began = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        texts = [scrape.result().decode() for scrape in [pool.submit(generate_latest, registry) for _ in range(2)]]
    assert time.monotonic() - began < 5
    for text in texts:
        assert "growth_redis_up 0.0\n" in text
        assert "growth_customers" not in text
    reader.released.set()
    assert "growth_customers 3.0\n" in generate_latest(registry).decode()
