"""Sending: where a line goes, how files are read, and when the tables have everything."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

import pytest

from aggregators.tables.door import Meta, Offset
from growthgauge.sending import lines
from growthgauge.sending.lines import Chunk, chunks
from growthgauge.sending.send import Router
from growthgauge.settings import Settings
from growthgauge.upkeep.catch_up import behind
from streams.decoding.partition import partition_of

TOPICS = Settings().topics
ROUTE = Router(TOPICS, 12)


def test_events_go_to_their_type_s_topic_and_their_customer_s_partition():
    """The key is the customer_id, whose murmur2 decides, whatever the line's order of fields."""
    for kind, topic in TOPICS.items():
        line = f'{{"occurred_at": 1, "customer_id": "Zoë", "type": "{kind}"}}'.encode()
        assert ROUTE(line) == (topic, partition_of("Zoë", 12), "Zoë".encode())


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b"[1]",
        b"null",
        b'{"type": 5}',
        b"\xff\xfe",
        b'{"customer_id": ["a"]}',
        b'{"customer_id": "\\ud800"}',
    ],
)
def test_lines_that_are_no_events_still_go_somewhere(line: bytes):
    """The dead letters shall have them: partition 0, no key."""
    assert ROUTE(line) == ("growth.signups", 0, None)


def test_an_unknown_type_keeps_its_customer_s_partition():
    """It is rejected for its type and not for its partition."""
    assert ROUTE(b'{"type": "party", "customer_id": "a"}') == ("growth.signups", partition_of("a", 12), b"a")


def read(name: Path) -> list[Chunk]:
    """Read a file to its end."""

    async def main() -> list[Chunk]:
        return [chunk async for chunk in chunks(str(name))]

    return asyncio.run(main())


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_files_are_read_line_by_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack):
    """Compressed or not, over the edges of chunks, with or without an end of the last line."""
    monkeypatch.setattr(lines, "CHUNK_BYTES", 7)
    (tmp_path / "f").write_bytes(pack(b"\xef\xbb\xbf{first}\n\n{second and long}\r\nlast"))
    found = read(tmp_path / "f")
    assert [line for chunk in found for line in chunk.lines] == [b"{first}", b"", b"{second and long}\r", b"last"]
    assert found[-1].position == (tmp_path / "f").stat().st_size


def test_a_file_without_line_ends_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What is longer than any record is cut."""
    monkeypatch.setattr(lines, "LINE_BYTES", 1000)
    monkeypatch.setattr(lines, "CHUNK_BYTES", 400)
    (tmp_path / "f").write_bytes(b"x" * 5000)
    assert max(len(line) for chunk in read(tmp_path / "f") for line in chunk.lines) <= 1400


def test_a_file_that_is_cut_short_is_an_error(tmp_path: Path):
    """Half a gzip file must not pass for a whole one."""
    (tmp_path / "f").write_bytes(gzip.compress(bytes(range(256)) * 100)[:-20])
    with pytest.raises(EOFError):
        read(tmp_path / "f")


def test_waiting_ends_when_every_partition_has_been_passed():
    """Stored offsets count only under the topic's present identity."""
    goal = {("t", 0): 10, ("t", 1): 4}
    ids = {"t": "new"}
    metas = [Meta(offsets={"t": Offset("new", 12)}), Meta(offsets={"t": Offset("new", 1)})]
    assert behind(metas, ids, goal) == 3
    assert behind([metas[0], Meta(offsets={"t": Offset("new", 4)})], ids, goal) == 0
    assert behind([metas[0], Meta(offsets={"t": Offset("old", 4)})], ids, goal) == 4
    assert behind([metas[0], Meta()], ids, goal) == 4
