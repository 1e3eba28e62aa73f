"""What contracts come to: trials, renewals and the recovery of failed payments (SPEC, sections 3.2 and 4)."""

from __future__ import annotations

import numpy as np

from aggregators.metrics.family import metric
from aggregators.metrics.reading import Reading, Samples
from aggregators.metrics.vector import Vector, ratio


def decided(r: Reading, measure: str, *outcomes: str) -> Vector:
    """Give what fell due in each period and was decided by the as-of day, with some outcomes or with any."""
    return r.once(("decided", measure, outcomes), lambda: _decided(r, measure, outcomes))


def _decided(r: Reading, measure: str, outcomes: tuple[str, ...]) -> Vector:
    # What was decided some days after it fell due stands on the day of the decision: a period's window moves with it.
    found = [
        (int(later), column)
        for (outcome, later), column in r.book.columns(measure).items()
        if not outcomes or outcome in outcomes
    ]
    later, columns = np.array([days for days, _ in found], np.int64), [column for _, column in found]

    def known(days: list[int]) -> np.ndarray:
        return r.book.each(np.minimum(np.array(days)[:, None] + later, r.as_of), columns)

    return Vector(map(sum, (known(r.last_days) - known(r.days_before)).tolist()))


@metric("period")
def growth_trials_started(r: Reading) -> Samples:
    """Trials that started in the period: signups with an end of the trial."""
    return r.by_period(r.flow("trials_started"))


@metric("period")
def growth_trials_ended(r: Reading) -> Samples:
    """Trials that ended in the period, by their end or by a cancellation before it."""
    return r.by_period(r.flow("trials_ended"))


@metric("period")
def growth_trials_pending(r: Reading) -> Samples:
    """Trials that ended in the period and may still convert after the as-of day, within the grace."""
    return r.by_period(r.flow("trials_ended") - decided(r, "trials_decided"))


@metric("period", unit="ratio")
def growth_trial_conversion_ratio(r: Reading) -> Samples:
    """Converted trials per trial that ended in the period, those pending left out."""
    return r.by_period(ratio(decided(r, "trials_decided", "converted"), decided(r, "trials_decided")))


@metric("period")
def growth_renewals_due(r: Reading) -> Samples:
    """Coverages that fell due in the period."""
    return r.by_period(r.flow("renewals_due"))


@metric("period")
def growth_renewals(r: Reading) -> Samples:
    """Coverages that fell due in the period and were renewed by the as-of day."""
    return r.by_period(decided(r, "renewals_decided", "renewed"))


@metric("period")
def growth_renewals_pending(r: Reading) -> Samples:
    """Coverages that fell due in the period of which nothing is decided yet on the as-of day."""
    return r.by_period(r.flow("renewals_due") - decided(r, "renewals_decided"))


@metric("period", unit="ratio")
def growth_renewal_ratio(r: Reading) -> Samples:
    """Renewed coverages per coverage that fell due in the period, those pending left out."""
    return r.by_period(ratio(decided(r, "renewals_decided", "renewed"), decided(r, "renewals_decided")))


@metric("period", unit="ratio")
def growth_payment_recovery_ratio(r: Reading) -> Samples:
    """Recovered episodes of failed payments per episode that ended in the period."""
    return r.by_period(ratio(r.flow("recoveries", "recovered"), r.flow("recoveries")))
