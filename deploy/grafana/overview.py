"""The overview: the numbers of the wall, each with its course, the period before and its target."""

from __future__ import annotations

from frame import EXPORTER, WORKER, business, to
from grafana_foundation_sdk.builders.dashboard import Dashboard, Row
from panels import COUNT, MONEY, NUMBER, RATIO, SECONDS, before, course, in_period, number, past, state, target

BEFORE = "before"
TARGET = "target"


def overview() -> Dashboard:
    """Build the dashboard."""
    board = business("overview", "The numbers of the business as of today, against the period before and the target.")
    for add in (_wall, _courses, _pipeline):
        add(board)
    return board


def _wall(board: Dashboard) -> None:
    board.with_row(Row("Now, before and target"))
    for panel in (
        number(
            "MRR ($currency)",
            "Monthly recurring revenue; before: at the period's start.",
            past("growth_mrr"),
            MONEY,
            beside={BEFORE: past(in_period("growth_mrr_at_start")), TARGET: target("mrr")},
            width=8,
            decimals=0,
        ).links(to("revenue")),
        number(
            "Customers",
            "Customers present; before: at the period's start.",
            past("growth_customers"),
            COUNT,
            beside={BEFORE: past(in_period("growth_customers_at_start")), TARGET: target("customers")},
            width=8,
        ).links(to("retention")),
        number(
            "Customer churn ($period)",
            "Customers lost in the period / customers at its start; before: in the period before.",
            past(in_period("growth_customer_churn_ratio")),
            RATIO,
            beside={BEFORE: before("growth_customer_churn_ratio"), TARGET: target("customer_churn_ratio")},
            width=8,
            decimals=1,
        ).links(to("retention")),
        number(
            "NPS ($period)",
            "100 x (promoters - detractors) / respondents; before: in the period before.",
            past(in_period("growth_nps")),
            NUMBER,
            beside={BEFORE: before("growth_nps"), TARGET: target("nps")},
            width=8,
            decimals=0,
        ).links(to("voice")),
        number(
            "Active users today",
            "Users active today up to now; before: at this time a week ago.",
            past("growth_daily_active_users"),
            COUNT,
            beside={
                BEFORE: past("growth_daily_active_users", " offset 7d"),
                TARGET: target("daily_active_users"),
            },
            width=8,
        ).links(to("engagement")),
        number(
            "Active users in 30 days",
            "Users active in the 30 days that end today; before: 30 days ago.",
            past("growth_monthly_active_users"),
            COUNT,
            beside={
                BEFORE: past("growth_monthly_active_users", " offset 30d"),
                TARGET: target("monthly_active_users"),
            },
            width=8,
        ).links(to("engagement")),
    ):
        board.with_panel(panel)


def _courses(board: Dashboard) -> None:
    board.with_row(Row("Over time"))
    nps, error = past(in_period("growth_nps")), past(in_period("growth_nps_standard_error"))
    for panel in (
        course(
            "MRR over time ($currency)",
            "Monthly recurring revenue, each day's at that day's exchange rates.",
            {"MRR": past("growth_mrr"), "target": target("mrr")},
            MONEY,
        ).links(to("revenue")),
        course(
            "MRR movements ($period, $currency)",
            "What changed MRR in the period: at start + all movements = at end.",
            {"{{movement}}": past(in_period("growth_mrr_movement"))},
            MONEY,
            stacked=True,
        ).links(to("revenue")),
        course(
            "Customers and subscribers",
            "Customers present, and those of them with MRR.",
            {
                "customers": past("growth_customers"),
                "subscribers": past("growth_subscribers"),
                "target": target("customers"),
            },
            COUNT,
        ).links(to("retention")),
        course(
            "Churn against its target ($period)",
            "Customers and subscribers lost / at start, with the target customer_churn_ratio if one is set.",
            {
                "customers": past(in_period("growth_customer_churn_ratio")),
                "subscribers": past(in_period("growth_subscriber_churn_ratio")),
                "target": target("customer_churn_ratio"),
            },
            RATIO,
        ).links(to("retention")),
        course(
            "NPS over time ($period)",
            "Net promoter score with the band of two standard errors around it.",
            {"nps": nps, "upper": f"{nps} + 2 * {error}", "lower": f"{nps} - 2 * {error}", "target": target("nps")},
            NUMBER,
        ).links(to("voice")),
        course(
            "Active users",
            "Users active in the 1, 7 and 30 days that end today.",
            {
                "daily": past("growth_daily_active_users"),
                "weekly": past("growth_weekly_active_users"),
                "monthly": past("growth_monthly_active_users"),
            },
            COUNT,
        ).links(to("engagement")),
    ):
        board.with_panel(panel)


def _pipeline(board: Dashboard) -> None:
    board.with_row(Row("Where the numbers come from"))
    for panel in (
        state(
            "Redis",
            "Whether the exporter's last scrape could read the tables.",
            f"max(growth_redis_up{{{EXPORTER}}}) or vector(0)",
            "up",
            "down",
        ),
        number("Workers", "Workers that answer scrapes.", f"sum(up{{{WORKER}}}) or vector(0)", COUNT),
        number("Lag", "Records not yet counted, all topics.", "sum(topic:growth_consumer_lag:sum)", COUNT),
        number(
            "Last event",
            "How long ago the latest accepted event occurred.",
            "time() - max(type:growth_last_event_timestamp_seconds:max)",
            SECONDS,
        ),
        number(
            "Rejected, last hour",
            "Records sent to the dead letters in the last hour.",
            "sum(reason:growth_events_rejected:increase1h)",
            COUNT,
        ),
        number(
            "Records lost",
            "Records that the broker deleted before they were read, in the last day.",
            f"sum(increase(growth_records_lost_total{{{WORKER}}}[1d]))",
            COUNT,
        ),
    ):
        board.with_panel(panel.links(to("pipeline")))
