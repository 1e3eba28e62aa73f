"""Writes the reference pages that the code itself knows: settings, metrics, dashboards, command line.

`python docs/generate.py` writes them anew; a test holds them to what this would write.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import click
from annotated_types import Ge, Gt, Le
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from aggregators.calendar import Zone
from aggregators.metrics import CATALOGUE, Metric, MetricSettings
from aggregators.metrics.identities import MEANINGS
from aggregators.metrics.sources import SOURCES
from aggregators.tables.memory import Tables
from exporters.collector import GrowthCollector
from exporters.growth import Growth
from exporters.page.definitions import TITLES
from growthgauge import options
from growthgauge.cli import COMMANDS, cli
from growthgauge.settings import Settings
from streams.worker.pipeline_metrics import PipelineMetrics

REFERENCE = Path(__file__).parent / "reference"
NOTE = "<!-- Written by docs/generate.py: change the code, then run it again. -->\n"

SETTINGS = """\
# Settings

Each setting can be given as a flag (`--time-zone`), as an environment variable (`GROWTHGAUGE_TIME_ZONE`) or in the file
`growthgauge.toml` (`time_zone`). Flags go before the environment, the environment before the file, the file before the
defaults. A command has the flags of those settings that it reads; the [command line](command-line.md) lists them.
Every setting is checked before anything starts.

`growthgauge.toml` is read from the current folder, or from where `--config` says:

```toml
broker = "kafka-1:9092,kafka-2:9092"
redis_url = "redis://redis:6379/0"
time_zone = "Europe/Berlin"
partitions = 12
targets = { customer_churn_ratio = 0.03 }
```

In flags and in the environment a list is separated by commas, and an object is JSON:

```sh
export GROWTHGAUGE_TIME_ZONE=Europe/Berlin GROWTHGAUGE_TARGETS='{"customer_churn_ratio": 0.03}'
```
"""

SETTING_GROUPS = {
    "Connections": (options.CONNECTIONS, "Where the servers are, and where `up` keeps its data."),
    "Ports": (
        (*options.PORTS, "worker_url"),
        """What the worker and the exporter listen on. `growthgauge up` replaces a default port that is taken, with a
word about it; a port that is given and taken is an error.""",
    ),
    "Topics": (
        options.TOPICS,
        """All topics have the same number of partitions, one for each shard of the tables. Several types may share a
topic. Choose `partitions` once: another number
[needs all events anew](../how-to/change-partitions-or-time-zone.md).""",
    ),
    "Acceptance": (options.ACCEPTANCE, "Which events are accepted, and who reads them."),
    "Rules": (
        options.RULES,
        """What the folds read. The tables keep their fingerprint: worker, exporter and `report` must agree about them,
and another value needs the steps of [Upgrade and rebuild](../how-to/upgrade-and-rebuild.md).""",
    ),
    "Metrics": (
        options.METRICS,
        "What the metrics read beside the facts. Change them at any time, and start the exporter again.",
    ),
    "Logs": (options.LOGS, "What the processes tell."),
}

READ_BY = {
    "dimensions": "growth_segment_",
    "segment_periods": "growth_segment_",
    "segment_limit": "growth_segment_",
    "cohort_months": "growth_cohort_",
    "health_weights": "growth_customer_health",
    "health_users": "growth_customer_health",
    "health_features": "growth_customer_health",
}
"""What the metrics begin with that read a setting, so that one which no metric reads is marked."""

METRICS = """\
# Metrics

The growth metrics that the exporter serves at `/metrics` and `growthgauge report` prints. All of them are gauges of one
as-of day: today, or the day given with `--as-of`. What workers and exporter tell about themselves is on
[Pipeline metrics](pipeline-metrics.md).

- `period` is the calendar period that holds the as-of day, up to and including that day (`day`, `week`, `month`,
  `quarter`, `year`; weeks are ISO weeks), the last complete one (`previous_day`, `previous_week`, `previous_month`,
  `previous_quarter`, `previous_year`), or a window that ends with the as-of day (`7d`, `30d`, `90d`, `365d`).
- At start means at the end of the day before the period; at end, at the end of its last day.
- A ratio whose denominator is zero is left out: it is never NaN and never a made-up 0. Levels and counts are 0 before
  any data.
- Amounts are in the reporting currency: a flow at the rate of its day, a level at the rate of the day it is asked for.
  See [Currencies and rates](../how-to/currencies-and-rates.md).

