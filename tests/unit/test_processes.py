"""What `up` is made of: leashes, locks, ports, log lines."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from growthgauge.errors import GrowthgaugeError
from growthgauge.folder import Folder
from growthgauge.local import children, die_with_parent
from growthgauge.local.children import Child
from growthgauge.local.ports import Claims, any_free, is_free, is_loopback
from growthgauge.logging import JsonFormatter, TextFormatter

SLEEPER = [sys.executable, "-c", "import time; print('awake', flush=True); time.sleep(60)"]


def child(tmp_path: Path, program: str, **named: object) -> Child:
    """Start a Python program as a child."""
    return Child("child", [sys.executable, "-c", program], tmp_path / "child.log", **named)  # type: ignore[arg-type]


def test_a_child_s_last_sentence_is_known(tmp_path: Path):
    """Plain or as a JSON log line, without what goes without saying."""
    for text in ("growthgauge: It is broken.", json.dumps({"level": "error", "message": "It is broken."})):
        ended = child(tmp_path, f"import sys; print({text!r}); sys.exit(3)")
        assert ended.wait(time.monotonic() + 30)
        assert ended.ending == "ended with status 3"
        assert ended.last_words() == "It is broken"
    assert "It is broken." in (tmp_path / "child.log").read_text()


def test_a_log_stays_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """However much a child writes, two files of a bounded size remain."""
    monkeypatch.setattr(children, "LOG_BYTES", 1000)
    ended = child(tmp_path, "for n in range(2000): print(n)")
    assert ended.wait(time.monotonic() + 30)
    assert ended.last_words() == "1999"
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert sizes.keys() == {"child.log", "child.1.log"}
    assert max(sizes.values()) < 1100


def test_children_end_in_order_and_within_the_deadline(tmp_path: Path):
    """One that does not listen is killed."""
    stubborn = child(
        tmp_path,
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)",
    )
    willing = child(tmp_path, "import time; time.sleep(60)")
    log = tmp_path / "child.log"
    while not log.exists() or "deaf" not in log.read_text():
        time.sleep(0.02)
    began = time.monotonic()
    children.end([[stubborn], [willing]], deadline=2)
    assert time.monotonic() - began < 5
    assert (stubborn.ending, willing.ending) == ("was ended by signal 9", "was ended by signal 15")


@pytest.mark.parametrize("platform", ["linux", "darwin"])
@pytest.mark.skipif(sys.platform != "linux", reason="both ways exist on Linux only")
def test_a_started_program_dies_with_its_parent(platform: str):
    """The program dies when its parent is killed, by Linux' own means and by watching, and shares its group."""
    program = (
        "import sys; from growthgauge.local import die_with_parent; "
        f"sys.platform = {platform!r}; die_with_parent.main(PARENT, {SLEEPER!r})"
    )
    parent = (
        "import os, subprocess, sys, time\n"
        f"program = {program!r}.replace('PARENT', str(os.getpid()))\n"
        "subprocess.Popen([sys.executable, '-c', program])\n"
        "time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"awake\n"
        family = psutil.Process(process.pid).children(recursive=True)
        assert {os.getpgid(each.pid) for each in family} == {os.getpgid(process.pid)}
        family[-1].send_signal(signal.SIGINT)  # from the terminal: not for the children
        time.sleep(0.2)
        assert family[-1].is_running()
        process.kill()
        _, alive = psutil.wait_procs(family, timeout=5)
        assert not [each for each in alive if each.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.skipif(sys.platform != "linux", reason="as above")
def test_a_leash_gives_its_program_s_status():
    """Also where it has to watch it."""
    assert die_with_parent._watch(os.getppid(), [sys.executable, "-c", "raise SystemExit(7)"]) == 7


def test_a_folder_is_one_up_s_own(tmp_path: Path):
    """A second one is told who has it; one whose predecessor's servers still run waits for them."""
    folder = Folder(tmp_path / "data")
    folder.make()
    assert folder.running() is None
    servers = folder.claim()
    folder.write({"partitions": 4})
    note = Folder(tmp_path / "data").running()
    assert note is not None
    assert (note.pid, note.settings) == (os.getpid(), {"partitions": 4})
    with pytest.raises(GrowthgaugeError, match=f"process {os.getpid()}"):
        Folder(tmp_path / "data").claim()

    with subprocess.Popen(SLEEPER, pass_fds=[servers], stdout=subprocess.DEVNULL) as left_over:
        folder.release()
        with pytest.raises(GrowthgaugeError, match="earlier"):
            Folder(tmp_path / "data").claim(wait_seconds=0.3)
        left_over.kill()
    Folder(tmp_path / "data").claim(wait_seconds=5)


def test_ports_are_probed_as_servers_bind_them():
    """One that is listened on is taken; one with a dead server's connections is free."""
    port = any_free("127.0.0.1")
    assert is_free("127.0.0.1", port)
    with socket.create_server(("127.0.0.1", port)) as server:
        assert not is_free("127.0.0.1", port)
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
        accepted.close()  # the server's side closes first and waits (TIME_WAIT)
    client.close()
    assert is_free("127.0.0.1", port)


def test_a_port_is_claimed_by_one_at_a_time():
    """Who has claimed a port may again, another not before it is let go."""
    one, other = Claims(), Claims()
    port = any_free("127.0.0.1")
    assert one.get(port)
    assert one.get(port)
    assert not other.get(port)
    one.release()
    assert other.get(port)
    other.release()


def test_loopback_is_this_machine_alone():
    """Names and addresses of other machines are none, nor is the wildcard."""
    assert all(map(is_loopback, ("127.0.0.1", "127.8.8.8", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "10.0.0.1", "kafka", "127.0.0.1.example")))


def test_a_log_line_is_a_sentence_and_fields():
    """For machines JSON with the action and the fields, for people the sentence."""
    record = logging.makeLogRecord({"name": "x", "levelno": 30, "levelname": "WARNING", "msg": "%d of %s lost."})
    record.args = (3, "a\nb")
    record.action = "lost"
    line = JsonFormatter().format(record)
    assert "\n" not in line
    fields = json.loads(line)
    assert (fields["level"], fields["message"], fields["action"]) == ("warning", "3 of a\nb lost.", "lost")
    assert TextFormatter().format(record).endswith(" WARNING: 3 of a\nb lost.")
