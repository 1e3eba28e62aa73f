"""Settings as flags: every command takes those that it heeds, each made from the one documented class."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from pydantic_core import PydanticUndefined

from growthgauge.console import stderr
from growthgauge.folder import DEMO
from growthgauge.settings import CONFIG_FILE, ENV_PREFIX, Settings, load, load_beside

CONNECTIONS = ("broker", "redis_url", "data_dir")
TOPICS = (
    "partitions",
    *(name for name in Settings.model_fields if name.startswith("topic_")),
)
ACCEPTANCE = ("accept_from", "allowed_skew_hours", "group")
RULES = (
    *("time_zone", "lapse_grace_days", "purchase_lapse_days", "dedupe_days", "dimensions"),
    *("health_weights", "health_users", "health_features"),
)
METRICS = (
    *("reporting_currency", "rates_file", "gross_margin", "segment_periods", "segment_limit", "cohort_months"),
    "targets",
)
LOGS = ("log_format", "log_level")
PORTS = ("listen", "exporter_port", "worker_port")


class Command(click.Command):
    """A command whose help shows its own options first, the settings after them, and then examples."""

    def __init__(self, *arguments: Any, examples: Sequence[str] = (), **named: Any) -> None:
        """Take lines that show how to use it."""
        super().__init__(*arguments, **named)
        self._examples = examples

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        super().format_epilog(ctx, formatter)
        if self._examples:
            with formatter.section("Examples"):
                for line in self._examples:
                    formatter.write(f"  {line}\n")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the two parts."""
        own: list[tuple[str, str]] = []
        settings: list[tuple[str, str]] = []
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                (settings if parameter.name in Settings.model_fields else own).append(record)
        with formatter.section("Options"):
            formatter.write_dl(own)
        if settings:
            with formatter.section(f"Settings (also as {ENV_PREFIX}<NAME> and in {CONFIG_FILE})"):
                formatter.write_dl(settings)


def with_settings(*groups: tuple[str, ...], beside: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command flags for groups of settings, and pass it the validated `settings`.

    Args:
        groups: names of settings.
        beside: whether an `up` that runs in the data folder says what is not given explicitly.
    """
    names = tuple(dict.fromkeys(name for group in groups for name in group))

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def run(config: Path | None, **arguments: Any) -> Any:
            given = {name: arguments.pop(name) for name in names}
            flags = {name: value for name, value in given.items() if value is not None}
            if not beside:
                return command(settings=load(flags, config), **arguments)
            settings, folder = load_beside(flags, config)
            if folder is not None and folder.path.name == DEMO:
                stderr.print(f"Using the demo that runs in {folder.path}.", highlight=False, soft_wrap=True)
            return command(settings=settings, **arguments)

        for name in reversed(names):
            run = click.option(f"--{name.replace('_', '-')}", name, metavar="VALUE", help=_help(name))(run)
        return click.option(
            "--config",
            type=click.Path(path_type=Path),
            help=f"File of settings; {CONFIG_FILE} in the current folder is read without it.",
        )(run)

    return decorate


def _help(name: str) -> str:
    field = Settings.model_fields[name]
    default = field.default
    if default is PydanticUndefined or default is None:
        return field.description or ""
    if hasattr(default, "get_secret_value"):
        default = default.get_secret_value()
    if isinstance(default, (tuple, list)):
        default = ",".join(map(str, default))
    if isinstance(default, dict):
        default = ", ".join(f"{key} {value}" for key, value in default.items())
    return f"{field.description}  [{default}]" if str(default) else field.description or ""
