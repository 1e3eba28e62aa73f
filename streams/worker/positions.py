"""Where each assigned partition is read from: the tables say, however the partition came here or went astray."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping

from aiokafka.errors import IllegalStateError
from faust.types import TP

from aggregators.tables.door import TablesUnavailable
from streams.kafka import topics
from streams.worker.outages import Outage
from streams.worker.shards import Span, WrongTables

log = logging.getLogger("growthgauge.worker")

RETRY_SECONDS = 1.0
LOOK_SECONDS = 30.0
"""How often the topics' identities are looked at beside: a topic made again may have as many records as the old one."""

Place = Callable[[TP, str, int, int | None], Awaitable[Span]]
Seek = Callable[[Mapping[TP, int]], Awaitable[None]]


class Positions:
    """Places partitions: after an assignment, a gap, an offset out of range, a topic made again. One way for all."""

    def __init__(self, broker: str, place: Place, seek: Seek, on_lost: Callable[[TP, int], None]) -> None:
        """Take what it works with.

        Args:
            broker: bootstrap servers.
            place: asks the tables; topic and partition, identity, first offset, offset out of range.
            seek: moves the consumer.
            on_lost: is told of records that are gone.
        """
        self._broker, self._place, self._seek, self._on_lost = broker, place, seek, on_lost
        self._placed: dict[TP, str] = {}
        self._assigned = False
        self._waiting: dict[TP, int | None] = {}
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._broker_outage = Outage("The topics cannot be asked for")
        self._other_outage = Outage("Partitions could not be placed")
        self._tables_outage = Outage("Where to read from is not known")

    @property
    def placed(self) -> dict[str, list[int]]:
        """The partitions that are read, by topic."""
        found: dict[str, list[int]] = {}
        for topic, partition in sorted(self._placed):
            found.setdefault(topic, []).append(partition)
        return found

    @property
    def waiting(self) -> bool:
        """Whether an assigned partition is not read yet."""
        return bool(self._waiting)

    @property
    def settled(self) -> bool:
        """Whether the group has assigned partitions (or none, where workers are many) and all of them are read."""
        return self._assigned and not self._waiting

    def identity(self, tp: TP) -> str | None:
        """Give the identity of the topic that is read; None while the partition is not read from the right place."""
        return self._placed.get(tp)

    def revoked(self) -> None:
        """Forget all partitions: the group is about to deal them out again."""
        self._assigned = False
        self._placed.clear()
        self._waiting = {}

    def reassigned(self, assigned: set[TP]) -> None:
        """Begin anew with these partitions."""
        self._assigned = True
        self._placed.clear()
        self._waiting = dict.fromkeys(assigned)
        self._wake.set()

    def lost(self, tp: TP, out_of_range: int | None = None) -> None:
        """Place a partition again; any thread may say so."""
        self._loop.call_soon_threadsafe(self._lose, tp, out_of_range)

    def _lose(self, tp: TP, out_of_range: int | None) -> None:
        if self._placed.pop(tp, None) is not None:
            self._waiting[tp] = out_of_range
            self._wake.set()

    async def run(self) -> None:
        """Place what waits, for ever."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), RETRY_SECONDS if self._waiting else LOOK_SECONDS)
            self._wake.clear()
            try:
                await self._look()
            except WrongTables:
                return  # the worker ends
            except topics.BrokerUnavailable as error:
                self._broker_outage.begin(str(error))
            except TablesUnavailable as error:
                self._tables_outage.begin(str(error))
            except IllegalStateError:
                log.debug("Partitions were reassigned while they were placed.")
            except Exception as error:  # nothing is read without a place: so go on trying, whatever it is
                if not self._other_outage.on:
                    log.exception("Partitions could not be placed.", extra={"action": "placing_failed"})
                self._other_outage.begin(f"{type(error).__name__}: {error}")
            else:
                self._other_outage.end()

    async def _look(self) -> None:
        names = {tp.topic for tp in (*self._placed, *self._waiting)}
        if not names:
            return
        found = await asyncio.to_thread(topics.describe, self._broker, names)
        for tp, identity in list(self._placed.items()):
            if tp.topic in found and found[tp.topic].identity != identity:
                self._lose(tp, None)
        waiting = dict(self._waiting)
        missing = sorted({tp.topic for tp in waiting} - found.keys())
        if missing:
            raise topics.BrokerUnavailable(
                f"The broker at {self._broker} has no topic {', '.join(missing)} any more: `growthgauge init` makes it."
            )
        firsts = await asyncio.to_thread(topics.earliest, self._broker, waiting)
        self._broker_outage.end()
        starts: dict[TP, int] = {}
        for tp, out_of_range in waiting.items():
            span = await self._place(tp, found[tp.topic].identity, firsts[tp], out_of_range)
            starts[tp] = span.start
            self._report(tp, span)
        self._tables_outage.end()
        if starts:
            await self._seek(starts)
        for tp in starts:
            if self._waiting.get(tp, ...) == waiting[tp]:
                del self._waiting[tp]
                self._placed[tp] = found[tp.topic].identity
        if starts:
            log.info("Reading %d partitions from where the tables end.", len(starts), extra={"action": "placed"})

    def _report(self, tp: TP, span: Span) -> None:
        if span.lost:
            self._on_lost(tp, span.lost)
            log.error(
                "The broker deleted %d records of %s-%d before they were read, and they are missing from the metrics: "
                "reading goes on at offset %d. Give the topic a longer retention, and send what is missing again.",
                *(span.lost, tp.topic, tp.partition, span.start),
                extra={"action": "records_lost"},
            )
        elif span.remade:
            log.warning(
                "The topic %s is not the one it was, or its broker has lost records: partition %d is read again from "
                "offset %d. Events that are known already do not count twice.",
                *(tp.topic, tp.partition, span.start),
                extra={"action": "read_from_earliest"},
            )
