"""The worker's port: /metrics, /-/healthy and /-/ready."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder


class PortTaken(Exception):  # noqa: N818 - reads as the state it names
    """The port cannot be listened on; the message is one sentence."""


Answer = Callable[[], tuple[bool, dict[str, Any]]]
"""Whether it is so, and what to tell about it."""


async def serve(host: str, port: int, registry: CollectorRegistry, healthy: Answer, ready: Answer) -> web.AppRunner:
    """Serve until the runner that it gives is cleaned up.

    Raises:
        PortTaken: somebody else listens there, or the address is not this machine's.
    """

    async def metrics(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})

    def page(answer: Answer) -> Callable[[web.Request], Any]:
        async def handler(_: web.Request) -> web.Response:
            good, body = answer()
            return web.json_response(body, status=200 if good else 503)

        return handler

    application = web.Application()
    application.add_routes(
        [
            web.get("/metrics", metrics),
            web.get("/-/healthy", page(healthy)),
            web.get("/-/ready", page(ready)),
        ]
    )
    runner = web.AppRunner(application, access_log=None, handle_signals=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        await runner.cleanup()
        raise PortTaken(
            f"The worker cannot listen on {host}:{port} ({error.strerror}): "
            "give it another port (--worker-port, GROWTHGAUGE_WORKER_PORT)."
        ) from error
    return runner
