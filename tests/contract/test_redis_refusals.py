"""A Redis that refuses, or is not there: a sentence that says what to do, and nothing written."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

import pytest

from aggregators.tables.door import Meta, Offset, TablesUnavailable
from aggregators.tables.opening import open_tables
from tests.contract.batches import all_facts, commit, unavailable, write
from tests.support.servers import RedisServer, free_port, redis_server


def test_a_full_redis_refuses_a_commit_whole():
    """At maxmemory a commit is refused before any of it is written; with more memory the worker goes on."""
    with redis_server("--maxmemory", "12mb") as server:
        shard = open_tables(server.url).shard(0)
        done = 0
        with unavailable("maxmemory", "nothing was written"):
            for number in range(1_000):
                ledgers = {f"{number} {n}": bytes(1_000) for n in range(500)}
                write(shard, ledgers={"users": ledgers}, facts={number: {"new": 1}}, offsets={"t": Offset("i", number)})
                done = number + 1
        assert 3 < done < 100
        # What is read shows that the refused commit left no part of it.
        meta = shard.begin()
        assert meta.version == done
        assert meta.offsets == {"t": Offset("i", done - 1)}
        assert all_facts(open_tables(server.url).reader()) == {day: {"new": 1} for day in range(done)}
        assert sum(1 for _ in shard.ledgers("users")) == 500 * done
        with server.client() as client:
            client.config_set("maxmemory", "1mb")
            with unavailable("maxmemory"):
                write(shard, facts={1: {"new": 1}})
            client.config_set("maxmemory", 0)
        write(shard, facts={1: {"new": 1}})
        assert shard.begin().version == done + 1


def test_the_wrong_password_is_told_and_never_shown():
    """Wrong and missing passwords are told apart from a server that is not there; the right one works."""
    with redis_server(password="secret") as server:
        open_tables(server.url).ping()
        address = f"127.0.0.1:{server.port}"
        with unavailable(address, "password", "REDIS_URL"):
            open_tables(f"redis://:secretly@{address}/0").ping()
        with unavailable(address, "password"):
            open_tables(f"redis://{address}/0").shard(0).begin()
        with unavailable(address, "password"):
            open_tables(f"redis://secretary:secret@{address}/0").reader().changes(0, {})


def test_a_server_that_is_not_there_is_told():
    """Nobody listening, no such host, no such socket: a sentence with the address."""
    address = f"127.0.0.1:{free_port()}"
    with unavailable(address, "cannot be reached", "REDIS_URL"):
        open_tables(f"redis://user:secret@{address}/0").ping()
    with unavailable("no-such-host.invalid:6379", "cannot be reached"):
        open_tables("redis://:secret@no-such-host.invalid/0").ping()
    with unavailable("/no/such/socket", "cannot be reached"):
        open_tables("unix://:secret@/no/such/socket").ping()


def test_a_server_that_never_answers_is_told():
    """A listener that says nothing is given up after the socket's time-out."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with unavailable(f"127.0.0.1:{port}", "in time"):
            open_tables(f"redis://127.0.0.1:{port}/0?socket_timeout=0.2").ping()


