"""What a real Redis does to the tables: its keys, crashes, lost answers, bounds."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

import pytest

from aggregators.facts import key
from aggregators.tables.door import COMMIT_BYTES, COMMIT_LEDGERS, Meta, Offset, Superseded
from aggregators.tables.opening import open_tables
from tests.contract.batches import all_facts, commit, unavailable, write
from tests.support.servers import RedisServer, redis_server


class Proxy:
    """Stands between a client and a server, and cuts the wire at the transaction's end: before or after it arrived."""

    def __init__(self, server_port: int) -> None:
        """Listen on a port of its own; cut nothing yet."""
        self.cut: str | None = None
        self._silent = False
        self._to = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._silent = False
            server = socket.create_connection(("127.0.0.1", self._to))
            threading.Thread(target=self._pump, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, False), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, requests: bool) -> None:
        try:
            while data := source.recv(2**16):
                if requests and b"EXEC" in data and self.cut is not None:
                    if self.cut == "after":
                        self._silent = True
                        target.sendall(data)
                        time.sleep(0.2)
                    self.cut = None
                    break
                if requests or not self._silent:
                    target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Listen no longer."""
        self._listener.close()


def test_keys_are_named_as_documented(fresh: RedisServer):
    """The keys are those of SPEC, section 6, and hold what it says in the form it says."""
    shard = open_tables(fresh.url).shard(3)
    written = write(
        shard,
        facts={20_000: {"new": 1, "sessions": 2}},
        ledgers={"users": {"u": b"1"}, "customers": {"c": b"2"}},
        offsets={"growth.signups": Offset("id", 12)},
        outcomes={"signup/accepted": 1},
    )
    with fresh.client() as client:
        kinds = {name.decode().rsplit(":", 1)[0] for name in client.scan_iter()}
        assert kinds == {"growth:{3}", "growth:{3}:users", "growth:{3}:customers", "growth:{3}:day"}
        assert client.hkeys("growth:{3}:day:2024-10-04") == [b"billing", b"sessions"]
        assert client.hgetall("growth:{3}:days") == {b"2024-10-04": f"1:{written.token}".encode()}
        assert client.hgetall("growth:{3}:meta") == {
            b"layout": b"1",
            b"fingerprint": b"rules 1",
            b"partitions": b"4",
            b"token": written.token.encode(),
            b"version": b"1",
            b"offset:growth.signups": b"12 id",
            b"outcome:signup/accepted": b"1",
        }


def test_no_key_grows_large(fresh: RedisServer):
    """Ledgers spread evenly: at ten million users of 100 bytes in four shards no key reaches a megabyte."""
    shard = open_tables(fresh.url).shard(0)
    users = 100_000
    fields = [key(f"customer-{n % 5_000}", f"user-{n}") for n in range(users)]
    for first in range(0, users, COMMIT_LEDGERS):
        write(shard, ledgers={"users": dict.fromkeys(fields[first : first + COMMIT_LEDGERS], bytes(100))})
    with fresh.client() as client:
        largest = max(client.memory_usage(name) for name in client.scan_iter())
    assert largest * (2_500_000 // users) < 2**20


def test_a_full_commit_does_not_block_redis_for_long(fresh: RedisServer):
    """The largest commit that a batch makes takes Redis a fraction of a second, as one command does."""
    shard = open_tables(fresh.url).shard(0)
    ledger = bytes(COMMIT_BYTES // COMMIT_LEDGERS)
    with fresh.client() as client:
        client.config_resetstat()
        write(shard, ledgers={"users": {f"user {n}": ledger for n in range(COMMIT_LEDGERS)}})
        assert client.info("commandstats")["cmdstat_exec"]["usec"] < 500_000


def test_what_was_committed_survives_sigkill():
    """A Redis with an append-only file has every commit that returned, after SIGKILL in the middle of more."""
    with redis_server(append_only=True) as server:
        tables = open_tables(server.url)
        shard, reader = tables.shard(0), tables.reader()
        committed: list[Meta] = []

        def work() -> None:
            while True:
                number = len(committed)
                ledgers = {"users": {f"user {number} {n}": bytes(100) for n in range(50)}}
                committed.append(write(shard, facts={number: {"new": 1}}, ledgers=ledgers))

        def until_it_dies() -> None:
            with unavailable("cannot be reached"):
                work()

        writer = threading.Thread(target=until_it_dies)
        writer.start()
        while len(committed) < 20:
            time.sleep(0.005)
        _, seen = reader.changes(0, {})
        server.kill()
        writer.join()
        with unavailable(f"127.0.0.1:{server.port}", "cannot be reached"):
            shard.begin()
        with unavailable("cannot be reached"):
            reader.changes(0, seen)
        with unavailable("cannot be reached"):
            tables.ping()
        server.start()
        meta = shard.begin()
        # The last answer may have been lost on the way, no more.
        assert len(committed) <= meta.version <= len(committed) + 1
        assert sum(1 for _ in shard.ledgers("users")) == 50 * meta.version
        assert all_facts(reader) == {number: {"new": 1} for number in range(meta.version)}
        assert reader.changes(0, seen)[0].meta == meta


@pytest.mark.parametrize("cut", ["before", "after"])
def test_a_lost_answer_is_settled_by_the_next_begin(fresh: RedisServer, cut: str):
    """Where the wire is cut around a transaction, the stored offsets tell whether it was written."""
    proxy = Proxy(fresh.port)
    shard = open_tables(proxy.url).shard(0)
    write(shard, facts={1: {"new": 1}}, offsets={"t": Offset("i", 1)})
    batch = commit(shard.begin(), facts={1: {"new": 1}}, offsets={"t": Offset("i", 2)})
    proxy.cut = cut
    with unavailable("cannot be reached"):
        shard.commit(batch)
    with pytest.raises(Superseded):
        shard.commit(batch)
    written = cut == "after"
    assert shard.begin().offsets == {"t": Offset("i", 2 if written else 1)}
    assert all_facts(open_tables(fresh.url).reader()) == {1: {"new": 2 if written else 1}}
    shard.close()
    proxy.close()


def test_a_connection_that_was_cut_never_commits(fresh: RedisServer):
    """A batch whose connection is gone, and its WATCH with it, fails; between batches it is made again unnoticed."""
    shard = open_tables(fresh.url).shard(0)
    reader = open_tables(fresh.url).reader()
    meta = shard.begin()
    reader.changes(0, {})
    with fresh.client() as client:
        client.client_kill_filter(_type="normal", skipme=True)
        with unavailable("cannot be reached"):
            shard.commit(commit(meta, facts={1: {"new": 1}}))
        shard.begin()
        client.client_kill_filter(_type="normal", skipme=True)
        meta = shard.begin()
        client.client_kill_filter(_type="normal", skipme=True)
        assert reader.changes(0, {})[0].days == {}
        with unavailable("cannot be reached"):
            shard.read("users", ["u"])
        # The batch goes on over no other connection.
        with pytest.raises(Superseded):
            shard.read("users", ["u"])
        with pytest.raises(Superseded):
            shard.commit(commit(meta, facts={1: {"new": 1}}))
    assert all_facts(reader) == {}


def test_no_reader_or_writer_walks_the_keys(fresh: RedisServer):
    """Neither batches nor looks use KEYS or SCAN, and a look at nothing new is one command."""
    tables = open_tables(fresh.url)
    with fresh.client() as client:
        client.config_resetstat()
        write(tables.shard(0), facts={day: {"new": 1} for day in range(200)}, ledgers={"users": {"u": b"1"}})
        reader = tables.reader()
        _, seen = reader.changes(0, {})
        calls = client.info("commandstats")
        assert not {"cmdstat_keys", "cmdstat_scan"} & calls.keys()
        reader.changes(0, seen)
        after = client.info("commandstats")
        assert after["cmdstat_eval"]["calls"] == calls["cmdstat_eval"]["calls"] + 1
        assert after["cmdstat_hvals"] == calls["cmdstat_hvals"]


def test_health_tells_what_a_check_needs():
    """Kind, limits, eviction and persistence of a server, as far as it tells them."""
    with redis_server("--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru", append_only=True) as server:
        health = open_tables(server.url).health()
        assert health.server.startswith(("valkey ", "redis "))
        assert health.address == f"127.0.0.1:{server.port}"
        assert (health.max_bytes, health.eviction) == (64 * 2**20, "allkeys-lru")
        assert (health.append_only, health.append_fsync, health.cluster) == (True, "always", False)
        assert health.used_bytes is not None
        with server.client() as client:
            client.execute_command("ACL SETUSER default -config")
        assert open_tables(server.url).health().append_fsync is None
