"""The libraries' log lines, one sentence each and not by the hundred."""

from __future__ import annotations

import logging
import time

log = logging.getLogger("growthgauge.worker")

LIBRARIES = ("faust", "mode", "aiokafka", "streams")
"""`streams`: the name that Faust gives to the loggers of its own classes' subclasses here."""
REPEAT_SECONDS = 60.0


class Digest(logging.Handler):
    """Passes on what a library warns of: the first line, without a traceback, the same at most once a minute.

    A broker that is gone makes the libraries log hundreds of errors with tracebacks, while the worker just waits.
    """

    def __init__(self) -> None:
        """Pass on warnings and worse."""
        super().__init__(logging.WARNING)
        self._told: dict[tuple[str, str], float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Pass on one record, or drop it."""
        key = record.name, str(record.msg)
        now = time.monotonic()
        if now - self._told.get(key, -REPEAT_SECONDS) < REPEAT_SECONDS:
            return
        self._told[key] = now
        try:
            text = record.getMessage().strip().partition("\n")[0]
        except (TypeError, ValueError):
            text = str(record.msg)
        log.warning("%s: %s", record.name.partition(".")[0], text, extra={"action": "library"})


def quieten() -> None:
    """Let the libraries' loggers speak through a `Digest`."""
    digest = Digest()
    for name in LIBRARIES:
        logger = logging.getLogger(name)
        logger.setLevel(logging.WARNING)
        logger.handlers = [digest]
        logger.propagate = False
