"""A run of the installed command on a real broker, fed step by step, whose workers are killed on the way."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Self
from uuid import uuid4

from aggregators.events import TYPES
from aggregators.tables.opening import open_tables
from growthgauge.upkeep.catch_up import metas
from tests.support.servers import RedisServer, free_port, redis_server
from tests.support.servers_kafka import Broker
from tests.support.terminal import COMMAND, User, environment

PARTITIONS = 4
PIECE = 100
"""Lines written to `send` at once."""
PATIENCE_SECONDS = 90
"""A killed worker's partitions are free when its session has run out; machines that run tests are busy."""

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Worker:
    """One `growthgauge worker`."""

    def __init__(
        self, folder: Path, number: int, settings: Mapping[str, str], command: Sequence[str] = (COMMAND, "worker")
    ) -> None:
        """Start it, or what stands for it."""
        self.port, self.log = free_port(), folder / f"worker-{number}.log"
        own = {"GROWTHGAUGE_WORKER_PORT": str(self.port), "GROWTHGAUGE_DATA_DIR": str(folder / f"data-{number}")}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=folder, env=environment(**settings, **own), stdout=log, stderr=log
            )

    def shards(self) -> set[int]:
        """Give the partitions that it reads of every topic; none while it is not ready."""
        assert self.process.poll() is None, self.text()
        status, body = self.get("/-/ready")
        assigned = json.loads(body)["assigned"].values() if status == 200 else ()
        return set.intersection(*map(set, assigned)) if assigned else set()

    def get(self, path: str) -> tuple[int, str]:
        """Ask its port; status 0 if nobody answers."""
        try:
            with _direct.open(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, sample: str) -> float:
        """Give the value of one sample as it stands in the exposition; 0 while it does not answer."""
        lines = self.get("/metrics")[1].splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{sample} ")), 0.0)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def text(self) -> str:
        """Give all that it has logged."""
        return self.log.read_text(errors="replace")


def named(broker: str, folder: Path, name: str, settings: Mapping[str, object]) -> dict[str, str]:
    """Give the environment of commands: the reference's `settings`, a broker, and a group and topics called `name`."""
    rates = folder / "rates.json"
    rates.write_text(json.dumps(settings["rates"]))
    plain = {key: value for key, value in settings.items() if key not in {"rates", "targets"} and value is not None}
    return {f"GROWTHGAUGE_{key.upper()}": str(value) for key, value in plain.items()} | {
        "GROWTHGAUGE_BROKER": broker,
        "GROWTHGAUGE_GROUP": name,
        "GROWTHGAUGE_PARTITIONS": str(PARTITIONS),
        "GROWTHGAUGE_RATES_FILE": str(rates),
        "GROWTHGAUGE_TARGETS": json.dumps(settings["targets"]),
        "GROWTHGAUGE_TOPIC_DEAD_LETTERS": f"{name}.dead-letters",
        **{f"GROWTHGAUGE_TOPIC_{kind.upper()}S": f"{name}.{kind}s" for kind in TYPES},
    }


