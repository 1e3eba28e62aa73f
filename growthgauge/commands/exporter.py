"""`growthgauge exporter`."""

from __future__ import annotations

import click

from aggregators.tables.opening import open_tables
from exporters.server import run_exporter
from growthgauge import logging
from growthgauge.errors import GrowthgaugeError
from growthgauge.options import LOGS, METRICS, RULES, Command, with_settings
from growthgauge.settings import Settings
from growthgauge.wiring import exporter_config


@click.command(
    cls=Command, name="exporter", examples=["growthgauge exporter --redis-url redis://redis:6379/0 --listen 0.0.0.0"]
)
@with_settings(("redis_url", "listen", "exporter_port", "partitions", "worker_url"), RULES, METRICS, LOGS)
def command(*, settings: Settings) -> int:
    """Serve the growth metrics to Prometheus, and a page to people, until SIGTERM.

    It only reads: two exporters give the same numbers.
    """
    logging.set_up(settings.log_format, settings.log_level)
    try:
        return run_exporter(exporter_config(settings), open_tables(settings.redis))
    except OSError as error:
        raise GrowthgaugeError(
            f"The exporter cannot listen on {settings.listen}:{settings.exporter_port} ({error.strerror}): "
            "end what uses the port, or give another with --exporter-port."
        ) from None
