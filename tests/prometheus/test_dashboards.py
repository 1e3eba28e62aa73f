"""Every panel, annotation, variable and rule, asked of a real Prometheus that scrapes a company in full."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.prometheus.company import DAY, Running, running
from tests.prometheus.server import Prometheus
from tests.unit.promql import ALERTS, ALL_RULES, BOARDS, DEPLOY, GROWTH, VARIABLES, filled, selectors, yaml

PANELS = [
    (name, panel["title"], target["expr"])
    for name, board in BOARDS.items()
    for panel in board["panels"]
    for target in panel.get("targets", ())
]
INSTANT = {
    target["expr"]
    for board in BOARDS.values()
    for panel in board["panels"]
    for target in panel.get("targets", ())
    if target.get("instant")
}
MARKS = [(name, mark["name"], mark["expr"]) for name, board in BOARDS.items() for mark in board["annotations"]["list"]]
WITHOUT_DATA = {
    "growth_currency_unconverted": "every currency of the company has a rate",
}
"""Series that a panel or rule asks for and a healthy company does not have, with the reason."""
NOT_THERE_YET = {
    "all:growth_daily_active_users:ratio7d": "no scrape at this time a week ago; a day filled in has its end alone",
    "growth_events_total": "counters of a week ago: what is filled in is growth metrics alone",
    "type:growth_events:increase1h": "the same",
    "type:growth_events:increase1d": "the same",
}
"""Series that compare with a week ago, and begin with the first scrape."""
RANGE_DAYS = 30
STEP = 3600


@pytest.fixture(scope="module")
def company(prometheus: Callable[..., Prometheus], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The company, once for all tests."""
    with running(prometheus, tmp_path_factory.mktemp("company")) as found:
        yield found


def asked(query: str, period: str, interval: str) -> str:
    """Fill in a query as Grafana would for a range of time."""
    return filled(query, period=period, __rate_interval=interval)


@pytest.mark.parametrize("period", ["30d", "month", "previous_month"])
def test_every_query_of_every_panel_has_data(company: Running, tell: Callable[[str], None], period: str):
    """Asked as Grafana asks: at once, or at each step of 30 days, of which a number shows the last that is there."""
    bare = {place for place in PANELS if not over_time(company.two, place[2], period)}
    excused = {place for place in bare for name in WITHOUT_DATA if name in place[2]}
    tell(f"{len(PANELS)} queries of panels for {period}: {len(PANELS) - len(bare)} have data; not {sorted(bare)}")
    assert bare == excused


def over_time(server: Prometheus, query: str, period: str) -> dict[frozenset[tuple[str, str]], dict[float, float]]:
    """Ask at steps as Grafana makes them: for 30 days up to now, or for minutes of what has no past but its scrapes."""
    if query in INSTANT:
        return {labels: {0: value} for labels, value in server.query(asked(query, period, "20s")).items()}
    if "last_over_time" not in query:
        return server.query_range(asked(query, period, "20s"), time.time() - 300, time.time(), 5)
    end = time.time() // STEP * STEP + STEP
    return server.query_range(asked(query, period, f"{STEP + 5}s"), end - RANGE_DAYS * DAY, end, STEP)


