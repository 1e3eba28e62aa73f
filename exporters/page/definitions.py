"""What each metric means, who defines it, and how others differ: a page with an anchor for each."""

from __future__ import annotations

import re
from itertools import groupby

from aggregators.metrics import CATALOGUE, Metric
from aggregators.metrics.sources import SOURCES
from exporters.page.markup import Html, element, joined

TITLES = {
    "customers": "Customers and subscribers",
    "revenue": "Recurring revenue",
    "voice": "Voice of the customer",
    "info": "Periods, targets and build",
}
"""Titles of groups whose module's name is not title enough."""

_TOLD = re.compile(r"`([^`]*)`|\[([^\]]+)\]|\b(growth_\w+)")


def definitions() -> Html:
    """Give the contents of the page: all metrics, by group."""
    groups = [
        (TITLES.get(group, group.replace("_", " ").capitalize()), group, list(metrics))
        for group, metrics in groupby(CATALOGUE, key=lambda metric: metric.read.__module__.rpartition(".")[2])
    ]
    contents = element(
        "nav",
        [element("a", title, href=f"#{group}") for title, group, _ in groups],
        class_="groups",
        aria_label="Groups",
    )
    sections = [
        element("section", element("h2", title, id=group), map(_metric, metrics), aria_labelledby=group)
        for title, group, metrics in groups
    ]
    return joined(
        element("h1", "Definitions"),
        element("p", "Every metric that is shown, with its definition, its source and how other tools differ."),
        contents,
        sections,
    )


def _metric(metric: Metric) -> Html:
    labels = ", ".join(metric.labels)
    kind = f"Unit: {metric.unit}." + (f" By {labels}." if labels else "")
    notes = {"Source": metric.source, "Differs": metric.differs, "Example": metric.example}
    return element(
        "article",
        element("h3", element("a", element("code", metric.name), href=f"#{metric.name}"), id=metric.name),
        element("p", _told(f"{metric.help} {metric.definition}".strip(), metric)),
        element("p", kind, class_="soft"),
        element(
            "dl",
            [(element("dt", name), element("dd", _told(text, metric))) for name, text in notes.items() if text],
            class_="notes",
        ),
    )


def _told(text: str, metric: Metric) -> Html:
    """Turn code, sources and other metrics' names into what they are."""
    parts: list[str] = []
    end = 0
    for found in _TOLD.finditer(text):
        code, title, name = found.groups()
        parts.append(text[end : found.start()])
        end = found.end()
        if title is not None:
            address = SOURCES.get(title)
            parts.append(element("a", title, href=address, rel="noreferrer") if address else element("code", title))
        elif name is not None and name != metric.name:
            parts.append(element("a", element("code", name), href=f"#{name}"))
        else:
            parts.append(element("code", code if code is not None else name))
    return joined(*parts, text[end:])
