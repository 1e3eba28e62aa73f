"""`python -m benchmarks.scrape`: what a scrape and a report take on two years of history, and how many series come."""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table

from aggregators.calendar import day_of
from benchmarks import parts, series
from benchmarks.subscriptions import Company, Filled, Filler
from growthgauge.local.demo.feed import RATES
from growthgauge.settings import Settings, load
from growthgauge.wiring import answers
from tests.support.servers import RedisServer, free_port, redis_server

STARTS = 3
"""First scrapes and reports."""
SCRAPES = 7
"""Later scrapes of each kind."""
PATIENCE_SECONDS = 60
VALUES = 60
"""Plans, countries, channels and owners of the company whose series are counted."""

_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


class Scrape(NamedTuple):
    """One answer of /metrics."""

    seconds: float
    cpu_seconds: float
    """Of the exporter."""
    series: int
    """Growth metrics alone."""
    size: int
    """Bytes."""


class Report(NamedTuple):
    """One process of `growthgauge report`."""

    seconds: float
    cpu_seconds: float


class Measured(NamedTuple):
    """One company's medians."""

    company: Company
    filled: Filled
    redis_bytes: int
    first: Scrape
    steady: Scrape
    changed: Scrape
    report_table: Report
    report_json: Report
    exporter_bytes: int


@contextlib.contextmanager
def tables(company: Company) -> Iterator[tuple[RedisServer, Settings, Filler]]:
    """Run a Redis for a while, and give what it takes to fill it."""
    with tempfile.TemporaryDirectory(prefix="growthgauge-bench-") as name, redis_server() as redis:
        folder = Path(name)
        (folder / "rates.json").write_bytes(msgspec.json.encode(RATES))
        settings = load(
            {
                "redis_url": redis.url,
                "data_dir": folder,
                "partitions": 4,
                "exporter_port": free_port(),
                "rates_file": folder / "rates.json",
            }
        )
        filler = Filler(settings, company, day_of(dt.datetime.now(dt.UTC).date()))
        try:
            yield redis, settings, filler
        finally:
            filler.close()


def measure(company: Company, console: Console) -> Measured:
    """Fill tables with a company, then scrape and report."""
    with tables(company) as (redis, settings, filler):
        console.print(f"{company.customers:,} customers come in ...")
        filled = filler.fill()
        with redis.client() as client:
            used = client.info("memory")["used_memory"]
        console.print(f"... {filled.seconds:.0f} s; now scrapes and reports ...")
        firsts = []
        for _ in range(STARTS):
            with parts.command("exporter", settings) as exporter:
                parts.wait_for(lambda: answers(f"http://127.0.0.1:{settings.exporter_port}/-/healthy"), 0.05)
                firsts.append(_scrape(settings, exporter.pid))
                steady = [_scrape(settings, exporter.pid) for _ in range(SCRAPES)]
                changed = []
                for _ in range(SCRAPES):
                    filler.minute()
                    changed.append(_scrape(settings, exporter.pid))
                memory = exporter.memory_info().rss
        return Measured(
            company,
            filled,
            used,
            _median(firsts),
            _median(steady),
            _median(changed),
            _report(settings, "table"),
            _report(settings, "json"),
            memory,
        )


def _scrape(settings: Settings, pid: int) -> Scrape:
    """Ask until the answer is whole: the first look at many facts may take longer than the exporter's patience."""
    started, cpu = time.perf_counter(), parts.cpu_seconds(pid)
    while True:
        with _open(f"http://127.0.0.1:{settings.exporter_port}/metrics", timeout=PATIENCE_SECONDS) as response:
            lines = response.read().splitlines(keepends=True)
        if b"growth_redis_up 1.0\n" in lines:
            break
        if time.perf_counter() - started > PATIENCE_SECONDS:
            raise TimeoutError(f"No whole scrape within {PATIENCE_SECONDS} s.")
    seconds = time.perf_counter() - started
    failed = [line for line in lines if line.startswith(b"growth_collector_success") and line.endswith(b" 0.0\n")]
    assert not failed, failed
    own = (b"growth_collector_", b"growth_redis_up")
    growth = sum(line.startswith(b"growth_") and not line.startswith(own) for line in lines)
    return Scrape(seconds, parts.cpu_seconds(pid) - cpu, growth, sum(map(len, lines)))


def _median(scrapes: list[Scrape]) -> Scrape:
    """Give the medians, each of its own."""
    return Scrape(*(statistics.median_high(column) for column in zip(*scrapes, strict=True)))


def _report(settings: Settings, form: str) -> Report:
    """Time whole processes."""
    found = []
    for _ in range(STARTS):
        started, cpu = time.perf_counter(), _children()
        subprocess.run(
            [sys.executable, "-P", "-m", "growthgauge", "report", "--format", form],
            env={"PATH": "/usr/bin:/bin"} | settings.environment(),
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=PATIENCE_SECONDS,
        )
        found.append(Report(time.perf_counter() - started, _children() - cpu))
    return Report(*map(statistics.median, zip(*found, strict=True)))


def _children() -> float:
    """Give the CPU seconds of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


ROWS: dict[str, Callable[[Measured], str]] = {
    "billing events": lambda m: f"{sum(n for k, n in m.filled.events.items() if not k.startswith('session')):,}",
    "sessions": lambda m: f"{m.filled.events['session/accepted']:,}",
    "seconds to fold and commit them": lambda m: f"{m.filled.seconds:.0f}",
    "facts": lambda m: f"{m.filled.facts:,}",
    "Redis memory, MiB": lambda m: f"{m.redis_bytes / 2**20:.0f}",
    "exporter memory, MiB": lambda m: f"{m.exporter_bytes / 2**20:.0f}",
    "series": lambda m: f"{m.steady.series:,}",
    "scrape, KiB": lambda m: f"{m.steady.size / 1024:,.0f}",
    "first scrape, s": lambda m: _timed(m.first),
    "steady scrape, s": lambda m: _timed(m.steady),
    "scrape after a batch, s": lambda m: _timed(m.changed),
    "report as table, s": lambda m: _timed(m.report_table),
    "report as json, s": lambda m: _timed(m.report_json),
}


def _timed(found: Scrape | Report) -> str:
    return f"{found.seconds:.2f} ({found.cpu_seconds:.2f})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scrape", description=__doc__)
    parser.add_argument("--customers", type=int, nargs="*", default=[10_000, 100_000], help="(%(default)s)")
    parser.add_argument(
        "--values", type=int, help=f"of every dimension; by default {Company(0)[1:]} and, for the series, {VALUES}"
    )
    parser.add_argument("--no-series", action="store_true", help="leave the tables of series out")
    options = parser.parse_args()
    console = Console(width=120)
    values = [options.values] * 4 if options.values else ()
    companies = [Company(customers, *values) for customers in options.customers]
    found = [measure(company, console) for company in companies]
    table = Table("", *(f"{each.company.customers:,} customers" for each in found), title="Scrape and report")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, cell in ROWS.items():
        table.add_row(name, *map(cell, found))
    if found:
        console.print(table)
        console.print(
            f"Medians: first scrapes and reports (whole processes) of {STARTS}, other scrapes of {SCRAPES}, over HTTP "
            "with Redis and exporter on this machine's cores; in brackets the CPU seconds of exporter or report. "
            "A batch is 1,000 sessions, 100 payments and 10 signups of today in one shard.",
            soft_wrap=True,
        )
    if not options.no_series:
        with tables(Company(10_000, *values or [VALUES] * 4)) as (_, settings, filler):
            filler.fill()
            print(series.page(settings))


if __name__ == "__main__":
    main()
