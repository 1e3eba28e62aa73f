"""Queries of rules and dashboards taken apart: which series they read, and how."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import promql_parser
from ruamel.yaml import YAML

from aggregators.metrics import CATALOGUE
from aggregators.tables.memory import Tables
from exporters.collector import GrowthCollector
from streams.worker.pipeline_metrics import PipelineMetrics
from tests.unit.exporter_facts import AS_OF, growth_of

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
BOARDS = {p.stem: json.loads(p.read_text()) for p in sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))}
RULES = sorted((DEPLOY / "prometheus" / "rules").glob("*.yml"))
VARIABLES = {
    "$__rate_interval": "1m",
    "$segment_period": "month",
    "$dimension": "plan",
    "$currency": "USD",
    "$segment": ".*",
    "$period": "30d",
    "${window}": "30",
}
"""Grafana's variables and a value of each; longer names stand before those that they begin with."""


def yaml(path: Path) -> Any:
    """Read a YAML file."""
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


ALL_RULES = [rule for path in RULES for group in yaml(path)["groups"] for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in ALL_RULES if "alert" in rule}


def filled(query: str, **values: str) -> str:
    """Put values in the place of Grafana's variables."""
    for variable, value in VARIABLES.items():
        query = query.replace(variable, values.get(variable.strip("${}"), value))
    assert "$" not in query, query
    return query


def selectors(query: str) -> Iterator[tuple[promql_parser.VectorSelector, list[Any]]]:
    """Give the series that a query reads, each with the aggregations around it, the outermost first."""
    yield from _inside(promql_parser.parse(filled(query)), [])


def _inside(expression: Any, around: list[Any]) -> Iterator[tuple[promql_parser.VectorSelector, list[Any]]]:
    if isinstance(expression, promql_parser.VectorSelector):
        yield expression, around
    if isinstance(expression, promql_parser.AggregateExpr):
        around = [*around, expression]
    for part in ("lhs", "rhs", "expr", "param", "args", "vector_selector"):
        found = getattr(expression, part, None)
        for child in found if isinstance(found, list) else [found]:
            if child is not None:
                yield from _inside(child, around)


def without_instance(aggregation: Any) -> bool:
    """Say whether an aggregation gives the same however many exporters show the same."""
    labels, kind = [], None
    if aggregation.modifier is not None:
        labels, kind = aggregation.modifier.labels, aggregation.modifier.type
    kept = "instance" not in labels if kind == promql_parser.AggModifierType.Without else "instance" in labels
    return str(aggregation.op) == "max" and not kept


def known_series() -> dict[str, set[str] | None]:
    """Name every series that exporter and worker expose or rules record, with its labels (None: any)."""
    series: dict[str, set[str] | None] = {metric.name: {*metric.labels} for metric in CATALOGUE}
    scrape = GrowthCollector(growth_of(Tables()), lambda: AS_OF).collect()
    pipeline = PipelineMetrics(["growth.sessions"], 1)
    pipeline.lag({("growth.sessions", 0): 1})
    pipeline.failing({0: False})
    pipeline.committed({"session/accepted": 1}, [], {"session": 1})
    for sample in chain.from_iterable(f.samples for f in chain(scrape, pipeline.registry.collect())):
        series.setdefault(sample.name, set()).update(sample.labels)
    series |= {name: set() for name in ("up", "scrape_samples_scraped", "process_resident_memory_bytes")}
    for labels in series.values():
        labels |= {"job", "instance"}
    return series | {rule["record"]: None for rule in ALL_RULES if "record" in rule}


SERIES = known_series()
ABOUT = {"growth_collector_success", "growth_collector_duration_seconds", "growth_facts_unbalanced"}
GROWTH = {metric.name for metric in CATALOGUE}
PERIODS = {labels[0] for f in growth_of(Tables()).families(AS_OF) if f.labels == ("period",) for labels, _ in f.samples}


def check_names(query: str) -> None:
    """Every name, label and period is one that exporter or worker expose or a rule records."""
    found = list(selectors(query))
    assert found or query.startswith("vector(")
    for selector, _ in found:
        name = selector.name
        assert name in SERIES, name
        for matcher in selector.matchers.matchers:
            assert SERIES[name] is None or matcher.name in SERIES[name], (name, matcher.name)
            # The previous one of a period that has none: the query looks an offset back instead.
            assert matcher.name != "period" or matcher.value.removeprefix("previous_") in PERIODS, matcher.value


def check_second_exporter(query: str) -> None:
    """What every exporter shows is read through max without (instance), or as one number for all."""
    for selector, around in selectors(query):
        if selector.name in GROWTH | ABOUT:
            assert any(map(without_instance, around)), selector.name
