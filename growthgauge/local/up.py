"""`growthgauge up`: broker, Redis, worker and exporter in one foreground process group."""

from __future__ import annotations

import signal
import socket
import sys
import threading
import time
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from rich.console import Console

from aggregators.tables.opening import open_tables
from growthgauge import __version__
from growthgauge.errors import GrowthgaugeError, WrongUsage
from growthgauge.folder import DEMO, Folder
from growthgauge.local.children import Child, end
from growthgauge.local.demo import feed as demo
from growthgauge.local.embedded import broker_command, redis_answers, redis_command, redis_configuration, wait_for
from growthgauge.local.ports import Claims, any_free, is_free, is_loopback
from growthgauge.sending.topics import make_topics
from growthgauge.settings import Settings
from growthgauge.upkeep.catch_up import metas
from growthgauge.upkeep.rebuild import rebuild, refuse_what_needs_a_replay
from growthgauge.wiring import answers, rules
from streams.kafka import topics

START_SECONDS = 60
"""How long a part may take to become ready; a Redis with much data loads that long."""
ATTEMPTS = 3
"""How often a part is started whose port, free a moment ago, was taken by another process."""
END_SECONDS = 12
"""How long the whole end may take before what still runs is killed."""

PORT_SETTINGS = {"Redis": "redis_url", "broker": "broker", "worker": "worker_port", "exporter": "exporter_port"}
"""The parts in the order of their start, and the setting that each one's port is in."""


class Ended(Exception):  # noqa: N818 - an outcome, not an error
    """The user asked for the end."""


