"""Connections to Redis: the node that holds a shard, commands in one go, and failures as sentences."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import hiredis
import redis.exceptions as failures
from redis._parsers.hiredis import NOT_ENOUGH_DATA
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.connection import AbstractConnection, ConnectionPool
from redis.retry import Retry

from aggregators.tables.door import Superseded, TablesUnavailable
from aggregators.tables.redis.layout import Keys
from aggregators.tables.redis.wire import Packed

Command = tuple[Any, ...] | Packed
"""Strings, bytes and integers; or several commands at once as they go over the wire."""

_CONNECT_SECONDS = 5
_ANSWER_SECONDS = 30
_ATTEMPTS = 4
_READ_BYTES = 2**18


class Server:
    """A Redis server or Redis Cluster, by its URL; any thread may use it."""

    def __init__(self, url: str) -> None:
        """Take a URL apart; ValueError says what is wrong with it."""
        # A connection is never made again behind our back: with it would go its WATCH.
        pool = ConnectionPool.from_url(
            url,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            socket_connect_timeout=_CONNECT_SECONDS,
            socket_timeout=_ANSWER_SECONDS,
            socket_read_size=_READ_BYTES,
        )
        self._connection_class: type[AbstractConnection] = pool.connection_class
        self._options: dict[str, Any] = pool.connection_kwargs
        self._url = url
        self._cluster: RedisCluster | None = None
        self._lock = threading.Lock()
        self.address: str = self._options.get("path") or self._host_and_port(self._options)
        """Where it is, without user and password."""

    @property
    def cluster(self) -> bool:
        """Whether it has turned out to be a Redis Cluster."""
        return self._cluster is not None

    def connect(self, key: str) -> AbstractConnection:
        """Connect to the server, or to the cluster's node that holds a key."""
        options = self._options
        with self._lock:
            if self._cluster is not None:
                try:
                    node = self._cluster.get_node_from_key(key)
                except failures.RedisClusterException as error:
                    raise self.unavailable(error) from error
                options = options | {"host": node.host, "port": node.port}
        connection = self._connection_class(**options)
        try:
            connection.connect()
        except failures.RedisError as error:
            connection.disconnect()
            raise self.unavailable(error, options) from error
        return connection

    def learn_nodes(self) -> None:
        """Ask the cluster which node holds what: after a redirection, or when a node is gone."""
        with self._lock:
            known = [] if self._cluster is None else self._cluster.get_nodes()
            options = {name: self._options[name] for name in _CLUSTER_OPTIONS & self._options.keys()}
            options["ssl"] = self._url.startswith("rediss:")
            nodes = [ClusterNode(node.host, node.port) for node in known]
            nodes.append(ClusterNode(self._options.get("host", "localhost"), self._options.get("port", 6379)))
            try:
                cluster = RedisCluster(startup_nodes=nodes, require_full_coverage=False, **options)
            except (failures.RedisError, failures.RedisClusterException) as error:
                raise self.unavailable(error) from error
            old, self._cluster = self._cluster, cluster
            cluster.close()
            if old is not None:
                old.close()

    def close(self) -> None:
        """Forget what is known of a cluster."""
        with self._lock:
            if self._cluster is not None:
                self._cluster.close()
            self._cluster = None

    def unavailable(self, error: Exception, options: dict[str, Any] | None = None) -> TablesUnavailable:
        """Say what a failure means and what to do about it."""
        address = self.address if options is None or "path" in options else self._host_and_port(options)
        if isinstance(error, TablesUnavailable):
            return error
        text = str(error)
        for kinds, start, meaning in _MEANINGS:
            if isinstance(error, kinds) and text.startswith(start):
                return TablesUnavailable(meaning.format(address=address, text=text.rstrip(".")))
        return TablesUnavailable(f"Redis at {address} gave an unexpected answer: {text}")

    @staticmethod
    def _host_and_port(options: dict[str, Any]) -> str:
        return f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"