def test_a_server_that_speaks_another_protocol_is_told():
    """An answer that is not Redis' is a sentence too."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            client, _ = listener.accept()
            client.recv(100)
            client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            client.close()

        threading.Thread(target=answer, daemon=True).start()
        with unavailable("127.0.0.1"):
            open_tables(f"redis://127.0.0.1:{listener.getsockname()[1]}/0").ping()


def test_a_server_that_is_still_loading_is_not_ready():
    """While Redis loads its file everything waits with a sentence; afterwards it works."""
    # Redis looks up from an append-only file at every 1,024th command.
    with redis_server("--key-load-delay", "100", append_only=True) as server:
        tables = open_tables(server.url)
        write(tables.shard(0), facts={1: {"new": 1}})
        with server.client() as client, client.pipeline(transaction=False) as pipeline:
            for number in range(20_000):
                pipeline.set(f"other {number}", 1)
            pipeline.execute()
        server.kill()
        server.start(ready=False)
        with unavailable("still loading"):
            tables.ping()
        with unavailable("still loading"):
            tables.shard(0).begin()
        with unavailable("still loading"):
            tables.reader().changes(0, {})
        deadline = time.monotonic() + 30
        while True:
            try:
                tables.ping()
                break
            except TablesUnavailable:
                assert time.monotonic() < deadline
                time.sleep(0.02)
        assert tables.shard(0).begin().version == 1


def test_replicas_take_no_writes():
    """A replica serves readers, refuses commits, and says so when it has lost its primary."""
    with redis_server("--replica-serve-stale-data", "no") as primary:
        write(open_tables(primary.url).shard(0), facts={1: {"new": 1}})
        with redis_server("--replica-serve-stale-data", "no", "--replicaof", f"127.0.0.1 {primary.port}") as replica:
            tables = open_tables(replica.url)
            deadline = time.monotonic() + 20
            facts: dict[int, dict[str, int]] = {}
            while not facts:
                assert time.monotonic() < deadline
                # Until it has copied its primary, it may refuse to answer.
                with suppress(TablesUnavailable):
                    facts = all_facts(tables.reader())
                time.sleep(0.05)
            with unavailable("read-only replica"):
                write(tables.shard(0), facts={1: {"new": 1}})
            primary.kill()
            with unavailable("lost its primary"):
                while time.monotonic() < deadline:
                    tables.ping()
                    tables.shard(0).begin()


def test_other_refusals_are_told(fresh: RedisServer):
    """Missing replicas and missing permissions refuse a commit whole."""
    tables = open_tables(fresh.url)
    with fresh.client() as client:
        client.config_set("min-replicas-to-write", 1)
        try:
            with unavailable("too few replicas"):
                write(tables.shard(0), facts={1: {"new": 1}})
        finally:
            client.config_set("min-replicas-to-write", 0)
        client.execute_command("ACL SETUSER reader on >secret ~growth:* +@read +eval +watch +unwatch +multi +exec")
        url = f"redis://reader:secret@127.0.0.1:{fresh.port}/0"
        with unavailable("permit", "ACL SETUSER"):
            write(open_tables(url).shard(0), facts={1: {"new": 1}})
        assert open_tables(url).reader().changes(0, {})[0].meta == Meta()
        client.execute_command("ACL DELUSER reader")
    assert tables.shard(0).begin() == Meta()


@pytest.mark.parametrize("name", ["meta", "days", "day:1970-01-02", "users:{bucket}"])
def test_foreign_keys_stop_a_batch_before_it_writes(fresh: RedisServer, name: str):
    """A key of ours that someone else made as another kind is told before anything is written."""
    with fresh.client() as client:
        shard = open_tables(fresh.url).shard(0)
        write(shard, ledgers={"users": {"u": b"1"}})
        bucket = next(int(n.decode().rsplit(":", 1)[1]) for n in client.scan_iter("*users*"))
        foreign = "growth:{0}:" + name.replace("{bucket}", str(bucket))
        client.delete(foreign)
        client.set(foreign, "mine")
        with unavailable("not growthgauge's"):
            meta = shard.begin()
            shard.read("users", ["u"])
            shard.commit(commit(meta, facts={1: {"new": 1}}, ledgers={"users": {"u": b"2"}}))
        assert client.get(foreign) == b"mine"
        if name != "meta":
            assert client.hget("growth:{0}:meta", "version") == b"1"


@pytest.mark.parametrize(
    ("name", "field"),
    [("meta", "version"), ("meta", "layout"), ("days", "1970-01-02"), ("day:1970-01-02", "billing")],
)
def test_damage_is_told(fresh: RedisServer, name: str, field: str):
    """Values that growthgauge did not write are an error with advice, never a wrong number."""
    write(open_tables(fresh.url).shard(0), facts={1: {"new": 1}})
    with fresh.client() as client:
        client.hset("growth:{0}:" + name, field, "x y")
    with pytest.raises(TablesUnavailable, match=r"on an empty|unexpected"):
        open_tables(fresh.url).reader().changes(0, {})
