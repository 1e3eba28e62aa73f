"""Shards on a Redis Cluster: found by any node, followed when they move or their node dies."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import redis

from aggregators.tables.door import Superseded, TablesUnavailable
from aggregators.tables.opening import open_tables
from tests.contract.batches import all_facts, commit, write
from tests.support.servers import RedisServer, redis_cluster


@pytest.fixture
def clients(cluster: list[RedisServer]) -> Iterator[list[redis.Redis]]:
    """The cluster's nodes, empty, by plain clients."""
    nodes = [server.client() for server in cluster]
    for node in nodes:
        node.flushall()
    yield nodes
    for node in nodes:
        node.close()


def owner(clients: list[redis.Redis], shard: int) -> int:
    """Find the node that holds a shard's keys."""
    holding = [number for number, client in enumerate(clients) if client.keys(f"growth:{{{shard}}}:*")]
    assert len(holding) == 1
    return holding[0]


class Move:
    """Moves a shard's slot from one node to another, in the steps that an operator's tool takes."""

    def __init__(self, cluster: list[RedisServer], clients: list[redis.Redis], shard: int) -> None:
        """Find the slot, its node and the next one."""
        self._slot = clients[0].execute_command("CLUSTER KEYSLOT", f"growth:{{{shard}}}:meta")
        number = owner(clients, shard)
        self._source, self._target = clients[number], clients[(number + 1) % len(clients)]
        self._others = [client for client in clients if client not in (self._source, self._target)]
        self._port = cluster[(number + 1) % len(clients)].port
        self._from, self._to = (node.execute_command("CLUSTER MYID").decode() for node in (self._source, self._target))

    def begin(self) -> None:
        """Announce the move and take the keys over, the meta among them, while the slot is still the source's."""
        self._target.execute_command("CLUSTER SETSLOT", self._slot, "IMPORTING", self._from)
        self._source.execute_command("CLUSTER SETSLOT", self._slot, "MIGRATING", self._to)
        keys = self._source.execute_command("CLUSTER GETKEYSINSLOT", self._slot, 10_000)
        self._source.execute_command("MIGRATE", "127.0.0.1", self._port, "", 0, 5_000, "KEYS", *keys)

    def finish(self) -> None:
        """Give the slot to the target."""
        for node in (self._target, self._source, *self._others):
            node.execute_command("CLUSTER SETSLOT", self._slot, "NODE", self._to)


def test_shards_lie_on_several_nodes(cluster: list[RedisServer], clients: list[redis.Redis]):
    """All shards are found from any node's URL, each with all its keys on one node."""
    for number in range(8):
        tables = open_tables(cluster[number % 3].url)
        write(tables.shard(number), facts={1: {"new": number + 1}}, ledgers={"users": {"u": b"1", "v": b"1"}})
    assert len({owner(clients, number) for number in range(8)}) > 1
    for server in cluster:
        tables = open_tables(server.url)
        reader = tables.reader()
        assert [all_facts(reader, number)[1]["new"] for number in range(8)] == list(range(1, 9))
        tables.ping()
        health = tables.health()
        assert health.cluster
        assert health.address == f"127.0.0.1:{server.port}"
        tables.close()


@pytest.mark.parametrize("step", ["read", "commit"])
def test_a_shard_that_moves_is_followed(cluster: list[RedisServer], clients: list[redis.Redis], step: str):
    """Batches wait while a shard moves; one under way is superseded and made again on the new node."""
    tables = open_tables(cluster[0].url)
    shard, reader = tables.shard(0), tables.reader()
    write(shard, facts={1: {"new": 1}}, ledgers={"users": {"u": b"1"}})
    _, seen = reader.changes(0, {})
    before = owner(clients, 0)
    move = Move(cluster, clients, 0)
    meta = shard.begin()
    move.begin()
    with pytest.raises(TablesUnavailable, match="moving"):
        tables.shard(0).begin()
    with pytest.raises(TablesUnavailable, match="moving"):
        tables.reader().changes(0, {})
    move.finish()
    steps = {
        "read": lambda: shard.read("users", ["u"]),
        "commit": lambda: shard.commit(commit(meta, facts={1: {"new": 10}})),
    }
    with pytest.raises(Superseded):
        steps[step]()
    assert shard.begin() == meta
    assert shard.read("users", ["u"]) == [b"1"]
    write(shard, facts={1: {"new": 1}})
    changes, _ = reader.changes(0, seen)
    assert changes.days == {1: {"new": 2}}
    assert owner(clients, 0) != before


def test_a_replica_takes_over_from_a_node_that_died():
    """When a shard's node is killed, workers and readers go on with its replica once it is chosen."""
    with redis_cluster(spares=1) as cluster:
        clients = [server.client() for server in cluster]
        tables = open_tables(cluster[0].url)
        # A shard that is not on the node which the URL names: that one must go on living.
        numbers = range(8)
        for number in numbers:
            write(tables.shard(number), facts={1: {"new": 1}})
        lost = next(number for number in numbers if owner(clients, number) != 0)
        dying = owner(clients, lost)
        replica = clients[-1]
        replica.execute_command("CLUSTER REPLICATE", clients[dying].execute_command("CLUSTER MYID").decode())
        deadline = time.monotonic() + 60
        while replica.info("replication").get("master_link_status") != "up":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert clients[dying].wait(1, 5_000) == 1
        shard, reader = tables.shard(lost), tables.reader()
        meta = shard.begin()
        _, seen = reader.changes(lost, {})
        cluster[dying].kill()
        with pytest.raises(TablesUnavailable):
            shard.commit(commit(meta, facts={1: {"new": 1}}))
        refusal = ""
        while True:
            assert time.monotonic() < deadline, refusal
            try:
                write(shard, facts={1: {"new": 1}})
                break
            except (TablesUnavailable, Superseded) as error:
                refusal = str(error)
                time.sleep(0.1)
        assert reader.changes(lost, seen)[0].days == {1: {"new": 2}}