Below the tables each metric has a section: its definition, who else defines it, how other tools differ, and an example.
An example with a name is acted out in full in [Worked examples](../explanation/worked-examples.md);
[Definitions compared](../explanation/compared-definitions.md) has the differences at a glance.
"""

EXAMPLES = "../explanation/worked-examples.md"

UNITS = {
    "count": "a number of what the metric names",
    "ratio": "a share from 0 to 1; what compares amounts may be above 1 or below 0",
    "seconds": "seconds",
    "timestamp": "seconds since the epoch",
    "money": "major units of the reporting currency, or of the currency in the label `currency`",
    "score": "points",
    "days": "days",
    "target": "as the metric that it is for",
    "info": "always 1; the labels say it",
}

LABELS = {
    "period": "the period, see above",
    "reason": """what ended the presence or the MRR: a cancellation's `reason`, or `lapsed`, `payment_failed`,
`downgrade`, `trial_ended`, `inactive`; those beyond the 50 with most customers are `other`""",
    "currency": "ISO 4217 code",
    "movement": "`new`, `expansion`, `contraction`, `churn`, `reactivation`, `fx`",
    "kind": "churn and retention: `gross`, `net`; revenue: `recurring`, `one_time`",
    "status": "`succeeded`, `failed`, `refunded`",
    "category": "`retention`, `acquisition`",
    "state": "`new`, `returning`, `resurrected`, `dormant`",
    "days": "a number of days",
    "survey": "`nps`, `csat`, `ces`, `fcr`",
    "outcome": """nps: `promoter`, `passive`, `detractor`; csat: `satisfied`, `unsatisfied`; ces: `answered`;
fcr: `resolved`, `unresolved`""",
    "target": "a metric's name without `growth_`, as in the setting `targets`",
    "version": "growthgauge's",
    "plan": "a subscription's own plan",
    "milestone": "`session`, `payment`",
    "band": "`healthy`, `at_risk`, `critical`",
    "cohort": "the month in which a customer was first present, as `2026-03`",
    "month": "months since the cohort's own, from 0",
    "dimension": "`plan`, `country`, `channel`, `owner`",
    "segment": "a value of the dimension, `unknown`, or `other` for those beyond `segment_limit`",
}

PIPELINE = """\
# Pipeline metrics

