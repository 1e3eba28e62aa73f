"""Past days in a real Prometheus: `backfill`, promtool, and the live exporter's series joined to them."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from aggregators.calendar import date_of
from aggregators.metrics import CATALOGUE
from aggregators.tables.opening import open_tables
from exporters.server import ExporterConfig, ExporterServer
from growthgauge.settings import load
from growthgauge.wiring import metric_settings, rules, today
from tests.prometheus.server import Prometheus, Samples, promtool
from tests.support.demo_facts import fill
from tests.support.servers import redis_server
from tests.support.terminal import User

DAYS, PARTITIONS = 150, 2
DAY = 86_400
PATIENCE_SECONDS = 60
"""Machines that run tests are busy: what is not read in time is not shown."""
JOB = 'job="growthgauge-exporter"'
CUSTOMERS = f"max without (instance) (growth_customers{{{JOB}}})"
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "backfill-prometheus.md"


class Joined(NamedTuple):
    """A Prometheus that has the past in blocks, scrapes the exporter of today, and one that still has yesterday."""

    prometheus: Prometheus
    blocks: Path
    """What promtool made, before any scrape."""
    first: int
    """The first day with facts."""
    today: int
    text: str
    told: str
    said_by_promtool: str
    instance: str

    @property
    def close(self) -> int:
        """The last second of yesterday."""
        return self.today * DAY - 1


@pytest.fixture(scope="module")
def joined(prometheus: Callable[..., Prometheus], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Joined]:
    """Five months of the demo company, which has no events today."""
    settings = load({"partitions": PARTITIONS})
    now = today(settings)
    folder = tmp_path_factory.mktemp("backfill")
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server())
        tables = open_tables(redis.url)
        fill(tables, rules(settings), first=date_of(now - DAYS), days=DAYS, partitions=PARTITIONS)

        reader = tables.reader()
        first = min(min(reader.changes(shard, {})[0].days) for shard in range(PARTITIONS))

        def exporter(day: int) -> str:
            shown = metric_settings(settings)
            config = ExporterConfig(
                today=lambda: day, partitions=PARTITIONS, settings=shown, port=0, patience=PATIENCE_SECONDS
            )
            server = ExporterServer(config, open_tables(redis.url))
            server.start()
            stack.callback(server.stop)
            return f"127.0.0.1:{server.port}"

        live, yesterday = exporter(now), exporter(now - 1)
        where = ("--redis-url", redis.url, "--partitions", str(PARTITIONS), "--label", f"instance={live}")
        ran = User(folder).runs("backfill", "--to", str(date_of(now - 1)), "--output", "history.om", *where)
        assert ran.status == 0, ran.error
        said = promtool(*_command(), folder / "history.om", folder / "blocks")
        shutil.copytree(folder / "blocks", folder / "data")
        jobs = {"growthgauge-exporter": [live], "yesterday": [yesterday]}
        running = prometheus(data=folder / "data", jobs=jobs, every="5s")
        for job in jobs:
            running.wait_for(f'growth_customers{{job="{job}"}}', 120)
        yield Joined(running, folder / "blocks", first, now, (folder / "history.om").read_text(), ran.error, said, live)


def _command() -> list[str]:
    """Give promtool's arguments before the files, as the how-to has them."""
    found = re.search(r"^promtool (tsdb create-blocks-from \S+ openmetrics) ", PAGE.read_text(), re.MULTILINE)
    assert found
    return found[1].split()


def _growth(samples: Samples) -> Samples:
    """Keep the growth metrics of the catalogue, and their own labels, without job and instance."""
    names = {metric.name for metric in CATALOGUE}
    return {
        frozenset(label for label in labels if label[0] not in ("job", "instance")): value
        for labels, value in samples.items()
        if dict(labels)["__name__"] in names
    }


def test_yesterday_is_the_same_from_blocks_as_from_a_scrape(joined: Joined):
    """Every series and value of an exporter that is asked about yesterday is there at yesterday's end, and no other."""
    from_blocks = _growth(joined.prometheus.query(f"{{{JOB}}}", at=joined.close))
    scraped = _growth(joined.prometheus.query('last_over_time({job="yesterday"}[10m])'))
    assert from_blocks == scraped
    assert len(from_blocks) > 1000


