"""Feeds the demo company's events: its history at once, the last hours quickly, then each when it happens."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import math
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from aggregators.tables.door import Tables
from growthgauge.errors import GrowthgaugeError
from growthgauge.local.demo.company import HISTORY_DAYS, Company
from growthgauge.local.demo.life import Event
from growthgauge.sending.send import PATIENCE_SECONDS, Router
from growthgauge.sending.topics import identities, make_topics
from growthgauge.settings import Settings
from growthgauge.upkeep import catch_up
from streams.kafka.producer import Producer

SEED = 20
HELD_BACK_MS = 6 * 3_600_000
"""The last hours of the history come at `PACE`, so that the numbers move visibly from the first minute on."""
BEHIND_MS = HELD_BACK_MS + 3_600_000
"""Further behind than this, as after a night's sleep, the feed does not catch up at `PACE` but at once."""
PACE = 5
"""Events a second, at most, while the feed catches up; afterwards the company has about ten a minute.

That bounds the broker's memory, which it never gives back: some 15,000 records and 2 MB a day.
"""
SAVE_SECONDS = 20

log = logging.getLogger("growthgauge.demo")


class Progress(msgspec.Struct):
    """How far the feed has come: everything before `until` is in the tables."""

    first: dt.date
    """The company's first day."""
    until: int
    """Milliseconds since the epoch."""


RATES = {
    "EUR": {
        f"{year}-{month:02d}-01": f"{1.1 + 0.06 * math.sin(4 * year + month):.3f}"
        for year in range(2020, 2050)
        for month in (1, 4, 7, 10)
    }
}
"""A step every quarter."""


def settings_for(settings: Settings, folder: Path) -> Settings:
    """Give the demo's settings: amounts in dollars by rates with steps, and a target or two, unless asked otherwise."""
    changes: dict[str, object] = {"data_dir": folder}
    if not settings.explicit("rates_file") and settings.reporting_currency == "USD":
        changes["rates_file"] = folder / "rates.json"
        (folder / "rates.json").write_bytes(msgspec.json.format(msgspec.json.encode(RATES)) + b"\n")
    if not settings.explicit("targets"):
        changes["targets"] = {"customer_churn_ratio": 0.03, "monthly_active_users": 3000}
    return settings.but(**changes)


def has_history(folder: Path) -> bool:
    """Say whether the whole history is in the tables."""
    return (folder / "demo.json").exists()


async def feed(settings: Settings, tables: Tables) -> None:
    """Feed for ever.

    Raises:
        BrokerUnavailable, TablesUnavailable: what it feeds has gone.
        GrowthgaugeError: nothing moves any more.
    """
    await asyncio.to_thread(make_topics, settings)
    await _Feed(settings, tables, await asyncio.to_thread(identities, settings)).run()


class _Feed:
    def __init__(self, settings: Settings, tables: Tables, ids: dict[str, str]) -> None:
        self._file = settings.data_dir / "demo.json"
        self._settings = settings
        self._tables = tables
        self._ids = ids
        self._route = Router(settings.topics, settings.partitions)
        self._progress = self._load()
        self._company = Company(SEED, self._progress.first)

    async def run(self) -> None:
        async with Producer(self._settings.broker, PATIENCE_SECONDS) as producer:
            while True:
                now = _now()
                if now - self._progress.until > BEHIND_MS:
                    await self._bulk(producer, now - HELD_BACK_MS)
                await self._trickle(producer)

    async def _bulk(self, producer: Producer, until: int) -> None:
        """Send a long stretch as fast as it goes."""
        began = time.monotonic()
        count = await self._send(producer, self._company.events(self._progress.until, until))
        await self._save(producer, until)
        log.info(
            "%d events came in within %.0f s.", count, time.monotonic() - began, extra={"action": "demo_history_sent"}
        )

    async def _trickle(self, producer: Producer) -> None:
        """Send what is due, `PACE` a second, until the clock has run far ahead."""
        saved = time.monotonic()
        cursor = self._progress.until
        while _now() - cursor <= BEHIND_MS:
            now = _now()
            due = []
            for event in self._company.events(cursor, now):
                due.append(event)
                if len(due) > PACE:
                    break
            cursor = due.pop()["occurred_at"] if len(due) > PACE else now
            await self._send(producer, due)
            if time.monotonic() - saved > SAVE_SECONDS:
                await self._save(producer, cursor)
                saved = time.monotonic()
            await asyncio.sleep(1)

    async def _send(self, producer: Producer, events: Iterable[Event]) -> int:
        count = 0
        for count, event in enumerate(events, 1):  # noqa: B007 - the last one is the count
            value = msgspec.json.encode(event)
            await producer.send(*self._route(value), value)
        await producer.flush()
        return count

    async def _save(self, producer: Producer, until: int) -> None:
        """Note how far the tables have come, not the broker: that one forgets when it ends."""
        await catch_up.settle(self._tables, self._settings.partitions, self._ids, producer.acknowledged.next)
        self._progress.until = until
        draft = self._file.with_suffix(".new")
        draft.write_bytes(msgspec.json.encode(self._progress))
        draft.replace(self._file)

    def _load(self) -> Progress:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=Progress)
        except FileNotFoundError:
            first = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=HISTORY_DAYS)
            return Progress(first, int(dt.datetime.combine(first, dt.time(), dt.UTC).timestamp() * 1000))
        except (OSError, msgspec.MsgspecError) as error:
            raise GrowthgaugeError(
                f"The demo's file {self._file} cannot be read ({error}): remove the folder {self._file.parent} "
                "to begin the demo anew."
            ) from None


def _now() -> int:
    return int(time.time() * 1000)
