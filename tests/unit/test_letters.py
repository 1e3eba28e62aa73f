"""Dead letters as they are read, chosen and shown: no broker, letters made by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace

import msgspec
import pytest

from growthgauge.commands import dead_letters
from growthgauge.sending.dead_letter_replay import Wanted, choose, chosen_letters, plain
from streams.decoding.records import REASONS
from streams.kafka.dead_letter_reader import REPLAYED, Letter, Place, letter_of
from streams.kafka.dead_letters import DeadLetter

DAY = 86_400_000


def letter(offset: int, value: bytes | None = b"{}", **told: object) -> Letter:
    """Make a letter as the worker writes and the reader reads it, of a record at the same offset unless told."""
    given: dict[str, object] = {
        "topic": "growth.signups",
        "origin": offset,
        "reason": "schema",
        "message": "$.plan must be what it is not",
        "time": offset * DAY,
        "headers": [],
        **told,
    }
    record = SimpleNamespace(offset=given["origin"], timestamp=0, key=b"k", value=value, headers=given["headers"])
    sent = DeadLetter(record, str(given["topic"]), 3, str(given["reason"]), str(given["message"]))
    stored = SimpleNamespace(
        offset=offset, timestamp=given["time"], key=record.key, value=record.value, headers=sent.headers()
    )
    return letter_of("growth.dead-letters", 1, stored)


def again(before: Letter, offset: int, value: bytes = b"{}") -> Letter:
    """Make the letter of a record that was sent again and rejected again."""
    return letter(offset, value, headers=[*before.headers, (REPLAYED, before.mark)])


class Reader:
    """Letters from a list."""

    def __init__(self, *held: Letter) -> None:
        """Take them."""
        self.held = held

    async def letters(self) -> AsyncIterator[Letter]:
        """Give them."""
        for each in self.held:
            yield each


def offsets(wanted: Wanted, *held: Letter) -> list[int]:
    """Choose, and give the letters' offsets."""

    async def run() -> list[int]:
        reader = Reader(*held)
        chosen = await choose(reader, wanted)  # type: ignore[arg-type]
        return [each.place.offset async for each in chosen_letters(reader, chosen)]  # type: ignore[arg-type]

    return asyncio.run(run())


def test_a_letter_is_read_as_the_worker_wrote_it():
    """Its record's own headers, and what the others say."""
    one = letter(7, headers=[("trace", b"\xff"), ("none", None)], origin=120)
    assert one.place == Place("growth.dead-letters", 1, 7)
    assert one.origin == Place("growth.signups", 3, 120)
    assert (one.reason, one.field) == ("schema", "$.plan")
    assert one.headers == [("trace", b"\xff"), ("none", None)]


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ("$.features[1] must be a string", "$.features[1]"),
        ("$: a number is out of range", "$"),
        ("the value is not JSON in UTF-8: $.x", ""),
        ("Its value of 9 bytes is too large for this topic: find it at the offset named. $.plan must be", "$.plan"),
        ("", ""),
    ],
)
def test_the_field_is_named_by_the_message(message: str, field: str):
    """Also of a letter without its value; a message without a path names none."""
    assert letter(1, message=message).field == field


def test_what_is_no_letter_of_ours_is_read_too():
    """Without headers, or with others' that say nothing of use."""
    headers = [("__connect.errors.offset", b"many"), ("__connect.errors.topic", None), ("own", b"1")]
    one = letter_of("t", 0, SimpleNamespace(offset=1, timestamp=5, key=None, value=b"x", headers=headers))
    assert (one.origin, one.reason, one.message, one.headers) == (None, "", "", [("own", b"1")])
    assert offsets(Wanted(), one) == [1]
    assert offsets(Wanted(topics=frozenset({"t"})), one) == []


def test_places_are_written_and_read():
    """A topic may have dashes and an at sign is none of its letters."""
    place = Place("growth.dead-letters", 12, 120)
    assert Place.parse(str(place)) == place
    for text in ("growth.payments", "growth.payments@1", "-1@2", "a-1@", "a-x@1", "a-1@-2"):
        with pytest.raises(ValueError, match=r"^"):
            Place.parse(text)


