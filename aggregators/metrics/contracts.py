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
    """Trials that started in the period: signups with an end of the trial.

    Source: [Cleeng: Free trials started].
    Differs: A trial is a signup that says when it ends (`trial_ends_at`), not a subscription in a state; a signup
        without that starts none.
    Example: [chartmogul_trial_to_paid]: 10 sign up for a trial in May: 10.
    """
    return r.by_period(r.flow("trials_started"))


@metric("period")
def growth_trials_ended(r: Reading) -> Samples:
    """Trials that ended in the period, by their end or by a cancellation before it.

    Source: [Recurly: Trial performance].
    Differs: Recurly and ChartMogul sort trials by their start. Here it is the day of `trial_ends_at`, also for who pays
        before it, or of the cancellation with which an unpaid trial was given up.
    Example: [chartmogul_trial_to_paid]: 10 trials run through May: 0 on 18 May, 10 on 31 May.
    """
    return r.by_period(r.flow("trials_ended"))


@metric("period")
def growth_trials_pending(r: Reading) -> Samples:
    """Trials that ended in the period and may still convert after the as-of day, within the grace.

    Source: [Recurly: Trial performance] (pending).
    Differs: Recurly's pending ones include trials that still run; here they have ended, and a payment within
        `LAPSE_GRACE_DAYS` of the end would still convert them.
    Example: [chartmogul_trial_to_paid_with_grace]: 10 ended in May and 5 have paid: 5 pending, until 30 days are over.
    """
    return r.by_period(r.flow("trials_ended") - decided(r, "trials_decided"))


@metric("period", unit="ratio")
def growth_trial_conversion_ratio(r: Reading) -> Samples:
    """Converted trials per trial that ended in the period, those pending left out.

    Converted / (growth_trials_ended - growth_trials_pending).

    Source: [ChartMogul: Trial-to-paid conversion rate], [Recurly: Trial performance].
    Differs: ChartMogul, Recurly and Chargebee sort by the start of trials, so that a month's number goes on rising
        while its trials run; here it is by their end, without what is undecided.
    Example: [chartmogul_trial_to_paid]: 5 of 10 pay: 0.5.
    """
    return r.by_period(ratio(decided(r, "trials_decided", "converted"), decided(r, "trials_decided")))


@metric("period")
def growth_renewals_due(r: Reading) -> Samples:
    """Coverages that fell due in the period.

    Source: [ZapScale: Renewal rate].
    Differs: Every coverage counts that ends, of a month or of ten years, also where a cancellation was given before.
        Elsewhere contracts with notice given are left out, or short ones. A payment before the last quarter of a
        coverage replaces it: it then is not due.
    Example: [zapscale_renewal_rate]: 100 contracts expire: 100.
    """
    return r.by_period(r.flow("renewals_due"))


@metric("period")
def growth_renewals(r: Reading) -> Samples:
    """Coverages that fell due in the period and were renewed by the as-of day.

    Source: [ZapScale: Renewal rate].
    Differs: By the day that was due, not that of the payment: one that comes late, within the grace, still renews.
    Example: [zapscale_renewal_rate]: 80 of 100 pay again: 80.
    """
    return r.by_period(decided(r, "renewals_decided", "renewed"))


@metric("period")
def growth_renewals_pending(r: Reading) -> Samples:
    """Coverages that fell due in the period of which nothing is decided yet on the as-of day.

    Source: [ChurnZero: Renewal rate].
    Differs: Elsewhere what is not paid yet counts as not renewed, or the number is not shown before it is final.
    Example: [churnzero_renewal_rate]: of 100 due in May two have not paid on 31 May: 2.
    """
    return r.by_period(r.flow("renewals_due") - decided(r, "renewals_decided"))


@metric("period", unit="ratio")
def growth_renewal_ratio(r: Reading) -> Samples:
    """Renewed coverages per coverage that fell due in the period, those pending left out.

    growth_renewals / (growth_renewals_due - growth_renewals_pending).

    Source: [ChurnZero: Renewal rate], [ZapScale: Renewal rate].
    Differs: What is undecided is left out, so the ratio begins high and becomes final when the grace of the last due
        day is over. By contracts, not by amounts: for those take growth_revenue_retention_ratio.
    Example: [zapscale_renewal_rate]: 80 / 100 = 0.8.
    """
    return r.by_period(ratio(decided(r, "renewals_decided", "renewed"), decided(r, "renewals_decided")))


@metric("period", unit="ratio")
def growth_payment_recovery_ratio(r: Reading) -> Samples:
    """Recovered episodes of failed payments per episode that ended in the period.

    Source: [Rekko: Payment recovery success], [Revatto: Payment recovery rate].
    Differs: Revatto sorts by the month of the failure, here it is the one in which it is known how it ended. All failed
        tries on a subscription up to a success, a lapse or a cancellation are one episode; who counts single tries gets
        less.
    Example: [revatto_recovery_rate]: 35 of 100 are collected in the end: 0.35.
    """
    return r.by_period(ratio(r.flow("recoveries", "recovered"), r.flow("recoveries")))
