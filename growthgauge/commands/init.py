"""`growthgauge init`."""

from __future__ import annotations

import click

from growthgauge.options import LOGS, TOPICS, Command, with_settings
from growthgauge.settings import Settings
from growthgauge.topics import identities, make_topics


@click.command(cls=Command, name="init", examples=["growthgauge init --broker kafka:9092 --partitions 12"])
@with_settings(("broker", "data_dir"), TOPICS, LOGS, beside=True)
def command(*, settings: Settings) -> None:
    """Make the topics that are missing, each with the setting PARTITIONS; run it as often as you like.

    Replication is the broker's default. `up` and `send` make missing topics by themselves.
    """
    made = make_topics(settings)
    for name in settings.all_topics:
        click.echo(f"{name}: {'made' if name in made else 'was there'}")
    identities(settings)
