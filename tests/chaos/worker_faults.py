"""What may happen to workers: killed, asleep and woken, on a clock that jumps, replaced by ones of other settings."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from tests.chaos.world import NotDone, World
from tests.support.kills import PARTITIONS, Worker

DAY = 86_400
GRACES = (0, 3, 30)


def worker_killed(world: World) -> str:
    """SIGKILL a worker in the midst of work; another one comes, at once or only after the group has noticed."""
    victim = world.rng.choice(world.workers)
    world.strike(spare=victim)
    killed = world.kill(victim)
    if world.workers and world.rng.random() < 0.5:
        world.until(world.served, "the others take over the shards of a killed worker")
    return f"pid {killed} killed, pid {world.start().process.pid} started"


def worker_asleep(world: World) -> str:
    """SIGSTOP a worker until others have all its shards, and let it go on with what it had in hand."""
    if len(world.workers) < 2:
        world.start()
    world.until(world.served, "workers share all shards")
    sleeper = world.rng.choice([worker for worker in world.workers if worker.shards()])
    world.strike(spare=sleeper)
    others = [worker for worker in world.workers if worker is not sleeper]
    sleeper.process.send_signal(signal.SIGSTOP)
    try:
        world.until(
            lambda: set[int]().union(*(other.shards() for other in others)) == set(range(PARTITIONS)),
            "the others take over the shards of a worker that is asleep",
        )
        world.wait(world.rng.uniform(0, 1))
    finally:
        sleeper.process.send_signal(signal.SIGCONT)
    world.wait(1)
    return f"pid {sleeper.process.pid} stopped, replaced by {pids(others)}, and woken"


def clock_jumped(world: World) -> str:
    """Let the clocks of workers and producer jump by months; send events dated before they happened, too."""
    seen, told = world.clock.with_suffix(".seen"), []
    for _ in range(2):
        ahead = round(world.rng.uniform(-400, 400) * DAY)
        world.clock.write_text(str(ahead))
        world.feed.clock = -1000 * DAY * world.rng.randrange(300)
        world.feed.misdate(20)
        world.strike()

        def noticed(ahead: int = ahead) -> bool:
            for worker in world.workers:
                worker.get("/-/ready")  # whoever is asked looks at the clock
            notes = set(seen.read_text().splitlines()) if seen.exists() else set()
            return notes >= {f"{pid} {float(ahead)}" for pid in pids(world.workers)}

        world.until(noticed, "workers see the new clock")
        world.wait(1)
        told.append(f"{ahead / DAY:+.0f} days")
    return f"clocks of pids {pids(world.workers)} to {' and '.join(told)}"


def settings_changed(world: World) -> str:
    """Upgrade workers to another fingerprint: a new one refuses; all stop; rebuild, maybe twice; new ones go on."""
    world.until(world.served, "workers share all shards")
    world.until(lambda: all(meta.fingerprint for meta in world.metas()), "all shards are written")
    grace = world.rng.choice([days for days in GRACES if days != world.shown["lapse_grace_days"]])
    early = world.start(GROWTHGAUGE_LAPSE_GRACE_DAYS=str(grace))
    _refuses(world, early, "growthgauge rebuild")
    old = [world.terminate(worker) for worker in list(world.workers)]
    world.shown["lapse_grace_days"] = grace
    world.environment["GROWTHGAUGE_LAPSE_GRACE_DAYS"] = str(grace)
    interrupted = world.rng.random() < 0.5 and _interrupted_rebuild(world)
    ran = world.user.runs("rebuild", **world.settings())
    if ran.status != 0:
        raise NotDone(f"rebuild failed: {ran.error}")
    world.snapshot = None  # an older copy of Redis' data would have to be rebuilt, too
    new = [world.start() for _ in old]
    how = "rebuilt after a rebuild that was killed" if interrupted else "rebuilt"
    return f"pid {early.process.pid} refused, pids {old} ended, {how}, pids {pids(new)} started"


def _interrupted_rebuild(world: World) -> bool:
    """Kill a rebuild that has marked a shard, and see that a worker refuses; False if it was through before."""
    rebuild = world.popen("rebuild")

    def begun() -> bool:
        return any((meta.fingerprint or "").startswith("rebuilding") for meta in world.metas())

    while rebuild.poll() is None and not begun():
        pass
    rebuild.kill()
    rebuild.wait()
    if not begun():
        return False
    _refuses(world, world.start(), "growthgauge rebuild")
    return True


def _refuses(world: World, worker: Worker, says: str) -> None:
    """Wait until a worker has ended because of what the tables say."""
    world.retire(worker)
    world.until(lambda: worker.process.poll() is not None, "a worker that does not fit the tables ends")
    if worker.process.returncode != 1 or says not in worker.text():
        world.complaints.append(f"a worker that does not fit the tables said: {worker.text()[-300:]}")


def pids(workers: Sequence[Worker]) -> list[int]:
    """Give process ids."""
    return [worker.process.pid for worker in workers]
