"""One shard's processor on tables in memory: what it covers, trims, cuts, refuses and hands to the dead letters."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from aggregators.calendar import DAY_MS, Zone
from aggregators.customers import long
from aggregators.rules import Rules
from aggregators.tables import memory
from aggregators.tables.door import Commit, Meta, TablesUnavailable
from streams.decoding.partition import partition_of
from streams.kafka.dead_letters import MESSAGE_BYTES, DeadLetter, DeadLettersUnavailable
from streams.kafka.transport import Batch
from streams.worker import shards
from streams.worker.config import WorkerConfig
from streams.worker.pipeline_metrics import PipelineMetrics
from streams.worker.shards import Misplaced, ShardProcessor, Span, WrongTables

NOON = 1_790_000_000_000
CONFIG = WorkerConfig(
    broker="nowhere:1",
    topics={"session": "sessions", "signup": "signups"},
    dead_letters="dead",
    partitions=1,
    rules=Rules(zone=Zone("UTC")),
    accept_from=0,
    data_dir="",
)


class Record(msgspec.Struct):
    """A record as aiokafka has it."""

    offset: int
    value: bytes | None
    timestamp: int | None = NOON
    key: bytes | None = None
    headers: list[tuple[str, bytes | None]] = []


class Letters:
    """Dead letters that stay here; may be told to fail."""

    def __init__(self) -> None:
        """Begin with none."""
        self.sent: list[DeadLetter] = []
        self.fails = False

    def send(self, letters: Sequence[DeadLetter]) -> None:
        """Keep them."""
        if self.fails:
            raise DeadLettersUnavailable("told to")
        self.sent += letters


class Bench:
    """A processor with all that it works with."""

    def __init__(self, tables: memory.Tables | None = None, config: WorkerConfig = CONFIG, number: int = 0) -> None:
        """Open a shard."""
        self.tables = tables or memory.Tables()
        self.letters = Letters()
        self.metrics = PipelineMetrics(config.names, config.partitions)
        self.shard = self.tables.shard(number)
        self.processor = ShardProcessor(config, number, self.shard, self.letters, self.metrics)  # type: ignore[arg-type]

    @property
    def meta(self) -> Meta:
        """What the shard says of itself."""
        return self.tables.shard(0).begin()

    @property
    def facts(self) -> dict[int, dict[str, int]]:
        """All facts of the shard."""
        return dict(self.tables.reader().changes(0, {})[0].days)


def record(offset: int, **fields: Any) -> Record:
    """A record of one user's session."""
    event = {"id": f"s{offset}", "type": "session", "customer_id": f"c{offset % 7}", "occurred_at": NOON, **fields}
    return Record(offset, json.dumps(event).encode())


def batch(start: int, end: int, records: Sequence[Any] | None = None, identity: str = "t1") -> Batch:
    """A batch of sessions, one an offset, or of the records given."""
    made = [record(offset) for offset in range(start, end)] if records is None else list(records)
    return Batch("sessions", 0, start, end, made, identity)


def placed(**arguments: Any) -> Bench:
    """A bench whose partition is read from offset 0."""
    bench = Bench(**arguments)
    assert bench.processor.place("sessions", "t1", 0) == Span(0)
    return bench


def test_a_batch_is_covered() -> None:
    """The next offset, the counts and the facts of a batch stand in the tables when it is processed."""
    bench = placed()
    bench.processor.process(batch(0, 10), "t1")
    assert bench.meta.offsets["sessions"].next == 10
    assert bench.meta.outcomes == {"session/accepted": 10}
    assert sum(day.get("sessions", 0) for day in bench.facts.values()) == 10


def test_what_is_covered_is_trimmed() -> None:
    """A batch that begins before the stored offset adds only what lies after it; one that ends before it nothing."""
    bench = placed()
    bench.processor.process(batch(0, 10), "t1")
    bench.processor.process(batch(5, 15), "t1")
    version = bench.meta.version
    bench.processor.process(batch(0, 15), "t1")
    assert bench.meta.version == version
    assert bench.meta.outcomes == {"session/accepted": 15}


def test_gaps_and_markers_are_passed() -> None:
    """The next offset is the batch's, whatever records it has or lacks."""
    bench = placed()
    bench.processor.process(batch(0, 10, [record(2), record(5)]), "t1")
    assert bench.meta.offsets["sessions"].next == 10
    bench.processor.process(batch(10, 12, []), "t1")
    assert bench.meta.offsets["sessions"].next == 12
    bench.processor.process(batch(8, 20, [record(9), record(13)]), "t1")
    assert bench.meta.outcomes == {"session/accepted": 3}


