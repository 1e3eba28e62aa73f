"""How the pipeline does: what came in, how far behind it is, and whether the tables answer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from exporters.page.markup import Child, Html, element, joined, table
from exporters.page.words import NONE

_OUTCOMES = ("accepted", "duplicate", "revised", "conflict", "late")


def pipeline(state: Mapping[str, Any]) -> Html:
    """Show the pipeline's state, as the API gives it."""
    tables, worker = state["tables"], state["worker"]
    return joined(
        element("dl", _facts(tables, worker), class_="facts"),
        _events(tables, worker) if tables["up"] else None,
        _records(tables, worker) if tables["up"] else None,
        table(
            ("Part of a report", "State", "Milliseconds"),
            [
                [
                    each["collector"],
                    "ok" if each["success"] else "failed",
                    "" if each["seconds"] is None else f"{1000 * each['seconds']:,.1f}",
                ]
                for each in state["collectors"]
            ],
            "Time that the parts of a report took",
        ),
    )


def _facts(tables: Mapping[str, Any], worker: Mapping[str, Any] | None) -> list[Html]:
    facts: dict[str, Child] = {"Redis": _verdict(tables["up"], "answers", "does not answer")}
    if tables["up"]:
        facts |= {"Shards": f"{tables['shards']:,}", "Commits": f"{tables['commits']:,}"}
        wrong = tables["unbalanced"]
        facts["Facts"] = _verdict(not wrong, "balance", f"contradict each other ({', '.join(wrong)}): a bug, or damage")
        rejected = sum(tables["rejected"].values())
        told = ", ".join(f"{count:,} {reason}" for reason, count in tables["rejected"].items())
        facts["Rejected records"] = f"{rejected:,}" + (f" ({told})" if told else "")
    if worker is None:
        facts["Worker"] = "not known to this exporter, or silent: its setting worker_url says where one is"
    else:
        behind = sum(worker["lag"].values())
        lost = worker["records_lost"]
        facts["Worker"] = _verdict(True, "answers", "")
        facts["Behind"] = f"{behind:,} records"
        facts["Records lost"] = _verdict(not lost, "none", f"{lost:,}")
    return [element("div", element("dt", name), element("dd", value)) for name, value in facts.items()]


def _events(tables: Mapping[str, Any], worker: Mapping[str, Any] | None) -> Html:
    last = worker["last_event"] if worker else {}
    rows = [
        [kind, *(f"{counts.get(outcome, 0):,}" for outcome in _OUTCOMES), _instant(last.get(kind))]
        for kind, counts in tables["events"].items()
    ]
    return table(("Type", *(each.capitalize() for each in _OUTCOMES), "Latest event"), rows, "Events by outcome")


def _records(tables: Mapping[str, Any], worker: Mapping[str, Any] | None) -> Html:
    lag = worker["lag"] if worker else {}
    topics = sorted({*tables["records"], *lag})
    rows = [
        [topic, f"{tables['records'].get(topic, 0):,}", f"{lag[topic]:,}" if topic in lag else NONE] for topic in topics
    ]
    return table(("Topic", "Records read", "Behind"), rows, "Records by topic")


def _instant(seconds: float | None) -> str:
    if not seconds:
        return NONE
    return dt.datetime.fromtimestamp(seconds, tz=dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _verdict(good: bool, yes: str, no: str) -> Html:
    return element("span", f"✓ {yes}" if good else f"✗ {no}", class_="good" if good else "bad")
