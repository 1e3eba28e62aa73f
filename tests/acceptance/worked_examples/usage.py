"""How people use a product: active users, stickiness, who comes back, how long they stay."""

from __future__ import annotations

from fractions import Fraction

from tests.acceptance.worked_examples.example import Example, Source, example

PITCHKIT_DAU = Source("PitchKit glossary: DAU/MAU", "https://pitchkit.net/resources/glossary/dau-mau")
STICKINESS = Source(
    "Free Online Calculators: DAU/MAU stickiness ratio",
    "https://freeonlinecal.com/marketing/daumau-stickness-ratio-calculator",
)
AMPLITUDE_RETENTION = Source(
    "Product Analyst: What is retention rate in Amplitude",
    "https://productanalyst.ai/resources/how-to/what-is-retention-rate-in-amplitude",
)
AMPLITUDE_GROWTH = Source("Amplitude: The growth accounting framework", "https://amplitude.com/blog/growth-accounting")
GOOGLE_SESSIONS = Source(
    "Optimize Smart: Average session duration in Google Analytics explained",
    "https://www.optimizesmart.com/read-average-session-duration-google-analytics/",
)


@example(PITCHKIT_DAU, lane="sessions")
def pitchkit_dau_mau(it: Example) -> None:
    """15,000 users a day and 50,000 a month: 30 % (here in thousands)."""
    for number in range(50):
        it.session(f"u{number}", "06-12")
    for number in range(15):
        it.session(f"u{number}", "06-30")
    it.on(
        "06-30",
        {"daily_active_users": 15, "monthly_active_users": 50, "stickiness_ratio": "0.3", "repeat_users": 15},
    )


@example(STICKINESS, lane="sessions", differs="A month is the last 30 days here, today's included: no calendar month.")
def stickiness_of_a_quarter(it: Example) -> None:
    """50,000 users a day and 200,000 a month: 25 % (here in ten thousands)."""
    for number in range(20):
        it.session(f"u{number}", "06-01" if number < 10 else "06-24")
    it.session("too long ago", "05-31")
    for number in range(5):
        it.session(f"u{number}", "06-30 00:00")
    it.on(
        "06-30",
        {"daily_active_users": 5, "weekly_active_users": 15, "monthly_active_users": 20, "stickiness_ratio": "0.25"},
    )


@example(
    AMPLITUDE_RETENTION, lane="sessions", differs="On that very day, as in Amplitude's N-day retention, not since."
)
def amplitude_day_7_retention(it: Example) -> None:
    """1,000 users on day 0, 400 of them on day 7: 40 % (here in tens)."""
    for number in range(100):
        it.session(f"u{number}", "06-23")
    for number in range(40):
        it.session(f"u{number}", "06-30")
    it.session("u50", "06-29")
    it.on(
        "06-30",
        {
            'user_retention_ratio{period="month",days="7"}': "0.4",
            'user_retention_ratio{period="day",days="7"}': "0.4",
            'user_retention_ratio{period="month",days="1"}': 0,
        },
    )


@example(AMPLITUDE_GROWTH, lane="sessions", differs="The source counts by months, the product day by day.")
def amplitude_growth_accounting(it: Example) -> None:
    """Active users = new + retained + resurrected; who was active before and is no more is churned, or dormant."""
    for name in ("retained", "dormant 1", "dormant 2"):
        it.session(name, "06-29")
    it.session("resurrected", "06-20")
    for name in ("retained", "resurrected", "new"):
        it.session(name, "06-30")
    it.on(
        "06-30",
        {
            'users_lifecycle{state="new"}': 1,
            'users_lifecycle{state="returning"}': 1,
            'users_lifecycle{state="resurrected"}': 1,
            'users_lifecycle{state="dormant"}': 2,
            "daily_active_users": 3,
        },
    )


@example(GOOGLE_SESSIONS, lane="sessions")
def google_analytics_session_duration(it: Example) -> None:
    """Total duration of all sessions over their number; those of 0 seconds count as well."""
    for hour, seconds in (("09", 60), ("10", 0), ("11", 180), ("12", 120.5)):
        it.session("u", f"06-12 {hour}:00", duration_seconds=seconds, reactions=2)
    it.on(
        "06-30",
        {
            'sessions{period="month"}': 4,
            'session_duration_seconds_mean{period="month"}': Fraction(721, 8),
            'session_reactions{period="month"}': 8,
        },
    )
