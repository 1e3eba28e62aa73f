"""The documentation is true: its events decode, its numbers come out, its commands parse, its links lead somewhere."""

from __future__ import annotations

import ast
import datetime as dt
import importlib.util
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import click
import pytest

from aggregators.batch import fold_batch
from aggregators.calendar import Zone, day_of
from aggregators.facts import Facts
from aggregators.metrics import CATALOGUE, Book, MetricSettings, samples
from aggregators.metrics.sources import SOURCES
from aggregators.rates import Rates
from aggregators.rules import Rules
from aggregators.tables.door import Space
from growthgauge.cli import COMMANDS, cli
from growthgauge.settings import ENV_PREFIX, Settings
from streams.decoding.decode import Decoded, decode
from streams.decoding.fields import ENVELOPE, FIELDS
from streams.decoding.partition import partition_of
from streams.worker.pipeline_metrics import OUTCOMES, REASONS
from tests.acceptance.worked_examples import EXAMPLES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(DOCS.rglob("*.md"))
README = (ROOT / "README.md").read_text(encoding="utf-8")
EVENTS = (DOCS / "reference" / "events.md").read_text(encoding="utf-8")
FIRST_STEPS = (DOCS / "tutorial" / "first-steps.md").read_text(encoding="utf-8")

NOON = 1_781_524_800_000
"""2026-06-15T12:00:00Z: the timestamp of the records on the page of events."""
NINETIES = 631_152_000_000
DAY_MS = 86_400_000

WORKED = {example.name: example for example in EXAMPLES}

every_metric = pytest.mark.parametrize("metric", CATALOGUE, ids=lambda metric: metric.name)
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def _generator():
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = _generator()
PIPELINE = set(re.findall(r"^\| `(growth_\w+)`", GENERATOR.pipeline_metrics_page(), re.MULTILINE))
"""The names of the pipeline's metrics."""


def blocks(text: str, language: str) -> Iterator[str]:
    """Give the fenced blocks of one language, without the indentation of a list."""
    for found in re.finditer(rf"^( *)```{language}\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL):
        yield re.sub(rf"^{found[1]}", "", found[2], flags=re.MULTILINE)


def prose(text: str) -> str:
    """Give a page without its fenced blocks."""
    return re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.MULTILINE | re.DOTALL)


def section(text: str, title: str) -> str:
    """Give what stands under a heading."""
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^#{{1,6}} |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[2]


def rows(text: str) -> list[list[str]]:
    """Give the cells of the first table, without its head."""
    lines = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)[0].splitlines()
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]


def decoded(value: str, *, timestamp: int, partition: int | None = None) -> Decoded:
    """Decode one record, which came to its own partition of four unless said otherwise."""
    if partition is None:
        partition = partition_of(json.loads(value)["customer_id"], 4)
    return decode(
        [value.encode()],
        [timestamp],
        partition=partition,
        partitions=4,
        accept_from=NINETIES,
        allowed_skew_ms=DAY_MS,
    )


def events_in(text: str) -> list[str]:
    """Give all events that stand in a page: a line each in blocks of JSON, or in a table's cells."""
    lines = [line for block in blocks(text, "json") for line in block.splitlines()]
    cells = re.findall(r"`(\{[^`]*\})`", prose(text))
    return [line for line in (*lines, *cells) if '"type"' in line]


def numbers(*files: list[str], as_of: str) -> dict[str, object]:
    """Decode and fold events one by one, and give the metrics without labels of a day."""
    rules, book = Rules(zone=Zone("UTC")), Book()
    ledgers: dict[Space, dict[str, bytes]] = {"users": {}, "customers": {}}
    facts = Facts()
    for line in chain(*files):
        found = decoded(line, timestamp=NOON)
        folded = fold_batch(rules, found.sessions, found.events, ledgers)
        facts.merge(folded.facts)
        for space, changed in folded.ledgers.items():
            ledgers[space].update(changed)
    book.update(0, facts.days)
    families = samples(book, MetricSettings(zone=rules.zone), day_of(dt.date.fromisoformat(as_of)))
    return {family.name: family.samples[0].value for family in families if not family.labels}


def told(block: str) -> dict[str, int]:
    """Give the numbers of a report as it is shown."""
    return {name: int(value) for name, value in re.findall(r"^ ([a-z_]+) +(\d+) *$", block, re.MULTILINE)}