class Run:
    """Topics, a group, tables and workers of their own, and one `send` that gets lines as the workers go on."""

    def __init__(self, broker: Broker, folder: Path, settings: Mapping[str, object]) -> None:
        """Name everything; `settings` are those of the reference. Enter it to start its Redis and make its topics."""
        folder.mkdir(parents=True)
        self.user, self.workers, self.sent = User(folder), list[Worker](), 0
        self._redis: RedisServer
        self._stack = contextlib.ExitStack()
        self.settings = named(broker.address, folder, uuid4().hex[:8], settings)

    def __enter__(self) -> Self:
        """Start its Redis and make its topics."""
        self._redis = self._stack.enter_context(redis_server())
        self.settings["GROWTHGAUGE_REDIS_URL"] = self._redis.url
        self._tables = open_tables(self._redis.url)
        self._stack.callback(self._tables.close)
        made = self.user.runs("init", **self.settings)
        assert made.status == 0, made.error
        return self

    def __exit__(self, *exc: object) -> None:
        """End whatever still runs."""
        for worker in self.workers:
            worker.kill()
        self._stack.close()

    def worker(self) -> Worker:
        """Start a worker."""
        self.workers.append(Worker(self.user.folder, len(self.workers), self.settings))
        return self.workers[-1]

    def logs(self) -> str:
        """Give what the last workers have logged."""
        return "\n".join(worker.text()[-3000:] for worker in self.workers[-2:])

    def offsets(self) -> dict[str, list[int]]:
        """Give the stored next offsets of every type's topic by partition: so many of its records are covered."""
        found = metas(self._tables, PARTITIONS)
        topics = {kind: self.settings[f"GROWTHGAUGE_TOPIC_{kind.upper()}S"] for kind in TYPES}
        return {
            kind: [meta.offsets[topic].next if topic in meta.offsets else 0 for meta in found]
            for kind, topic in topics.items()
        }

    def stored(self) -> int:
        """Count the records that the stored offsets cover."""
        return sum(map(sum, self.offsets().values()))

    def facts(self) -> list[dict[int, dict[str, int]]]:
        """Give all facts by day, a shard after the other; days whose facts have all gone again are left out."""
        reader = self._tables.reader()
        days = [reader.changes(number, {})[0].days for number in range(PARTITIONS)]
        reader.close()
        return [{day: dict(facts) for day, facts in sorted(shard.items()) if facts} for shard in days]

    def report(self, day: date) -> str:
        """Give a day's report."""
        ran = self.user.runs("report", "--as-of", str(day), "--format", "json", **self.settings)
        assert ran.status == 0, ran.error
        return ran.output

    def begin(self) -> None:
        """Start to send, from standard input."""
        self._sending = subprocess.Popen(
            [COMMAND, "send", "--wait", "-"],
            cwd=self.user.folder,
            env=environment(**self.settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._stack.callback(self._sending.wait)
        self._stack.callback(self._sending.kill)

    def advance(self, lines: Sequence[str], goal: int, ahead: int) -> None:
        """Send on, always about `ahead` lines more than are covered, until `goal` records are covered."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (stored := self.stored()) < goal:
            self._write(lines[self.sent : min(self.sent + PIECE, stored + ahead)])
            assert time.monotonic() < deadline, f"{stored} of {goal} records are covered: {self.logs()}"
            time.sleep(0.03)

    def finish(self, lines: Sequence[str]) -> Counter[str]:
        """Send the rest, wait until everything is covered, and give what `send` says became of it."""
        self._write(lines[self.sent :])
        output, _ = self._sending.communicate(timeout=PATIENCE_SECONDS)
        assert self._sending.returncode == 0, self.logs()
        return Counter(
            {name: int(number.replace(",", "")) for number, name in re.findall(r"(\d[\d,]*) (\w+)", output.decode())}
        )

    def _write(self, lines: Sequence[str]) -> None:
        assert self._sending.stdin is not None
        self._sending.stdin.write("".join(lines).encode())
        self._sending.stdin.flush()
        self.sent += len(lines)


def kill_on_the_way(
    run: Run, lines: Sequence[str], kills: int, victim: Callable[[int], Worker], tell: Callable[[str], None]
) -> list[int]:
    """Kill a worker after every one of equal steps, with lines sent that it has not covered, and tell where it was.

    Args:
        run: where; `begin` was called.
        lines: all events, as `send` takes them.
        kills: how often; the last step is gone without.
        victim: called with the number of each kill to come, counted from 0; gives who it will be.
        tell: writes a line.

    Returns:
        How many records the stored offsets covered right after each kill.
    """
    step = len(lines) // (kills + 1)
    covered = []
    for number in range(kills):
        doomed = victim(number)
        run.advance(lines, (number + 1) * step, step // 2)
        doomed.kill()
        offsets = run.offsets()
        covered.append(sum(map(sum, offsets.values())))
        each = ", ".join(f"{kind} {'+'.join(map(str, numbers))}" for kind, numbers in offsets.items())
        tell(f"kill {number + 1:2} at {covered[-1]} of {len(lines)}, {run.sent} sent: {each}")
    return covered
