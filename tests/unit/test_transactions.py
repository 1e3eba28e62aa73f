"""A transaction's replies: each is looked at, for Redis does not roll back."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from aggregators.tables.door import Meta, Superseded, TablesUnavailable
from aggregators.tables.redis.shard import transact

WRITES: list[Any] = [("HSET", "a", "b", "c"), ("HDEL", "a", "d")]


def link(replies: Any) -> Any:
    """Make a connection whose EXEC gives these replies."""
    return SimpleNamespace(
        keys=SimpleNamespace(meta="growth:{0}:meta"),
        server=SimpleNamespace(address="127.0.0.1:6379"),
        call=lambda *commands, **_: [b"QUEUED"] * (len(commands) - 1) + [replies],
    )


def test_a_transaction_that_was_done_passes() -> None:
    """One reply for the meta and one for each write."""
    transact(link([8, 1, 1]), Meta(), WRITES)


@pytest.mark.parametrize(
    "replies",
    [
        [8, Exception("WRONGTYPE"), 1],
        [Exception("OOM"), 1, 1],
        [8, 1, Exception("READONLY")],
        [8, 1],
        [8, 1, 1, 1],
    ],
)
def test_a_transaction_that_was_done_in_part_is_said_to_be(replies: list[Any]) -> None:
    """An error among the replies, or another number of them, is a write of someone else's hand."""
    with pytest.raises(TablesUnavailable, match="only a part of a transaction"):
        transact(link(replies), Meta(), WRITES)


def test_a_transaction_that_was_not_done_is_superseded() -> None:
    """Somebody committed in between: nothing was written."""
    with pytest.raises(Superseded):
        transact(link(None), Meta(), WRITES)