@pytest.mark.parametrize("metric", ["growth_signups", "growth_sessions", "growth_mrr_growth_ratio"])
def test_todays_previous_day_is_the_backfilled_day(joined: Joined, metric: str):
    """What the live exporter says today of the day before is what the blocks say at its end."""
    query = f"max without (instance, period) (last_over_time({metric}{{{JOB}, period='%s'}}[10m]))"
    live = joined.prometheus.query(query % "previous_day")
    assert live == joined.prometheus.query(query % "day", at=joined.close)
    assert len(live) == 1


def test_blocks_hold_each_sample_once_and_the_live_ones_join_the_same_series(joined: Joined):
    """As many samples as were written; no metric has a series more since it is scraped; blocks do not overlap."""
    lines = [line for line in joined.text.splitlines() if not line.startswith("#")]
    series = len({line.rsplit(" ", 2)[0] for line in lines})
    days = f"{date_of(joined.first)} to {date_of(joined.today - 1)}"
    assert joined.told == f"{len(lines):,} samples of {series:,} series, {days}.\n"
    ask, past = joined.prometheus.query, f"[{DAYS + 1}d]"
    stored = joined.prometheus.get("query", query=f"{{{JOB}}}{past}", time=joined.close)["result"]
    assert (len(stored), sum(len(each["values"]) for each in stored)) == (series, len(lines))
    assert ask(f"count(count_over_time(growth_customers{{{JOB}}}{past}))") == {frozenset(): 1}
    ((labels, count),) = ask(f"count_over_time(growth_customers{{{JOB}}}{past})").items()
    assert count > joined.today - joined.first
    assert dict(labels)["instance"] == joined.instance
    spans = sorted(re.findall(r"^[0-9A-Z]{26}\s+(\d+)\s+(\d+)", joined.said_by_promtool, re.MULTILINE))
    assert spans
    assert all(int(end) <= int(start) for (_, end), (start, _) in pairwise(spans))


def test_a_range_over_months_has_every_day(joined: Joined):
    """A value at each midnight, at a step of a day; five minutes after it Prometheus finds none."""
    first, last = (joined.first + 1) * DAY, joined.today * DAY
    (by_day,) = joined.prometheus.query_range(CUSTOMERS, first, last, DAY).values()
    lines = [line.rsplit(" ", 2) for line in joined.text.splitlines() if line.startswith("growth_customers{")]
    assert by_day == {int(time) + 1: float(value) for _, value, time in lines}
    assert len(by_day) == joined.today - joined.first
    assert joined.prometheus.query(CUSTOMERS, at=joined.close - DAY // 2) == {}


def test_with_the_lookback_of_the_how_to_there_are_no_gaps(joined: Joined, prometheus: Callable[..., Prometheus]):
    """At any step and hour a day's value holds until the next day's, and until the live samples."""
    (flag,) = set(re.findall(r"--query\.lookback-delta=\S+h", PAGE.read_text()))
    server = prometheus(data=joined.blocks, options=[flag])
    first, last = (joined.first + 1) * DAY, joined.today * DAY
    (by_day,) = server.query_range(CUSTOMERS, first, last, DAY).values()
    (odd,) = server.query_range(CUSTOMERS, first + 1234, last + DAY // 2, 7 * 3600).values()
    assert len(odd) == (last + DAY // 2 - first - 1234) // (7 * 3600) + 1
    assert odd == {at: by_day[at // DAY * DAY] for at in odd}


def test_a_file_that_was_cut_off_makes_no_blocks(joined: Joined, tmp_path: Path):
    """Whatever was interrupted is refused by promtool as a whole."""
    cut = tmp_path / "cut.om"
    cut.write_text(joined.text[: len(joined.text) // 2].rpartition("\n")[0] + "\n")
    ran = subprocess.run(["promtool", *_command(), cut, tmp_path / "data"], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "# EOF" in ran.stderr
    assert not list((tmp_path / "data").glob("*/meta.json"))