def test_letters_are_chosen_by_all_that_is_asked_for():
    """Reason, type, topic, place, time, and of what is left the newest."""
    signup, payment = b'{"type":"signup","customer_id":"a"}', b'{"type":"payment","customer_id":"a"}'
    held = (
        letter(1, signup),
        letter(2, payment, reason="too_old"),
        letter(3, b"no json", reason="not_json", topic="growth.payments"),
        letter(4, payment, topic="growth.payments"),
    )

    def chosen(**wanted: object) -> list[int]:
        return offsets(Wanted(**wanted), *held)  # type: ignore[arg-type]

    assert chosen() == [1, 2, 3, 4]
    assert chosen(reasons=frozenset({"schema"})) == [1, 4]
    assert chosen(types=frozenset({"payment"})) == [2, 4]
    assert chosen(types=frozenset({"unknown"})) == [3]
    assert chosen(topics=frozenset({"growth.payments"})) == [3, 4]
    assert chosen(reasons=frozenset({"schema"}), types=frozenset({"payment"})) == [4]
    assert chosen(places=frozenset({Place("growth.payments", 3, 3), Place("growth.dead-letters", 1, 1)})) == [1, 3]
    assert chosen(since=2 * DAY) == [2, 3, 4]
    assert chosen(since=2 * DAY, until=4 * DAY) == [2, 3]
    assert chosen(limit=2) == [3, 4]
    assert chosen(limit=9, until=3 * DAY) == [1, 2]


def test_a_letter_that_a_crash_wrote_twice_is_one():
    """The same record under the same words; another record with the same value is another one."""
    assert offsets(Wanted(), letter(1, origin=5), letter(2, origin=5), letter(3, origin=6)) == [1, 3]


def test_a_record_that_came_back_is_its_last_letter():
    """However often it was sent again: the older letters are not sent, or they would double each time."""
    first = letter(1)
    second = again(first, 2)
    third = again(second, 3)
    assert [len(each.marks) for each in (first, second, third)] == [0, 1, 2]
    assert offsets(Wanted(), first, second, third) == [3]
    assert offsets(Wanted(), third, second, first) == [3]
    assert offsets(Wanted(until=3 * DAY), first, second, third) == []


def test_a_topic_made_again_hides_no_letter():
    """A record that was sent again names its letter by place and time: another letter at that place is not meant."""
    first, other = letter(1), letter(1, time=17)
    assert offsets(Wanted(), other, again(first, 2)) == [1, 2]
    assert offsets(Wanted(), first, again(first, 2)) == [2]


def test_values_that_the_topic_had_no_room_for_are_told_apart_from_tombstones():
    """Only the first are elsewhere."""
    note = "Its value of 900000 bytes is too large for this topic: find it at the offset named. $.plan must"
    assert letter(1, None, message=note).has_no_room
    assert not letter(1, None, message="the record has no value (a tombstone)").has_no_room
    assert not letter(1, b"{}", message=note).has_no_room


def test_as_json_a_letter_has_all_that_is_known():
    """Bytes that are no UTF-8 are shown as what they are; the rest is as it was."""
    one = plain(letter(1, b'{"type":"expense"}\xff', headers=[("a", None), ("a", b"\x00")]))
    assert one["value"] == '{"type":"expense"}\\xff'
    assert one["headers"] == [["a", None], ["a", "\0"]]
    assert one["origin"] == {"topic": "growth.signups", "partition": 3, "offset": 1}
    assert one["time"] == "1970-01-02T00:00:00.000Z"
    assert msgspec.json.decode(msgspec.json.encode(one)) == one


def test_a_line_of_the_table_moves_no_cursor():
    """A message repeats what an event said."""
    row = dead_letters._row(letter(1, message="$.plan got \x1b[31m\u202e\nx", topic="t\x07"))
    assert all(cell.isprintable() for cell in row)


def test_a_record_is_one_line():
    """What is JSON stays the same JSON: a raw line break stands in no string."""
    value = b'{\r\n  "type": "signup",\n "plan": "a\\nb"}\n'
    line = dead_letters._one_line(value)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert msgspec.json.decode(line) == msgspec.json.decode(value)


def test_every_reason_can_be_asked_for():
    """The choices are the decoder's reasons."""
    [option] = [each for each in dead_letters.list_.params if each.name == "reasons"]
    assert tuple(option.type.choices) == REASONS  # type: ignore[attr-defined]
