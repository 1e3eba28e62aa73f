"""Users: who is active, who comes back, and what they do (SPEC, sections 3.3 and 4)."""

from __future__ import annotations

from aggregators.metrics.family import metric
from aggregators.metrics.reading import Reading, Samples
from aggregators.metrics.vector import one_ratio, ratio


@metric()
def growth_daily_active_users(r: Reading) -> Samples:
    """Users with a session on the as-of day.

    Source: [Cube: Daily, weekly, monthly active users].
    Differs: The calendar day in the reporting time zone, not the last 24 hours; exact, not estimated. Any session makes
        active; other tools let one choose the event. A person in two accounts is two users.
    Example: [pitchkit_dau_mau]: 15 users have a session on the day: 15.
    """
    yield (), r.now("users_active", "1")


@metric()
def growth_weekly_active_users(r: Reading) -> Samples:
    """Users with a session in the 7 days that end with the as-of day.

    Source: [Cube: Daily, weekly, monthly active users].
    Differs: The last 7 days, the as-of day included; [June: How active users are calculated] has calendar weeks. Else
        as growth_daily_active_users.
    Example: [stickiness_of_a_quarter]: 10 were seen six days ago and 5 others today: 15.
    """
    yield (), r.now("users_active", "7")


@metric()
def growth_monthly_active_users(r: Reading) -> Samples:
    """Users with a session in the 30 days that end with the as-of day.

    Source: [Cube: Daily, weekly, monthly active users].
    Differs: The last 30 days, the as-of day included; others take the calendar month, or 28 days. Else as
        growth_daily_active_users.
    Example: [pitchkit_dau_mau]: 50 users within 30 days: 50.
    """
    yield (), r.now("users_active", "30")


@metric()
def growth_repeat_users(r: Reading) -> Samples:
    """Users active on two or more of the 30 days that end with the as-of day.

    Source: [Li Jin and Andrew Chen: The power user curve].
    Differs: The curve shows users by each number of days from 1 to 30; this is all of it but the first bar.
    Example: [pitchkit_dau_mau]: of 50 users 15 were active on a second day: 15.
    """
    yield (), r.now("users_repeat")


@metric(unit="ratio")
def growth_stickiness_ratio(r: Reading) -> Samples:
    """Daily active users per monthly active user.

    growth_daily_active_users / growth_monthly_active_users.

    Source: [PitchKit: DAU/MAU], [Free Online Calculators: Stickiness].
    Differs: Often the month's mean of daily users / users of the calendar month. This one is of a single day and dips
        on weekends: plot `avg_over_time(growth_stickiness_ratio[30d])` for the mean.
    Example: [stickiness_of_a_quarter]: 5 / 20 = 0.25.
    """
    return one_ratio(r.now("users_active", "1"), r.now("users_active", "30"))


@metric("state")
def growth_users_lifecycle(r: Reading) -> Samples:
    """Users on the as-of day: new, returning (active the day before too), resurrected, or dormant since then.

    `new`: never active before; `returning`: active the day before too; `resurrected`: active before, not the day
    before; `dormant`: active the day before, not on this day.

    Source: [Amplitude: The growth accounting framework].
    Differs: Day by day; Amplitude also counts by weeks or months. Dormant are who fell silent that day, not all who are
        silent. new + returning + resurrected = growth_daily_active_users.
    Example: [amplitude_growth_accounting]: 1 new, 1 returning, 1 resurrected, so 3 active; 2 dormant.
    """
    for state in ("new", "returning", "resurrected", "dormant"):
        yield (state,), r.today(f"users_{state}")


@metric("period", "days", unit="ratio")
def growth_user_retention_ratio(r: Reading) -> Samples:
    """Of the users first active so many days before a day of the period, the share active again on that day.

    Source: [Product Analyst: Retention rate in Amplitude].
    Differs: Active on that very day, as N-day retention; unbounded retention, on that day or later, is higher. Day 0 is
        the first active day, not the signup. A period is the ratio of sums over its days, not a mean of ratios.
    Example: [amplitude_day_7_retention]: 100 users first seen on 23 June, 40 of them seen on 30 June: `days="7"` 0.4.
    """
    for days in (1, 7, 30):
        begun = r.flow_between("users_new", ((period.start - days, period.last - days) for period in r.periods))
        yield from r.by_period(ratio(r.flow("users_retained", str(days)), begun), str(days))


@metric("period")
def growth_sessions(r: Reading) -> Samples:
    """Sessions of the period.

    Source: [Dataflo: Sessions].
    Differs: Google Analytics cuts sessions after 30 minutes without a hit and, in its older version, at midnight; here
        a session is what the product sends as one, on the day that it began.
    Example: [google_analytics_session_duration]: 4 sessions in June: 4.
    """
    return r.by_period(r.flow("sessions"))


@metric("period", unit="seconds")
def growth_session_duration_seconds_mean(r: Reading) -> Samples:
    """Mean duration of the period's sessions.

    Source: [Optimize Smart: Average session duration].
    Differs: Sessions of 0 seconds count, as in Universal Analytics; Google Analytics 4 leads with engagement time
        instead. The product says how long a session took.
    Example: [google_analytics_session_duration]: (60 + 0 + 180 + 120.5) / 4 = 90.125.
    """
    means = ratio(r.flow("session_milliseconds"), r.flow("sessions") * 1000)
    return r.by_period(means)


@metric("period")
def growth_session_reactions(r: Reading) -> Samples:
    """Likes, shares and comments made in the period's sessions.

    Source: [nexoya: Engagement].
    Differs: Each platform has its own list, with clicks, saves or follows in it; here it is the number that the product
        sends with a session.
    Example: [google_analytics_session_duration]: 4 sessions with 2 reactions each: 8.
    """
    return r.by_period(r.flow("session_reactions"))
