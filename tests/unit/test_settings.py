"""Settings: where they come from, what is refused, and what is never shown."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from growthgauge import options, wiring
from growthgauge.errors import WrongUsage
from growthgauge.folder import Folder
from growthgauge.settings import ENV_PREFIX, HEALTH_WEIGHTS, Settings, load, load_beside


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of whoever runs the tests out of them."""
    for name in Settings.model_fields:
        monkeypatch.delenv(ENV_PREFIX + name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def refusal(**flags: object) -> str:
    """Give the sentence with which settings are refused."""
    with pytest.raises(WrongUsage) as caught:
        load(flags)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")
    assert caught.value.status == 2
    return message


def test_defaults_are_those_of_the_contract():
    """Without any setting given, SPEC's defaults hold."""
    settings = load({})
    assert settings.broker == "127.0.0.1:9092"
    assert settings.redis == "redis://127.0.0.1:6379/0"
    assert (settings.exporter_port, settings.worker_port, settings.partitions) == (9108, 9109, 4)
    assert settings.data_dir == Path(".growthgauge")
    assert settings.accept_from == dt.date(1990, 1, 1)
    assert settings.dimensions == ("plan", "country", "channel", "owner")
    assert settings.segment_periods == ("month", "previous_month", "30d")
    assert settings.topics["session"] == "growth.sessions"
    assert settings.all_topics[-1] == "growth.dead-letters"
    assert not settings.explicit("broker")


def test_flags_go_before_environment_before_file_before_defaults(tmp_path, monkeypatch):
    """Each source overrides those after it, setting by setting."""
    (tmp_path / "growthgauge.toml").write_text('partitions = 5\ntime_zone = "Asia/Tokyo"\ndedupe_days = 50\n')
    monkeypatch.setenv("GROWTHGAUGE_PARTITIONS", "6")
    monkeypatch.setenv("GROWTHGAUGE_TIME_ZONE", "Europe/Berlin")
    settings = load({"partitions": "7"})
    assert (settings.partitions, settings.time_zone, settings.dedupe_days) == (7, "Europe/Berlin", 50)
    assert settings.lapse_grace_days == 30
    assert settings.explicit("dedupe_days")


def test_a_file_can_be_named(tmp_path):
    """`--config` reads another file; capitals in names do not matter."""
    (tmp_path / "other.toml").write_text("PARTITIONS = 9\n[targets]\ncustomer_churn_ratio = 0.03\n")
    settings = load({}, tmp_path / "other.toml")
    assert settings.partitions == 9
    assert settings.targets == {"customer_churn_ratio": 0.03}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("partitions = ", "not valid TOML"),
        ("partitons = 4", "'partitons', which is no setting"),
        ("partitions = 0", "growthgauge.toml"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, content, says):
    """What is wrong with the file, and where, is said."""
    (tmp_path / "growthgauge.toml").write_text(content)
    assert says in refusal()


def test_a_named_file_has_to_be_there():
    """Only the default file may be missing."""
    with pytest.raises(WrongUsage, match=r"no configuration file nowhere\.toml"):
        load({}, Path("nowhere.toml"))


def test_lists_are_json_or_separated_by_commas(monkeypatch):
    """Both ways of writing a list mean the same."""
    monkeypatch.setenv("GROWTHGAUGE_DIMENSIONS", "plan, owner")
    assert load({"segment_periods": '["7d", "day"]'}).segment_periods == ("7d", "day")
    assert load({}).dimensions == ("plan", "owner")


def test_weights_left_out_keep_their_default(monkeypatch):
    """A weight can be changed by itself, also to a decimal number."""
    monkeypatch.setenv("GROWTHGAUGE_HEALTH_WEIGHTS", '{"tenure": 0, "recency": 2.5}')
    assert load({}).health_weights == HEALTH_WEIGHTS | {"tenure": 0, "recency": 2.5}


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"broker": "kafka"}, "host:port"),
        ({"broker": "kafka:99999"}, "host:port"),
        ({"broker": "a:1,"}, "host:port"),
        ({"redis_url": "http://x"}, "redis://127.0.0.1:6379/0"),
        ({"redis_url": "redis://x:nope/0"}, "redis://127.0.0.1:6379/0"),
        ({"exporter_port": "0"}, "exporter_port"),
        ({"exporter_port": 9109}, "ports of their own"),
        ({"partitions": "four"}, "integer"),
        ({"time_zone": "Mars/Olympus"}, "Europe/Berlin"),
        ({"time_zone": "../etc/passwd"}, "time zone"),
        ({"reporting_currency": "usd"}, "ISO 4217"),
        ({"dimensions": "plan,colour"}, "'colour' is not one of plan, country, channel, owner"),
        ({"segment_periods": "fortnight"}, "'fortnight' is not one of"),
        ({"health_weights": {"mood": 1}}, "'mood' is not one of"),
        ({"health_weights": dict.fromkeys(HEALTH_WEIGHTS, 0)}, "at least one weight"),
        ({"health_weights": {"tenure": 1e-15}}, "with few digits"),
        ({"gross_margin": "1.5"}, "gross_margin"),
        ({"accept_from": "yesterday"}, "accept_from"),
        ({"topic_signups": "a b"}, "letters, digits"),
        ({"topic_signups": "x", "topic_dead_letters": "x"}, "topic of their own"),
        ({"targets": {"Growth": 1}}, "customer_churn_ratio"),
        ({"log_format": "xml"}, "log_format"),
    ],
)
def test_what_is_wrong_or_contradicts_is_refused(flags, says):
    """One sentence names the setting and what would be right."""
    assert says in refusal(**flags)


