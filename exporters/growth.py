"""The growth metrics on demand: reads what changed in every shard, keeps the book, opens it at a day."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic

from aggregators.metrics import CATALOGUE, Book, Family, MetricSettings
from aggregators.metrics.reading import Reading
from aggregators.tables.agreement import disagreement
from aggregators.tables.door import Meta, Reader, TablesUnavailable


class TablesMismatch(Exception):  # noqa: N818 - reads as the state it names
    """The tables were written under other rules than this process has; the message says what to do."""


class Growth:
    """The book of all shards, brought up to date whenever it is asked for; one thread at a time.

    Args:
        reader: the tables' reading side; `close` closes it.
        partitions: how many shards there are.
        settings: what the metrics need beside the facts.
        fingerprint: of this process' rules. Shards written under others are refused, since what they hold is no
            function of these settings. None reads whatever is there.
        patience: seconds until a store that hangs counts as one that does not answer.
    """

    def __init__(
        self,
        reader: Reader,
        *,
        partitions: int,
        settings: MetricSettings,
        fingerprint: str | None = None,
        patience: float = 3.0,
    ) -> None:
        """Start with an empty book; nothing is read yet."""
        self._reader = reader
        self._partitions = partitions
        self._settings = settings
        self._fingerprint = fingerprint
        self._patience = patience
        self._book = Book()
        self._seen: list[Mapping[int, str]] = [{} for _ in range(partitions)]
        self._metas: dict[int, Meta] = {}
        self._changed: Callable[[int], None] = lambda _: None
        self._lock = threading.Lock()
        self._thread = threading.Thread()
        self._failure: Exception | None = None

    @contextmanager
    def at(self, as_of: int) -> Iterator[Reading]:
        """Read what changed since the last time, and open the book at the end of a day (since 1970-01-01).

        The block has the book to itself.

        Raises:
            TablesUnavailable: the store did not answer in time; what was read before stays, the next call goes on.
            TablesMismatch: a shard was written under other rules.
        """
        deadline = monotonic() + self._patience
        if not self._lock.acquire(timeout=self._patience):
            raise self._late()
        try:
            self._refresh(deadline)
            yield Reading(self._book, self._settings, as_of)
        finally:
            self._lock.release()

    def when_changed(self, tell: Callable[[int], None]) -> None:
        """Have someone told of the earliest day whose facts are about to change: as-of days before it stay as they are.

        It is told while nobody has the book.
        """
        self._changed = tell

    def metas(self) -> tuple[Meta, ...]:
        """Give what the shards said of themselves when they were read last, in their order; for the block of `at`."""
        return tuple(self._metas[shard] for shard in sorted(self._metas))

    def families(self, as_of: int) -> list[Family]:
        """Give all growth metrics of a day that have samples then, in the catalogue's order; raises as `at` does."""
        with self.at(as_of) as reading:
            return [family for metric in CATALOGUE if (family := metric.family(reading)).samples]

    def without_facts(self, as_of: int) -> Reading:
        """Open an empty book: what depends on the settings and the day alone can be read from it at any time."""
        return Reading(Book(), self._settings, as_of)

    def close(self) -> None:
        """Let go of the tables."""
        self._reader.close()

    def _refresh(self, deadline: float) -> None:
        """Read in a thread, which alone waits for as long as a store that hangs makes it wait."""
        if self._thread.is_alive():
            self._thread.join(max(0.0, deadline - monotonic()))
        if not self._thread.is_alive():
            self._thread = threading.Thread(target=self._read, name="tables", daemon=True)
            self._thread.start()
            self._thread.join(max(0.0, deadline - monotonic()))
        if self._thread.is_alive():
            raise self._late()
        if self._failure is not None:
            raise self._failure

    def _read(self) -> None:
        self._failure = None
        try:
            for shard in range(self._partitions):
                changes, seen = self._reader.changes(shard, self._seen[shard])
                self._check(changes.meta)
                self._metas[shard] = changes.meta
                if changes.days:
                    self._changed(min(changes.days))
                # In this order: days that the book could not take are read again by the next call.
                self._book.update(shard, changes.days)
                self._seen[shard] = seen
        except Exception as error:  # noqa: BLE001 - raised again by whoever waits for this thread
            self._failure = error

    def _late(self) -> TablesUnavailable:
        return TablesUnavailable(
            f"The tables were not read within {self._patience:g} s: Redis hangs or is overloaded; look at its log and "
            "its load, or wait if this is the first look at many facts."
        )

    def _check(self, meta: Meta) -> None:
        fingerprint = meta.fingerprint if self._fingerprint is None else self._fingerprint
        sentence = disagreement(meta, fingerprint or "", self._partitions)
        if sentence is not None:
            raise TablesMismatch(sentence)
