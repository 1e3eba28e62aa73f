"""The engagement dashboard: who uses the product, how often, and who comes back."""

from __future__ import annotations

from frame import business, to
from grafana_foundation_sdk.builders.dashboard import Dashboard, Row
from panels import COUNT, DAYS, RATIO, SECONDS, bars, before, course, in_period, now, number, past, target


def engagement() -> Dashboard:
    """Build the dashboard."""
    board = business("engagement", "Users and their sessions: activity, lifecycle, retention, time to value.")
    for add in (_now, _active, _back, _sessions):
        add(board)
    return board


def _now(board: Dashboard) -> None:
    board.with_row(Row("Now"))
    for title, description, metric, ago in (
        ("Today", "Users active today up to now; before: at this time a week ago.", "daily_active_users", "7d"),
        ("7 days", "Users active in the 7 days that end today; before: 7 days ago.", "weekly_active_users", "7d"),
        ("30 days", "Users active in the 30 days that end today; before: 30 days ago.", "monthly_active_users", "30d"),
        ("Repeat", "Users active on two or more of the 30 days; before: 30 days ago.", "repeat_users", "30d"),
    ):
        beside = {"before": past(f"growth_{metric}", f" offset {ago}"), "target": target(metric)}
        board.with_panel(number(title, description, past(f"growth_{metric}"), COUNT, beside=beside))
    board.with_panel(
        number(
            "Stickiness",
            "Active today / active in 30 days; before: at this time a week ago.",
            past("growth_stickiness_ratio"),
            RATIO,
            beside={
                "before": past("growth_stickiness_ratio", " offset 7d"),
                "target": target("stickiness_ratio"),
            },
            decimals=1,
        )
    )
    board.with_panel(
        number(
            "Sessions ($period)",
            "Sessions in the period; before: the period before.",
            past(in_period("growth_sessions")),
            COUNT,
            beside={"before": before("growth_sessions"), "target": target("sessions")},
        )
    )


def _active(board: Dashboard) -> None:
    board.with_row(Row("Who is active"))
    for panel in (
        course(
            "Active users",
            "Users active in the 1, 7 and 30 days that end on the day, and on two or more of the 30.",
            {
                "daily": past("growth_daily_active_users"),
                "weekly": past("growth_weekly_active_users"),
                "monthly": past("growth_monthly_active_users"),
                "repeat": past("growth_repeat_users"),
            },
            COUNT,
        ),
        course(
            "Stickiness over time",
            "Active on the day / active in the 30 days that end on it.",
            {"stickiness": past("growth_stickiness_ratio"), "target": target("stickiness_ratio")},
            RATIO,
        ),
        course(
            "Today against a week ago",
            "Users active on the day so far, and at the same time of the same weekday a week before.",
            {
                "today": past("growth_daily_active_users"),
                "a week ago": past("growth_daily_active_users", " offset 7d"),
            },
            COUNT,
        ),
        course(
            "Lifecycle",
            "Users of the day: new, active the day before (returning), earlier (resurrected), or no more (dormant).",
            {"{{state}}": past("growth_users_lifecycle")},
            COUNT,
            stacked=True,
        ),
    ):
        board.with_panel(panel)


def _back(board: Dashboard) -> None:
    board.with_row(Row("Who comes back, and who does not"))
    for panel in (
        course(
            "Users back after 1, 7 and 30 days ($period)",
            "Users active exactly so many days after their first day / all whose first day was so many days before.",
            {"after {{days}} d": past(in_period("growth_user_retention_ratio"))},
            RATIO,
        ),
        bars(
            "Customers without a session",
            "Customers present whose last session was so many days ago or more.",
            {"{{days}} days": now("growth_customers_inactive")},
            COUNT,
        ),
        course(
            "Customers without a session over time",
            "Customers present whose last session was so many days ago or more.",
            {"{{days}} days": past("growth_customers_inactive")},
            COUNT,
        ).links(to("retention")),
        course(
            "Time to value ($period)",
            "Mean days from a customer's first day to its first session and its first MRR.",
            {"{{milestone}}": past(in_period("growth_time_to_value_days_mean"))},
            DAYS,
        ).links(to("retention")),
    ):
        board.with_panel(panel)


def _sessions(board: Dashboard) -> None:
    board.with_row(Row("Sessions"))
    for panel in (
        course(
            "Sessions over time ($period)",
            "Sessions in the period.",
            {"sessions": past(in_period("growth_sessions"))},
            COUNT,
            width=8,
        ),
        course(
            "Mean session ($period)",
            "Mean duration of the period's sessions.",
            {"mean": past(in_period("growth_session_duration_seconds_mean"))},
            SECONDS,
            width=8,
        ),
        course(
            "Reactions ($period)",
            "Likes, shares and comments made in the period's sessions.",
            {"reactions": past(in_period("growth_session_reactions"))},
            COUNT,
            width=8,
        ),
    ):
        board.with_panel(panel)