What the processes tell about themselves, for alerts and for finding out what is wrong. Both also serve `/-/healthy`
and `/-/ready`: [Run in production](../how-to/run-in-production.md#probes) says what they mean.

## Worker

At `/metrics` of every worker, port 9109 by default. Counters begin at 0 with every start of a process.
"""

OUTCOMES = """
An event is counted once its transaction is committed. `outcome` is one of:

| outcome | what became of the event |
| --- | --- |
| `accepted` | it came for the first time |
| `duplicate` | it is there already with equal content; nothing changed |
| `revised` | its revision is another than that of the one there; the greater one counts |
| `conflict` | same revision, other content; the one whose canonical form is greater by bytes counts |
| `late` | a session older than the ids that its user's ledger keeps; its day counts, the session does not |
| `rejected` | it cannot be accepted and is in the dead-letter topic; `reason` is one of [these](events.md#rejections) |

## Exporter

At `/metrics` of the exporter, port 9108 by default, beside the growth metrics and the usual metrics of a Python
process. While Redis is down they are still served.
"""

COLLECTORS = """
`collector` is `tables` (reading Redis), `balance` (comparing facts) or a group of growth metrics: one group's failure
takes only that group down.

`identity` is what holds between facts on every day, whatever the events were; `growthgauge verify` looks at all days:

| identity | what it says |
| --- | --- |"""

DASHBOARDS = """\
# Dashboards

What Grafana shows: six dashboards, each linked to the others, all provisioned from `deploy/grafana/dashboards/`.
[Dashboards and alerts](../how-to/dashboards-and-alerts.md) says how to use them. Words in a title that begin with `$`
are what is chosen above the panels.
"""

BOARDS = Path(__file__).parents[1] / "deploy" / "grafana" / "dashboards"
BOARD_ORDER = ("overview", "revenue", "retention", "engagement", "voice", "pipeline")
PANEL_UNITS = {
    "bool_yes_no": "yes or no",
    "bytes": "bytes",
    "d": "days",
    "locale": "number",
    "none": "number",
    "percentunit": "percent",
    "reqps": "per second",
    "s": "time",
}

COMMAND_LINE = """\
# Command line

`growthgauge COMMAND --help` says the same. Standard output holds the answer alone; progress and messages go to standard
error. The exit status is 0 for done, 1 for failed and 2 for wrong usage; an error is one sentence that says what to do.

| command | what it does |
| --- | --- |"""


def settings_page() -> str:
    """Describe every setting."""
    lines = [SETTINGS]
    for title, (names, text) in SETTING_GROUPS.items():
        lines += [f"## {title}\n", f"{text}\n", "| setting | default | what it is |", "| --- | --- | --- |"]
        lines += [_setting(name, Settings.model_fields[name]) for name in names]
        lines.append("")
    return _page(lines)


def _setting(name: str, field: FieldInfo) -> str:
    text = f"{field.description} {_limits(field)}".strip()
    if name in READ_BY and not any(metric.name.startswith(READ_BY[name]) for metric in CATALOGUE):
        text += " *No metric reads it yet.*"
    return f"| `{name}` | {_default(field.default)} | {_cell(text)} |"


def _default(value: Any) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is None or value == {}:
        return "none"
    if isinstance(value, tuple):
        return _names(value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {each}" for key, each in value.items())
    return f"`{value}`"


def _limits(field: FieldInfo) -> str:
    words = {Ge: ("ge", "at least"), Gt: ("gt", "above"), Le: ("le", "at most")}
    limits = [
        f"{word} {getattr(each, name):,}"
        for kind, (name, word) in words.items()
        for each in field.metadata
        if isinstance(each, kind)
    ]
    return f"({', '.join(limits)})" if limits else ""


def metrics_page() -> str:
    """Describe every growth metric: a table of all, the words in it, and a section for each."""
    groups = [(TITLES.get(name, name.replace("_", " ").capitalize()), [*its]) for name, its in _grouped()]
    lines = [METRICS, "## All metrics\n", "| metric | labels | meaning |", "| --- | --- | --- |"]
    for title, metrics in groups:
        lines.append(f"| **[{title}](#{title.lower().replace(',', '').replace(' ', '-')})** | | |")
        lines += [f"| [`{each.name}`](#{each.name}) | {_names(each.labels)} | {_cell(each.help)} |" for each in metrics]
    units = {metric.unit for metric in CATALOGUE}
    lines += ["\n## Units\n", "| unit | what a value is |", "| --- | --- |"]
    lines += [f"| {unit} | {text} |" for unit, text in UNITS.items() if unit in units]
    labels = {label for metric in CATALOGUE for label in metric.labels}
    lines += ["\n## Labels\n", "| label | values |", "| --- | --- |"]
    lines += [f"| `{name}` | {_cell(text)} |" for name, text in LABELS.items() if name in labels]
    for title, metrics in groups:
        lines += [f"\n## {title}", *map(_metric, metrics)]
    return _page(lines)


def _metric(metric: Metric) -> str:
    labels = f"labels {_names(metric.labels)}" if metric.labels else "no labels"
    definition = _linked(f"{metric.help} {metric.definition}".strip(), metric)
    return f"""
### `{metric.name}`

*Type {metric.type}, unit {metric.unit}, {labels}.* {definition}

- **Source:** {_linked(metric.source, metric)}
- **Differs:** {_linked(metric.differs, metric)}
- **Example:** {_linked(metric.example, metric)}"""


def _linked(text: str, metric: Metric) -> str:
    """Turn names in brackets into links to sources or worked examples, and other metrics' names to their sections."""

    def link(found: re.Match[str]) -> str:
        code, title, name = found.groups()
        if title:
            return f"[{title}]({SOURCES[title]})" if title in SOURCES else f"[`{title}`]({EXAMPLES}#{title})"
        if name and name != metric.name:
            return f"[`{name}`](#{name})"
        return code or f"`{name}`"

    return re.sub(r"(`[^`]*`)|\[([^\]]+)\]|\b(growth_\w+)", link, text)


def _grouped() -> Iterable[tuple[str, Iterator[Metric]]]:
    return groupby(CATALOGUE, key=_group)


def _group(metric: Metric) -> str:
    return metric.read.__module__.rpartition(".")[2]


def pipeline_metrics_page() -> str:
    """Describe what workers and exporter tell about themselves."""
    identities = (f"| `{name}` | {meaning} |" for name, meaning in MEANINGS.items())
    return _page(
        [PIPELINE, *_told(_worker_families()), OUTCOMES, *_told(_exporter_families()), COLLECTORS, *identities]
    )


def _worker_families() -> Iterator[tuple[Any, Sequence[str]]]:
    registry = PipelineMetrics([], 0).registry
    # The client has no public way to ask for the labels of a metric that has no samples yet.
    collectors: list[Any] = list(registry._collector_to_names)  # noqa: SLF001
    for collector in collectors:
        [family] = collector.describe()
        yield family, collector._labelnames  # noqa: SLF001


def _exporter_families() -> Iterator[tuple[Any, Sequence[str]]]:
    growth = Growth(Tables().reader(), partitions=1, settings=MetricSettings(zone=Zone("UTC")))
    known = {metric.name.removesuffix("_info") for metric in CATALOGUE}
    for family in GrowthCollector(growth, lambda: 0).collect():
        if family.name not in known:
            yield family, list(family.samples[0].labels)
    growth.close()


def _told(families: Iterable[tuple[Any, Sequence[str]]]) -> Iterator[str]:
    yield from ("| metric | type | labels | meaning |", "| --- | --- | --- | --- |")
    for family, labels in families:
        name = f"{family.name}_total" if family.type == "counter" else family.name
        yield f"| `{name}` | {family.type} | {_names(labels)} | {_cell(family.documentation)} |"


def dashboards_page() -> str:
    """Describe every panel of every dashboard, row by row."""
    lines = [DASHBOARDS]
    for name in BOARD_ORDER:
        board = json.loads((BOARDS / f"{name}.json").read_text(encoding="utf-8"))
        lines += [f"## {name.capitalize()}", "", board["description"], ""]
        lines += ["| panel | unit | what it shows |", "| --- | --- | --- |"]
        for panel in board["panels"]:
            if panel["type"] == "row":
                lines.append(f"| **{panel['title']}** | | |")
            else:
                unit = PANEL_UNITS[panel["fieldConfig"]["defaults"]["unit"]]
                lines.append(f"| {_cell(panel['title'])} | {unit} | {_cell(panel['description'])} |")
        lines.append("")
    return _page(lines)


def command_line_page() -> str:
    """Describe every command."""
    lines = [COMMAND_LINE, *(f"| [`{name}`](#growthgauge-{name}) | {text} |" for name, text in COMMANDS.items()), ""]
    parent = click.Context(cli, info_name="growthgauge")
    for name in COMMANDS:
        command = cli.get_command(parent, name)
        if isinstance(command, click.Group):
            lines += [f"## growthgauge {name}\n", f"{command.help}\n"]
            inner = click.Context(command, parent=parent, info_name=name)
            for each in command.commands.values():
                lines += _command(f"{name} {each.name}", each, inner, "###")
        elif command is not None:
            lines += _command(name, command, parent)
    return _page(lines)


def _command(name: str, command: click.Command, parent: click.Context, heading: str = "##") -> Iterator[str]:
    context = click.Context(command, parent=parent, info_name=command.name)
    yield f"{heading} growthgauge {name}\n"
    yield f"`{' '.join(command.get_usage(context).split()).removeprefix('Usage: ')}`\n"
    yield from (f"{' '.join(paragraph.split())}\n" for paragraph in (command.help or "").split("\n\n"))
    yield from ("| option | meaning |", "| --- | --- |")
    heeded = []
    for option in command.params:
        record = option.get_help_record(context)
        if option.name in Settings.model_fields:
            heeded.append(f"`{option.opts[0]}`")
        elif record is not None:
            yield f"| `{_cell(record[0])}` | {_cell(record[1])} |"
    yield f"\n[Settings](settings.md) that it reads: {', '.join(heeded)}.\n"
    yield "\n".join(("```sh", *getattr(command, "_examples", ()), "```\n"))


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _page(lines: Iterable[str]) -> str:
    return "\n".join((NOTE, *lines)).rstrip("\n") + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "metrics.md": metrics_page,
    "pipeline-metrics.md": pipeline_metrics_page,
    "dashboards.md": dashboards_page,
    "command-line.md": command_line_page,
}

if __name__ == "__main__":
    for file, write in PAGES.items():
        (REFERENCE / file).write_text(write(), encoding="utf-8")
        print(f"{REFERENCE / file} is written.")