def test_json_that_does_not_parse_is_refused(monkeypatch):
    """A variable that should hold JSON and does not is named."""
    monkeypatch.setenv("GROWTHGAUGE_TARGETS", "{")
    assert "GROWTHGAUGE_TARGETS" in refusal()


def test_secrets_are_never_shown(monkeypatch):
    """A password in the Redis URL appears in no representation, note or error."""
    monkeypatch.setenv("GROWTHGAUGE_REDIS_URL", "redis://app:hunter2@127.0.0.1:6379/3")
    settings = load({})
    shown = [repr(settings), str(settings), settings.model_dump_json(), json.dumps(settings.note())]
    assert not any("hunter2" in text for text in shown)
    assert settings.redis_shown == "redis://127.0.0.1:6379/3"
    assert settings.redis.startswith("redis://app:hunter2@")
    monkeypatch.setenv("GROWTHGAUGE_REDIS_URL", "redis://app:hunter2@127.0.0.1:port/3")
    assert "hunter2" not in refusal()


def test_children_get_the_same_settings(monkeypatch):
    """What was given travels through the environment unchanged."""
    settings = load(
        {
            "partitions": "3",
            "dimensions": "plan",
            "targets": {"nps": 40},
            "gross_margin": "0.8",
            "accept_from": "2001-02-03",
            "redis_url": "redis://:pass@127.0.0.1:1234/0",
        }
    )
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert load({}) == settings


def test_a_running_up_says_what_is_not_given(tmp_path):
    """Ports that an `up` has chosen are found through its data folder, and forgotten when it has ended."""
    folder = Folder(tmp_path / ".growthgauge")
    folder.make()
    own = load({"broker": "127.0.0.1:1111", "redis_url": "redis://127.0.0.1:2222/0", "partitions": 8})
    folder.write(own.note())
    assert load_beside({})[0].broker == "127.0.0.1:9092", "nothing holds the folder's lock: no up is running"
    folder.claim()
    beside, found = load_beside({})
    assert (beside.broker, beside.redis, beside.partitions) == (own.broker, own.redis, 8)
    assert found is not None
    assert found.path == folder.path
    # An explicit address is another deployment, of which this up says nothing.
    elsewhere, found = load_beside({"broker": "kafka:9092", "redis_url": "redis://redis:6379/0"})
    assert (elsewhere.partitions, found) == (4, None)


def test_settings_become_plain_values(tmp_path):
    """The inner rings get days, milliseconds and exact fractions."""
    (tmp_path / "rates.json").write_text('{"EUR": {"2026-01-01": "1.10"}}')
    settings = load(
        {
            "time_zone": "Asia/Tokyo",
            "accept_from": "2000-01-01",
            "allowed_skew_hours": "0.5",
            "gross_margin": "0.7",
            "rates_file": "rates.json",
            "dimensions": "owner,plan",
            "segment_periods": "week",
            "segment_limit": "7",
            "cohort_months": "3",
        }
    )
    worker = wiring.worker_config(settings)
    assert worker.accept_from == int(dt.datetime(1999, 12, 31, 15, tzinfo=dt.UTC).timestamp() * 1000)
    assert worker.allowed_skew == 1_800_000
    assert worker.rules.zone.name == "Asia/Tokyo"
    metrics = wiring.metric_settings(settings)
    assert metrics.gross_margin == Fraction(Decimal("0.7"))
    assert (metrics.segment_periods, metrics.segment_limit, metrics.cohort_months) == (("week",), 7, 3)
    # In one order, so that another order asks for no rebuild.
    assert worker.rules.dimensions == metrics.dimensions == ("plan", "owner")
    assert Fraction(metrics.rates.at("EUR", 30_000), metrics.rates.scale) == Fraction(11, 10)


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "no rates file"), ("{", "not JSON"), ('{"EUR": {"2026-01-01": "-1"}}', "no rate")],
)
def test_a_rates_file_that_cannot_be_used_is_refused(tmp_path, content, says):
    """The file and the place in it are named."""
    if content is not None:
        (tmp_path / "rates.json").write_text(content)
    with pytest.raises(WrongUsage, match=says):
        wiring.metric_settings(load({"rates_file": "rates.json"}))


OTHER_RULES = {
    "time_zone": "Europe/Berlin",
    "lapse_grace_days": 3,
    "purchase_lapse_days": 90,
    "dedupe_days": 30,
    "dimensions": "plan",
    "health_weights": {"recency": 5},
    "health_users": 7,
    "health_features": 7,
}
OTHER_METRICS = {
    "reporting_currency": "EUR",
    "rates_file": "rates.json",
    "gross_margin": "0.8",
    "segment_periods": "month",
    "segment_limit": 10,
    "cohort_months": 24,
    "targets": {"customer_churn_ratio": 0.03},
}


@pytest.mark.parametrize(("name", "value"), [*OTHER_RULES.items(), *OTHER_METRICS.items()])
def test_rules_are_the_settings_that_folds_read(name: str, value: object):
    """Those that worker and rebuild take as flags change the fingerprint, those of whoever reads do not."""
    assert (OTHER_RULES.keys(), OTHER_METRICS.keys()) == (set(options.RULES), set(options.METRICS))
    changed = wiring.rules(load({name: value})).fingerprint() != wiring.rules(load({})).fingerprint()
    assert changed == (name in OTHER_RULES)
