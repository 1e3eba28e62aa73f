"""Grafana's dashboards: every panel explains itself, every query asks for what there is, and the JSON is fresh."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.promql import BOARDS, DEPLOY, ROOT, check_names, check_second_exporter, selectors, yaml

GRAFANA = DEPLOY / "grafana"
GOLDEN = Path(__file__).parent / "golden" / "panels.txt"
PANELS = [(board, panel) for board in BOARDS.values() for panel in board["panels"]]
SHOWN = [(board, panel) for board, panel in PANELS if panel["type"] != "row"]
ASKED = [(panel, target) for _, panel in SHOWN for target in panel["targets"]]
QUERIES = sorted(
    {target["expr"] for _, target in ASKED}
    | {mark["expr"] for board in BOARDS.values() for mark in board["annotations"]["list"] if "expr" in mark}
)
COMPOSE = yaml(ROOT / "docker-compose.yml")
needs_sdk = pytest.mark.skipif(
    importlib.util.find_spec("grafana_foundation_sdk") is None, reason="grafana-foundation-sdk is not installed"
)


def test_the_boards_are_these():
    """Six of them, each with a uid that stays, and a way from each to all others."""
    assert BOARDS.keys() == {"overview", "revenue", "retention", "engagement", "voice", "pipeline"}
    for name, board in BOARDS.items():
        assert board["uid"] == f"growthgauge-{name}"
        assert board["title"] == f"growthgauge: {name}"
        assert board["description"].endswith(".")
        (link,) = board["links"]
        assert (link["type"], link["tags"], link["asDropdown"], "placement" in link) == (
            "dashboards",
            board["tags"],
            False,
            False,
        )
        assert link["keepTime"]
        assert link["includeVars"]


@pytest.mark.parametrize("query", QUERIES)
def test_every_series_asked_for_exists(query):
    """Every name, label and period in a panel or annotation is one that exporter or worker expose or a rule records."""
    check_names(query)


@pytest.mark.parametrize("query", QUERIES)
def test_a_second_exporter_changes_nothing(query):
    """Growth metrics are read through `max without (instance)`, or as one number for all."""
    check_second_exporter(query)


def test_what_differs_between_processes_is_told_apart():
    """A query that is not one for all instances names the instance in its legend."""
    for panel, target in ASKED:
        single = [s.name for s, around in selectors(target["expr"]) if not around and ":" not in s.name]
        assert not single or "{{instance}}" in target["legendFormat"], (panel["title"], single)


@pytest.mark.parametrize(("board", "panel"), SHOWN, ids=lambda item: item.get("title"))
def test_every_panel_explains_itself(board, panel):
    """A title, a description, a unit, a target, and the provisioned data source."""
    uid = yaml(GRAFANA / "provisioning" / "datasources" / "prometheus.yml")["datasources"][0]["uid"]
    assert board["editable"] is False
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"] == {"type": "prometheus", "uid": uid}
    assert panel["targets"]
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    for target in panel["targets"]:
        assert not re.search(r"\b(i?rate|i?delta)\(", target["expr"]) or "[$__rate_interval]" in target["expr"]


def test_panels_have_places_numbers_and_titles_of_their_own():
    """No id or title comes twice on a dashboard, and no panel lies on another or leaves the 24 columns."""
    for board in BOARDS.values():
        panels = board["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        titles = [panel["title"] for panel in panels if panel["type"] != "row"]
        assert len(set(titles)) == len(titles), titles
        cells = [
            (x, y)
            for place in (panel["gridPos"] for panel in panels)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ]
        assert len(set(cells)) == len(cells)
        assert max(x for x, _ in cells) < 24


def test_the_panels_are_the_golden_ones():
    """Board, title, unit and queries of every panel, for a diff that can be read; GOLDEN=1 writes them anew."""
    lines = []
    for board, panel in SHOWN:
        lines.append(f"{board['uid']} | {panel['title']} | {panel['fieldConfig']['defaults']['unit']}")
        lines += [f"    {target['expr']}" for target in panel["targets"]]
    text = "\n".join(lines) + "\n"
    if os.environ.get("GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


def test_variables_are_declared_before_they_are_used():
    """Every variable in a query, title, link or later variable is one that its dashboard has."""
    built_in = {"__rate_interval", "__url_time_range", "__data", "__all"}
    for name, board in BOARDS.items():
        known = set()
        for variable in board["templating"].get("list", ()):
            assert set(_variables(json.dumps(variable["query"]))) <= known, name
            known.add(variable["name"])
        text = json.dumps([board["panels"], board["annotations"]])
        assert set(_variables(text)) - built_in <= known, name


def _variables(text):
    return re.findall(r"\$\{?([a-z_]+)", text)


def test_links_lead_to_boards_that_there_are():
    """Panels lead on to other dashboards by their uids."""
    uids = {board["uid"] for board in BOARDS.values()}
    found = re.findall(r"/d/([\w-]+)", json.dumps(PANELS))
    assert len(found) > 10
    assert set(found) <= uids
    assert all(panel.get("links") for panel in BOARDS["overview"]["panels"][2:] if panel["type"] != "row")


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "runbooks").glob("*.md")), ids=lambda page: page.stem)
def test_runbooks_name_panels_that_there_are(page):
    """`Pipeline > Lag` is a panel's title on that dashboard, without the variables behind it."""
    for name, rest in re.findall(rf"\b({'|'.join(map(str.capitalize, BOARDS))}) > (.+)", page.read_text()):
        titles = [re.sub(r" \(\$.*", "", panel["title"]) for panel in BOARDS[name.lower()]["panels"]]
        assert any(re.match(rf"{re.escape(title)}(?!\w)", rest) for title in titles), rest


def test_open_periods_are_marked_on_every_board_that_has_periods():
    """A panel says whether the period is open, and marks show where it begins and ends."""
    for name, board in BOARDS.items():
        if name != "pipeline":
            assert board["panels"][0]["title"] == "Period $period"
            assert "growth_period_end_timestamp_seconds" in board["panels"][0]["targets"][0]["expr"]
            marks = {mark["name"] for mark in board["annotations"]["list"]}
            assert {"Period's start", "Period's end", "Records lost"} <= marks


def test_dashboards_are_provisioned_from_files_alone():
    """What is in the repository is what is shown: no edits in the browser, the folder is the mounted one."""
    (provider,) = yaml(GRAFANA / "provisioning" / "dashboards" / "growthgauge.yml")["providers"]
    assert provider["allowUiUpdates"] is False
    mounts = dict(m.split(":")[:2] for m in COMPOSE["services"]["grafana"]["volumes"])
    assert mounts["./deploy/grafana/dashboards"] == provider["options"]["path"]
    home = COMPOSE["services"]["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{provider['options']['path']}/overview.json"


@needs_sdk
def test_the_dashboards_are_what_their_code_makes():
    """The committed JSON is fresh."""
    command = [sys.executable, "deploy/grafana/generate.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_sdk
@pytest.mark.parametrize("name", BOARDS)
def test_grafanas_own_models_read_the_json(name):
    """Read into the SDK's models, which are made from Grafana's schemas, and written again, nothing is lost."""
    from grafana_foundation_sdk.cog.encoder import JSONEncoder  # noqa: PLC0415 - may be missing
    from grafana_foundation_sdk.cog.plugins import register_default_plugins  # noqa: PLC0415
    from grafana_foundation_sdk.models.dashboard import Dashboard  # noqa: PLC0415

    register_default_plugins()
    again = json.loads(JSONEncoder().encode(Dashboard.from_json(BOARDS[name])))
    for link in again["links"]:
        del link["placement"]
    assert again == BOARDS[name]
