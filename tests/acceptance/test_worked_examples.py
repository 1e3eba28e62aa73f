"""Published numbers of growth metrics: events sent as a user sends them, and the report of the day in question."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date, timedelta
from itertools import pairwise
from operator import attrgetter
from pathlib import Path

import pytest

from tests.acceptance.worked_examples import COMPANIES, EXAMPLES, Example, key
from tests.acceptance.worked_examples.example import Key, Number
from tests.acceptance.worked_examples.page import PAGE, page
from tests.terminal import Up, User

Samples = dict[Key, int | float]

REPORTS_AT_ONCE = 2


class Company:
    """All examples that share settings: one `up`, one file of events, a report of every day in question."""

    def __init__(self, name: str, folder: Path, reports: ThreadPoolExecutor) -> None:
        """Start it."""
        self.name, self._reports = name, reports
        self.user = User(folder)
        self.settings = {f"GROWTHGAUGE_{setting.upper()}": value for setting, value in COMPANIES[name].items()}
        self.up = Up(self.user, **self.settings)
        self._asked: dict[tuple[date, str], Future[Samples]] = {}

    def run(self) -> None:
        """Send the events of all its examples, and ask for all reports, which come in time."""
        examples = [example for example in EXAMPLES if example.company == self.name]
        events = [event for example in examples for event in example.events]
        self.up.ready()
        sent = self.user.runs("send", self.user.file("events.ndjson", events), "--wait", seconds=300)
        assert sent.status == 0, sent.error
        assert sent.output.startswith(f"{len(events)} sent: {len(events)} accepted, 0 duplicate, 0 late, 0 rejected")
        for example in examples:
            for day in example.expected:
                self.report(example, day)

    def report(self, example: Example, day: date) -> Future[Samples]:
        """Give the samples of a day, which are asked for once."""
        asked = day, json.dumps(example.report)
        if asked not in self._asked:
            self._asked[asked] = self._reports.submit(self._report, example, day)
        return self._asked[asked]

    def _report(self, example: Example, day: date) -> Samples:
        flags = []
        for name, value in example.report.items():
            given = value
            if name.endswith("_file"):
                given = f"{example.name}.{name}"
                (self.user.folder / given).write_text(value)
            flags += [f"--{name.replace('_', '-')}", given]
        ran = self.user.runs("report", "--as-of", str(day), "--format", "json", *flags, **self.settings)
        assert ran.status == 0, ran.error
        document = json.loads(ran.output)
        assert document["as_of"] == str(day)
        return {
            (metric["name"], tuple(sorted(sample["labels"].items()))): sample["value"]
            for metric in document["metrics"]
            for sample in metric["samples"]
        }


@pytest.fixture(scope="module")
def companies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Company]]:
    """Run all companies side by side."""
    running: dict[str, Company] = {}
    reports = ThreadPoolExecutor(REPORTS_AT_ONCE)
    try:
        for name in COMPANIES:
            running[name] = Company(name, tmp_path_factory.mktemp(name), reports)
        with ThreadPoolExecutor(len(running)) as pool:
            list(pool.map(Company.run, running.values()))
        yield running
    finally:
        reports.shutdown(cancel_futures=True)
        for company in running.values():
            company.up.close()


def same(got: float | None, expected: Number) -> bool:
    """Tell whether a value is the expected one: rounded once, to what a float can hold."""
    if got is None or expected is None:
        return got is expected
    return math.isclose(got, expected, rel_tol=1e-12) if isinstance(expected, float) else got == float(expected)


@pytest.mark.parametrize("example", EXAMPLES, ids=attrgetter("name"))
def test_the_published_example_comes_out(example: Example, companies: dict[str, Company]):
    """What a source acts out with its numbers, the product comes to when the same has happened."""
    told = []
    for day, samples in example.expected.items():
        got = companies[example.company].report(example, day).result()
        told += [
            f"{day} growth_{sample}: {got.get(key(sample))} and not {expected}"
            for sample, expected in samples.items()
            if not same(got.get(key(sample)), expected)
        ]
    assert told == []


def test_the_page_lists_them_all():
    """There are at least forty, each with its source, and the page is what `worked_examples.page` writes."""
    assert len(EXAMPLES) >= 40
    assert len({example.name for example in EXAMPLES}) == len(EXAMPLES)
    for example in EXAMPLES:
        assert example.says
        assert example.source.address.startswith("https://")
    assert PAGE.read_text() == page()


def test_no_example_meets_another():
    """A month lies between what one example did and the next of its kind; the last is over by now."""
    for company in COMPANIES:
        for kinds in (("signup", "payment", "cancellation", "expense"), ("session",)):
            spans = sorted(
                (min(days), max(days), example.name)
                for example in EXAMPLES
                if example.company == company
                and (days := [event["occurred_at"][:10] for event in example.events if event["type"] in kinds])
            )
            for (_, end, before), (start, _, after) in pairwise(spans):
                gap = date.fromisoformat(start) - date.fromisoformat(end)
                assert gap > timedelta(days=30), f"{after} begins before {before} is over"
            assert all(date.fromisoformat(end).year < 2026 for _, end, _ in spans)
