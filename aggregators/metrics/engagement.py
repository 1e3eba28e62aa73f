"""Users: who is active, who comes back, and what they do (SPEC, sections 3.3 and 4)."""

from __future__ import annotations

from aggregators.metrics.family import metric
from aggregators.metrics.reading import Reading, Samples
from aggregators.metrics.vector import one_ratio, ratio


@metric()
def growth_daily_active_users(r: Reading) -> Samples:
    """Users with a session on the as-of day."""
    yield (), r.now("users_active", "1")


@metric()
def growth_weekly_active_users(r: Reading) -> Samples:
    """Users with a session in the 7 days that end with the as-of day."""
    yield (), r.now("users_active", "7")


@metric()
def growth_monthly_active_users(r: Reading) -> Samples:
    """Users with a session in the 30 days that end with the as-of day."""
    yield (), r.now("users_active", "30")


@metric()
def growth_repeat_users(r: Reading) -> Samples:
    """Users active on two or more of the 30 days that end with the as-of day."""
    yield (), r.now("users_repeat")


@metric(unit="ratio")
def growth_stickiness_ratio(r: Reading) -> Samples:
    """Daily active users per monthly active user."""
    return one_ratio(r.now("users_active", "1"), r.now("users_active", "30"))


@metric("state")
def growth_users_lifecycle(r: Reading) -> Samples:
    """Users on the as-of day: new, returning (active the day before too), resurrected, or dormant since then."""
    for state in ("new", "returning", "resurrected", "dormant"):
        yield (state,), r.today(f"users_{state}")


@metric("period", "days", unit="ratio")
def growth_user_retention_ratio(r: Reading) -> Samples:
    """Of the users first active so many days before a day of the period, the share active again on that day."""
    for days in (1, 7, 30):
        begun = r.flow_between("users_new", ((period.start - days, period.last - days) for period in r.periods))
        yield from r.by_period(ratio(r.flow("users_retained", str(days)), begun), str(days))


@metric("period")
def growth_sessions(r: Reading) -> Samples:
    """Sessions of the period."""
    return r.by_period(r.flow("sessions"))


@metric("period", unit="seconds")
def growth_session_duration_seconds_mean(r: Reading) -> Samples:
    """Mean duration of the period's sessions."""
    means = ratio(r.flow("session_milliseconds"), r.flow("sessions") * 1000)
    return r.by_period(means)


@metric("period")
def growth_session_reactions(r: Reading) -> Samples:
    """Likes, shares and comments made in the period's sessions."""
    return r.by_period(r.flow("session_reactions"))
