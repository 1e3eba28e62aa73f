"""What every store promises whoever wants a shard as a whole: facts and ledgers of the same commit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

import pytest

from aggregators.tables.door import Busy, Space, Tables
from aggregators.tables.redis import snapshot as redis_snapshot
from tests.contract.batches import commit, write
from tests.contract.stores import RedisStore, Store

DAYS = range(100, 300)


class Kept:
    """A sink in memory, which may let somebody commit while it takes."""

    def __init__(self, meanwhile: Callable[[int], object] = id) -> None:
        """Start empty."""
        self.attempts = 0
        self.ledgers: dict[Space, dict[str, bytes]] = {}
        self._meanwhile = meanwhile
        self._told = 0

    def start(self) -> None:
        """Forget what was taken."""
        self.attempts += 1
        self.ledgers = {"users": {}, "customers": {}}

    def take(self, space: Space, ledgers: Iterable[tuple[str, bytes]]) -> None:
        """Take some ledgers."""
        self.ledgers[space].update(ledgers)
        if self._told < self.attempts:
            self._told = self.attempts
            self._meanwhile(self.attempts)


def fill(tables: Tables, amount: int) -> None:
    """Commit facts and ledgers that say the same number."""
    write(
        tables.shard(0),
        facts={day: {"new": 1, "sessions": 5} for day in DAYS},
        ledgers={
            "users": {f"u{n}": b"%d" % amount for n in range(50)},
            "customers": {f"bä{n}": b"%d" % amount for n in range(50)},
        },
    )


def together(sink: Kept, days: dict[int, dict[str, int]]) -> set[int]:
    """Give the numbers that facts and ledgers say."""
    assert days.keys() == set(DAYS)
    assert {len(ledgers) for ledgers in sink.ledgers.values()} == {50}
    assert "bä7" in sink.ledgers["customers"]
    said = {int(ledger) for ledgers in sink.ledgers.values() for ledger in ledgers.values()}
    return said | {facts["new"] for facts in days.values()} | {facts["sessions"] // 5 for facts in days.values()}


def test_a_snapshot_is_all_of_a_shard(tables: Tables):
    """Its facts, kept ones too, and every ledger of both tables; an empty shard gives nothing."""
    sink = Kept()
    assert tables.snapshot(0, sink).days == {}
    assert sink.ledgers == {"users": {}, "customers": {}}
    fill(tables, 1)
    changes = tables.snapshot(0, sink)
    assert together(sink, dict(changes.days)) == {1}
    assert changes.meta == tables.shard(0).begin()
    assert tables.snapshot(1, sink).days == {}


@pytest.mark.parametrize("store", ["redis", "cluster"], indirect=True)
@pytest.mark.parametrize("commits", [1, 2, 3])
def test_a_snapshot_is_one_version_whoever_commits(store: Store, commits: int):
    """Somebody commits in the middle of some attempts, or of all: facts and ledgers are of one version all the same."""
    fill(store.tables, 1)
    done = 1

    def somebody(attempt: int) -> None:
        nonlocal done
        if attempt <= commits:
            done += 1
            fill(store.tables, done)

    sink = Kept(somebody)
    changes = store.tables.snapshot(0, sink)
    assert sink.attempts == commits + 1
    assert together(sink, dict(changes.days)) == {done}
    assert changes.meta.version == done


@pytest.mark.parametrize("store", ["redis"], indirect=True)
def test_a_large_shard_is_given_up(store: Store, monkeypatch: pytest.MonkeyPatch):
    """What is committed to all the time and too large for one answer is said to be busy, and Redis is never blocked."""
    monkeypatch.setattr(redis_snapshot, "AT_ONCE_BYTES", 200)
    fill(store.tables, 1)
    sink = Kept(lambda attempt: fill(store.tables, attempt + 1))
    with pytest.raises(Busy):
        store.tables.snapshot(0, sink)
    assert sink.attempts == 3
    sink = Kept(lambda attempt: fill(store.tables, 9) if attempt < 3 else None)
    store.tables.snapshot(0, sink)
    assert sink.attempts == 3


@pytest.mark.parametrize("store", ["redis"], indirect=True)
def test_a_snapshot_among_busy_writers(store: Store):
    """While a thread commits without a pause, ten snapshots in a row are of one version each."""
    fill(store.tables, 1)
    stop = threading.Event()

    def write_on() -> None:
        amount = 1
        while not stop.is_set():
            amount += 1
            fill(store.tables, amount)

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        seen = set()
        for _ in range(10):
            sink = Kept()
            [amount] = together(sink, dict(store.tables.snapshot(0, sink).days))
            seen.add(amount)
        assert len(seen) > 1
    finally:
        stop.set()
        writer.join()


@pytest.mark.parametrize("store", ["redis"], indirect=True)
def test_days_that_go_are_gone(store: Store):
    """A day whose facts have all gone while a snapshot was taken is not in it."""
    assert isinstance(store, RedisStore)
    fill(store.tables, 1)

    def take_back(attempt: int) -> None:
        if attempt == 1:
            shard = store.tables.shard(0)
            shard.commit(commit(shard.begin(), facts={100: {"new": -1, "sessions": -5}}))

    sink = Kept(take_back)
    changes = store.tables.snapshot(0, sink)
    assert not changes.days.get(100)
    assert changes.days[101] == {"new": 1, "sessions": 5}
