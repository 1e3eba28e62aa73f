"""The exporter's HTTP server on tables in memory: content negotiation, probes, pages, the end."""

import gzip
import http.client
import re
import socket
from contextlib import contextmanager
from html import unescape

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


def tiles(page):
    """Give the wall's numbers by title."""
    text = page if isinstance(page, str) else page.decode()
    return dict(re.findall(r'<dt><a href="/definitions#\w+">([^<]*)</a></dt><dd class="value">([^<]*)</dd>', text))


def rows(page):
    """Give the cells of all rows of tables by their first one, without the markup in them."""
    text = page if isinstance(page, str) else page.decode()
    found = {}
    for row in re.findall(r"<tr>(.*?)</tr>", text, re.DOTALL):
        first, *cells = (unescape(re.sub("<[^>]*>", "", cell)) for cell in re.findall(r"<t[hd].*?</t[hd]>", row))
        found[first] = cells
    return found


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
        assert tiles(page) | {"Customers": "3", "MRR": "60.33 USD", "Customer churn": "33.3%"} == tiles(page)
        assert tiles(page)["Quick ratio"] == "0.34"
        assert rows(page)["Churn"][:2] == ["\N{MINUS SIGN}29.00", "1"]
        assert "http://" not in page
        assert "https://" not in page
        for part in page.split('="')[1:]:
            link = part.partition('"')[0]
            if link.startswith("/"):
                path, _, anchor = link.partition("#")
                status, _, there = ask(path)
                assert status == 200, link
                assert not anchor or f' id="{anchor}"'.encode() in there, link
        assert "default-src 'none'" in headers["Content-Security-Policy"]


def test_the_numbers_move():
    """What the page fetches every few seconds has what was committed since, of the past too."""
    tables = filled()
    with serving(tables) as ask:
        assert tiles(ask("/numbers")[2])["Customers"] == "3"
        put(tables, 1, {AS_OF: {key("new"): 1_234}})
        assert tiles(ask("/numbers")[2])["Customers"] == "1,237"
        assert tiles(ask("/numbers?as_of=2026-03-30")[2])["Customers"] == "2"
        put(tables, 1, {AS_OF - 1: {key("new"): 1}})
        assert tiles(ask("/numbers?as_of=2026-03-30")[2])["Customers"] == "3"


def test_the_day_turns_at_midnight():
    """Every scrape is as of the clock's day: what was written ahead for tomorrow counts tomorrow."""
    days = [AS_OF]
    with serving(filled(), today=lambda: days[0]) as ask:
        assert tiles(ask("/numbers")[2])["Customers"] == "3"
        days[0] += 1
        assert tiles(ask("/numbers")[2])["Customers"] == "2"


def test_a_page_without_numbers_says_why():
    """When the tables cannot be used the page is still served and shows the reason, safe as HTML."""
    with serving(filled("<b>"), fingerprint="ours") as ask:
        status, _, body = ask("/")
        assert status == 200
        assert b'role="alert"' in body
        assert b"growthgauge rebuild" in body
        assert not tiles(body)


def test_definitions_explain_every_metric():
    """Every growth metric that is shown has its meaning on the definitions page."""
    with serving(filled()) as ask:
        definitions = ask("/definitions")[2].decode()
        shown = {
            line.split()[2] for line in ask("/metrics")[2].decode().splitlines() if line.startswith("# TYPE growth_")
        }
        collectors = {"growth_collector_success", "growth_collector_duration_seconds"}
        about_the_scrape = {"growth_redis_up", "growth_facts_unbalanced", *collectors}
        assert {name for name in shown if f' id="{name}"' not in definitions} == about_the_scrape
        for name in shown - about_the_scrape:
            article = definitions.partition(f' id="{name}"')[2].partition("</article>")[0]
            assert all(f"<dt>{note}</dt>" in article for note in ("Source", "Differs", "Example")), name


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


def test_what_events_say_is_never_markup():
    """Plans, reasons and segments with markup in their names are shown as text."""
    evil = "<img src=x onerror=alert(1)>\"'&</td><script>"
    tables = filled()
    facts = {
        key("plan_subscriptions", evil): 1,
        key("plan_mrr", evil, "USD"): 5_000_000,
        key("churned", evil): 1,
        key("segment_customers", "plan", evil): 1,
    }
    put(tables, 0, {AS_OF: facts})
    with serving(tables) as ask:
        page = ask("/?by=plan")[2].decode()
        assert "<img" not in page
        assert page.count("<script") == 3
        assert page.count("&lt;img src=x onerror=alert(1)&gt;&quot;&#x27;&amp;&lt;/td&gt;&lt;script&gt;") >= 3
        refused = ask("/?period=%3Cscript%3E")
        assert refused[0] == 400
        assert b"got &#x27;&lt;script&gt;&#x27;" in refused[2]


def test_a_number_stands_beside_what_it_was():
    """A level is compared with the period's start, a flow with the period before; a target judges 30 days alone."""
    with serving(filled()) as ask:
        page = ask("/?period=30d")[2].decode()
        assert "no change</span> 3 at start" in page
        assert "Amounts are without EUR</b>, for which there is " in page
        assert 'target 3.0% <span class="bad">✗ missed</span>' in page
        assert "target 3.0% in 30 days</dd>" in ask("/?period=7d")[2].decode()
        assert "as of 1 Mar 2026. At start: the end of 1 Mar 2026." in page
        for period, before, start in (
            ("month", "28 Feb 2026", "28 Feb 2026"),
            ("previous_month", "28 Feb 2026", "31 Jan 2026"),
            ("day", "30 Mar 2026", "30 Mar 2026"),
            ("year", "31 Mar 2025", "31 Dec 2025"),
        ):
            told = ask(f"/numbers?period={period}")[2].decode()
            assert f"as of {before}. At start: the end of {start}." in told, period


def test_movements_lead_from_start_to_end():
    """The steps between MRR at the period's start and at its end add up."""
    with serving(filled()) as ask:
        shown = rows(ask("/numbers?period=90d")[2])
        amounts = [
            float(shown[step][0].replace(",", "").replace("\N{MINUS SIGN}", "-"))
            for step in shown
            if step in ("At start", "New", "Expansion", "Reactivation", "Contraction", "Churn", "Exchange rates")
        ]
        assert sum(amounts) == pytest.approx(float(shown["At end"][0]), abs=0.011)


def test_assets_are_kept_by_browsers_and_packed():
    """What has not changed is not sent again; long answers are compressed for who asks so."""
    with serving(filled()) as ask:
        _, headers, body = ask("/static/uplot.min.js", Accept_Encoding="gzip")
        assert gzip.decompress(body).startswith(b"/*! https://github.com/leeoniya/uPlot")
        assert ask("/static/uplot.min.js", If_None_Match=headers["ETag"])[::2] == (304, b"")
        assert b"MIT License" in ask("/static/uplot.LICENSE")[2]
        _, headers, body = ask("/", Accept_Encoding="gzip, br")
        assert headers["Content-Encoding"] == "gzip"
        assert "<main" in gzip.decompress(body).decode()
        assert headers["Cache-Control"] == "no-store"
