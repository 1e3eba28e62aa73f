"""What the other metrics refer to: the periods' bounds, targets, the reporting currency and the build."""

from __future__ import annotations

from fractions import Fraction

from aggregators.metrics.family import metric
from aggregators.metrics.reading import Reading, Samples


@metric("period", unit="timestamp")
def growth_period_start_timestamp_seconds(r: Reading) -> Samples:
    """First instant of the period, in seconds since the epoch.

    Source: [Prometheus: Instrumentation] (timestamps, not time since), [Wikipedia: ISO week date].
    Differs: In the reporting time zone, with weeks that begin on Monday; some tools begin them on Sunday or take UTC.
    Example: `month` on any day of June 2026 in UTC: 1780272000, 1 June at 00:00.
    """
    return r.by_period(_seconds(r, period.start) for period in r.periods)


@metric("period", unit="timestamp")
def growth_period_end_timestamp_seconds(r: Reading) -> Samples:
    """Exclusive end of the whole period, in seconds since the epoch; later than now while the period is open.

    Source: [Prometheus: Instrumentation] (timestamps, not time since), [Wikipedia: ISO week date].
    Differs: The instant after the period, where others print its last day or second; so end - start is its length.
    Example: `month` on any day of June 2026 in UTC: 1782864000, 1 July at 00:00.
    """
    return r.by_period(_seconds(r, period.end + 1) for period in r.periods)


def _seconds(r: Reading, day: int) -> Fraction:
    return Fraction(r.settings.zone.start_of(day), 1000)


@metric("target", unit="target")
def growth_target(r: Reading) -> Samples:
    """Targets from the settings, by the metric's name without its prefix, for plots and alerts.

    Source: [Google SRE Book: Service level objectives].
    Differs: Dashboards mostly keep limits in each panel; here plots and alerts read the same one.
    Example: `targets = { customer_churn_ratio = 0.03 }` gives 0.03 with `target="customer_churn_ratio"`.
    """
    for target, value in sorted(r.settings.targets.items()):
        yield (target,), value


@metric("currency", unit="info")
def growth_reporting_currency_info(r: Reading) -> Samples:
    """The currency that amounts are converted to.

    Source: [OpenMetrics: Info], [ChartMogul: Foreign currencies].
    Differs: Other tools print the currency beside each amount; a Prometheus sample has a number only, so this names it
        once.
    Example: 1 with `currency="USD"`.
    """
    yield (r.settings.reporting_currency,), 1


@metric("version", unit="info")
def growth_build_info(r: Reading) -> Samples:
    """The version that worked these metrics out.

    Source: [OpenMetrics: Info].
    Differs: The version of what answers, the exporter or `report`; workers may still run another.
    Example: 1 with `version="1.0.0"`.
    """
    yield (r.settings.version,), 1