def test_a_batch_after_a_gap_is_refused() -> None:
    """Nothing stored, records missing before the batch, or another topic of the name: reading has to go back."""
    bench = Bench()
    with pytest.raises(Misplaced):
        bench.processor.process(batch(0, 5), "t1")
    bench = placed()
    with pytest.raises(Misplaced):
        bench.processor.process(batch(1, 5), "t1")
    with pytest.raises(Misplaced):
        bench.processor.process(batch(0, 5, identity="t2"), "t2")
    assert bench.meta.outcomes == {}


@pytest.mark.parametrize("limit", [3, 5, 1_000_000])
def test_pieces_give_the_same_as_the_whole(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    """However few ledgers a commit may hold, the facts are the same, and each commit keeps to it."""
    whole = placed()
    whole.processor.process(batch(0, 60), "t1")
    monkeypatch.setattr(shards, "COMMIT_LEDGERS", limit)
    cut = placed()
    held: list[int] = []
    write = cut.shard.commit

    def commit(transaction: Commit) -> Meta:
        held.append(max(map(len, transaction.ledgers.values())))
        return write(transaction)

    monkeypatch.setattr(cut.shard, "commit", commit)
    cut.processor.process(batch(0, 60), "t1")
    assert cut.facts == whole.facts
    assert cut.meta.outcomes == whole.meta.outcomes
    assert max(held) <= limit
    assert (len(held) > 1) == (limit < 7)


def test_a_commit_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ledgers that are large are read and written in more than one transaction."""
    bench = placed()
    bench.processor.process(batch(0, 60), "t1")
    version = bench.meta.version
    monkeypatch.setattr(shards, "COMMIT_BYTES", 40)
    bench.processor.process(batch(60, 120), "t1")
    assert bench.meta.version > version + 1
    assert bench.meta.outcomes == {"session/accepted": 120}


def test_two_workers_on_one_shard_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A zombie that commits in between makes the other read again and drop what is covered."""
    bench = placed()
    zombie = Bench(bench.tables)
    write = bench.shard.commit
    meanwhile = [batch(0, 10)]

    def commit(transaction: Commit) -> Meta:
        if meanwhile:
            zombie.processor.process(meanwhile.pop(), "t1")
        return write(transaction)

    monkeypatch.setattr(bench.shard, "commit", commit)
    bench.processor.process(batch(0, 15), "t1")
    assert bench.meta.outcomes == {"session/accepted": 15}
    assert bench.meta.offsets["sessions"].next == 15
    zombie.processor.process(batch(0, 15), "t1")
    assert bench.meta.outcomes == {"session/accepted": 15}


def test_an_answer_that_was_lost_is_found_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that was written though its answer never came counts once when the batch is tried again."""
    bench = placed()
    write = bench.shard.commit

    def commit(transaction: Commit) -> Meta:
        write(transaction)
        raise TablesUnavailable("the answer is lost")

    monkeypatch.setattr(bench.shard, "commit", commit)
    with pytest.raises(TablesUnavailable):
        bench.processor.process(batch(0, 15), "t1")
    monkeypatch.setattr(bench.shard, "commit", write)
    bench.processor.process(batch(0, 15), "t1")
    assert bench.meta.outcomes == {"session/accepted": 15}


def test_rejects_are_sent_before_the_commit() -> None:
    """While dead letters cannot be sent nothing is committed; then each has its own record and reason."""
    bench = placed()
    records = [record(0), Record(1, b"junk", key=b"k"), Record(2, None, timestamp=None), record(3, occurred_at="never")]
    bench.letters.fails = True
    with pytest.raises(DeadLettersUnavailable):
        bench.processor.process(batch(0, 4, records), "t1")
    assert bench.meta.outcomes == {}
    bench.letters.fails = False
    bench.processor.process(batch(0, 4, records), "t1")
    assert [(letter.record, letter.reason) for letter in bench.letters.sent] == [
        (records[1], "not_json"),
        (records[2], "not_json"),
        (records[3], "schema"),
    ]
    assert bench.meta.outcomes == {"session/accepted": 1, "rejected/not_json": 2, "rejected/schema": 1}
    assert bench.metrics.registry.get_sample_value("growth_events_rejected_total", {"reason": "not_json"}) == 2
    sample = {"type": "session", "outcome": "rejected"}
    assert bench.metrics.registry.get_sample_value("growth_events_total", sample) == 1


def test_records_of_other_partitions_are_rejected() -> None:
    """A record in a partition that is not its customer's cannot be counted there."""
    config = msgspec.structs.replace(CONFIG, partitions=2)
    bench = Bench(config=config)
    bench.processor.place("sessions", "t1", 0)
    bench.processor.process(batch(0, 20), "t1")
    own = [offset for offset in range(20) if partition_of(f"c{offset % 7}", 2) == 0]
    assert 0 < len(own) < 20
    assert bench.meta.outcomes == {"session/accepted": len(own), "rejected/wrong_partition": 20 - len(own)}


def test_tables_of_other_settings_are_refused() -> None:
    """Other rules, another number of partitions, a rebuild under way: a sentence that says what to do."""
    bench = placed()
    other = msgspec.structs.replace(CONFIG, rules=Rules(zone=Zone("UTC"), lapse_grace_days=1))
    with pytest.raises(WrongTables, match="growthgauge rebuild"):
        Bench(bench.tables, other).processor.place("sessions", "t1", 0)
    with pytest.raises(WrongTables, match="made for 1 partitions"):
        Bench(bench.tables, msgspec.structs.replace(CONFIG, partitions=2)).processor.place("sessions", "t1", 0)
    bench.tables.start_rebuild(0)
    with pytest.raises(WrongTables, match="being rebuilt"):
        bench.processor.process(batch(0, 5), "t1")


def test_where_reading_begins() -> None:
    """From the stored offset; from the first record for a new topic, a lost part, or an offset the broker has not."""
    bench = Bench()
    place = bench.processor.place
    assert place("sessions", "t1", 4) == Span(4)
    bench.processor.process(batch(4, 10), "t1")
    assert place("sessions", "t1", 0) == Span(10)
    assert place("sessions", "t1", 10) == Span(10)
    assert place("sessions", "t1", 12) == Span(12, lost=2)
    assert place("sessions", "t1", 12, out_of_range=7) == Span(12)
    assert place("sessions", "t1", 3, out_of_range=12) == Span(3, remade=True)
    assert place("sessions", "t1", 3) == Span(3)
    assert place("sessions", "t2", 0) == Span(0, remade=True)
    assert place("signups", "t1", 0) == Span(0)
    assert {topic: offset.next for topic, offset in bench.meta.offsets.items()} == {"sessions": 0, "signups": 0}


def test_headers_of_a_dead_letter() -> None:
    """The record's own headers come first, and a long message is cut at a whole character."""
    source = Record(5, b"x", headers=[("own", None)])
    names = [name for name, _ in DeadLetter(source, "t", 3, "schema", "what").headers()]
    prefix = "__connect.errors."
    assert names == [
        "own",
        *(f"{prefix}{name}" for name in ("topic", "partition", "offset", "stage")),
        *(f"{prefix}{name}" for name in ("exception.class.name", "exception.message")),
    ]
    message = dict(DeadLetter(source, "t", 3, "schema", "ä" * 1_000).headers())[f"{prefix}exception.message"]
    assert message is not None
    assert len(message) <= MESSAGE_BYTES
    assert message.decode().rstrip(".") == "ä" * 254


def test_a_long_ledger_is_read_on_while_it_is_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its parts are read under the same fence, and what they hold bounds a commit as all else does."""
    monkeypatch.setattr(long, "CHUNK", 2)
    bench = placed()
    days = [NOON - (100 - each) * DAY_MS for each in range(40)]
    bench.processor.process(batch(0, 40, [signup(offset, at) for offset, at in enumerate(days)]), "t1")
    parts = [field for field, _ in bench.shard.ledgers("customers") if field.startswith("pc")]
    assert len(parts) > 10
    version = bench.meta.version
    monkeypatch.setattr(shards, "COMMIT_BYTES", 4000)
    late = [signup(offset, days[0] + offset) for offset in range(40, 44)]
    bench.processor.process(batch(40, 44, late), "t1")
    assert bench.meta.outcomes == {"signup/accepted": 44}
    assert bench.meta.version > version + 1
    assert sum(day.get("signups", 0) for day in bench.facts.values()) == 44


def signup(offset: int, at: int) -> Record:
    """A signup of one customer, on another plan than the one before it."""
    return record(offset, type="signup", customer_id="c", occurred_at=at, plan=f"plan-{offset % 3}")
