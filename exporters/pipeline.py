"""How the pipeline does, as far as the tables and a worker's metrics know it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from aggregators.events import TYPES
from exporters.days import State

_REJECTED = "rejected/"


def state(looked: State | None, trouble: str | None, worker: str | None) -> dict[str, Any]:
    """Give the state of the pipeline as what JSON can hold.

    Args:
        looked: the last look at the tables; None if it failed.
        trouble: why it failed, in a sentence.
        worker: the text of a worker's `/metrics`; None if none is known or it does not answer.
    """
    return {
        "tables": {"up": looked is not None, "trouble": trouble, **(_tables(looked) if looked else {})},
        "collectors": _collectors(looked),
        "worker": None if worker is None else _worker(worker),
    }


def _tables(looked: State) -> dict[str, Any]:
    metas = looked.metas
    counts: Counter[str] = Counter()
    records: Counter[str] = Counter()
    for meta in metas:
        counts.update(meta.outcomes)
        records.update({topic: offset.next for topic, offset in meta.offsets.items()})
    events: dict[str, dict[str, int]] = {kind: {} for kind in TYPES}
    for name, count in sorted(counts.items()):
        kind, _, outcome = name.partition("/")
        if not name.startswith(_REJECTED):
            events.setdefault(kind, {})[outcome] = count
    return {
        "shards": len(metas),
        "commits": sum(meta.version for meta in metas),
        "unbalanced": looked.unbalanced,
        "events": events,
        "rejected": {
            name.removeprefix(_REJECTED): n for name, n in sorted(counts.items()) if name.startswith(_REJECTED)
        },
        "records": dict(sorted(records.items())),
    }


def _collectors(looked: State | None) -> list[dict[str, Any]]:
    if looked is None:
        return [{"collector": "tables", "success": False, "seconds": None}]
    took = {"tables": looked.seconds, **looked.report.seconds}
    return [
        {"collector": name, "success": name not in looked.report.failed, "seconds": round(seconds, 6)}
        for name, seconds in took.items()
    ]


def _worker(text: str) -> dict[str, Any]:
    lag: Counter[str] = Counter()
    lost = 0.0
    last: dict[str, float] = {}
    for name, labels, value in _samples(text):
        match name:
            case "growth_consumer_lag":
                lag[labels.get("topic", "")] += int(value)
            case "growth_records_lost_total":
                lost += value
            case "growth_last_event_timestamp_seconds":
                last[labels.get("type", "")] = value
    return {"lag": dict(sorted(lag.items())), "records_lost": int(lost), "last_event": dict(sorted(last.items()))}


def _samples(text: str) -> Iterator[tuple[str, Mapping[str, str], float]]:
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                yield sample.name, sample.labels, sample.value
    except ValueError:
        # What answers there is no worker: what could be read until here is all that it says.
        return
