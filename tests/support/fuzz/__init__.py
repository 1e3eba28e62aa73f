"""Mutated records through decoder, folds and exposition; what must hold of every one of them, whatever it is."""

from __future__ import annotations

import contextlib
import random
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from aggregators.batch import fold_batch, touched
from aggregators.calendar import Zone
from aggregators.events import TYPES, Event, Session, Sessions, canonical
from aggregators.facts import MEASURES, Facts, parts
from aggregators.rules import Rules
from aggregators.tables.door import Space
from growthgauge.sending.send import Router
from growthgauge.settings import Settings
from streams.decoding.decode import Decoded, Reject, decode
from streams.decoding.partition import partition_of
from streams.decoding.records import REASONS, Gate, Refused, read
from streams.kafka.dead_letters import MESSAGE_BYTES, DeadLetter
from tests.support.fuzz.maker import DAY, Maker

ACCEPT_FROM = 631_152_000_000
RULES = Rules(zone=Zone("UTC"))
TOPICS = Settings().topics
GROUP = 400
"""Events that are folded together, in ledgers of their own."""
KEPT = {measure for measure, definition in MEASURES.items() if definition.kept}


class Bare:
    """A record as the worker has it."""

    def __init__(self, value: bytes | None, timestamp: int) -> None:
        """With no key and no headers."""
        self.offset, self.timestamp, self.key, self.value = 0, timestamp, None, value
        self.headers: list[tuple[str, bytes | None]] = []


class Findings(msgspec.Struct):
    """What became of the records, and what went wrong."""

    records: int = 0
    accepted: Counter[str] = msgspec.field(default_factory=Counter)
    rejected: Counter[str] = msgspec.field(default_factory=Counter)
    folded: int = 0
    slowest_seconds: float = 0.0
    """CPU time of the slowest record's decoding, alone."""
    slowest: bytes = b""
    crashes: int = 0
    wrong: list[str] = msgspec.field(default_factory=list)
    """Every rule that a record broke."""

    def told(self) -> str:
        """Put it in a few lines."""
        accepted = ", ".join(f"{count:,} {kind}" for kind, count in sorted(self.accepted.items()))
        rejected = ", ".join(f"{count:,} {reason}" for reason, count in sorted(self.rejected.items()))
        return (
            f"{self.records:,} records: {self.accepted.total():,} accepted ({accepted}), "
            f"{self.rejected.total():,} rejected ({rejected}); every one of them exactly once\n"
            f"{self.folded:,} of those accepted folded twice, in other orders and batches, and shown\n"
            f"slowest record {1000 * self.slowest_seconds:.1f} ms of CPU ({len(self.slowest):,} bytes), "
            f"{self.crashes} crashes, "
            f"{len(self.wrong)} wrong"
        )


def run(records: int, seed: int, *, shown_every: int = 1, findings: Findings | None = None) -> Findings:
    """Make so many records and try all of them.

    Args:
        records: how many.
        seed: other seeds make other records.
        shown_every: of how many folded groups one is shown as exposition, report and table.
        findings: where to add to.
    """
    from tests.support.fuzz.showing import show  # noqa: PLC0415 - it needs much that decoding does not

    found = findings or Findings()
    chance, maker = random.Random(seed), Maker(seed)
    sessions: list[Session] = []
    events: list[Event] = []
    groups = 0
    until = found.records + records
    while found.records < until:
        size = min(chance.choice((1, 2, 3, 50, 200)), until - found.records)
        partitions = chance.choice((1, 1, 1, 4))
        gate = Gate(chance.randrange(partitions), partitions, ACCEPT_FROM, DAY)
        batch = [(maker.record(), maker.timestamp()) for _ in range(size)]
        try:
            decoded = _try_batch(batch, gate, found)
        except Exception as error:  # noqa: BLE001 - whatever it is, no record may raise it
            found.crashes += 1
            found.wrong.append(f"{type(error).__name__}: {error} of {batch!r}")
            break
        sessions += list(decoded.sessions)
        events += decoded.events
        if len(sessions) + len(events) >= GROUP:
            try:
                facts = _try_fold(sessions, events, chance, found)
                if groups % shown_every == 0:
                    found.wrong += show(facts)
            except Exception as error:  # noqa: BLE001 - whatever it is, no event may raise it
                found.crashes += 1
                found.wrong.append(f"{type(error).__name__}: {error} of {sessions!r} {events!r}")
            groups += 1
            sessions, events = [], []
    return found


