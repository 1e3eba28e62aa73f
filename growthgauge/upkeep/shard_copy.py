"""A shard's ledgers in a temporary file: as many as there are, folded at leisure while workers go on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

from aggregators.tables.door import Meta, Space


class Copy:
    """The ledgers of one version of a shard: what a snapshot hands over, and what a fold reads.

    They stand in a database of SQLite's own temporary file, which is gone with the process whatever ends it.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._file = sqlite3.connect("", isolation_level=None)
        self._file.execute("PRAGMA journal_mode=OFF")

    def start(self) -> None:
        """Forget what was taken: another attempt begins."""
        self._file.execute("DROP TABLE IF EXISTS ledgers")
        self._file.execute("CREATE TABLE ledgers (space TEXT, field BLOB, ledger BLOB)")

    def take(self, space: Space, ledgers: Iterable[tuple[str, bytes]]) -> None:
        """Take some ledgers of one table, by field."""
        rows = ((space, field.encode(), ledger) for field, ledger in ledgers)
        self._file.executemany("INSERT INTO ledgers VALUES (?, ?, ?)", rows)

    def finish(self) -> int:
        """Make the fields findable, once all ledgers are there; gives the number of ledgers."""
        # Afterwards: while they are taken every millisecond is one in which somebody may commit.
        self._file.execute("CREATE INDEX places ON ledgers (space, field)")
        count: int = self._file.execute("SELECT count(*) FROM ledgers").fetchone()[0]
        return count

    def ledgers(self, space: Space) -> Iterator[tuple[str, bytes]]:
        """Iterate over all ledgers of one table."""
        for field, ledger in self._file.execute("SELECT field, ledger FROM ledgers WHERE space = ?", (space,)):
            yield field.decode(), ledger

    def begin(self) -> Meta:
        """Nobody commits to a copy."""
        return Meta()

    def read(self, space: Space, fields: Sequence[str]) -> list[bytes | None]:
        """Read ledgers, None where there is none, in the order of the fields."""
        query = "SELECT ledger FROM ledgers WHERE space = ? AND field = ?"
        rows = (self._file.execute(query, (space, field.encode())).fetchone() for field in fields)
        return [None if row is None else row[0] for row in rows]

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
