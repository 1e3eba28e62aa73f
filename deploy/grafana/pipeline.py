"""The pipeline dashboard: the way of an event through broker, worker and Redis to the exporter."""

from __future__ import annotations

from frame import EXPORTER, WORKER, board, restarts
from grafana_foundation_sdk.builders.dashboard import Dashboard, Row
from panels import BOOLEAN, BYTES, COUNT, PER_SECOND, SECONDS, course, now, number, state

SCRAPED = 'job=~"growthgauge-.*"'


def pipeline() -> Dashboard:
    """Build the dashboard."""
    begun = (
        board("pipeline", "Lag, throughput, rejected and lost records, commits, Redis, and the exporter's scrapes.")
        .time("now-6h", "now")
        .refresh("10s")
        .annotation(restarts())
    )
    for add in (_now, _events, _commits, _scrapes):
        add(begun)
    return begun


def _now(begun: Dashboard) -> None:
    begun.with_row(Row("Now"))
    for panel in (
        state(
            "Redis",
            "Whether the exporter's last scrape could read the tables.",
            f"max(growth_redis_up{{{EXPORTER}}}) or vector(0)",
            "up",
            "down",
        ),
        number("Exporters", "Exporters that answer scrapes.", f"sum(up{{{EXPORTER}}}) or vector(0)", COUNT, width=3),
        number("Workers", "Workers that answer scrapes.", f"sum(up{{{WORKER}}}) or vector(0)", COUNT, width=3),
        state(
            "Books",
            "Whether the facts in Redis agree with each other; if not, `growthgauge verify` says where.",
            "max(growth_facts_unbalanced) == bool 0",
            "balanced",
            "unbalanced",
        ),
        number("Lag", "Records not yet counted, all topics.", "sum(topic:growth_consumer_lag:sum)", COUNT, width=3),
        number(
            "Rejected, last hour",
            "Records sent to the dead letters in the last hour.",
            "sum(reason:growth_events_rejected:increase1h)",
            COUNT,
        ),
        number(
            "Records lost, last day",
            "Records that the broker deleted before they were read.",
            f"sum(increase(growth_records_lost_total{{{WORKER}}}[1d]))",
            COUNT,
            width=3,
        ),
    ):
        begun.with_panel(panel)


def _events(begun: Dashboard) -> None:
    begun.with_row(Row("Events"))
    for panel in (
        _course(
            "Events by outcome",
            "Events per second by what became of them.",
            {"{{outcome}}": f"sum by (outcome) (rate(growth_events_total{{{WORKER}}}[$__rate_interval]))"},
            PER_SECOND,
        ),
        _course(
            "Events by type",
            "Events per second by type, whatever became of them.",
            {"{{type}}": f"sum by (type) (rate(growth_events_total{{{WORKER}}}[$__rate_interval]))"},
            PER_SECOND,
        ),
        _course("Lag by topic", "Records not yet counted.", {"{{topic}}": "topic:growth_consumer_lag:sum"}, COUNT),
        _course(
            "Age of the latest event",
            "How long ago the latest accepted event of each type occurred.",
            {"{{type}}": "time() - type:growth_last_event_timestamp_seconds:max"},
            SECONDS,
        ),
        _course(
            "Rejected by reason",
            "Records per second sent to the dead letters.",
            {"{{reason}}": f"sum by (reason) (rate(growth_events_rejected_total{{{WORKER}}}[$__rate_interval]))"},
            PER_SECOND,
        ),
        _course(
            "Records lost by topic",
            "Records of the hour before that the broker deleted before they were read.",
            {"{{topic}}": "topic:growth_records_lost:increase1h"},
            COUNT,
        ),
    ):
        begun.with_panel(panel)


def _commits(begun: Dashboard) -> None:
    begun.with_row(Row("Batches and commits"))
    for panel in (
        _course(
            "Commits",
            "Transactions per second, each of one shard, by worker.",
            {"{{instance}}": f"rate(growth_commit_duration_seconds_count{{{WORKER}}}[$__rate_interval])"},
            PER_SECOND,
            width=8,
        ),
        _course(
            "Commit duration",
            "Median and 99th percentile of one shard's transaction, from reading the shard to its commit.",
            {
                "p50": _quantile("0.5", "growth_commit_duration_seconds"),
                "p99": _quantile("0.99", "growth_commit_duration_seconds"),
            },
            SECONDS,
            width=8,
        ),
        _course(
            "Batch size",
            "Median and 99th percentile of the records in a fetched batch.",
            {"p50": _quantile("0.5", "growth_batch_records"), "p99": _quantile("0.99", "growth_batch_records")},
            COUNT,
            width=8,
        ),
    ):
        begun.with_panel(panel)


def _scrapes(begun: Dashboard) -> None:
    begun.with_row(Row("Redis, exporter and Prometheus"))
    for panel in (
        _course(
            "Redis by process",
            "1 while Redis answers a worker or an exporter.",
            {"{{job}} {{instance}}": "growth_redis_up"},
            BOOLEAN,
        ),
        _course(
            "Targets up",
            "1 while Prometheus reaches a worker or an exporter.",
            {"{{job}} {{instance}}": f"up{{{SCRAPED}}}"},
            BOOLEAN,
        ),
        _course(
            "Parts of a scrape that succeed",
            "1 while a part of the growth metrics can be worked out, by the exporter that can do it best.",
            {"{{collector}}": now("growth_collector_success")},
            BOOLEAN,
        ),
        _course(
            "Seconds of a scrape by part",
            "How long reading the tables and each group of metrics took, in the slower exporter.",
            {"{{collector}}": now("growth_collector_duration_seconds")},
            SECONDS,
        ),
        _course(
            "Series of a scrape",
            "Series that a worker or an exporter gives Prometheus.",
            {"{{job}} {{instance}}": f"scrape_samples_scraped{{{SCRAPED}}}"},
            COUNT,
        ),
        _course(
            "Memory of exporters",
            "Resident memory; it grows with the days and labels that there are facts of.",
            {"{{instance}}": f"process_resident_memory_bytes{{{EXPORTER}}}"},
            BYTES,
        ),
    ):
        begun.with_panel(panel)


def _course(*arguments, **options):  # noqa: ANN002, ANN003, ANN202 - those of course
    return course(*arguments, **options, gaps=True)


def _quantile(quantile: str, histogram: str) -> str:
    return f"histogram_quantile({quantile}, sum by (le) (rate({histogram}_bucket{{{WORKER}}}[$__rate_interval])))"
