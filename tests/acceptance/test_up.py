"""`growthgauge up` and what a user does with it: send, report, kill, start again."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack

import psutil

from tests.support.terminal import COMMAND, Up, User, environment, get, gone, value

TODAY = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def event(number: int, kind: str = "signup", /, **fields: object) -> dict[str, object]:
    """Make an event of its own customer, yesterday."""
    at = int((TODAY - dt.timedelta(hours=12)).timestamp() * 1000) + number
    return {"id": f"{kind}{number}", "type": kind, "customer_id": f"c{number}", "occurred_at": at} | fields


def page_of(folder_note: dict[str, object]) -> str:
    """Give the exporter's address from the note in the data folder."""
    settings = folder_note["settings"]
    assert isinstance(settings, dict)
    return f"http://127.0.0.1:{settings.get('exporter_port', 9108)}"


def note(user: User, folder: str = ".growthgauge") -> dict[str, object]:
    """Read the note that `up` leaves in its data folder."""
    return json.loads((user.folder / folder / "up.json").read_text())


def test_a_newcomer_starts_sends_looks_and_ends(user: User, up: Callable[..., Up]):
    """All commands find the `up` of the folder without flags, even with the default ports taken."""
    with ExitStack() as stack:
        for port in (6379, 9092, 9108, 9109):
            listener = stack.enter_context(socket.socket())
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
                listener.listen()
            except OSError:
                continue  # somebody else has it: as good
        running = up().ready()
    assert running.text().count("is taken") == 4

    family = running.children()
    assert {os.getpgid(child.pid) for child in family} == {running.process.pid}
    assert {os.getsid(child.pid) for child in family} == {running.process.pid}

    checked = user.runs("check")
    assert checked.status == 0, checked.output
    assert "problem" not in checked.output

    mixed = [
        event(1, plan="team"),
        event(1, plan="team"),
        event(1, "payment", amount="40.50", currency="USD"),
        event(1, "session", duration_seconds=90),
        event(2, "survey", kind="nps", score=11),
        event(3, "party"),
        event(4) | {"occurred_at": 1_700_000_000},
        event(5) | {"occurred_at": "2999-01-01T00:00:00Z"},
        "not json",
        '{"type": "signup"}',
        "",
        "[1, 2]",
    ]
    sent = user.runs("send", user.file("mixed.ndjson", mixed), "--wait")
    assert sent.status == 0, sent.error
    assert sent.output.startswith("11 sent: 3 accepted, 1 duplicate, 0 late, 7 rejected (")
    for reason in ("1 future", "1 not_json", "3 schema", "1 too_old", "1 unknown_type"):
        assert reason in sent.output

    (user.folder / "more.ndjson.gz").write_bytes(gzip.compress(json.dumps(event(6)).encode()))
    piped = "\n".join(json.dumps(event(number)) for number in (7, 8)).encode()
    assert user.runs("send", "more.ndjson.gz", "-", "--wait", given=piped).output.startswith("3 sent: 3 accepted")

    shown = user.runs("report", "--format", "prometheus").output
    assert value(shown, "growth_customers") == 4
    assert value(shown, "growth_mrr") == 40.5
    exporter = page_of(note(user))
    metrics = get(f"{exporter}/metrics").splitlines()
    assert [line for line in shown.splitlines() if line not in metrics] == []
    assert get(f"{exporter}/-/ready")
    assert "40.5" in get(exporter)
    document = json.loads(user.runs("report", "--format", "json").output)
    assert document["as_of"] == TODAY.date().isoformat()
    assert "customers" in user.runs("report").output
    before = (TODAY - dt.timedelta(days=7)).date().isoformat()
    assert value(user.runs("report", "--as-of", before, "--format", "prometheus").output, "growth_customers") == 0

    made = user.runs("init").output
    assert made.count("was there") == 7

    user.runs("up").refuses(1, "is using the data folder", str(running.process.pid))
    user.runs("rebuild")

    os.kill(running.process.pid, signal.SIGTERM)
    began = time.monotonic()
    assert running.wait(15) == 0
    assert time.monotonic() - began < 15
    assert gone(family, 1)
    assert not (user.folder / ".growthgauge/up.json").exists()


