"""What is deployed: compose file, image, Prometheus' rules and their runbooks."""

import json
import re
import shutil
import subprocess
import sys
import tomllib

import pytest

from tests.unit.promql import ALERTS, ALL_RULES, DEPLOY, ROOT, RULES, SERIES, check_names, check_second_exporter, yaml

PROMETHEUS = DEPLOY / "prometheus"
RULE_TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))
RUNBOOKS = ROOT / "docs" / "runbooks"
OURS = ("worker", "exporter", "init")

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


def run(*command):
    """Run a program and fail with what it says if it fails."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


COMPOSE = yaml(ROOT / "docker-compose.yml")


# The compose file and the image


def test_the_compose_file_follows_the_compose_specification():
    """The official schema accepts it."""
    run(sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")


def test_the_compose_file_has_every_part():
    """Broker, tables, both processes, the topics' maker, and what shows and watches the numbers."""
    assert COMPOSE["services"].keys() == {
        *("kafka", "redis", "init", "worker", "exporter"),
        *("prometheus", "alertmanager", "grafana"),
    }


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_every_service_is_pinned_confined_and_watched(name):
    """An exact image, a restart policy, no privileges, a health check, ports on loopback only, no secret."""
    service = COMPOSE["services"][name]
    assert re.fullmatch(r"[a-z/]+:(v?\d+\.\d+\.\d+|latest)", service["image"])
    assert service["image"].endswith(":latest") == (name in OURS)
    assert service["restart"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert name == "init" or service["healthcheck"]["test"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert not re.search("password|secret|token", json.dumps(service).lower())


def test_redis_keeps_what_it_has():
    """An append-only file, no eviction, a volume."""
    redis = COMPOSE["services"]["redis"]
    command = " ".join(redis["command"])
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command
    assert redis["volumes"] == ["redis-data:/data"]


def test_mounted_files_are_there():
    """Every bind mount names a file or folder of this repository, read-only."""
    mounts = [m for s in COMPOSE["services"].values() for m in s.get("volumes", []) if m.startswith("./")]
    assert mounts
    for mount in mounts:
        source, _, mode = mount.split(":")
        assert (ROOT / source).exists(), mount
        assert mode == "ro", mount


def test_volumes_are_declared_and_used():
    """No service writes to a volume that nobody declared, and none is declared for nobody."""
    used = {m.partition(":")[0] for s in COMPOSE["services"].values() for m in s.get("volumes", []) if m[0] != "."}
    assert used == COMPOSE["volumes"].keys()


def test_settings_in_the_compose_file_and_the_image_exist():
    """Every GROWTHGAUGE_ variable is a setting."""
    from growthgauge.settings import ENV_PREFIX, Settings  # noqa: PLC0415 - the other tests need no settings

    texts = (ROOT / "docker-compose.yml").read_text() + (ROOT / "Dockerfile").read_text()
    names = set(re.findall(rf"{ENV_PREFIX}([A-Z_]+)\b(?==|:)", texts))
    assert {"BROKER", "REDIS_URL", "LISTEN"} <= names
    assert {name.lower() for name in names} <= Settings.model_fields.keys()


def test_the_image_is_made_of_all_packages_and_does_not_run_as_root():
    """Every package of the distribution is copied and let through by .dockerignore; the user is a number, not 0."""
    docker = (ROOT / "Dockerfile").read_text()
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    for package in packages["packages"]:
        assert f"COPY {package} ./{package}\n" in docker
        assert f"!{package}/" in ignored
    stages = re.findall(r"^FROM (\S+)", docker, re.MULTILINE)
    assert stages == ["python:3.13-slim"] * 2
    user = re.findall(r"^USER (\d+):(\d+)$", docker, re.MULTILINE)[-1]
    assert "0" not in user


# Prometheus


@needs_promtool
def test_promtool_accepts_configuration_and_rules():
    """Prometheus' own checks pass; its configuration finds the rules."""
    run("promtool", "check", "config", str(PROMETHEUS / "prometheus.yml"))
    run("promtool", "check", "rules", *map(str, RULES))


@needs_promtool
@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.stem)
def test_rules_do_what_they_say(path):
    """The rules' own unit tests pass."""
    run("promtool", "test", "rules", str(path))


def test_scraped_ports_are_those_of_the_services():
    """Prometheus asks the services of the compose file on the settings' default ports."""
    from growthgauge.settings import Settings  # noqa: PLC0415 - the other tests need no settings

    jobs = {job["job_name"]: job for job in yaml(PROMETHEUS / "prometheus.yml")["scrape_configs"]}
    exporter_port = Settings.model_fields["exporter_port"].default
    assert jobs["growthgauge-exporter"]["static_configs"] == [{"targets": [f"exporter:{exporter_port}"]}]
    (workers,) = jobs["growthgauge-worker"]["dns_sd_configs"]
    assert (workers["names"], workers["port"]) == (["worker"], Settings.model_fields["worker_port"].default)


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_says_what_to_do(name):
    """CamelCase, severity, times, texts, and a runbook page with its four parts."""
    alert = ALERTS[name]
    assert re.fullmatch(r"(Growth)([A-Z]+[a-z]+)+", name)
    assert alert["labels"]["severity"] in {"info", "warning", "critical"}
    assert alert["labels"]["subsystem"] in {"pipeline", "business"}
    assert {"for", "keep_firing_for"} <= alert.keys()
    assert alert["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert alert["annotations"]["runbook_url"].endswith(f"/docs/runbooks/{name}.md")
    page = (RUNBOOKS / f"{name}.md").read_text()
    assert page.startswith(f"# {name}\n")
    assert re.findall(r"^\*\*(\w+)\.\*\*", page, re.MULTILINE) == ["Meaning", "Impact", "Diagnosis", "Mitigation"]


def test_every_runbook_belongs_to_an_alert():
    """No page is left of an alert that is gone."""
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == ALERTS.keys()


CASES = [
    (case["alertname"], bool(case["exp_alerts"]), f"{path.stem}: {test['name']}")
    for path in RULE_TESTS
    for test in yaml(path)["tests"]
    for case in test.get("alert_rule_test", [])
]
ABSENCE = {"GrowthExporterDown", "GrowthWorkerDown"}
"""Alerts whose point it is that data is missing."""


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_is_tested_firing_silent_and_without_data(name):
    """It fires in one test; it is silent in another in which its series are there; and where there is no data."""
    firing = {test for alert, fires, test in CASES if alert == name and fires}
    silent = {test for alert, fires, test in CASES if alert == name and not fires} - firing
    missing = {test for test in silent if test.startswith("missing: missing data")}
    assert firing
    assert silent - missing
    # Of those that absence is the point of: where it is not absent.
    assert len(missing) == (1 if name in ABSENCE else 3)


def test_rule_tests_name_only_alerts_that_there_are():
    """A test of an alert that is gone, or misspelt, would pass for ever."""
    assert {alert for alert, _, _ in CASES} == ALERTS.keys()


def test_every_threshold_is_used_and_none_hides_elsewhere():
    """Alerts compare with thresholds that stand in one file, with targets, or with what is none: 0 and 1."""
    recorded = {rule["record"] for rule in ALL_RULES if rule.get("record", "").startswith("threshold:")}
    alerts = " ".join(rule["expr"] for rule in ALERTS.values())
    others = " ".join(rule["expr"] for rule in ALL_RULES if not rule.get("record", "").startswith("threshold:"))
    assert recorded == set(re.findall(r"threshold:\w+:\w+", others))
    assert not set(re.findall(r"[<>=] (-?[\d.]+)", alerts)) - {"0", "1"}


def test_recorded_names_are_level_metric_operations():
    """`level:metric:operations`, with the name of an exposed metric in the middle (of a counter without `_total`)."""
    recorded = [rule["record"] for rule in ALL_RULES if "record" in rule]
    assert len(set(recorded)) == len(recorded) > 0
    for name in recorded:
        level, metric, operations = name.split(":")
        assert re.fullmatch("[a-z_]+", level)
        assert re.fullmatch("[a-z0-9_]+", operations)
        assert {metric, f"{metric}_total"} & SERIES.keys(), metric


def test_only_metrics_begin_with_growth():
    """No group's name and no label's value looks like a metric."""
    groups = [group["name"] for path in RULES for group in yaml(path)["groups"]]
    labels = [value for rule in ALL_RULES for value in rule.get("labels", {}).values()]
    assert len(set(groups)) == len(groups)
    assert not [text for text in (*groups, *labels) if text.startswith("growth_")]


@pytest.mark.parametrize("query", [rule["expr"] for rule in ALL_RULES])
def test_rules_ask_for_what_there_is(query):
    """Every name, label and period is one that exporter or worker expose; a second exporter changes nothing."""
    check_names(query)
    check_second_exporter(query)
