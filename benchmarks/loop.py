"""The yardstick: a tuned confluent-kafka loop that decodes sessions and writes two plain numbers a day to Redis.

It keeps no ledgers: events sent twice count twice, and there are no windows but the day. A process of its own:
`python -m benchmarks.loop JSON` prints its result as JSON.
"""

from __future__ import annotations

import sys
import time

import confluent_kafka as kafka
import hiredis
import msgspec
import redis

from benchmarks.load import DAY_MS

BATCH = 10_000
"""Records a transaction."""
SETTINGS = {
    "fetch.message.max.bytes": 1 << 20,
    "fetch.wait.max.ms": 10,
    # With its default of a second it sleeps whenever it has read ahead far enough.
    "fetch.queue.backoff.ms": 10,
    "queued.min.messages": 100_000,
    "enable.auto.commit": False,
    "auto.offset.reset": "earliest",
}
COMMANDS = "one MULTI ... EXEC per 10,000 records: HINCRBY totals DAY n and SADD users:DAY CUSTOMER/USER ... per day"


class Task(msgspec.Struct):
    """What to read, and where to write."""

    broker: str
    topic: str
    ends: list[int]
    redis_port: int


class Result(msgspec.Struct):
    """What it took."""

    seconds: float
    """From the first records at hand to the last transaction's answer."""
    cpu_seconds: float
    redis_seconds: float


class Row(msgspec.Struct, gc=False):
    """What the loop needs of a session."""

    customer_id: str
    user_id: str
    occurred_at: int


def run(task: Task) -> Result:
    """Read the whole topic."""
    store = redis.Redis(port=task.redis_port)
    connection = store.connection_pool.get_connection()
    consumer = kafka.Consumer(SETTINGS | {"bootstrap.servers": task.broker, "group.id": "loop"})
    consumer.assign([kafka.TopicPartition(task.topic, number, 0) for number in range(len(task.ends))])
    decode = msgspec.json.Decoder(Row).decode_lines
    missing = sum(task.ends)
    started = cpu = before = 0.0
    while missing:
        messages = consumer.consume(min(BATCH, missing), 0.5)
        if not messages:
            continue
        if not started:
            started, cpu, before = time.perf_counter(), time.process_time(), redis_cpu(store)
        missing -= len(messages)
        users: dict[int, list[str]] = {}
        for row in decode(b"\n".join([message.value() for message in messages])):
            day = row.occurred_at // DAY_MS
            if day in users:
                users[day].append(f"{row.customer_id}/{row.user_id}")
            else:
                users[day] = [f"{row.customer_id}/{row.user_id}"]
        commands: list[tuple[str | int, ...]] = [("MULTI",)]
        for day, rows in users.items():
            commands += (("HINCRBY", "totals", day, len(rows)), ("SADD", f"users:{day}", *rows))
        commands.append(("EXEC",))
        connection.send_packed_command([b"".join(map(hiredis.pack_command, commands))])
        for _ in commands:
            connection.read_response()
    result = Result(time.perf_counter() - started, time.process_time() - cpu, redis_cpu(store) - before)
    consumer.close()
    return result


def redis_cpu(store: redis.Redis) -> float:
    """Give the seconds of CPU that Redis has used so far."""
    info = store.info("cpu")
    return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])


def days(store: redis.Redis) -> dict[int, tuple[int, int]]:
    """Give what the loop has written: sessions and distinct users, by day."""
    totals = store.hgetall("totals")
    return {int(day): (int(count), store.scard(f"users:{int(day)}")) for day, count in totals.items()}


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(run(msgspec.json.decode(sys.argv[1], type=Task))))