def test_business_panels_show_the_past(company: Running):
    """Over 30 days queries have a value on nearly each day, at whatever step, without a longer lookback.

    A ratio has none on days on which its denominator is zero.
    """
    short = {}
    for board, title, query in PANELS:
        if "last_over_time" not in query or any(name in query for name in WITHOUT_DATA):
            continue
        found = over_time(company.two, query, "30d")
        days = {int(at) // DAY for course in found.values() for at in course}
        if len(days) < 20:
            short[board, title, query] = len(days)
    assert short == {}


def test_variables_have_values(company: Running):
    """What Grafana would ask for the choices of a variable."""
    assert _values(company.two, "query_result") == {"window": ["30"]}
    found = _values(company.two, "label_values")
    assert found["dimension"] == ["channel", "country", "owner", "plan"]
    assert {"starter", "team"} <= set(found["segment"])
    assert found["segment_period"] == ["30d", "month", "previous_month"]
    assert found["currency"] == ["USD"]


def _values(server: Prometheus, kind: str) -> dict[str, list[str]]:
    found = {}
    for variable in (v for board in BOARDS.values() for v in board["templating"].get("list", ())):
        query = filled(variable["query"]) if isinstance(variable["query"], str) else ""
        if kind == "query_result" and query.startswith("query_result("):
            (shown,) = server.query(query.removeprefix("query_result(").removesuffix(")")).values()
            text = f"{{}} {shown:g} {time.time() * 1000:.0f}"
            found[variable["name"]] = re.findall(variable["regex"].strip("/"), text)
        elif kind == "label_values" and query.startswith("label_values("):
            selector, _, label = query.removeprefix("label_values(").removesuffix(")").rpartition(", ")
            series = server.get("series", **{"match[]": selector})
            found[variable["name"]] = sorted({one[label] for one in series})
    return found


def test_annotations_mark_the_period_and_no_trouble(company: Running):
    """A healthy company has no marks but those of the period, whose value is an instant in milliseconds."""
    for board, name, query in MARKS:
        found = company.two.query(asked(query, "month", "20s"))
        if name.startswith("Period's"):
            (instant,) = found.values()
            assert abs(instant / 1000 - time.time()) < 32 * DAY, (board, name)
        else:
            assert found == {}, (board, name)


def test_the_same_with_two_exporters_and_with_one(company: Running):
    """A second exporter doubles and changes nothing of the growth metrics."""
    for board, title, query in PANELS:
        names = {selector.name for selector, _ in selectors(query)}
        if names <= GROWTH and "offset" not in query and "previous_$period" not in query:
            both, alone = (server.query(asked(query, "30d", "20s")) for server in (company.two, company.one))
            assert both.keys() == alone.keys(), (board, title)
            if "time()" not in query:
                assert both == alone, (board, title)


def test_without_an_exporter_panels_say_so(company: Running):
    """No query fails; what counts exporters and workers says 0, numbers are not live, all others show nothing."""
    for board, title, query in PANELS:
        found = company.none.query(asked(query, "30d", "20s"))
        if title in {"Numbers", "Redis", "Exporters", "Workers", "Targets up", "Series of a scrape"}:
            assert set(found.values()) == {0}, (board, title)
        else:
            assert found == {}, (board, title)
    assert _values(company.none, "query_result") == {"window": ["30"]}


def test_every_rule_is_evaluated_and_recorded(company: Running, tell: Callable[[str], None]):
    """Prometheus itself evaluates all without an error; each recording rule has a series."""
    deadline = time.monotonic() + 60
    while True:
        groups = company.two.get("rules")["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        if all(rule["health"] != "unknown" for rule in rules) or time.monotonic() > deadline:
            break
        time.sleep(0.5)
    assert {rule["name"] for rule in rules} == {rule.get("record") or rule["alert"] for rule in ALL_RULES}
    assert {rule["name"]: rule.get("lastError", "") for rule in rules if rule["health"] != "ok"} == {}
    recorded = [rule["record"] for rule in ALL_RULES if "record" in rule]
    bare = [name for name in recorded if not company.two.query(name)]
    tell(f"{len(rules)} rules evaluated, {len(recorded)} of them recorded; without a series: {bare}")
    assert set(bare) <= NOT_THERE_YET.keys()


@pytest.mark.parametrize("name", ALERTS)
def test_everything_that_an_alert_reads_is_there(company: Running, name: str):
    """So that it is silent because all is well, not because a name or a label is wrong."""
    for selector, _ in selectors(ALERTS[name]["expr"]):
        text = selector.prettify()
        excused = WITHOUT_DATA | (NOT_THERE_YET if "offset" in text or ":ratio7d" in text else {})
        # A counter's range or a gauge's value: both are read as they are.
        assert selector.name in excused or company.two.query(text), text


def test_no_alert_fires_in_a_healthy_company(company: Running):
    """Critical ones least of all; warnings of a business that this company has not are not looked at."""
    critical = [one for one in company.two.get("alerts")["alerts"] if one["labels"]["severity"] == "critical"]
    assert [one["labels"]["alertname"] for one in critical if one["state"] == "firing"] == []


def test_jobs_and_rules_are_those_that_are_deployed(company: Running):
    """What is scraped here has the job names, and what is evaluated the files, of the committed configuration."""
    committed = yaml(DEPLOY / "prometheus" / "prometheus.yml")
    jobs = {target["labels"]["job"] for target in company.two.get("targets")["activeTargets"]}
    assert jobs | {"prometheus"} == {job["job_name"] for job in committed["scrape_configs"]}
    files = {path for glob in committed["rule_files"] for path in (DEPLOY / "prometheus").glob(glob)}
    evaluated = {Path(group["file"]).name for group in company.two.get("rules")["groups"]}
    assert evaluated == {path.name for path in files}


def test_all_variables_of_the_dashboards_are_filled_in():
    """The values used here are of the variables that there are."""
    named = {variable["name"] for board in BOARDS.values() for variable in board["templating"].get("list", ())}
    assert named | {"__rate_interval"} == {variable.strip("${}") for variable in VARIABLES}
    assert json.dumps(BOARDS).count("$")
