"""The exporter's HTTP server: /metrics, /-/healthy, /-/ready, a page for people, and the JSON API behind it."""

from __future__ import annotations

import gzip
import hashlib
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import Any, NamedTuple
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIEnvironment

import msgspec
from prometheus_client import make_wsgi_app

from aggregators.metrics import MetricSettings
from aggregators.tables.door import Tables, TablesUnavailable
from exporters.api import Api
from exporters.collector import make_registry
from exporters.days import Days
from exporters.growth import Growth, TablesMismatch
from exporters.page.pages import ASSETS, Pages

logger = logging.getLogger(__name__)

_HTML = "text/html; charset=utf-8"
_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"
_API = "/api/v1"
_POLICY = {
    "default-src": "'none'",
    "style-src": "'self'",
    "script-src": "'self'",
    "connect-src": "'self'",
    "img-src": "data:",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
_SECURITY = (
    ("Content-Security-Policy", "; ".join(f"{what} {where}" for what, where in _POLICY.items())),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
)
_WORTH_PACKING = 1_000
"""Bytes from which on an answer is compressed for who takes it so."""


class Answer(NamedTuple):
    """What is sent back."""

    status: HTTPStatus
    kind: str
    """The content type."""
    body: bytes
    tag: str = ""
    """Names the contents of what seldom changes, so that a browser need not fetch it again."""


class _Asset(NamedTuple):
    answer: Answer
    packed: bytes


def _asset(kind: str, body: bytes) -> _Asset:
    tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    return _Asset(Answer(HTTPStatus.OK, kind, body, tag), gzip.compress(body, 9, mtime=0))


_ASSETS = {path: _asset(*asset) for path, asset in ASSETS.items()}


class ExporterConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What an exporter is told by whoever starts it."""

    today: Callable[[], int]
    """Gives today's day number in the reporting zone."""
    partitions: int
    settings: MetricSettings
    fingerprint: str | None = None
    """Of the rules in force; shards written under other ones are refused (None: read whatever is there)."""
    host: str = "127.0.0.1"
    port: int = 9108
    """0 takes a free one."""
    patience: float = 3.0
    """Seconds until tables that hang count as ones that do not answer; less than Prometheus' scrape timeout."""
    ready: Callable[[], Sequence[str]] = tuple
    """Further reasons why the deployment is not ready, none when it is; asked at every `/-/ready`."""
    worker_metrics: Callable[[], str | None] = lambda: None
    """Gives the text of a worker's `/metrics`, for the page's state of the pipeline; None where there is none."""


class ExporterServer:
    """An exporter that listens from `start` to `stop`, in threads of its own."""

    def __init__(self, config: ExporterConfig, tables: Tables) -> None:
        """Bind the port, so that a taken one shows here.

        Raises:
            OSError: the port cannot be bound.
        """
        self._config = config
        self._growth = Growth(
            tables.reader(),
            partitions=config.partitions,
            settings=config.settings,
            fingerprint=config.fingerprint,
            patience=config.patience,
        )
        self._metrics = make_wsgi_app(make_registry(self._growth, config.today))
        days = Days(self._growth)
        self._api = Api(days, config.settings, config.today, config.worker_metrics)
        self._pages = Pages(days, self._api, config.settings, config.today)
        self._httpd = _bind(config.host, config.port)
        self._httpd.set_app(self._app)
        self._thread = threading.Thread(target=self._httpd.serve_forever, args=(0.1,), name="exporter", daemon=True)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._httpd.server_port

    @property
    def url(self) -> str:
        """Where the landing page is."""
        host = f"[{self._config.host}]" if ":" in self._config.host else self._config.host
        return f"http://{host}:{self.port}/"

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Take no more requests and let go of the port and the tables."""
        if self._thread.is_alive():
            self._httpd.shutdown()
            self._thread.join()
        self._httpd.server_close()
        self._growth.close()

    def _app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if path == "/metrics":
            return self._metrics(environ, start_response)  # type: ignore[no-any-return]
        asset = _ASSETS.get(path)
        if method not in ("GET", "HEAD"):
            answer = Answer(HTTPStatus.METHOD_NOT_ALLOWED, _TEXT, b"Use GET.\n")
        elif asset is not None:
            answer = asset.answer
        else:
            answer = self._answer(path, environ.get("QUERY_STRING", ""))
        status, body = answer.status, answer.body
        headers = [
            ("Content-Type", answer.kind),
            ("Cache-Control", "no-cache" if answer.tag else "no-store"),
            *_SECURITY,
        ]
        if answer.tag:
            headers.append(("ETag", answer.tag))
            if environ.get("HTTP_IF_NONE_MATCH") == answer.tag:
                status, body = HTTPStatus.NOT_MODIFIED, b""
        if len(body) > _WORTH_PACKING:
            headers.append(("Vary", "Accept-Encoding"))
            if "gzip" in environ.get("HTTP_ACCEPT_ENCODING", ""):
                headers.append(("Content-Encoding", "gzip"))
                body = asset.packed if asset is not None and answer.tag else gzip.compress(body, 5, mtime=0)
        if status != HTTPStatus.NOT_MODIFIED:
            headers.append(("Content-Length", str(len(body))))
        start_response(f"{status.value} {status.phrase}", headers)
        return [] if method == "HEAD" else [body]

    def _answer(self, path: str, query: str) -> Answer:
        if path == "/-/healthy":
            return Answer(HTTPStatus.OK, _TEXT, b"healthy\n")
        if path == "/-/ready":
            reasons = self._reasons()
            if reasons:
                return Answer(HTTPStatus.SERVICE_UNAVAILABLE, _TEXT, "".join(f"{each}\n" for each in reasons).encode())
            return Answer(HTTPStatus.OK, _TEXT, b"ready\n")
        if path == _API or path.startswith(f"{_API}/"):
            status, body = self._api.answer(path.removeprefix(_API), query)
            return Answer(status, _JSON, body)
        if path in ("/", "/numbers"):
            status, body = self._pages.answer(query, whole=path == "/")
            return Answer(status, _HTML, body)
        return Answer(HTTPStatus.NOT_FOUND, _TEXT, b"Not here. See / for the numbers and /metrics for Prometheus.\n")

    def _reasons(self) -> list[str]:
        """Say what is missing before numbers can be served; nothing when they can."""
        reasons = list(self._config.ready())
        try:
            with self._growth.at(self._config.today()):
                pass
        except (TablesUnavailable, TablesMismatch) as error:
            reasons.append(str(error))
        return reasons


def run_exporter(config: ExporterConfig, tables: Tables) -> int:
    """Serve until SIGTERM or SIGINT, from the main thread; gives the exit status.

    Raises:
        OSError: the port cannot be bound.
    """
    server = ExporterServer(config, tables)
    with _signals(signal.SIGTERM, signal.SIGINT) as wait:
        server.start()
        logger.info("The exporter listens on %s", server.url, extra={"action": "exporter_started"})
        wait()
    server.stop()
    logger.info("The exporter has ended", extra={"action": "exporter_stopped"})
    return 0


@contextmanager
def _signals(*numbers: int) -> Iterator[Callable[[], None]]:
    """Catch signals, and give a function that waits for one of them.

    The wake-up goes over a socket: a lock that a handler lets go of may be missed, or be held by what it interrupts.
    """
    inside, outside = socket.socketpair()
    outside.setblocking(False)
    with inside, outside:
        handlers = {number: signal.signal(number, lambda *_: None) for number in numbers}
        woken = signal.set_wakeup_fd(outside.fileno())

        def wait() -> None:
            while inside.recv(1)[0] not in numbers:
                pass

        try:
            yield wait
        finally:
            signal.set_wakeup_fd(woken)
            for number, handler in handlers.items():
                signal.signal(number, handler)


class _Handler(WSGIRequestHandler):
    timeout = 10
    """Seconds that a silent client may hold its thread."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class' name
        """Keep requests out of the log: a scrape every few seconds says nothing."""


class _Httpd(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 64

    def server_bind(self) -> None:
        """Bind without the reverse name look-up of the base class, which can take seconds."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base class' names
        """Say nothing of clients that hang up: what the application raises is answered and logged before."""
        logger.debug("The client %s hung up", client_address)


def _bind(host: str, port: int) -> _Httpd:
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
    server = type("_Httpd", (_Httpd,), {"address_family": family})
    return server((host, port), _Handler)  # type: ignore[no-any-return]
