"""Records that cannot be accepted: listed, mended, sent again, and counted once."""

from __future__ import annotations

import datetime as dt
import json
import zlib
from collections.abc import Callable

from confluent_kafka import Producer

from streams.decoding.partition import partition_of
from tests.support.terminal import Up, User

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(hours=1)


def event(number: int, kind: str = "signup", **fields: object) -> dict[str, object]:
    """Make an event of a customer of its own."""
    return {
        "type": kind,
        "id": f"{kind}-{number}",
        "customer_id": f"c-{number}",
        "occurred_at": NOW.isoformat(),
    } | fields


def test_what_was_rejected_is_mended_or_sent_again(user: User, up: Callable[..., Up]):
    """A wrong partitioner's records are put right by a replay, wrong events by an editor; each counts once."""
    up().ready()
    broker = str(json.loads((user.folder / ".growthgauge/up.json").read_text())["settings"]["broker"])
    wrong = [
        event(1, plan=5),
        event(2, "payment", amount="12,50", currency="USD"),
        event(3, "party"),
        "not\tjson",
        "[]",
    ]
    sent = user.runs("send", user.file("wrong.ndjson", wrong), "--wait").output
    assert sent.startswith("5 sent: 0 accepted, 0 duplicate, 0 late, 5 rejected (")
    # librdkafka's own partitioner, CRC-32, is another than Java's.
    names = (f"c-{number}" for number in range(10, 40))
    strays = [name for name in names if zlib.crc32(name.encode()) % 4 != partition_of(name, 4)]
    astray = len(strays)
    producer = Producer({"bootstrap.servers": broker, "linger.ms": 100})
    for name in strays:
        value = json.dumps(event(1, customer_id=name))
        producer.produce("growth.signups", value, name.encode(), headers=[("trace", b"t-1")])
    assert producer.flush(30) == 0
    assert astray > 5

    table = user.runs("dead-letters", "list", "--reason", "schema", "--reason", "not_json")
    assert table.error == "4 dead letters: 1 not_json, 3 schema.\n"
    head, *rows = table.output.splitlines()
    assert head.split("  ")[0] == "rejected at"
    assert len(rows) == 4
    [row] = [row for row in rows if "$.plan" in row]
    assert "$.plan must be a string of up to 128 characters, or left out; got 5" in row
    assert " growth.signups-" in row

    # The last records may be on their way to the tables, or have passed them.
    for _ in range(50):
        listed = user.runs("dead-letters", "list", "--format", "json", "--reason", "wrong_partition")
        letters = json.loads(listed.output)
        if len(letters) == astray:
            break
    assert len(letters) == astray
    one = letters[0]
    assert (one["field"], one["type"], one["replays"]) == ("$.customer_id", "signup", 0)
    assert one["headers"] == [["trace", "t-1"]]
    assert json.loads(one["value"])["customer_id"] == one["key"]

    replayed = user.runs("dead-letters", "replay", "--reason", "wrong_partition", "--wait")
    assert replayed.output == f"{astray} sent: {astray} accepted, 0 duplicate, 0 late, 0 rejected.\n"

    mended = user.runs("dead-letters", "list", "--format", "ndjson", "--reason", "schema", "--type", "payment")
    assert mended.output == json.dumps(wrong[1]) + "\n"
    (user.folder / "mended.ndjson").write_text(mended.output.replace("12,50", "12.50"))
    assert user.runs("send", "mended.ndjson", "--wait").output.startswith("1 sent: 1 accepted")

    # Sent again unchanged, what is wrong comes back: the newer letter stands for the older one.
    place = next(word for word in row.split() if word.startswith("growth.signups-"))
    back = user.runs("dead-letters", "replay", "--at", place, "--wait")
    assert back.output == "1 sent: 0 accepted, 0 duplicate, 0 late, 1 rejected (1 schema).\n"
    listed = user.runs("dead-letters", "list", "--type", "signup", "--reason", "schema")
    assert listed.error.startswith("1 dead letters: 1 schema.\n1 earlier letters are left out")
    assert "(replays: 1) $.plan" in listed.output
