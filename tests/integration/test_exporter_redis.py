"""The exporter on a real Redis: down and up again, hanging, loading, emptied; and as a process that is ended."""

import http.client
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from aggregators.facts import key
from aggregators.tables.opening import open_tables
from exporters.server import ExporterConfig, ExporterServer
from tests.support.servers import free_port, redis_server
from tests.unit.exporter_facts import AS_OF, fill, put, settings

ROOT = Path(__file__).parents[2]


def ask(port, path="/metrics"):
    """Get one page as status and text."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@contextmanager
def exporting(url):
    """Run an exporter of tables in Redis on a free port, and give the port."""
    server = ExporterServer(
        ExporterConfig(today=lambda: AS_OF, partitions=2, settings=settings(), port=0, patience=1.0), open_tables(url)
    )
    server.start()
    try:
        yield server.port
    finally:
        server.stop()


def growth(text):
    """Keep the samples of growth metrics, without those about the scrape."""
    about = ("growth_redis_up", "growth_collector_", "growth_facts_")
    return [line for line in text.splitlines() if line.startswith("growth_") and not line.startswith(about)]


@pytest.fixture
def redis():
    """A server that keeps what it acknowledged, with the small company in it."""
    with redis_server(append_only=True) as server:
        fill(open_tables(server.url))
        yield server


def test_redis_goes_away_and_comes_back(redis):
    """While Redis is dead the page, the probes and the rest are served; afterwards the same numbers are there."""
    with exporting(redis.url) as port:
        before = ask(port)[1]
        assert "growth_customers 3.0" in before
        redis.kill()
        status, down = ask(port)
        assert status == 200
        assert "growth_redis_up 0.0" in down
        assert "growth_customers" not in down
        assert "process_cpu_seconds_total" in down
        assert ask(port, "/-/healthy")[0] == 200
        ready, reason = ask(port, "/-/ready")
        assert ready == 503
        assert f"127.0.0.1:{redis.port}" in reason
        assert 'role="alert"' in ask(port, "/")[1]
        redis.start()
        assert growth(ask(port)[1]) == growth(before)
        assert ask(port, "/-/ready")[0] == 200


def test_a_redis_that_hangs_costs_the_scrape_its_patience(redis):
    """A stopped process answers nothing: scrapes still end in time, and go on when it does."""
    with exporting(redis.url) as port:
        before = ask(port)[1]
        os.kill(redis.pid, signal.SIGSTOP)
        try:
            for _ in range(2):
                began = time.monotonic()
                assert "growth_redis_up 0.0" in ask(port)[1]
                assert time.monotonic() - began < 5
        finally:
            os.kill(redis.pid, signal.SIGCONT)
        deadline = time.monotonic() + 10
        while growth(now := ask(port)[1]) != growth(before):
            assert time.monotonic() < deadline, now


def test_an_emptied_redis_is_noticed(redis):
    """A Redis that lost everything gives zeros, not what the exporter remembers."""
    with exporting(redis.url) as port, redis.client() as client:
        assert "growth_customers 3.0" in ask(port)[1]
        client.flushall()
        assert "growth_customers 0.0" in ask(port)[1]
        put(open_tables(redis.url), 0, {AS_OF: {key("new"): 7}})
        assert "growth_customers 7.0" in ask(port)[1]


def test_two_exporters_give_the_same_numbers(redis):
    """One that has followed every change and one that comes late agree on every sample."""
    tables = open_tables(redis.url)
    with exporting(redis.url) as first:
        for day in range(AS_OF - 40, AS_OF, 3):
            put(tables, day % 2, {day: {key("new"): 1, key("signups"): 2}})
            ask(first)
        with exporting(redis.url) as second:
            assert growth(ask(first)[1]) == growth(ask(second)[1])
            assert "growth_customers 17.0" in ask(second)[1]


PROCESS = """
import sys
from aggregators.tables.opening import open_tables
from exporters.server import ExporterConfig, run_exporter
from tests.unit.exporter_facts import AS_OF, settings
config = ExporterConfig(today=lambda: AS_OF, partitions=2, settings=settings(), port=int(sys.argv[2]))
raise SystemExit(run_exporter(config, open_tables(sys.argv[1])))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_exporter_cleanly(redis, number):
    """SIGTERM and SIGINT end the process within seconds with status 0, also while Redis hangs in a scrape."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", PROCESS, redis.url, str(port)], cwd=ROOT, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                assert "growth_customers 3.0" in ask(port)[1]
                break
            except ConnectionRefusedError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        os.kill(redis.pid, signal.SIGSTOP)
        pending = http.client.HTTPConnection("127.0.0.1", port)
        pending.request("GET", "/metrics")
        began = time.monotonic()
        process.send_signal(number)
        assert process.wait(10) == 0
        assert time.monotonic() - began < 5
        assert process.stderr.read() == b""
    finally:
        os.kill(redis.pid, signal.SIGCONT)
        process.kill()
        process.wait()
        process.stderr.close()
