"""What events say comes out as it came in: in the exposition's two formats, in reports, on the page."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse
from rich.console import Console

from aggregators.calendar import Zone
from aggregators.facts import Facts
from aggregators.metrics import Book, Family, MetricSettings, samples
from aggregators.rates import Rates
from exporters import report
from exporters.days import Report
from exporters.page.shell import landing
from exporters.page.view import Asked, View
from tests.support.fuzz.maker import DAY, NOON

AS_OF = NOON // DAY
SETTINGS = MetricSettings(
    zone=Zone("UTC"), rates=Rates.parse('{"EUR": {"2026-01-01": "1.10"}}', "the test"), version="1.2.3"
)

Labelled = set[tuple[str, tuple[tuple[str, str], ...]]]


def families_of(facts: Facts) -> list[Family]:
    """Give the metrics of the day on which most of the fuzz happens."""
    book = Book()
    book.update(0, facts.days)
    return samples(book, SETTINGS, AS_OF)


def show(facts: Facts) -> list[str]:
    """Show facts in every form, and give what is wrong with them."""
    return show_families(families_of(facts))


def show_families(families: list[Family], widths: Sequence[int | None] = (None,)) -> list[str]:
    """Show metrics in every form, the table for terminals of these widths, and give what is wrong with them."""
    wrong = []
    sent = _labelled(
        (family.name, zip(family.labels, sample.labels, strict=True))
        for family in families
        for sample in family.samples
    )
    forms = {
        "exposition": parse(report.as_exposition(families)),
        "OpenMetrics": parse_openmetrics(generate_openmetrics(report._Fixed(families)).decode()),
    }
    for form, parsed in forms.items():
        if sent != _labelled((sample.name, sample.labels.items()) for family in parsed for sample in family.samples):
            wrong.append(f"the {form} has other labels")
    document = json.loads(report.as_json(families, AS_OF))
    if sent != _labelled((m["name"], s["labels"].items()) for m in document["metrics"] for s in m["samples"]):
        wrong.append("the JSON has other labels")
    for width in widths:
        out = io.StringIO()
        report.write_table(
            families, AS_OF, Console(file=out, force_terminal=width is not None, width=width, no_color=True)
        )
        plain = "".join(line for line in out.getvalue().split("\n")).replace("\x1b[3m", "").replace("\x1b[1m", "")
        if not plain.replace("\x1b[0m", "").isprintable():
            wrong.append(f"the table {width} moves the cursor")
    if any("<script>alert" in page for page in _pages(families)):
        wrong.append("the page runs what an event says")
    return wrong


def _pages(families: list[Family]) -> Iterator[str]:
    """Give the page as it is shown by each dimension."""
    values = {family.name: dict(family.samples) for family in families}
    day = Report(as_of=AS_OF, families=tuple(families), seconds={}, failed=(), values=values)
    for dimension in SETTINGS.dimensions:
        asked = Asked(AS_OF, AS_OF, by=dimension)
        view = View(asked, day, day, day, SETTINGS.reporting_currency, SETTINGS.segment_periods)
        yield landing(asked, view, None).decode()


def _labelled(found: Iterable[tuple[str, Iterable[tuple[str, str]]]]) -> Labelled:
    return {(name, tuple(sorted(labels))) for name, labels in found}
