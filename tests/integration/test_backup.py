"""The how-to on backups, step by step, and `verify` beside a worker that counts all the time."""

from __future__ import annotations

import json
import random
import shutil
import threading
import time
from pathlib import Path

import pytest

from aggregators.tables.opening import open_tables
from growthgauge.errors import GrowthgaugeError
from growthgauge.upkeep.rebuild import rebuild
from growthgauge.upkeep.verify import verify
from tests.support.pipelines import DAY, Pipeline, session, signup, until
from tests.support.servers import RedisServer, redis_server
from tests.support.servers_kafka import Broker
from tests.support.terminal import Ran, User
from tests.unit.test_rebuild import OLD, PARTITIONS, filled, into_redis

NOW = int(time.time() * 1000)


def company(first: int, count: int) -> list[dict]:
    """Signups and payments of customers, and sessions of their users."""
    chance = random.Random(first)
    events: list[dict] = []
    for number in range(first, first + count):
        customer = f"customer {number}"
        begun = NOW - chance.randrange(200 * DAY)
        events.append(signup(customer, begun, plan="pro", country="DE"))
        paid = {"amount": "49", "currency": "USD", "id": f"p{number}", "type": "payment"}
        events.append({**paid, "customer_id": customer, "occurred_at": begun + 1})
        events += [session(customer, f"user {n}", begun + n) for n in range(3)]
    return events


def verified(redis: RedisServer, folder: Path, *arguments: str) -> Ran:
    """Let the installed command verify the tables of a worker with the default rules."""
    return User(folder).runs("verify", *arguments, GROWTHGAUGE_REDIS_URL=redis.url)


def snapshot(redis: RedisServer, to: Path) -> None:
    """Take a snapshot in the background, as the page has it, and copy it away."""
    with redis.client() as client:
        before = client.lastsave()
        time.sleep(1.1)  # it counts seconds
        client.bgsave()
        until(lambda: client.lastsave() != before)
    shutil.copy(redis.folder / "dump.rdb", to)


def test_a_snapshot_restored_is_caught_up(tansu: Broker, tmp_path: Path):
    """Redis is lost with all that came after a snapshot; restored, it is filled from Kafka, and the books balance."""
    with redis_server() as redis:
        pipeline = Pipeline(tansu, redis, tmp_path)
        worker = pipeline.ready_worker()
        count = pipeline.send(company(0, 60))
        until(lambda: pipeline.outcomes().total() == count, why=worker.text)
        snapshot(redis, tmp_path / "backup.rdb")
        count += pipeline.send(company(60, 60))
        until(lambda: pipeline.outcomes().total() == count, why=worker.text)
        expected = pipeline.facts()
        worker.terminate()
        redis.kill()
        for file in redis.folder.iterdir():
            file.unlink()
        shutil.copy(tmp_path / "backup.rdb", redis.folder / "dump.rdb")
        redis.start()
        assert pipeline.outcomes().total() == 300
        worker = pipeline.ready_worker()
        until(lambda: pipeline.outcomes().total() == count, why=worker.text)
        assert pipeline.facts() == expected
        balanced = verified(redis, tmp_path)
        assert balanced.output.startswith("The books balance: ")
        pipeline.close()


def test_verify_beside_a_busy_worker(tansu: Broker, redis: RedisServer, tmp_path: Path):
    """While events are counted without a pause, what is compared is of one commit, again and again."""
    pipeline = Pipeline(tansu, redis, tmp_path)
    worker = pipeline.ready_worker()
    stop = threading.Event()
    sent = 0

    def send() -> None:
        nonlocal sent
        while not stop.wait(0.1):
            sent += pipeline.send(company(sent, 4))

    sender = threading.Thread(target=send)
    sender.start()
    try:
        until(lambda: pipeline.outcomes().total() > 40, why=worker.text)
        seen = []
        for _ in range(2):
            found = verified(redis, tmp_path, "--format", "json")
            assert found.status == 0, found.output
            seen.append(json.loads(found.output))
        assert all(each["balanced"] and each["shards"] == 4 for each in seen)
        assert seen[0]["facts"] < seen[-1]["facts"], "nothing was counted meanwhile"
    finally:
        stop.set()
        sender.join()
        pipeline.close()


def test_what_is_broken_in_redis_is_told(redis: RedisServer, tmp_path: Path):
    """Facts that somebody removed, a ledger that somebody overwrote: status 1 and where; rebuild mends the first."""
    tables = open_tables(redis.url)
    into_redis(tables, filled(OLD, days=30))
    settings = {"GROWTHGAUGE_REDIS_URL": redis.url, "GROWTHGAUGE_PARTITIONS": str(PARTITIONS)}
    with redis.client() as client:
        day = min(client.hkeys("growth:{0}:days")).decode()
        assert client.hdel(f"growth:{{0}}:day:{day}", "segments")
    found = User(tmp_path).runs("verify", "--limit", "2", **settings)
    assert found.status == 1
    assert "The books do not balance" in found.output
    assert f"shard 0  {day}  segment_customers{{dimension=" in found.output
    assert "  ... and " in found.output
    assert "segments: the segments of a dimension add up" in found.output
    rebuild(tables, OLD, PARTITIONS, lambda *_: None)
    assert verify(tables, OLD, PARTITIONS, 20, lambda *_: None).balanced
    with redis.client() as client:
        bucket = next(client.scan_iter("growth:{1}:customers:*", count=10_000))
        field = next(name for name in client.hkeys(bucket)).decode()
        client.hset(bucket, field, b"\xc1")
    [unsound] = verify(tables, OLD, PARTITIONS, 20, lambda *_: None).unsound
    assert (unsound.shard, unsound.space, unsound.field) == (1, "customers", field)
    with pytest.raises(GrowthgaugeError, match="is damaged"):
        rebuild(tables, OLD, PARTITIONS, lambda *_: None)
