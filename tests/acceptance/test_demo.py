"""`growthgauge up --demo`: numbers within two minutes, moving, and going on after a restart."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from tests.terminal import Up, User, get, value


def sessions_today(exporter: str) -> float:
    """Read a number that moves with live traffic, whichever day it is just now."""
    text = get(f"{exporter}/metrics")
    return value(text, 'growth_sessions{period="7d"}')


def test_the_demo_shows_a_company_that_lives_on(user: User, up: Callable[..., Up]):
    """Its history comes in within two minutes, the numbers move by themselves, and a restart does not begin anew."""
    began = time.monotonic()
    running = up("--demo").ready()
    running.says("two years are in")
    assert time.monotonic() - began < 120
    state = json.loads((user.folder / ".growthgauge/demo/up.json").read_text())["settings"]
    exporter = f"http://127.0.0.1:{state.get('exporter_port', 9108)}"
    text = get(f"{exporter}/metrics")
    assert value(text, "growth_customers") > 500
    assert value(text, "growth_mrr") > value(text, 'growth_mrr_at_start{period="365d"}') > 1000
    assert value(text, 'growth_mrr_native{currency="EUR"}') > 0
    before = sessions_today(exporter)
    time.sleep(5)
    assert sessions_today(exporter) > before

    reported = user.runs("report", "--format", "prometheus")
    assert "demo" in reported.error
    assert value(reported.output, "growth_customers") > 500

    running.kill_group()
    again = up("--demo").ready()
    counted = sessions_today(exporter)
    assert counted >= before
    time.sleep(10)
    assert "two years" not in again.text()
    assert before <= sessions_today(exporter) < counted + 1000
    log = (user.folder / ".growthgauge/demo/logs/demo.log").read_text()
    assert "events came in" not in log