def test_bad_files_are_named(user: User, up: Callable[..., Up]):
    """An empty file, one that is cut short, a record that no broker takes: said, and nothing else is lost."""
    up().ready()
    empty = user.runs("send", user.file("empty.ndjson", []))
    assert (empty.status, empty.output) == (0, "0 sent.\n")
    assert "one JSON object a line" in empty.error

    whole = gzip.compress("".join(f"{json.dumps(event(number))}\n" for number in range(5000)).encode())
    (user.folder / "cut.ndjson.gz").write_bytes(whole[: len(whole) // 2])
    user.runs("send", "cut.ndjson.gz").refuses(1, "read to its end", "acknowledged")

    huge = event(9000, plan="x" * 2_000_000)
    ran = user.runs("send", user.file("huge.ndjson", [event(9001), huge, event(9002)]), "--wait")
    assert ran.status == 1
    assert ran.output.startswith("2 sent: 2 accepted")
    assert "huge.ndjson:2" in ran.error


def test_what_wait_has_returned_for_survives_sigkill_of_everything(user: User, up: Callable[..., Up]):
    """Killed between two sends and started again on its folder: the same command just works, nothing is missing."""
    first = user.file("first.ndjson", [event(number) for number in range(500)])
    second = user.file("second.ndjson", [event(number) for number in range(400, 1000)])
    running = up().ready()
    family = running.children()
    assert user.runs("send", first, "--wait").output.startswith("500 sent: 500 accepted")
    running.kill_group()
    again = up().ready()
    assert gone(family, 1)
    assert value(user.runs("report", "--format", "prometheus").output, "growth_customers") == 500
    assert user.runs("send", second, "--wait").output.startswith("600 sent: 500 accepted, 100 duplicate")
    assert value(user.runs("report", "--format", "prometheus").output, "growth_customers") == 1000

    # Another setting that folds read: the ledgers follow before the worker starts.
    os.kill(again.process.pid, signal.SIGTERM)
    assert again.wait(15) == 0
    up("--time-zone", "Asia/Tokyo").says("set it to UTC, or begin with another data folder")
    again = up("--lapse-grace-days", "5").ready()
    assert "2,000 ledgers were folded anew" in again.text()  # its billing and its activity
    assert value(user.runs("report", "--format", "prometheus").output, "growth_customers") == 1000

    # The parent alone: its children do not outlive it, and the next one starts on the same folder.
    family = again.children()
    assert len(family) == 4
    os.kill(again.process.pid, signal.SIGKILL)
    assert gone(family, 5)
    third = up("--lapse-grace-days", "5").ready()
    assert value(user.runs("report", "--format", "prometheus").output, "growth_customers") == 1000

    family = third.children()
    third.child("worker").kill()
    assert third.wait(20) == 1
    assert "The worker was ended by signal 9, so everything was ended" in third.text()
    assert "Traceback" not in third.text()
    assert gone(family, 1)


def test_a_broker_that_dies_while_events_are_sent(user: User, up: Callable[..., Up]):
    """`send` gives up in bounded time, with one sentence and the number acknowledged."""
    running = up().ready()
    process = subprocess.Popen(
        [COMMAND, "send", "-"],
        cwd=user.folder,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write("".join(f"{json.dumps(event(number))}\n" for number in range(100)).encode())
    process.stdin.flush()
    time.sleep(8)
    broker = running.child("--storage-engine")
    began = time.monotonic()
    broker.send_signal(signal.SIGSTOP)
    psutil.Process(running.process.pid).send_signal(signal.SIGSTOP)
    process.stdin.write(f"{json.dumps(event(200))}\n".encode())
    _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert time.monotonic() - began < 40
    assert len(error.splitlines()) == 1
    assert b"100 lines were acknowledged" in error
