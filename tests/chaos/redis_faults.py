"""What may happen to Redis: killed, gone back in time, emptied, full, read-only, busy; and to the way to it."""

from __future__ import annotations

import contextlib
import threading

import redis

from tests.chaos.proxy import CLEAR, Weather
from tests.chaos.world import NotDone, World
from tests.support.kills import Worker

HOLD_SECONDS = 3.0


def redis_killed(world: World) -> str:
    """SIGKILL Redis, and start it again on its append-only file: all that was committed must be there."""
    old = world.redis.pid
    world.strike()
    before = world.stored()
    world.kill_redis()
    world.wait(world.rng.uniform(0, 1.5))
    world.redis.start()
    after = world.stored()
    if any(after[place] < offset for place, offset in before.items()):
        world.complaints.append(f"Redis with appendfsync always has lost commits: {before} became {after}")
    return f"pid {old} killed, pid {world.redis.pid} started"


def redis_rolled_back(world: World) -> str:
    """Stop Redis, put an older copy of its data back, start it: workers must notice and read again."""
    if world.snapshot is None:
        world.remember()
    if not world.until(lambda: world.total() > world.remembered, "more is committed", 60, patient=True):
        raise NotDone("nothing was committed after the copy")
    return _with_older_data(world, "rolled back")


def redis_emptied(world: World) -> str:
    """FLUSHALL, or a Redis that starts again without its data: workers read all that Kafka has."""
    world.snapshot = None
    world.until(lambda: world.total() > 0, "something is committed")
    if world.rng.random() < 0.5:
        return _with_older_data(world, "without its data")
    world.strike()
    with world.redis.client() as client, client.pipeline() as pipeline:
        _, keys = pipeline.flushall().dbsize().execute()
    if keys:
        raise NotDone(f"{keys} keys are left")
    world.feed.went_back()
    return f"pid {world.redis.pid}: FLUSHALL"


def redis_full(world: World) -> str:
    """Lower `maxmemory` under what is used, with `noeviction`; raise it again after commits were refused."""
    with world.redis.client() as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", 1)
        try:
            refused = _refused(world, "OOM", "has reached its maxmemory")
        finally:
            client.config_set("maxmemory", 0)
    return f"pid {world.redis.pid} out of memory: {refused}"


def redis_read_only(world: World) -> str:
    """Make Redis the replica of a primary that is not there: it answers, and takes no writes."""
    with world.redis.client() as client:
        client.replicaof("127.0.0.1", 1)
        try:
            refused = _refused(world, "READONLY", "is a read-only replica")
        finally:
            client.replicaof("NO", "ONE")
    return f"pid {world.redis.pid} a read-only replica: {refused}"


def redis_busy(world: World) -> str:
    """Keep Redis busy with a script that does not end by itself."""
    with world.redis.client() as client, world.redis.client() as other:
        client.config_set("busy-reply-threshold", 50)

        def spin() -> None:
            with contextlib.suppress(redis.RedisError):
                other.eval("while true do end", 0)

        spinning = threading.Thread(target=spin, daemon=True)
        spinning.start()
        try:
            refused = _refused(world, "BUSY", "is busy with a long script")
        finally:
            client.script_kill()
            spinning.join(30)
    return f"pid {world.redis.pid} busy with a script: {refused}"


def redis_slow(world: World) -> str:
    """Delay all that passes between workers and Redis."""
    before = world.proxy.delays
    world.proxy.weather = Weather(delay=world.rng.uniform(0.05, 0.6))
    world.strike()
    world.wait(HOLD_SECONDS)
    enough = world.until(lambda: world.proxy.delays > before + 20, "traffic is slowed down", 30, patient=True)
    world.proxy.weather = CLEAR
    if not enough:
        raise NotDone("hardly anything passed")
    return f"{world.proxy.delays - before} pieces delayed"


def redis_cut(world: World) -> str:
    """Reset connections to Redis after some bytes of a reply: also where a commit was made and nobody hears of it."""
    before = world.proxy.cuts
    world.proxy.weather = Weather(cut=world.rng.choice((30, 300, 3_000)))
    world.strike()
    world.wait(HOLD_SECONDS)
    enough = world.until(lambda: world.proxy.cuts >= before + 5, "connections are cut", 30, patient=True)
    world.proxy.weather = CLEAR
    if not enough:
        raise NotDone("hardly anything passed")
    return f"{world.proxy.cuts - before} replies cut half-way"


def _refused(world: World, kind: str, says: str) -> str:
    """Send events to a Redis that refuses, and see that a worker says so, is not ready, and is not to be restarted."""
    told = {worker: worker.text().count(says) for worker in world.workers}

    def who_says_so() -> list[Worker]:
        return [worker for worker, before in told.items() if worker.text().count(says) > before]

    world.budget += 100
    world.strike()
    heard = world.until(who_says_so, f"a worker says that Redis {says}", 40, patient=True)
    if not heard:
        raise NotDone(f"nobody was told {kind}")
    if not world.until(lambda: any(w.get("/-/ready")[0] == 503 for w in who_says_so()), "503", 20, patient=True):
        world.complaints.append(f"Redis {says}, and the worker says that it is ready")
    world.wait(HOLD_SECONDS)
    unhealthy = [worker.process.pid for worker in world.workers if worker.get("/-/healthy")[0] == 503]
    if unhealthy:
        world.complaints.append(f"Redis {says}, and pids {unhealthy} say that they should be started again")
    return f"pids {[worker.process.pid for worker in who_says_so()]} wait and say so"


def _with_older_data(world: World, what: str) -> str:
    """Start Redis on the copy that there is, or on nothing, and look at it before workers get at it."""
    old = world.redis.pid
    world.strike()
    world.proxy.weather = Weather(closed=True)
    before = world.total()
    world.kill_redis()
    world.restore()
    world.redis.start()
    there = world.total()
    world.proxy.weather = CLEAR
    world.feed.went_back()
    if there >= before:
        raise NotDone(f"{there} records are covered, {before} were before")
    return f"pid {old} killed, pid {world.redis.pid} started {what}: {before} records covered before, {there} after"
