"""`growthgauge demo`: the feed that `up --demo` starts; of no use by itself."""

from __future__ import annotations

import asyncio
import signal

import click

from aggregators.tables.opening import open_tables
from growthgauge import logging
from growthgauge.local.demo.feed import feed
from growthgauge.options import CONNECTIONS, LOGS, TOPICS, Command, with_settings
from growthgauge.settings import Settings


@click.command(cls=Command, name="demo")
@with_settings(CONNECTIONS, TOPICS, LOGS)
def command(*, settings: Settings) -> None:
    """Feed the demo company's events to the broker, until SIGTERM."""
    logging.set_up(settings.log_format, settings.log_level)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    asyncio.run(feed(settings, open_tables(settings.redis)))
