"""The exporter's HTTP server on tables in memory: content negotiation, probes, pages, the end."""

import gzip
import http.client
import socket
from contextlib import contextmanager

import pytest

from aggregators.facts import key
from aggregators.tables.memory import Tables
from exporters.server import ExporterConfig, ExporterServer
from tests.unit.exporter_facts import AS_OF, filled, put, settings

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@contextmanager
def serving(tables, **changes):
    """Run an exporter on a free port and give a function that asks it."""
    config = ExporterConfig(**({"today": lambda: AS_OF, "partitions": 2, "settings": settings(), "port": 0} | changes))
    server = ExporterServer(config, tables)
    server.start()

    def ask(path, method="GET", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, dict(answer.getheaders()), body

    try:
        yield ask
    finally:
        server.stop()


def test_metrics_are_plain_text_unless_openmetrics_is_asked_for():
    """Accept decides between the two formats; without it the text is what every Prometheus reads."""
    with serving(filled()) as ask:
        status, headers, body = ask("/metrics")
        assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert b"\ngrowth_customers 3.0\n" in body
        status, headers, body = ask("/metrics", Accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
        assert (status, headers["Content-Type"].partition("; escaping")[0]) == (200, OPENMETRICS)
        assert body.endswith(b"# EOF\n")
        assert b'growth_build_info{version="0.1.0"} 1.0\n' in body


def test_metrics_are_compressed_when_asked_for():
    """Accept-Encoding gzip gives the same text in fewer bytes."""
    with serving(filled()) as ask:
        _, headers, body = ask("/metrics", Accept_Encoding="gzip")
        assert headers["Content-Encoding"] == "gzip"
        assert b"growth_customers 3.0" in gzip.decompress(body)
        assert "Content-Encoding" not in ask("/metrics")[1]


def test_healthy_is_always_200_and_ready_says_what_is_missing():
    """Healthy is about the process alone; ready names every reason on a line of its own."""
    reasons = []
    with serving(filled(), ready=lambda: reasons) as ask:
        assert ask("/-/healthy")[0] == 200
        assert ask("/-/ready")[::2] == (200, b"ready\n")
        reasons += ["The topic growth.sessions does not exist: run `growthgauge init`.", "No worker has partition 3."]
        status, _, body = ask("/-/ready")
        assert (status, body.decode().splitlines()) == (503, reasons)
    with serving(filled("theirs"), fingerprint="ours") as ask:
        assert ask("/-/healthy")[0] == 200
        status, _, body = ask("/-/ready")
        assert status == 503
        assert b"growthgauge rebuild" in body


def test_the_landing_page_shows_the_wall_and_needs_no_other_host():
    """The numbers are in the HTML itself; every link and asset is on this server and is there."""
    with serving(filled()) as ask:
        status, headers, body = ask("/")
        page = body.decode()
        assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert "<dt>Customers</dt><dd>3</dd>" in page
        assert "<dt>MRR</dt><dd>60.33 USD</dd>" in page
        assert "<dt>Customer churn, 30 days</dt><dd>33.3%</dd>" in page
        assert "<dt>Quick ratio, 30 days</dt><dd>0.34</dd>" in page
        assert "<td>MRR churn</td><td>0.00</td><td>0.00</td><td>-29.00</td>" in page
        assert "http://" not in page
        assert "https://" not in page
        for part in page.split('="')[1:]:
            link = part.partition('"')[0]
            if link.startswith("/"):
                assert ask(link)[0] == 200, link
        assert "default-src 'none'" in headers["Content-Security-Policy"]


def test_the_numbers_move():
    """What the page fetches every two seconds has what was committed since."""
    tables = filled()
    with serving(tables) as ask:
        assert b"<dt>Customers</dt><dd>3</dd>" in ask("/numbers")[2]
        put(tables, 1, {AS_OF: {key("new"): 1_234}})
        assert b"<dt>Customers</dt><dd>1,237</dd>" in ask("/numbers")[2]


def test_the_day_turns_at_midnight():
    """Every scrape is as of the clock's day: what was written ahead for tomorrow counts tomorrow."""
    days = iter([AS_OF, AS_OF + 1])
    with serving(filled(), today=lambda: next(days)) as ask:
        assert b"<dt>Customers</dt><dd>3</dd>" in ask("/numbers")[2]
        assert b"<dt>Customers</dt><dd>2</dd>" in ask("/numbers")[2]


def test_a_page_without_numbers_says_why():
    """When the tables cannot be used the page is still served and shows the reason, safe as HTML."""
    with serving(filled("<b>"), fingerprint="ours") as ask:
        status, _, body = ask("/")
        assert status == 200
        assert b'role="alert"' in body
        assert b"growthgauge rebuild" in body
        assert b"<dt>" not in body


def test_definitions_explain_every_metric():
    """Every growth metric that is shown has its meaning on the definitions page."""
    with serving(filled()) as ask:
        definitions = ask("/definitions")[2].decode()
        shown = {
            line.split()[2] for line in ask("/metrics")[2].decode().splitlines() if line.startswith("# TYPE growth_")
        }
        collectors = {"growth_collector_success", "growth_collector_duration_seconds"}
        about_the_scrape = {"growth_redis_up", "growth_facts_unbalanced", *collectors}
        assert {name for name in shown if f"<code>{name}</code>" not in definitions} == about_the_scrape


def test_wrong_requests_get_an_answer():
    """Unknown paths are 404, other methods 405, HEAD has no body."""
    with serving(Tables()) as ask:
        assert ask("/nowhere")[0] == 404
        assert ask("/../etc/passwd")[0] == 404
        assert ask("/", method="POST")[0] == 405
        assert ask("/metrics", method="DELETE")[0] == 405
        status, headers, body = ask("/", method="HEAD")
        assert (status, body) == (200, b"")
        assert int(headers["Content-Length"]) > 0


def test_a_silent_client_keeps_nobody_else_waiting():
    """A connection that says nothing leaves the others served."""
    with serving(filled()) as ask, socket.socket() as silent:
        port = int(ask.__closure__[0].cell_contents.port)
        silent.connect(("127.0.0.1", port))
        assert ask("/metrics")[0] == 200


def test_a_taken_port_is_an_error_at_once():
    """Two exporters on one port: the second cannot be made."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        config = ExporterConfig(
            today=lambda: AS_OF, partitions=2, settings=settings(), port=int(taken.getsockname()[1])
        )
        with pytest.raises(OSError, match="in use"):
            ExporterServer(config, Tables())


def test_a_stopped_exporter_leaves_its_port():
    """After stop the same port can be bound again at once, also if it was never started."""
    config = ExporterConfig(today=lambda: AS_OF, partitions=2, settings=settings(), port=0)
    server = ExporterServer(config, Tables())
    server.stop()
    again = ExporterServer(
        ExporterConfig(today=lambda: AS_OF, partitions=2, settings=settings(), port=server.port), Tables()
    )
    again.start()
    assert again.url == f"http://127.0.0.1:{server.port}/"
    again.stop()
