"""What a user gets wrong, and servers that are not there: one sentence, the right status, no traceback."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.support.terminal import COMMAND, User, environment

NOBODY = "127.0.0.1:1"
"""Nothing ever listens there."""


@pytest.fixture
def taken() -> Iterator[str]:
    """A port that somebody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield str(listener.getsockname()[1])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("uup",), "No such command 'uup'"),
        (("send",), "growthgauge send --help"),
        (("send", "nowhere.ndjson"), "There is no file nowhere.ndjson"),
        (("send", "."), "is a folder"),
        (("report", "--as-of", "31.3.2026"), "write it as 2026-03-31"),
        (("report", "--as-of", "2999-01-01"), "later than today"),
        (("report", "--format", "xml"), "'table', 'json', 'prometheus'"),
        (("backfill", "--to", "2999-01-01"), "is not over"),
        (("backfill", "--metric", "growth_luck"), "no metric fits 'growth_luck'"),
        (("backfill", "--label", "period=now"), "metrics have themselves"),
        (("backfill", "--label", "job"), "job=growthgauge-exporter"),
        (("backfill", "--every", "1d"), "5m"),
        (("verify", "--limit", "-1"), "growthgauge verify --help"),
        (("rebuild", "--yes"), "--from-kafka"),
        (("up", "--broker", "kafka.example:9092"), "kafka.example"),
        (("up", "--redis-url", "redis://10.0.0.1:6379/0"), "10.0.0.1"),
        (("up", "--broker", "a:1,b:2"), "one broker"),
        (("up", "--exporter-port", "9109"), "ports of their own"),
        (("worker", "--partitions", "none"), "partitions"),
        (("exporter", "--rates-file", "nowhere.json"), "nowhere.json"),
        (("check", "--config", "nowhere.toml"), "nowhere.toml"),
        (("dead-letters", "mend"), "growthgauge dead-letters --help"),
        (("dead-letters", "list", "--since", "monday"), "write a day as 2026-03-31"),
        (("dead-letters", "list", "--since", "2026-02-02", "--until", "2026-02-01"), "--since"),
        (("dead-letters", "replay", "--at", "growth.payments"), "growth.payments-3@120"),
    ],
)
def test_wrong_usage_has_status_2_and_one_sentence(user: User, arguments: tuple[str, ...], says: str):
    """The sentence names what is wrong, and nothing was started for it."""
    user.runs(*arguments).refuses(2, says)


def test_a_secret_in_a_wrong_setting_is_not_shown(user: User):
    """The password stays out of the message, whatever else is wrong with the URL."""
    ran = user.runs("report", GROWTHGAUGE_REDIS_URL="redis://app:hunter2@127.0.0.1:none/0")
    ran.refuses(2, "GROWTHGAUGE_REDIS_URL")
    assert "hunter2" not in ran.error


def test_a_broker_that_is_not_there(user: User):
    """`send` and `init` give up after a bounded time, and say where they looked."""
    name = user.file("events.ndjson", [{"id": "1", "type": "signup", "customer_id": "a", "occurred_at": 0}])
    began = time.monotonic()
    user.runs("send", name, "--broker", NOBODY).refuses(1, NOBODY, "Nothing was sent")
    assert time.monotonic() - began < 40
    user.runs("init", "--broker", NOBODY).refuses(1, NOBODY)


def test_a_redis_that_is_not_there(user: User):
    """`report` and `backfill` say what to look at."""
    user.runs("report", "--redis-url", f"redis://{NOBODY}/0").refuses(1, NOBODY)
    user.runs("backfill", "--output", "-", "--redis-url", f"redis://{NOBODY}/0").refuses(1, NOBODY)


def test_check_says_what_is_missing(user: User):
    """Every line is ok or a problem with what to do; one problem makes the status 1."""
    ran = user.runs("check", "--broker", NOBODY, "--redis-url", f"redis://{NOBODY}/0")
    assert ran.status == 1
    lines = dict(line.split(maxsplit=1) for line in ran.output.splitlines())
    assert lines["settings"].startswith("ok: ")
    assert lines["broker"].startswith("problem: ")
    assert lines["redis"].startswith("problem: ")


@pytest.mark.parametrize("flag", ["--broker", "--redis-url", "--exporter-port", "--worker-port"])
def test_a_port_that_was_asked_for_and_is_taken(user: User, taken: str, flag: str):
    """`up` does not choose another one, and starts nothing."""
    given = {"--broker": f"127.0.0.1:{taken}", "--redis-url": f"redis://127.0.0.1:{taken}/0"}.get(flag, taken)
    ran = user.runs("up", flag, given)
    assert ran.status == 1
    assert f"Port {taken}" in ran.error
    assert "is taken" in ran.error
    assert not list((user.folder / ".growthgauge/logs").iterdir())


def test_a_port_of_the_exporter_or_the_worker_that_is_taken(user: User, taken: str):
    """Started by themselves they say so, too."""
    user.runs("exporter", "--exporter-port", taken, GROWTHGAUGE_LOG_LEVEL="error").refuses(1, taken)
    ran = user.runs("worker", "--worker-port", taken, "--broker", NOBODY, GROWTHGAUGE_LOG_FORMAT="text")
    assert ran.status == 1
    assert taken in ran.error


def test_a_data_folder_that_cannot_be_used(user: User):
    """A file in its place is no folder."""
    (user.folder / "data").write_text("")
    user.runs("up", "--data-dir", "data").refuses(1, "--data-dir")
    worker = user.runs("worker", "--data-dir", "data")
    assert worker.status == 1
    assert "--data-dir" in worker.error


def test_a_reader_that_goes_away(user: User):
    """`growthgauge ... | head` ends without a word about pipes."""
    with subprocess.Popen(
        [COMMAND, "up", "--help"], cwd=user.folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_help_shows_examples_and_settings(user: User):
    """Every command's help has an example and the settings that it heeds."""
    listed = user.runs("--help").output
    for command in ("up", "send", "report", "check", "init", "worker", "exporter", "rebuild"):
        assert f"  {command} " in listed
        text = user.runs(command, "--help").output
        assert f"growthgauge {command}" in text.partition("Examples:")[2]
        assert "GROWTHGAUGE_<NAME>" in text
