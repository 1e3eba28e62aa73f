"""What the other metrics refer to: the periods' bounds, targets, the reporting currency and the build."""

from __future__ import annotations

from fractions import Fraction

from aggregators.metrics.family import metric
from aggregators.metrics.reading import Reading, Samples


@metric("period", unit="timestamp")
def growth_period_start_timestamp_seconds(r: Reading) -> Samples:
    """First instant of the period, in seconds since the epoch."""
    return r.by_period(_seconds(r, period.start) for period in r.periods)


@metric("period", unit="timestamp")
def growth_period_end_timestamp_seconds(r: Reading) -> Samples:
    """Exclusive end of the whole period, in seconds since the epoch; later than now while the period is open."""
    return r.by_period(_seconds(r, period.end + 1) for period in r.periods)


def _seconds(r: Reading, day: int) -> Fraction:
    return Fraction(r.settings.zone.start_of(day), 1000)


@metric("target", unit="target")
def growth_target(r: Reading) -> Samples:
    """Targets from the settings, by the metric's name without its prefix, for plots and alerts."""
    for target, value in sorted(r.settings.targets.items()):
        yield (target,), value


@metric("currency", unit="info")
def growth_reporting_currency_info(r: Reading) -> Samples:
    """The currency that amounts are converted to."""
    yield (r.settings.reporting_currency,), 1


@metric("version", unit="info")
def growth_build_info(r: Reading) -> Samples:
    """The version that worked these metrics out."""
    yield (r.settings.version,), 1