# Generated pages


@pytest.mark.parametrize("name", GENERATOR.PAGES)
def test_a_generated_page_is_fresh(name):
    """The page is what the code says now."""
    written = (DOCS / "reference" / name).read_text(encoding="utf-8")
    assert written == GENERATOR.PAGES[name](), f"{name} is old: run `python docs/generate.py`."


def test_every_setting_is_on_its_page():
    """No setting is in no group."""
    grouped = [name for names, _ in GENERATOR.SETTING_GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(Settings.model_fields)


def test_every_label_and_unit_of_a_metric_is_explained():
    """The page of metrics says what each label and unit means."""
    assert {label for metric in CATALOGUE for label in metric.labels} <= GENERATOR.LABELS.keys()
    assert {metric.unit for metric in CATALOGUE} <= GENERATOR.UNITS.keys()


def named(text: str) -> list[str]:
    """Give what a note names in square brackets, outside of code."""
    return re.findall(r"\[([^\]]*)\]", re.sub(r"`[^`]*`", "", text))


def worked(name: str, metric: str) -> list[float]:
    """Give the values that a worked example expects of a metric."""
    days = WORKED[name].expected.values()
    found = [value for day in days for key, value in day.items() if f"growth_{key.partition('{')[0]}" == metric]
    return [float(value) for value in found if value is not None]


@every_metric
def test_a_metric_is_described_whole(metric):
    """Its section has type, unit, labels, definition, a source with a link, how others differ, and numbers."""
    shown = section((DOCS / "reference" / "metrics.md").read_text(encoding="utf-8"), f"`{metric.name}`")
    head, source, differs, example = re.fullmatch(
        r"\n(\S.*)\n\n- \*\*Source:\*\* (\S.*)\n- \*\*Differs:\*\* (\S.*)\n- \*\*Example:\*\* (\S.*)\n+", shown
    ).groups()
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    assert head.startswith(
        f"*Type {metric.type}, unit {metric.unit}, {f'labels {labels}' if labels else 'no labels'}.* "
    )
    assert metric.help in head
    assert "](https://" in source
    assert len(differs) > 20
    assert re.search(r"\d", example)
    assert all(note.endswith(".") for note in (head, source, differs, example))


@every_metric
def test_what_a_metric_refers_to_is_there(metric):
    """Brackets name sources, in an example a worked example, and every name of a metric is one."""
    assert named(metric.source)
    assert {*named(metric.definition), *named(metric.source), *named(metric.differs)} <= SOURCES.keys()
    assert {*named(metric.example)} <= WORKED.keys()
    text = f"{metric.definition} {metric.source} {metric.differs} {metric.example}"
    assert set(re.findall(r"\bgrowth_\w+", text)) <= {other.name for other in CATALOGUE}


@every_metric
def test_a_metrics_example_is_the_worked_one(metric):
    """Where worked examples have the metric, one of them is named, and a value that it expects is told."""
    if not any(worked(name, metric.name) for name in WORKED):
        assert not named(metric.example)
        return
    [name] = named(metric.example)
    told = [float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*(?:\.\d+)?", metric.example)]
    assert any(number == pytest.approx(abs(value), rel=1e-3) for value in worked(name, metric.name) for number in told)


def test_every_source_is_a_page_and_is_named():
    """Addresses are of public pages, each there once, in order; none is left over from a metric that changed."""
    assert all(re.fullmatch(r"https://([\w-]+\.)+[a-z]+/[\w./#%-]+", address) for address in SOURCES.values())
    assert len(set(SOURCES.values())) == len(SOURCES)
    assert list(SOURCES) == sorted(SOURCES, key=str.lower)
    assert {title for metric in CATALOGUE for title in (*named(metric.source), *named(metric.differs))} == set(SOURCES)


def test_every_outcome_and_reason_is_explained():
    """The pages of pipeline metrics and events know all of them."""
    page = GENERATOR.pipeline_metrics_page()
    assert all(f"| `{outcome}` |" in page for outcome in OUTCOMES)
    assert re.findall(r"^### (\w+)$", EVENTS, re.MULTILINE) == list(REASONS)


# Events


@every_page
def test_every_event_shown_is_accepted(page):
    """What a page shows as an event decodes, in the partition of its customer."""
    for line in events_in(page.read_text(encoding="utf-8")):
        found = decoded(line, timestamp=NOON)
        assert not found.rejects, f"{line}\n{found.rejects[0].message}"


def test_the_readme_shows_every_type():
    """The table has one example each, and the file to send has one of each, too."""
    shown = [json.loads(line)["type"] for line in events_in(README)]
    assert sorted(shown) == sorted([*FIELDS, *FIELDS])


@pytest.mark.parametrize(("title", "fields"), [("Every event", ENVELOPE), *FIELDS.items()])
def test_the_page_of_events_has_every_field(title, fields):
    """Each field stands there once, required or with its default."""
    table = {name.strip("`"): default for name, default, _ in rows(section(EVENTS, title))}
    expected = {"type": None, **fields} if fields is ENVELOPE else fields
    assert table.keys() == expected.keys()
    for name, field in fields.items():
        if field.default is ...:
            assert table[name] == "required"
        elif field.default not in (None, ()):
            assert table[name] == f"`{json.dumps(field.default).strip(chr(34))}`"
        else:
            assert table[name] == "none" or table[name].startswith("the `")


def _rejections() -> Iterator[tuple[str, str, str]]:
    for reason in REASONS:
        for block in blocks(section(EVENTS, reason), "text"):
            lines = block.splitlines()
            yield from ((reason, *pair) for pair in zip(lines[::2], lines[1::2], strict=True))


@pytest.mark.parametrize(("reason", "value", "message"), list(_rejections()))
def test_every_rejection_shown_is_worded_so(reason, value, message):
    """The record is rejected for the reason it stands under, with the words below it."""
    [reject] = decoded(value, timestamp=NOON, partition=0).rejects
    assert (reject.reason, f"→ {reject.message}") == (reason, message)


def test_every_reason_has_an_example():
    """None is told of without being shown."""
    assert {reason for reason, _, _ in _rejections()} == set(REASONS)


# Numbers


def test_the_readmes_numbers_are_those_of_its_events():
    """The report shown after the first events, and what is said of the day after it."""
    [file] = [block.splitlines() for block in blocks(README, "json")]
    [shown] = [told(block) for block in blocks(README, "text") if "mrr" in block]
    assert shown
    found = numbers(file, as_of="2026-03-31")
    assert {name: found[f"growth_{name}"] for name in shown} == shown
    assert numbers(file, file, as_of="2026-03-31") == found
    later = numbers(file, as_of="2026-04-01")
    assert later["growth_customers"] == later["growth_subscribers"] == later["growth_mrr"] == 0


def test_the_tutorials_numbers_are_those_of_its_events():
    """The first report, and what is said of the corrected past."""
    first, later = [block.splitlines() for block in blocks(FIRST_STEPS, "json")]
    [shown] = [told(block) for block in blocks(FIRST_STEPS, "text") if "mrr" in block]
    found = numbers(first, as_of="2026-03-31")
    assert {name: found[f"growth_{name}"] for name in shown} == shown
    corrected = numbers(first, later, as_of="2026-03-31")
    assert (corrected["growth_mrr"], corrected["growth_cancellations_scheduled"]) == (59, 1)
    assert numbers(first, later, as_of="2026-04-01")["growth_mrr"] == 0


def test_the_tutorials_mistake_is_told_so():
    """The record that it sends by echo is rejected with the words that it quotes."""
    [value] = re.findall(r"echo '(.*)' \| growthgauge send", FIRST_STEPS)
    [reject] = decoded(value, timestamp=NOON).rejects
    assert reject.reason == "schema"
    assert f"`{reject.message}`" in FIRST_STEPS


def test_the_partitions_to_check_a_client_against_are_right():
    """The table of customers and their partitions."""
    page = (DOCS / "how-to" / "send-events.md").read_text(encoding="utf-8")
    table = rows(section(page, "The right partition"))
    assert len(table) >= 4
    for customer, of_4, of_12 in table:
        customer_id = customer.strip("`")
        assert [partition_of(customer_id, 4), partition_of(customer_id, 12)] == [int(of_4), int(of_12)]


# Code


def _commands(text: str) -> Iterator[list[str]]:
    """Give the arguments of every growthgauge command that a page shows."""
    shown = [line for block in blocks(text, "sh") for line in block.splitlines()]
    shown += re.findall(r"`(growthgauge [a-z][^`]*)`", prose(text))
    for line in shown:
        for part in re.split(r"\s\|\s(?=\S*growthgauge)", line):
            words = shlex.split(part.partition(" > ")[0], comments=True)
            names = [n for n, word in enumerate(words) if word.rpartition("/")[2] == "growthgauge"]
            if names and all("=" in word for word in words[: names[0]]):
                yield words[names[0] + 1 :]


@every_page
def test_every_command_shown_exists(page):
    """Its name, every flag, and every value of a choice."""
    for words in _commands(page.read_text(encoding="utf-8")):
        name, *rest = words
        if name == "COMMAND" or name.startswith("-"):
            continue
        assert name in COMMANDS, words
        parent = click.Context(cli)
        command = cli.get_command(parent, name)
        if isinstance(command, click.Group):
            if not rest or rest[0].startswith("["):
                continue  # usage in general
            name, *rest = rest
            assert name in command.commands, words
            command = command.commands[name]
        flags = {flag for option in command.params for flag in (*option.opts, *option.secondary_opts)}
        assert {word for word in rest if word.startswith("--")} <= flags, words
        if page.name == "command-line.md" or rest[-1:] == ["--as-of"]:
            continue  # usage in general, or a flag that is only mentioned
        command.make_context(name, list(rest), parent=parent)


@every_page
def test_every_variable_shown_is_a_setting(page):
    """Names in the environment, and names of settings in TOML, exist."""
    text = page.read_text(encoding="utf-8")
    names = re.findall(rf"\b{ENV_PREFIX}([A-Z_]+)", text)
    names += [name for block in blocks(text, "toml") for name in tomllib.loads(block)]
    assert {name.lower() for name in names} <= Settings.model_fields.keys()


@every_page
def test_every_metric_named_exists(page):
    """In the catalogue, or among the pipeline's."""
    known = {metric.name for metric in CATALOGUE} | PIPELINE
    text = page.read_text(encoding="utf-8")
    named = {name for name in re.findall(r"(?<![\w/-])growth_[a-z0-9_]+", text) if not name.endswith("_")}
    plain = {re.sub(r"_(bucket|sum|count)$", "", name) if name not in known else name for name in named}
    recorded = set(re.findall(r"[a-z_]+:(growth_\w+):", text))
    assert plain - recorded <= known


@every_page
def test_every_block_of_json_toml_or_python_is_valid(page):
    """It parses; a table of rates is one."""
    text = page.read_text(encoding="utf-8")
    for block in blocks(text, "json"):
        if '"type"' in block:
            assert all(map(json.loads, block.splitlines()))
        else:
            assert Rates.parse(block, "the page").known("EUR")
    for block in blocks(text, "toml"):
        Settings(**tomllib.loads(block))
    for block in blocks(text, "python"):
        ast.parse(block)


# Links


def _anchor(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.lower().replace("`", "")).replace(" ", "-")


def _anchors(path: Path) -> set[str]:
    text = path.read_text(encoding="utf-8")
    return {_anchor(title) for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)} | {
        *re.findall(r'<a id="([^"]+)"></a>', text)
    }


@every_page
def test_every_link_leads_somewhere(page):
    """To a file of the repository and, where it names one, a heading there."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page.read_text(encoding="utf-8"))):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        assert place.exists(), target
        assert place.is_relative_to(ROOT), target
        assert not anchor or anchor in _anchors(place), target


def test_every_page_can_be_reached_from_the_index():
    """No page is an orphan, and the front door leads to every room but the runbooks."""
    index = DOCS / "README.md"
    linked = {(DOCS / target.partition("#")[0]).resolve() for target in re.findall(r"\]\(([^)]+)\)", index.read_text())}
    assert {page for page in DOCS.rglob("*.md") if page != index} <= linked
    front = {(ROOT / target.partition("#")[0]).resolve() for target in re.findall(r"\]\(([^)]+)\)", README)}
    assert {page for page in DOCS.rglob("*.md") if page.parent.name != "runbooks" and page != index} <= front


@every_page
def test_every_folder_and_file_named_exists(page):
    """Paths into the repository that a page names in code."""
    for path in re.findall(r"`((?:deploy|docs|tests|aggregators|streams|exporters)/[\w./-]*)`", page.read_text()):
        assert (ROOT / path).exists(), path
