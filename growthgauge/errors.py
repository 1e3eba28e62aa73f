"""Errors whose message is one sentence that tells the user what to do."""

from __future__ import annotations


class GrowthgaugeError(Exception):
    """Something failed: the command ends with status 1."""

    status = 1


class WrongUsage(GrowthgaugeError):  # noqa: N818 - reads as what it says to the user
    """The command line or the settings ask for what cannot be: the command ends with status 2."""

    status = 2
