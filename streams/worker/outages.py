"""Outages told once, not with every attempt."""

from __future__ import annotations

import logging
import math
import time

log = logging.getLogger("growthgauge.worker")

REMIND_SECONDS = 60.0
CHANGE_SECONDS = 5.0
"""How soon another reason is told: two that come in turn must not fill the log."""


class Outage:
    """One thing that may be out of reach for a while."""

    def __init__(self, what: str) -> None:
        """Name what an outage means, as the beginning of a sentence."""
        self._what = what
        self._began: float | None = None
        self._told = -math.inf
        self._why = ""

    @property
    def on(self) -> bool:
        """Whether it is out of reach now."""
        return self._began is not None

    def begin(self, why: str) -> None:
        """Note a failed attempt; the first is logged, then one a minute, and sooner one with another reason."""
        now = time.monotonic()
        self._began = self._began or now
        if now - self._told >= (REMIND_SECONDS if why == self._why else CHANGE_SECONDS):
            self._told, self._why = now, why
            log.warning("%s, trying again: %s", self._what, why, extra={"action": "outage"})

    def end(self) -> None:
        """Note that it works."""
        if self._began is not None:
            log.info(
                "%s: over after %.0f s.", self._what, time.monotonic() - self._began, extra={"action": "outage_over"}
            )
            self._began, self._told, self._why = None, -math.inf, ""
