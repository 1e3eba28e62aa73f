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
BRANCH = Source("Branch glossary: Dormant User", "https://www.branch.io/glossary/dormant-user/")
HEALTH = Source(
    "Free Online Calculators: Customer health score",
    "https://freeonlinecal.com/marketing/customer-health-score-calculator",
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


@example(AMPLITUDE_GROWTH, ours=True, lane="sessions", differs="The source counts by months, the product day by day.")
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


@example(GOOGLE_SESSIONS, ours=True, lane="sessions")
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


@example(
    BRANCH,
    ours=True,
    company="strict",
    differs="Customers count here, and only those that are present and were seen once.",
)
def branch_dormant_users(it: Example) -> None:
    """Dormant is who has been active and has not been seen for some time: 14 days in a shop, 30 or 45 in a bank."""
    for name, seen in (("13 days", "06-17"), ("14 days", "06-16"), ("30 days", "05-31"), ("left", "05-31")):
        it.signup(name, "05-02")
        it.session(name, seen)
    it.signup("never seen", "05-02")
    it.cancel("left", "06-02")
    it.on(
        "06-30",
        {
            'customers_inactive{days="7"}': 3,
            'customers_inactive{days="14"}': 2,
            'customers_inactive{days="30"}': 1,
            'customers_inactive{days="60"}': 0,
        },
    )


@example(
    HEALTH,
    ours=True,
    company="strict",
    differs="The weights and the parts are the product's own: healthy begins at 70, tickets are not "
    "known here, and a part without data is left out of a customer's average.",
)
def weighted_health_score(it: Example) -> None:
    """A weighted average of usage, nps, support and engagement; above 75 is healthy, below 40 is a high risk."""
    it.subscribe("90 of 100", "06-01", 30)
    for day in range(11, 31):
        for user in ("a", "b", "c"):
            it.session("90 of 100", f"06-{day}", user_id=user, features=["one", "two", "three", "four", "five"])
    it.event("survey", "90 of 100", "06-20", kind="nps", score=9)
    it.signup("45 of 100", "06-01")
    it.session("45 of 100", "06-30", features=["one"])
    it.subscribe("20 of 100", "06-01", 30)
    it.session("20 of 100", "06-02", features=["one"])
    it.on(
        "06-30",
        {
            'customer_health{band="healthy"}': 1,
            'customer_health{band="at_risk"}': 1,
            'customer_health{band="critical"}': 1,
            "customers": 3,
        },
    )