class Link:
    """One shard's connection to the node that holds it; one thread at a time."""

    def __init__(self, server: Server, shard: int) -> None:
        """Connect later, at the first call."""
        self.keys = Keys(shard)
        self.server = server
        self._connection: AbstractConnection | None = None

    def call(self, *commands: Command, resume: bool = False) -> list[Any]:
        """Send commands in one go and give their replies, of which none is a failure.

        Args:
            commands: if none of them writes or all are harmless to repeat, they are sent again over a new connection
                where an idle one turns out to be closed or a cluster's shard to have moved.
            resume: they belong to what was called before, on the same connection, and are never sent again.

        Raises:
            Superseded: the connection to resume is gone, or the shard has moved from it: nothing was done.
            TablesUnavailable: Redis cannot be reached or refuses; the connection is closed.
        """
        for _ in range(_ATTEMPTS):
            connection = self._connection
            new = connection is None
            if connection is None:
                if resume:
                    raise Superseded
                connection = self._connection = self._connect()
            try:
                read, failure = _exchange(connection, commands)
            except BaseException as error:
                # Replies may be left unread: whatever it was, this connection is of no more use.
                self.close()
                if not isinstance(error, failures.RedisError):
                    raise
                if new or resume or type(error) is not failures.ConnectionError:
                    raise self.server.unavailable(error) from error
                continue
            if failure is None:
                return read
            self.close()
            if not isinstance(failure, failures.MovedError):
                raise self.server.unavailable(failure) from failure
            self.server.learn_nodes()
            if resume:
                raise Superseded
        raise TablesUnavailable(f"Redis at {self.server.address} does not settle which node holds a shard: try again.")

    def close(self) -> None:
        """Let go of the connection; the next call makes another one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()

    def _connect(self) -> AbstractConnection:
        try:
            return self.server.connect(self.keys.meta)
        except TablesUnavailable:
            if not self.server.cluster:
                raise
        # The node may have failed and another taken its place.
        self.server.learn_nodes()
        return self.server.connect(self.keys.meta)


def _exchange(connection: AbstractConnection, commands: Sequence[Command]) -> tuple[list[Any], Exception | None]:
    """Send commands, read a reply for each, and find the first failure."""
    count = 0
    parts: list[bytes] = []
    for command in commands:
        if isinstance(command, Packed):
            count += command.number
            parts += command.parts
        else:
            count += 1
            parts.append(hiredis.pack_command(command))
    connection.send_packed_command([b"".join(parts)])
    read = _replies(connection, count)
    # A transaction's own failure only repeats that of one of its commands.
    return read, next((reply for reply in read if isinstance(reply, failures.ResponseError)), None)


def _replies(connection: AbstractConnection, count: int) -> list[Any]:
    """Read as many replies, failures of commands among them; RedisError if the connection is of no more use."""
    read: list[Any] = []
    while len(read) < count:
        try:
            read.append(connection.read_response())
        except failures.ResponseError as error:
            read.append(error)
        else:
            # All else that has come is taken at once: redis-py's way takes longer over a short reply than Redis does.
            read += iter(connection._parser._reader.gets, NOT_ENOUGH_DATA)  # noqa: SLF001 - there is no public way
    lost = next((reply for reply in read if isinstance(reply, failures.ConnectionError)), None)
    if lost is not None:
        raise lost
    return read


_CLUSTER_OPTIONS = {
    *("username", "password", "credential_provider", "socket_connect_timeout", "socket_timeout", "protocol"),
    *("ssl_ca_certs", "ssl_ca_data", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_password"),
    *("ssl_cert_reqs", "ssl_check_hostname"),
}

_REFUSED = (
    "Redis at {address} refuses the user or password ({text}): correct them in REDIS_URL "
    "(redis://USER:PASSWORD@HOST:PORT/0)."
)
_UNREACHABLE = "Redis at {address} cannot be reached ({text}): is it running, and is REDIS_URL right?"
_FULL = (
    "Redis at {address} has reached its maxmemory and takes no more writes; nothing was written, nothing is lost: "
    "raise maxmemory (keep maxmemory-policy at noeviction), and the worker goes on by itself."
)
_NOT_PERMITTED = (
    "Redis at {address} does not permit this user what growthgauge needs ({text}): allow it all commands on the keys "
    "growth:*, for instance with `ACL SETUSER NAME ~growth:* +@all`."
)
_FOREIGN = (
    "Redis at {address} holds keys named growth:* that are not growthgauge's: give it a Redis, or a database number in "
    "REDIS_URL, of its own."
)
# From the particular to the general; where the kind says little, the text's beginning decides.
_MEANINGS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str, str], ...] = (
    (failures.OutOfMemoryError, "", _FULL),
    (failures.BusyLoadingError, "", "Redis at {address} is still loading its data: wait until it has."),
    (failures.AuthenticationError, "", _REFUSED),
    (failures.AuthenticationWrongNumberOfArgsError, "", _REFUSED),
    (failures.NoPermissionError, "", _NOT_PERMITTED),
    (failures.ReadOnlyError, "", "Redis at {address} is a read-only replica: point REDIS_URL at the primary."),
    (
        failures.MasterDownError,
        "",
        "Redis at {address} is a replica that has lost its primary: point REDIS_URL at the primary, or repair it.",
    ),
    (
        failures.ClusterDownError,
        "",
        "The Redis Cluster at {address} is down ({text}): `redis-cli --cluster check` shows which slots have no node.",
    ),
    (
        (failures.AskError, failures.TryAgainError),
        "",
        "The Redis Cluster at {address} is moving this shard to another node: wait until it has.",
    ),
    (failures.TimeoutError, "", "Redis at {address} does not answer in time ({text}): is it overloaded, or stopped?"),
    (failures.ConnectionError, "", _UNREACHABLE),
    (failures.RedisClusterException, "", _UNREACHABLE),
    (
        failures.ResponseError,
        "MISCONF",
        "Redis at {address} cannot save its data and takes no writes: see its log, most likely its disk is full.",
    ),
    (
        failures.ResponseError,
        "NOREPLICAS",
        "Redis at {address} has too few replicas connected to take writes (min-replicas-to-write): see to them.",
    ),
    (failures.ResponseError, "BUSY", "Redis at {address} is busy with a long script: wait, or end it."),
    (failures.ResponseError, "WRONGTYPE", _FOREIGN),
)