class Up:
    """One run: starts the parts in order, watches them, ends them in order."""

    def __init__(self, settings: Settings, console: Console, *, with_demo: bool) -> None:
        """Check what can be checked before anything is started.

        Raises:
            WrongUsage: the settings name a broker or a Redis that `up` cannot start.
        """
        _check_addresses(settings)
        self._settings = settings
        self._explicit = {part for part, name in PORT_SETTINGS.items() if settings.explicit(name)}
        self._console = console
        self._demo = with_demo
        self._folder = Folder(settings.data_dir / DEMO if with_demo else settings.data_dir)
        self._children: dict[str, Child] = {}
        self._asked = threading.Event()
        self._inherit: tuple[int, ...] = ()
        self._claims = Claims()
        self._news = ""

    def run(self) -> None:
        """Run until SIGTERM, SIGINT or SIGHUP.

        Raises:
            GrowthgaugeError: something did not start, or ended on its own.
        """
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        began = time.monotonic()
        self._folder.make()
        self._inherit = (self._folder.claim(),)
        try:
            self._start(began)
            self._watch()
        except Ended:
            self._say("Ending ...")
        finally:
            self._folder.forget()
            self._end()
        self._say("Everything has ended.")

    def _start(self, began: float) -> None:
        self._say(f"[bold]growthgauge {__version__}[/], data in {self._folder.path}")
        # Those asked for first: a port chosen in place of another must not be one of them.
        for part in sorted(PORT_SETTINGS, key=lambda part: part not in self._explicit):
            self._settle_port(part)
        if self._demo:
            self._settings = demo.settings_for(self._settings, self._folder.path)
        for part in ("Redis", "broker"):
            self._bring_up(part)
        self._follow_settings()
        make_topics(self._settings)
        for part in ("worker", "exporter"):
            self._bring_up(part)
            # From now on the exporter is ready only while the worker is.
            self._settings = self._settings.but(worker_url=self._url("worker", "/-/ready"))
        self._folder.write(self._settings.note())
        page = self._url("exporter", "/")
        self._say(f"Ready after {time.monotonic() - began:.0f} s: [bold]{page}[/]")
        if self._demo:
            self._children["demo"] = self._child("demo", [*_self(), "demo"])
            if not demo.has_history(self._folder.path):
                self._news = "The demo company's two years are in; from now on it is live."
                self._say("A demo company's two years are coming in, which takes less than a minute.")
        else:
            self._say("Send events with [bold]growthgauge send FILE[/].")
        self._say("This broker keeps records in memory: for trying out, not for production. Ctrl-C ends everything.")

    def _follow_settings(self) -> None:
        """Fold the ledgers anew if they were folded with other settings: nobody else can, before this Redis runs.

        Raises:
            GrowthgaugeError: folding anew is not enough.
        """
        tables = open_tables(self._settings.redis)
        its_rules, partitions = rules(self._settings), self._settings.partitions
        found = metas(tables, partitions)
        # This broker has begun empty: there is nothing to read anew.
        remedy = "begin with another data folder (--data-dir) and send all files again"
        refuse_what_needs_a_replay(found, its_rules, partitions, remedy)
        if {meta.fingerprint for meta in found} - {None, its_rules.fingerprint()}:
            count = rebuild(tables, its_rules, partitions, lambda *_: None)
            self._say(f"  The settings have changed: {count:,} ledgers were folded anew.")

    def _settle_port(self, part: str) -> None:
        """Keep a part's port if it is free; replace it if it is taken and nobody asked for it.

        Raises:
            GrowthgaugeError: a port that was asked for is taken.
        """
        host, port = self._address(part)
        others = {self._address(other)[1] for other in PORT_SETTINGS if other != part}
        if port not in others and self._claims.get(port) and is_free(host, port):
            return
        if part in self._explicit:
            raise GrowthgaugeError(
                f"Port {port}, which {PORT_SETTINGS[part]} gives the {part}, is taken: "
                "end what uses it, or give another port."
            )
        chosen = any_free(host)
        while not self._claims.get(chosen):
            chosen = any_free(host)
        self._move(part, chosen)
        self._say(f"  Port {port} is taken: the {part} gets {chosen}; the other commands find it by themselves.")

    def _bring_up(self, part: str) -> None:
        for _ in range(ATTEMPTS):
            if self._asked.is_set():
                raise Ended
            # Another may have taken it since; a broker's answer would not tell whose broker that is.
            self._settle_port(part)
            child = self._children[part] = self._start_part(part)
            if wait_for(lambda: self._is_ready(part), self._all_well, START_SECONDS):
                self._console.print(f"  [green]✓[/] {part:<9}{self._where(part)}", highlight=False)
                return
            if self._asked.is_set():
                raise Ended
            if child.alive:
                self._name_the_dead()
                raise GrowthgaugeError(
                    f"The {part} was not ready after {START_SECONDS} s: see its log {child.log} for the reason."
                )
            if is_free(*self._address(part)):
                break
        self._name_the_dead()

    def _start_part(self, part: str) -> Child:
        host, port = self._address(part)
        if part == "Redis":
            password = urlsplit(self._settings.redis).password
            return self._child(
                part,
                redis_command(),
                redis_configuration(host, port, self._folder.redis, unquote(password) if password else None),
            )
        if part == "broker":
            return self._child(part, broker_command(host, port))
        return self._child(part, [*_self(), part])

    def _child(self, name: str, command: list[str], standard_input: bytes | None = None) -> Child:
        return Child(
            name,
            command,
            self._folder.logs / f"{name.lower()}.log",
            environment=self._settings.environment() | {"GROWTHGAUGE_LOG_FORMAT": "json"},
            standard_input=standard_input,
            inherit=self._inherit,
        )

    def _is_ready(self, part: str) -> bool:
        if part == "Redis":
            return redis_answers(self._settings.redis, self._folder.redis)
        if part == "broker":
            return _broker_answers(self._settings)
        return answers(self._url(part, "/-/ready"))

    def _watch(self) -> None:
        while not self._asked.wait(0.25):
            self._name_the_dead()
            if self._news and demo.has_history(self._folder.path):
                self._say(self._news)
                self._news = ""
        raise Ended

    def _all_well(self) -> bool:
        return not self._asked.is_set() and all(child.alive for child in self._children.values())

    def _name_the_dead(self) -> None:
        for child in self._children.values():
            if not child.alive:
                words = child.last_words()
                said = f' ("{words}")' if words else ""
                raise GrowthgaugeError(
                    f"The {child.name} {child.ending}{said}, so everything was ended: see its log {child.log}."
                )

    def _end(self) -> None:
        # The worker before the broker: with a dead broker it would not leave by itself.
        order = (("demo",), ("worker", "exporter"), ("broker", "Redis"))
        end([[self._children[part] for part in group if part in self._children] for group in order], END_SECONDS)

    def _on_signal(self, *_: object) -> None:
        if self._asked.is_set():
            for child in self._children.values():
                child.kill()
        self._asked.set()

    def _address(self, part: str) -> tuple[str, int]:
        if part == "Redis":
            host, port = self._settings.redis_address
        elif part == "broker":
            host, port = self._settings.broker_address
        else:
            host, port = self._settings.listen, getattr(self._settings, PORT_SETTINGS[part])
        return ("127.0.0.1" if host == "localhost" else host), port

    def _move(self, part: str, port: int) -> None:
        name = PORT_SETTINGS[part]
        value: Any = port
        if part == "Redis":
            url = urlsplit(self._settings.redis)
            value = urlunsplit(url._replace(netloc=f"{url.netloc.rpartition(':')[0]}:{port}"))
        elif part == "broker":
            value = f"{self._settings.broker.rpartition(':')[0]}:{port}"
        self._settings = self._settings.but(**{name: value})

    def _url(self, part: str, path: str) -> str:
        host, port = self._address(part)
        # A wildcard is for listening, not for asking.
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host else host}:{port}{path}"

    def _where(self, part: str) -> str:
        host, port = self._address(part)
        return self._url(part, "/") if part in {"worker", "exporter"} else f"{host}:{port}"

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)


def _broker_answers(settings: Settings) -> bool:
    try:
        # First the cheap question: Kafka's client would try for seconds.
        socket.create_connection(settings.broker_address, 1).close()
        topics.describe(settings.broker, [])
    except (OSError, topics.BrokerUnavailable):
        return False
    return True


def _self() -> list[str]:
    return [sys.executable, "-P", "-m", "growthgauge"]


def _check_addresses(settings: Settings) -> None:
    if "," in settings.broker:
        raise WrongUsage("`growthgauge up` starts one broker of its own: give one host:port with --broker.")
    if not settings.redis.startswith("redis:"):
        raise WrongUsage("`growthgauge up` starts a Redis of its own without TLS: give a redis:// URL of this machine.")
    for name, (host, _) in {"broker": settings.broker_address, "redis_url": settings.redis_address}.items():
        if not is_loopback(host):
            raise WrongUsage(
                f"`growthgauge up` starts a broker and a Redis on this machine only, but {name} names the host {host}: "
                "use 127.0.0.1, or run `growthgauge worker` and `growthgauge exporter` with the servers that you have."
            )
