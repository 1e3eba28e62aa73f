"""Published numbers of growth metrics: events sent as a user sends them, and the report of the day in question."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from datetime import date, timedelta
from io import StringIO
from itertools import pairwise
from operator import attrgetter
from pathlib import Path

import pytest

from growthgauge.cli import main
from tests.acceptance.worked_examples import COMPANIES, EXAMPLES, Example, key
from tests.acceptance.worked_examples.example import Key, Number
from tests.acceptance.worked_examples.page import PAGE, page
from tests.support.servers import free_port
from tests.support.terminal import Up, User

Samples = dict[Key, int | float]


class Company:
    """All examples that share settings: one `up`, one file of events, a report of every day in question."""

    def __init__(self, name: str, folder: Path) -> None:
        """Start it."""
        self.name, self.user = name, User(folder)
        # Two that start at once would both find the default ports free.
        ports = {
            "broker": f"127.0.0.1:{free_port()}",
            "redis_url": f"redis://127.0.0.1:{free_port()}/0",
            "exporter_port": str(free_port()),
            "worker_port": str(free_port()),
        }
        settings = ports | COMPANIES[name]
        self.up = Up(self.user, **{f"GROWTHGAUGE_{setting.upper()}": value for setting, value in settings.items()})
        self.examples = [example for example in EXAMPLES if example.company == name]
        self._asked: dict[tuple[date, str], Samples] = {}

    def run(self) -> None:
        """Send the events of all its examples."""
        events = [event for example in self.examples for event in example.events]
        self.up.ready()
        sent = self.user.runs("send", self.user.file("events.ndjson", events), "--wait", seconds=300)
        assert sent.status == 0, sent.error
        assert sent.output.startswith(
            f"{len(events):,} sent: {len(events):,} accepted, 0 duplicate, 0 late, 0 rejected"
        )

    def report(self, example: Example, day: date) -> Samples:
        """Give the samples of a day; the command runs in this process, or most of the time would go into starting it.

        It finds what runs, and the settings of it, in the data folder.
        """
        flags = []
        for name, value in example.report.items():
            given = value
            if name.endswith("_file"):
                path = self.user.folder / f"{example.name}.{name}"
                path.write_text(value)
                given = str(path)
            flags += [f"--{name.replace('_', '-')}", given]
        asked = day, " ".join(flags)
        if asked not in self._asked:
            folder = str(self.user.folder / ".growthgauge")
            with redirect_stdout(StringIO()) as output:
                status = main(["report", "--data-dir", folder, "--as-of", str(day), "--format", "json", *flags])
            assert status == 0
            self._asked[asked] = samples(output.getvalue(), day)
        return self._asked[asked]


def samples(report: str, day: date) -> Samples:
    """Read the JSON of a report."""
    document = json.loads(report)
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
    try:
        for name in COMPANIES:
            running[name] = Company(name, tmp_path_factory.mktemp(name))
        with ThreadPoolExecutor(len(running)) as pool:
            list(pool.map(Company.run, running.values()))
        yield running
    finally:
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
    for day, expected in example.expected.items():
        got = companies[example.company].report(example, day)
        told += [
            f"{day} growth_{sample}: {got.get(key(sample))} and not {value}"
            for sample, value in expected.items()
            if not same(got.get(key(sample)), value)
        ]
    assert told == []


@pytest.mark.parametrize("name", COMPANIES)
def test_the_installed_command_reports_the_same(name: str, companies: dict[str, Company]):
    """What is typed in the company's folder says what the examples were compared with."""
    company = companies[name]
    example = next(example for example in company.examples if not example.report)
    day = max(example.expected)
    ran = company.user.runs("report", "--as-of", str(day), "--format", "json")
    assert ran.status == 0, ran.error
    assert samples(ran.output, day) == company.report(example, day)


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
