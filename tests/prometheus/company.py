"""A company in full for dashboards and rules: a real worker and exporters, its past in blocks, a real Prometheus."""

from __future__ import annotations

import datetime as dt
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from aggregators.tables import open_tables
from exporters.server import ExporterConfig, ExporterServer
from growthgauge.demo.company import Company
from growthgauge.demo.feed import RATES
from growthgauge.settings import load
from growthgauge.wiring import metric_settings, today
from tests.prometheus.server import Prometheus, promtool
from tests.servers import free_port
from tests.terminal import Up, User
from tests.unit.promql import BOARDS, RULES

DAYS = 300
FILLED_IN_DAYS = 95
"""What means of 90 days need."""
DAY = 86_400
TARGETS = sorted(set(re.findall(r'target=\\?"(\w+)', json.dumps(BOARDS) + "".join(p.read_text() for p in RULES))))
"""All that a panel or rule asks for."""
LATE_SECONDS = 600
"""The last events are sent after the first scrapes, so that rates have something to see."""


class Running(NamedTuple):
    """What runs, and what Prometheus has seen of it."""

    two: Prometheus
    """Scrapes both exporters and the worker, evaluates all rules, and has the company's past."""
    one: Prometheus
    """Scrapes one exporter and the worker, and evaluates all rules."""
    none: Prometheus
    """Scrapes an exporter and a worker that do not answer."""


@contextmanager
def running(start: Callable[..., Prometheus], folder: Path) -> Iterator[Running]:
    """Send most of a year of the demo company to an `up`, fill its past in, and scrape it."""
    user = User(folder)
    broker, redis, exporter, worker = (free_port() for _ in range(4))
    (folder / "rates.json").write_text(json.dumps(RATES))
    (folder / "growthgauge.toml").write_text(
        f'broker = "127.0.0.1:{broker}"\nredis_url = "redis://127.0.0.1:{redis}/0"\nexporter_port = {exporter}\n'
        f'worker_port = {worker}\nrates_file = "{folder}/rates.json"\npartitions = 2\n'
        f"targets = {{ {', '.join(f'{name} = 0.5' for name in TARGETS)} }}\n"
    )
    up = Up(user)
    try:
        up.ready()
        first, last, rest = _events()
        assert user.runs("send", "--wait", user.file("first.ndjson", first), seconds=300).status == 0
        live = f"127.0.0.1:{exporter}"
        since = str(dt.datetime.now(dt.UTC).date() - dt.timedelta(days=FILLED_IN_DAYS))
        filled_in = user.runs("backfill", "--from", since, "--output", "past.om", "--label", f"instance={live}")
        assert filled_in.status == 0, filled_in.error
        blocks = ("tsdb", "create-blocks-from", "--max-block-duration=4374h", "openmetrics")
        promtool(*blocks, folder / "past.om", folder / "data")
        rules = list(_at_once(folder / "rules"))
        with _second_exporter(folder, redis) as second:
            workers = [f"127.0.0.1:{worker}"]
            jobs = {"growthgauge-exporter": [live, second], "growthgauge-worker": workers}
            two = start(data=folder / "data", jobs=jobs, rules=rules)
            one = start(jobs=jobs | {"growthgauge-exporter": [live]}, rules=rules)
            gone = [f"127.0.0.1:{free_port()}"]
            none = start(jobs={"growthgauge-exporter": gone, "growthgauge-worker": gone}, rules=rules)
            two.wait_for_scrapes()
            one.wait_for_scrapes()
            none.wait_for("up == 0")
            # Between two scrapes, so that the counters rise in what is scraped.
            assert user.runs("send", "--wait", user.file("last.ndjson", [*last, *rest])).status == 0
            time.sleep(3)
            yield Running(two, one, none)
    finally:
        up.close()


def _events() -> tuple[list[dict], list[dict], list[str]]:
    """Give the events up to some minutes ago, those since and of today, and lines that are no events."""
    now = int(time.time())
    begin = dt.datetime.fromtimestamp(now - now % DAY - DAYS * DAY, dt.UTC)
    events = list(Company(5, begin.date()).events(int(begin.timestamp() * 1000), now * 1000))
    cut = (now - now % DAY - LATE_SECONDS) * 1000
    before = [event for event in events if event["occurred_at"] < cut]
    return before, [event for event in events if event["occurred_at"] >= cut], ["no event at all"]


def _at_once(folder: Path) -> Iterator[Path]:
    """Copy the rules without intervals of their own: a test waits for every group."""
    folder.mkdir()
    for path in RULES:
        copy = folder / path.name
        copy.write_text(re.sub(r"^    interval: \S+\n", "", path.read_text(), flags=re.MULTILINE))
        yield copy


@contextmanager
def _second_exporter(folder: Path, redis: int) -> Iterator[str]:
    """Serve the same tables once more, on a port of its own."""
    settings = load({}, folder / "growthgauge.toml")
    config = ExporterConfig(
        today=lambda: today(settings), partitions=settings.partitions, settings=metric_settings(settings), port=0
    )
    server = ExporterServer(config, open_tables(f"redis://127.0.0.1:{redis}/0"))
    server.start()
    try:
        yield f"127.0.0.1:{server.port}"
    finally:
        server.stop()
