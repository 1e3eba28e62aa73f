"""Commits, looks and failures for tests of the tables, in few words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from aggregators.facts import Facts
from aggregators.tables.door import Commit, Meta, Offset, Reader, Shard, Space, TablesUnavailable


def commit(
    based_on: Meta,
    *,
    facts: dict[int, dict[str, int]] | None = None,
    ledgers: dict[Space, dict[str, bytes]] | None = None,
    offsets: dict[str, Offset] | None = None,
    outcomes: dict[str, int] | None = None,
    fingerprint: str = "rules 1",
) -> Commit:
    """Make a commit of four partitions."""
    return Commit(
        based_on=based_on,
        fingerprint=fingerprint,
        partitions=4,
        ledgers=ledgers or {},
        facts=Facts(facts),
        offsets=offsets or {},
        outcomes=outcomes or {},
    )


def write(shard: Shard, **parts) -> Meta:
    """Commit to a shard what `commit` takes."""
    return shard.commit(commit(shard.begin(), **parts))


def all_facts(reader: Reader, shard: int = 0) -> dict[int, dict[str, int]]:
    """Read all days that have facts, as a reader that knows nothing yet."""
    changes, _ = reader.changes(shard, {})
    return {day: facts for day, facts in changes.days.items() if facts}


@contextmanager
def unavailable(*parts: str) -> Iterator[None]:
    """Expect TablesUnavailable with a sentence that holds all parts and no password."""
    with pytest.raises(TablesUnavailable) as caught:
        yield
    message = str(caught.value)
    for part in parts:
        assert part in message
    assert "secret" not in message
    assert "\n" not in message
