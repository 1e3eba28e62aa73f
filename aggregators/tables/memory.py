"""The tables in memory: the twin of those in Redis, for tests and for trying things out."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from aggregators.facts import Facts
from aggregators.tables import commits
from aggregators.tables.door import EMPTYING, SPACES, Changes, Commit, Health, Meta, Sink, Space, Superseded


class _Contents:
    """All that one shard holds."""

    def __init__(self) -> None:
        self.meta = Meta()
        self.ledgers: dict[Space, dict[str, bytes]] = {space: {} for space in SPACES}
        self.days: dict[int, dict[str, int]] = {}
        self.stamps: dict[int, str] = {}


class Tables:
    """A store in memory, shared by all shards and readers that it opened; gone with the process."""

    def __init__(self) -> None:
        """Start empty."""
        self._contents: defaultdict[int, _Contents] = defaultdict(_Contents)
        self._lock = threading.Lock()

    def shard(self, number: int) -> MemoryShard:
        """Open a shard for writing."""
        with self._lock:
            return MemoryShard(self._contents[number], self._lock)

    def reader(self) -> MemoryReader:
        """Open all shards for reading."""
        return MemoryReader(self._contents, self._lock)

    def snapshot(self, number: int, sink: Sink) -> Changes:
        """Give one consistent version of a whole shard."""
        with self._lock:
            contents = self._contents[number]
            sink.start()
            for space in SPACES:
                sink.take(space, contents.ledgers[space].items())
            return Changes(contents.meta, {day: dict(facts) for day, facts in contents.days.items()})

    def start_rebuild(self, number: int) -> Meta:
        """Mark a shard as being rebuilt, and give its meta."""
        with self._lock:
            contents = self._contents[number]
            contents.meta = commits.marked(contents.meta)
            return contents.meta

    def start_emptying(self, number: int) -> Meta:
        """Mark a shard as being emptied, and give its meta."""
        with self._lock:
            contents = self._contents[number]
            contents.meta = commits.marked(contents.meta, EMPTYING)
            return contents.meta

    def empty(self, number: int, based_on: Meta, made_for: tuple[str, int] | None) -> None:
        """Remove all that a shard holds."""
        with self._lock:
            contents = self._contents[number]
            if contents.meta.token != based_on.token:
                raise Superseded
            # In place: shards and readers go on with what they have open.
            vars(contents).update(vars(_Contents()))
            if made_for is not None:
                contents.meta = commits.emptied(based_on, *made_for)

    def replace_facts(self, number: int, based_on: Meta, fingerprint: str, facts: Facts) -> Meta:
        """Put newly folded facts in place of all that derive from ledgers; kept measures stay."""
        days = {
            day: {key: n for group in groups.values() for key, n in group.items() if not commits.kept(key)}
            for day, groups in commits.by_group(facts).items()
        }
        with self._lock:
            contents = self._contents[number]
            if contents.meta.token != based_on.token:
                raise Superseded
            for day, stored in contents.days.items():
                days.setdefault(day, {}).update({key: n for key, n in stored.items() if commits.kept(key)})
            contents.days = {day: day_facts for day, day_facts in days.items() if day_facts}
            contents.meta = commits.rebuilt(based_on, fingerprint)
            contents.stamps = dict.fromkeys(contents.stamps.keys() | days.keys(), commits.stamp(contents.meta))
            return contents.meta

    def ping(self) -> None:
        """Memory always answers."""

    def health(self) -> Health:
        """Say that this is memory."""
        return Health(server="memory", address="this process", append_only=False)

    def close(self) -> None:
        """Nothing is held open."""


class MemoryShard:
    """A shard in memory."""

    def __init__(self, contents: _Contents, lock: threading.Lock) -> None:
        """Open a shard's contents for writing."""
        self._contents = contents
        self._lock = lock
        self._begun: str | None = None

    def begin(self) -> Meta:
        """Read the shard's meta."""
        with self._lock:
            meta = self._contents.meta
        self._begun = meta.token
        return meta

    def read(self, space: Space, fields: Sequence[str]) -> list[bytes | None]:
        """Read ledgers, None where there is none, in the order of the fields."""
        if self._begun is None:
            raise Superseded
        with self._lock:
            ledgers = self._contents.ledgers[space]
            return [ledgers.get(field) for field in fields]

    def commit(self, commit: Commit) -> Meta:
        """Write a transaction and give the new meta."""
        days = commits.by_group(commit.facts)
        begun, self._begun = self._begun, None
        with self._lock:
            contents = self._contents
            if not begun == commit.based_on.token == contents.meta.token:
                raise Superseded
            contents.meta = commits.committed(commit)
            for space, ledgers in commit.ledgers.items():
                for field, ledger in ledgers.items():
                    if ledger:
                        contents.ledgers[space][field] = ledger
                    else:
                        contents.ledgers[space].pop(field, None)
            for day, groups in days.items():
                stored = contents.days.setdefault(day, {})
                for group in groups.values():
                    commits.add(stored, group)
                if not stored:
                    del contents.days[day]
                contents.stamps[day] = commits.stamp(contents.meta)
            return contents.meta

    def ledgers(self, space: Space) -> Iterator[tuple[str, bytes]]:
        """Iterate over all ledgers of one table, as they are now."""
        with self._lock:
            return iter(list(self._contents.ledgers[space].items()))

    def close(self) -> None:
        """Nothing is held open."""


class MemoryReader:
    """A reader of shards in memory."""

    def __init__(self, contents: defaultdict[int, _Contents], lock: threading.Lock) -> None:
        """Open all shards' contents for reading."""
        self._contents = contents
        self._lock = lock

    def changes(self, shard: int, seen: Mapping[int, str]) -> tuple[Changes, Mapping[int, str]]:
        """Give one consistent version of a shard's changed days, and what to pass as `seen` next time."""
        with self._lock:
            contents = self._contents[shard]
            changed = [day for day, stamp in contents.stamps.items() if seen.get(day) != stamp]
            gone = seen.keys() - contents.stamps.keys()
            days = {day: dict(contents.days.get(day, {})) for day in (*changed, *gone)}
            return Changes(contents.meta, days), dict(contents.stamps)

    def close(self) -> None:
        """Nothing is held open."""
