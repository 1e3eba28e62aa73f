"""A company in full for dashboards and rules: a real worker and exporters, its past in blocks, a real Prometheus."""

from __future__ import annotations

import datetime as dt
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from aggregators.tables.opening import open_tables
from exporters.server import ExporterConfig, ExporterServer
from growthgauge.local.demo.feed import RATES
from growthgauge.settings import load
from growthgauge.wiring import metric_settings, today
from tests.prometheus.server import Prometheus, promtool
from tests.support.servers import free_port
from tests.support.terminal import Up, User
from tests.unit.promql import BOARDS, RULES

DAYS = 220
FILLED_IN_DAYS = 95
"""What means of 90 days need."""
DAY = 86_400
TARGETS = sorted(set(re.findall(r'target=\\?"(\w+)', json.dumps(BOARDS) + "".join(p.read_text() for p in RULES))))
"""All that a panel or rule asks for."""
FATES = ("stays", "lapses", "recovers", "never pays")


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
    """Send the company to an `up`, fill its past in, and scrape it."""
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
        midnight = int(time.time()) // DAY * DAY
        events = sorted(
            (event for number in range(DAYS + 1) for event in life(number, midnight - (DAYS - number) * DAY)),
            key=itemgetter("occurred_at"),
        )
        past = [event for event in events if event["occurred_at"] < midnight * 1000]
        rest = [event for event in events[len(past) :] if event["occurred_at"] <= time.time() * 1000]
        assert user.runs("send", "--wait", user.file("past.ndjson", past), seconds=300).status == 0
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
            assert user.runs("send", "--wait", user.file("today.ndjson", [*rest, "no event at all"])).status == 0
            sent = time.time()
            for server in (two, one):
                server.wait_for(f"count(timestamp(up) > {sent}) == count(up)")
            yield Running(two, one, none)
    finally:
        up.close()


def life(number: int, begin: int) -> Iterator[dict[str, Any]]:
    """Tell all that ever happens with the customer who comes on a day, whatever today is.

    One comes every day, and every fourth has the same fate, so that of everything there is something in any 30 days.

    Args:
        number: the customer's.
        begin: the day's first second.
    """
    fate, euros = FATES[number % 4], number % 3 == 0
    counted = count()

    def event(kind: str, day: int, /, **fields: Any) -> dict[str, Any]:
        at = (begin + day * DAY + number % 60) * 1000
        return {"id": f"{next(counted)}", "type": kind, "customer_id": f"c{number}", "occurred_at": at, **fields}

    def payment(day: int, amount: int, status: str = "succeeded", **fields: Any) -> dict[str, Any]:
        return event("payment", day, amount=amount, currency="EUR" if euros else "USD", status=status, **fields)

    segment = {"plan": ("starter", "team")[number % 2], "country": ("US", "DE")[euros], "channel": "organic"}
    yield event("signup", 0, **segment, owner=("amara", "ben")[number % 5 % 2], trial_ends_at=(begin + 7 * DAY) * 1000)
    for day in (0, 1, 7, 30, 60):
        yield event("session", day, duration_seconds=300, features=["boards", "api"], reactions=2)
        yield event("session", day, user_id=f"second-{number}", duration_seconds=60)
    for kind, score in {"nps": number % 11, "csat": number % 5 + 1, "ces": number % 7 + 1, "fcr": number % 2}.items():
        yield event("survey", 2, kind=kind, score=score)
    yield event("expense", 0, category=("retention", "acquisition")[number % 2], amount=100, currency="USD")
    if fate != "never pays":
        yield payment(5, 50)
        yield payment(6, 20, interval="one_time")
    if fate == "stays":
        for month, amount in enumerate((60, 60, 40), 1):
            yield payment(5 + month * 30, amount)
        yield event("cancellation", 110, effective_at=(begin + 115 * DAY) * 1000, reason="too_expensive")
        yield payment(130, 50)
    elif fate == "lapses":
        yield payment(35, 50, "failed")
    elif fate == "recovers":
        yield payment(34, 50, "failed")
        yield payment(37, 50)
        yield payment(38, 50, "refunded")
        yield payment(66, 50)
        yield event("cancellation", 80, reason="switched")


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
