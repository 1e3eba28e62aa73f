"""A real data set through the real path: the purchases of CDNOW, beside a plain count of the same file."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable

from benchmarks import cdnow
from tests.support.servers import free_port
from tests.support.terminal import Up, User

AS_OF = dt.date(1997, 3, 31)


def test_the_report_agrees_with_a_plain_count_of_the_purchases(user: User, up: Callable[..., Up]):
    """Customers, signups, revenue and active users of a day in 1997 are what the file says, sent once or twice."""
    bought = cdnow.purchases()
    assert len(bought) == 69_659
    with (user.folder / "cdnow.ndjson").open("w") as file:
        file.writelines(json.dumps(event) + "\n" for event in cdnow.events(bought))

    # Ports of its own: whoever else sends to the default ones on this machine would be counted, too.
    broker, redis, exporter, worker = (free_port() for _ in range(4))
    servers = ("--broker", f"127.0.0.1:{broker}", "--redis-url", f"redis://127.0.0.1:{redis}/0")
    up(*servers, "--exporter-port", str(exporter), "--worker-port", str(worker)).ready()
    sent = user.runs("send", "--wait", "cdnow.ndjson")
    assert sent.status == 0, sent.error
    assert "162,888 sent: 162,888 accepted, 0 duplicate, 0 late, 0 rejected" in sent.output

    report = user.runs("report", "--as-of", str(AS_OF), "--format", "json")
    found = cdnow.reported(report.output)
    expected = cdnow.figures(bought, AS_OF)
    print("\n".join(f"{name}: {found.get(name)} reported, {float(value)} counted" for name, value in expected.items()))
    assert {name: found.get(name) for name in expected} == {name: float(value) for name, value in expected.items()}
    assert found["growth_customers"] == 23_570

    again = user.runs("send", "--wait", "cdnow.ndjson")
    assert "162,888 sent: 0 accepted, " in again.output
    assert user.runs("report", "--as-of", str(AS_OF), "--format", "json").output == report.output