def _try_batch(records: Sequence[tuple[bytes | None, int]], gate: Gate, found: Findings) -> Decoded:
    """Decode a batch whole, and each of its records alone: both must say the same, and account for every record."""
    values, stamps = [value for value, _ in records], [stamp for _, stamp in records]
    decoded = decode(values, stamps, **gate._asdict())
    sessions: list[Session] = []
    events: list[Event] = []
    rejects: list[Reject] = []
    for index, (value, stamp) in enumerate(records):
        began = time.thread_time()
        try:
            event = read(value, stamp, gate)
        except Refused as refused:
            rejects.append(Reject(index, refused.type, refused.reason, str(refused)))
            _try_letter(value, stamp, rejects[-1], found)
        else:
            (sessions if isinstance(event, Session) else events).append(event)  # type: ignore[arg-type]
            _try_event(value or b"", stamp, event, gate, found)
        took = time.thread_time() - began
        if took > found.slowest_seconds:
            # Once more, lest a collection of garbage be taken for a slow record.
            took = min(took, *(_seconds(value, stamp, gate) for _ in range(2)))
        if took > found.slowest_seconds:
            found.slowest_seconds, found.slowest = took, value or b""
    if (list(decoded.sessions), decoded.events, decoded.rejects) != (sessions, events, rejects):
        found.wrong.append(
            f"two ways of reading differ: {_differing(decoded, sessions, events, rejects)} of {values!r}"
        )
    if len(decoded.sessions) + len(decoded.events) + len(decoded.rejects) != len(records):
        found.wrong.append(f"not every record exactly once: {values!r}")
    found.records += len(records)
    found.accepted.update(event.type for event in decoded.events)
    found.accepted["session"] += len(decoded.sessions)
    found.rejected.update(reject.reason for reject in decoded.rejects)
    return decoded


def _differing(decoded: Decoded, sessions: list[Session], events: list[Event], rejects: list[Reject]) -> str:
    """Say what one way has and the other has not: the batch first."""
    pairs: tuple[tuple[list[Any], list[Any]], ...] = (
        (list(decoded.sessions), sessions),
        (decoded.events, events),
        (decoded.rejects, rejects),
    )
    return "; ".join(
        f"{[each for each in batch if each not in alone]} and not {[each for each in alone if each not in batch]}"
        for batch, alone in pairs
    )


def _seconds(value: bytes | None, stamp: int, gate: Gate) -> float:
    began = time.thread_time()
    with contextlib.suppress(Refused):
        read(value, stamp, gate)
    return time.thread_time() - began


def _try_letter(value: bytes | None, stamp: int, reject: Reject, found: Findings) -> None:
    """A rejection names a reason and a path or says why there is none, and fits into headers."""
    if reject.reason not in REASONS or reject.type not in (*TYPES, "unknown"):
        found.wrong.append(f"{reject.reason} of {reject.type}: {value!r}")
    if reject.reason != "not_json" and not reject.message.startswith("$"):
        found.wrong.append(f"{reject.message!r} names no field: {value!r}")
    letter = DeadLetter(Bare(value, stamp), "t", 0, reject.reason, reject.message)
    message = dict(letter.headers())["__connect.errors.exception.message"] or b""
    if not 0 < len(message) <= MESSAGE_BYTES or not message.decode():
        found.wrong.append(f"{message!r} is no message: {value!r}")


def _try_event(value: bytes, stamp: int, event: Event | Session, gate: Gate, found: Findings) -> None:
    """What is accepted is sent to where it belongs, and its canonical form is the same event."""
    kind = "session" if isinstance(event, Session) else event.type
    partition = partition_of(event.customer_id, 12)
    if Router(TOPICS, 12)(value) != (TOPICS[kind], partition, event.customer_id.encode()):
        found.wrong.append(f"sent elsewhere: {value!r}")
    if not isinstance(event, Session):
        form = canonical(event)
        if read(form, stamp, gate) != event or canonical(read(form, stamp, gate)) != form:  # type: ignore[arg-type,type-var]
            found.wrong.append(f"its canonical form is another event: {value!r}")


def _try_fold(sessions: list[Session], events: list[Event], chance: random.Random, found: Findings) -> Facts:
    """Fold events in their order, and again in others, doubled and in other batches: the same facts."""
    # Of sessions only the ids are kept: another one under the same id is a mistake that nothing can notice.
    sessions = [*{(session.customer_id, session.id): session for session in sessions}.values()]
    facts = _folded([(sessions, events)])
    doubled_sessions, doubled_events = sessions + sessions[::2], events + events[::2]
    chance.shuffle(doubled_sessions)
    chance.shuffle(doubled_events)
    middle, cut = len(doubled_sessions) // 3, len(doubled_events) // 2
    again = _folded(
        [([], doubled_events[:cut]), (doubled_sessions[middle:], doubled_events[cut:]), (doubled_sessions[:middle], [])]
    )
    if _without_kept(facts) != _without_kept(again):
        found.wrong.append(f"another order, other facts: {sessions!r} {events!r}")
    found.folded += len(sessions) + len(events)
    return facts


def _folded(batches: Sequence[tuple[list[Session], list[Event]]]) -> Facts:
    ledgers: dict[Space, dict[str, bytes]] = {"users": {}, "customers": {}}
    facts = Facts()
    for rows, events in batches:
        sessions = Sessions.of(rows)
        read_ = {
            space: {field: ledgers[space][field] for field in fields if field in ledgers[space]}
            for space, fields in touched(sessions, events).items()
        }
        folded = fold_batch(RULES, sessions, events, read_)
        if folded.outcomes.total() != len(rows) + len(events):
            raise AssertionError(f"not every event is counted once: {folded.outcomes} of {rows!r} {events!r}")
        facts.merge(folded.facts)
        for space, changed in folded.ledgers.items():
            ledgers[space].update(changed)
    return facts


def _without_kept(facts: Facts) -> Facts:
    """Leave out what no ledger keeps: it is exact while no session is late, and here they are years apart."""
    kept = Facts()
    for day, fact, amount in facts:
        if parts(fact)[0] not in KEPT:
            kept.add(day, fact, amount)
    return kept
