"""The command line: `growthgauge COMMAND`; an error is one sentence on standard error and status 1 or 2."""

from __future__ import annotations

import importlib
import os
import sys
import traceback

import click

from growthgauge import __version__
from growthgauge.console import stderr
from growthgauge.errors import GrowthgaugeError

COMMANDS = {
    "up": "Start broker, Redis, worker and exporter together, to try it out.",
    "send": "Send events from files.",
    "report": "Print the growth metrics of today or of an earlier day.",
    "backfill": "Write the growth metrics of past days, for Prometheus.",
    "check": "Look at settings, broker, topics and Redis, and say what is wrong.",
    "init": "Make the topics.",
    "worker": "Turn events from the broker into facts in Redis.",
    "exporter": "Serve the growth metrics to Prometheus, and a page to people.",
    "verify": "Compare all facts with the folds of all ledgers: the books must balance.",
    "rebuild": "Fold all ledgers anew, or read everything anew from Kafka.",
    "dead-letters": "List the records that could not be accepted, and send them again.",
}
HIDDEN = ("demo",)
"""Commands that `up` starts and nobody else."""


INNER_ERRORS = {
    ("streams", "BrokerUnavailable"),
    ("aggregators", "TablesUnavailable"),
    ("exporters", "TablesMismatch"),
}
"""Errors of the inner rings whose message is made for the user."""


class Lazy(click.Group):
    """Imports a command's module only when it is asked for: `--help` and errors come at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the names in the order in which a user meets them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        if cmd_name not in COMMANDS and cmd_name not in HIDDEN:
            return None
        command: click.Command = importlib.import_module(f"growthgauge.commands.{cmd_name.replace('-', '_')}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Begin with `growthgauge up --demo`, then open the page that it names.",
)
@click.version_option(__version__, message="%(version)s")
def cli() -> None:
    """Live, exact growth metrics: Kafka events in, Prometheus metrics out."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and give the exit status: 0, 1 for a failure, 2 for wrong usage."""
    try:
        result = cli.main(arguments, prog_name="growthgauge", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except (click.Abort, KeyboardInterrupt):
        return _fail("Interrupted.", 1)
    except BrokenPipeError:
        # Whoever read the output has gone; the interpreter must not trip over it again when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001 - the last resort: a user never meets a traceback
        return _fail(*_explained(error))
    return result if isinstance(result, int) else 0


def _explained(error: Exception) -> tuple[str, int]:
    """Give the sentence and the exit status of an error."""
    if isinstance(error, click.ClickException):
        return _usage(error), 2
    if isinstance(error, GrowthgaugeError):
        return str(error), error.status
    message = _of_the_inner_rings(error)
    if message is None:
        if os.environ.get("GROWTHGAUGE_LOG_LEVEL", "").lower() == "debug":
            traceback.print_exception(error)
        message = (
            f"Something went wrong inside growthgauge ({type(error).__name__}: {error}): please report it, with what "
            "GROWTHGAUGE_LOG_LEVEL=debug shows."
        )
    return message, 1


def _fail(message: str, status: int) -> int:
    stderr.print(
        f"growthgauge: {message}",
        style="bold red" if stderr.is_terminal else "",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    return status


def _usage(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    message = " ".join(error.format_message().split()).rstrip(".")
    command = context.command_path if context else "growthgauge"
    return f"{message}; see `{command} --help`."


def _of_the_inner_rings(error: Exception) -> str | None:
    """Give the message of an error that the inner rings made for the user, None for any other.

    Compared by name, so that an error costs no imports of what has not even been used.
    """
    kinds = {(kind.__module__.partition(".")[0], kind.__name__) for kind in type(error).__mro__}
    if kinds & INNER_ERRORS:
        return str(error)
    return None
