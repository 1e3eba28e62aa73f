"""`growthgauge up --demo`: numbers within two minutes, moving, and going on after a restart."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from tests.support.terminal import Up, User, get, value


def metrics(user: User) -> str:
    """Read the metrics; on a busy machine the first look at all facts may take longer than a scrape may."""
    until = time.monotonic() + 60
    # At every start the ports may be others: those that are free.
    note = json.loads((user.folder / ".growthgauge/demo/up.json").read_text())["settings"]
    while True:
        text = get(f"http://127.0.0.1:{note.get('exporter_port', 9108)}/metrics")
        if "growth_redis_up 1.0" in text.splitlines() or time.monotonic() > until:
            return text
        time.sleep(1)


def sessions(user: User) -> float:
    """Read a number that moves with live traffic, whichever time of day it is."""
    return value(metrics(user), 'growth_sessions{period="7d"}')


def test_the_demo_shows_a_company_that_lives_on(user: User, up: Callable[..., Up]):
    """Its history comes in within two minutes, the numbers move by themselves, and a restart does not begin anew."""
    began = time.monotonic()
    running = up("--demo").ready()
    running.says("two years are in")
    assert time.monotonic() - began < 120
    text = metrics(user)
    assert value(text, "growth_customers") > 500
    assert value(text, "growth_mrr") > value(text, 'growth_mrr_at_start{period="365d"}') > 1000
    assert value(text, 'growth_mrr_native{currency="EUR"}') > 0
    before = sessions(user)
    time.sleep(5)
    assert sessions(user) > before

    reported = user.runs("report", "--format", "prometheus")
    assert "demo" in reported.error
    assert value(reported.output, "growth_customers") > 500

    running.kill_group()
    again = up("--demo").ready()
    counted = sessions(user)
    assert counted >= before
    time.sleep(10)
    assert "two years" not in again.text()
    assert before <= sessions(user) < counted + 1000
    log = (user.folder / ".growthgauge/demo/logs/demo.log").read_text()
    assert "events came in" not in log
