"""What a real Redis does to the tables: refusals, crashes, lost answers, foreign hands."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from aggregators.facts import Facts, key
from aggregators.tables import COMMIT_BYTES, COMMIT_LEDGERS, Meta, Offset, Superseded, TablesUnavailable, open_tables
from aggregators.tables.redis import Link
from tests.contract.batches import all_facts, commit, write
from tests.servers import RedisServer, free_port, redis_server


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


@pytest.fixture
def fresh(server: RedisServer) -> RedisServer:
    """The Redis of all tests, empty."""
    with server.client() as client:
        client.flushall()
    return server


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
        with server.client() as client:
            client.config_set("key-load-delay", 0)
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
    with pytest.raises(TablesUnavailable, match=r"rebuild --from-kafka|unexpected"):
        open_tables(fresh.url).reader().changes(0, {})


def test_a_rebuild_may_be_interrupted_anywhere(fresh: RedisServer, monkeypatch: pytest.MonkeyPatch):
    """Cut off after any of its commands, a rebuild has replaced nothing, is seen by no reader, and can run again."""
    tables = open_tables(fresh.url)
    days = range(1, 151)
    write(tables.shard(0), facts={day: {"new": 1, "sessions": 5} for day in days})
    old, new = all_facts(tables.reader()), {day: {"new": 2, "sessions": 5} for day in days}
    whole = Link.call
    calls = interrupted = 0

    def cut(self: Link, *commands, resume: bool = False):
        nonlocal calls
        calls += 1
        if calls > interrupted:
            raise KeyboardInterrupt
        return whole(self, *commands, resume=resume)

    while True:
        started = tables.start_rebuild(0)
        calls = 0
        with monkeypatch.context() as patched:
            patched.setattr(Link, "call", cut)
            try:
                tables.replace_facts(0, started, "rules 2", Facts({day: {"new": 2} for day in days}))
                break
            except KeyboardInterrupt:
                pass
        assert all_facts(tables.reader()) == old
        assert tables.shard(0).begin().fingerprint == started.fingerprint
        interrupted += 1
    assert interrupted > 8
    assert all_facts(tables.reader()) == new
    with fresh.client() as client:
        assert not [name for name in client.scan_iter() if b"staged" in name]


def test_staged_facts_that_vanish_stop_a_rebuild(fresh: RedisServer, monkeypatch: pytest.MonkeyPatch):
    """A staged day evicted just before the transaction supersedes the rebuild instead of breaking it."""
    tables = open_tables(fresh.url)
    write(tables.shard(0), facts={1: {"new": 1}, 2: {"new": 1}})
    started = tables.start_rebuild(0)
    whole = Link.call
    with fresh.client() as client, monkeypatch.context() as patched:

        def evict(self: Link, *commands, resume: bool = False):
            if commands[0] == ("MULTI",):
                assert client.delete("growth:{0}:staged:1970-01-03") == 1
            return whole(self, *commands, resume=resume)

        patched.setattr(Link, "call", evict)
        with pytest.raises(Superseded):
            tables.replace_facts(0, started, "rules 2", Facts({1: {"new": 2}, 2: {"new": 2}}))
    assert all_facts(tables.reader()) == {1: {"new": 1}, 2: {"new": 1}}
    tables.replace_facts(0, tables.start_rebuild(0), "rules 2", Facts({1: {"new": 2}, 2: {"new": 2}}))
    assert all_facts(tables.reader()) == {1: {"new": 2}, 2: {"new": 2}}


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
        assert health.server.startswith("valkey ")
        assert health.address == f"127.0.0.1:{server.port}"
        assert (health.max_bytes, health.eviction) == (64 * 2**20, "allkeys-lru")
        assert (health.append_only, health.append_fsync, health.cluster) == (True, "always", False)
        assert health.used_bytes is not None
        with server.client() as client:
            client.execute_command("ACL SETUSER default -config")
        assert open_tables(server.url).health().append_fsync is None
