"""The overview dashboard as code: `python deploy/grafana/overview.py` writes dashboards/overview.json."""

from __future__ import annotations

import argparse
from pathlib import Path

from grafana_foundation_sdk.builders.dashboard import CustomVariable, Dashboard, QueryVariable, Row
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    VariableHide,
    VariableOption,
    VariableRefresh,
)
from panels import (
    BOOLEAN,
    COUNT,
    DATASOURCE,
    MONEY,
    NUMBER,
    PER_SECOND,
    RATIO,
    SECONDS,
    course,
    number,
    one,
)

TARGET = Path(__file__).parent / "dashboards" / "overview.json"

PERIODS = (
    *("day", "week", "month", "quarter", "year"),
    *("previous_day", "previous_week", "previous_month", "previous_quarter", "previous_year"),
    *("7d", "30d", "90d", "365d"),
)
PERIOD = 'period="$period"'
EXPORTER = 'job="growthgauge-exporter"'
WORKER = 'job="growthgauge-worker"'


def overview() -> Dashboard:
    """Build the dashboard: the business first, the pipeline that its numbers come through last."""
    board = (
        Dashboard("growthgauge: overview")
        .uid("growthgauge-overview")
        .description("Growth metrics of the business as of today, and the health of the pipeline behind them.")
        .tags(["growthgauge"])
        .readonly()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time("now-24h", "now")
        .timezone("browser")
        .refresh("5s")
        .with_variable(
            CustomVariable("period")
            .label("Period")
            .description("Calendar periods run up to today; previous ones are complete; the others end today.")
            .values(",".join(PERIODS))
            .options([VariableOption(selected=p == "30d", text=p, value=p) for p in PERIODS])
            .current(VariableOption(selected=True, text="30d", value="30d"))
        )
        .with_variable(
            QueryVariable("currency")
            .hide(VariableHide.HIDE_VARIABLE)
            .datasource(DATASOURCE)
            .query("label_values(growth_reporting_currency_info, currency)")
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        )
    )
    for add in (_now, _customers, _revenue, _engagement, _voice, _pipeline):
        add(board)
    return board


def _now(board: Dashboard) -> None:
    board.with_row(Row("Now"))
    for panel in (
        number("Customers", "Customers present.", one("growth_customers"), COUNT),
        number("Subscribers", "Customers with MRR.", one("growth_subscribers"), COUNT),
        number("MRR ($currency)", "Monthly recurring revenue.", one("growth_mrr"), MONEY, decimals=0),
        number("ARR ($currency)", "12 x MRR.", one("growth_arr"), MONEY, decimals=0),
        number("ARPA ($currency)", "MRR per subscriber.", one("growth_arpa"), MONEY, decimals=2),
        number("Active users today", "Users active on the day.", one("growth_daily_active_users"), COUNT),
        number(
            "Customer churn ($period)",
            "Customers lost in the period / customers at its start.",
            one(f"growth_customer_churn_ratio{{{PERIOD}}}"),
            RATIO,
            decimals=1,
        ),
        number(
            "Net revenue retention ($period)",
            "MRR at the end of the customers who had MRR at the start / their MRR at the start.",
            one(f'growth_revenue_retention_ratio{{{PERIOD}, kind="net"}}'),
            RATIO,
            decimals=1,
        ),
        number(
            "Quick ratio ($period)",
            "MRR won (new, expansion, reactivation) / MRR given up (contraction, churn).",
            one(f"growth_quick_ratio{{{PERIOD}}}"),
            NUMBER,
            decimals=2,
        ),
        number(
            "MRR growth ($period)",
            "All movements of MRR in the period, exchange rates apart / MRR at its start.",
            one(f"growth_mrr_growth_ratio{{{PERIOD}}}"),
            RATIO,
            decimals=1,
        ),
        number(
            "Stickiness",
            "Daily / monthly active users.",
            one("growth_stickiness_ratio"),
            RATIO,
            decimals=1,
        ),
        number(
            "NPS ($period)", "100 x (promoters - detractors) / respondents.", one(f"growth_nps{{{PERIOD}}}"), NUMBER
        ),
    ):
        board.with_panel(panel)


def _customers(board: Dashboard) -> None:
    board.with_row(Row("Customers"))
    for panel in (
        course(
            "Customers and subscribers",
            "Customers present, and those of them with MRR.",
            {"customers": one("growth_customers"), "subscribers": one("growth_subscribers")},
            COUNT,
        ),
        course(
            "Gained and lost ($period)",
            "Absent at the start and present at the end of the period, and the reverse (as a negative number).",
            {
                "gained": one(f"growth_customers_gained{{{PERIOD}}}"),
                "lost": "-" + one(f"growth_customers_lost{{{PERIOD}}}"),
            },
            COUNT,
        ),
        course(
            "Churn against its target ($period)",
            "Customers and subscribers lost / at start, with the target customer_churn_ratio if one is set.",
            {
                "customers": one(f"growth_customer_churn_ratio{{{PERIOD}}}"),
                "subscribers": one(f"growth_subscriber_churn_ratio{{{PERIOD}}}"),
                "target": one('growth_target{target="customer_churn_ratio"}'),
            },
            RATIO,
        ),
        course(
            "Why customers left ($period)",
            "Customers who left in the period, by the reason of what ended their presence.",
            {"{{reason}}": one(f"growth_customers_churned{{{PERIOD}}}")},
            COUNT,
            stacked=True,
        ),
    ):
        board.with_panel(panel)


def _revenue(board: Dashboard) -> None:
    board.with_row(Row("Revenue"))
    for panel in (
        course(
            "MRR ($currency)",
            "Monthly recurring revenue, converted at today's rates.",
            {"MRR": one("growth_mrr")},
            MONEY,
        ),
        course(
            "MRR movements ($period, $currency)",
            "What changed MRR in the period: at start + all movements = at end.",
            {"{{movement}}": one(f"growth_mrr_movement{{{PERIOD}}}")},
            MONEY,
            stacked=True,
        ),
        course(
            "MRR churn and revenue retention ($period)",
            "Losses / MRR at start, and what was kept of the MRR at start.",
            {
                "churn, {{kind}}": one(f"growth_mrr_churn_ratio{{{PERIOD}}}"),
                "retention, {{kind}}": one(f"growth_revenue_retention_ratio{{{PERIOD}}}"),
            },
            RATIO,
        ),
        course(
            "Cash ($period, $currency)",
            "Succeeded payments by kind, and refunds (as a negative number).",
            {
                "{{kind}}": one(f"growth_revenue{{{PERIOD}}}"),
                "refunds": "-" + one(f"growth_refunds{{{PERIOD}}}"),
            },
            MONEY,
        ),
    ):
        board.with_panel(panel)


def _engagement(board: Dashboard) -> None:
    board.with_row(Row("Engagement"))
    for panel in (
        course(
            "Active users",
            "Users active in the 1, 7 and 30 days that end today, and on two or more of the 30.",
            {
                "daily": one("growth_daily_active_users"),
                "weekly": one("growth_weekly_active_users"),
                "monthly": one("growth_monthly_active_users"),
                "repeat": one("growth_repeat_users"),
            },
            COUNT,
        ),
        course(
            "Sessions ($period)",
            "Sessions in the period.",
            {"sessions": one(f"growth_sessions{{{PERIOD}}}")},
            COUNT,
            width=6,
        ),
        course(
            "Mean session ($period)",
            "Mean duration of the period's sessions.",
            {"mean": one(f"growth_session_duration_seconds_mean{{{PERIOD}}}")},
            SECONDS,
            width=6,
        ),
    ):
        board.with_panel(panel)


def _voice(board: Dashboard) -> None:
    board.with_row(Row("Voice of the customer"))
    error = one(f"growth_nps_standard_error{{{PERIOD}}}")
    nps = one(f"growth_nps{{{PERIOD}}}")
    for panel in (
        course(
            "NPS ($period)",
            "Net promoter score with the band of two standard errors around it.",
            {"nps": nps, "upper": f"{nps} + 2 * {error}", "lower": f"{nps} - 2 * {error}"},
            NUMBER,
        ),
        course(
            "Service ($period)",
            "Satisfied answers, easy answers, and questions resolved at first contact, of all answers.",
            {
                "satisfied (csat)": one(f"growth_csat_ratio{{{PERIOD}}}"),
                "easy (ces)": one(f"growth_ces_easy_ratio{{{PERIOD}}}"),
                "resolved (fcr)": one(f"growth_first_contact_resolution_ratio{{{PERIOD}}}"),
            },
            RATIO,
        ),
    ):
        board.with_panel(panel)


def _pipeline(board: Dashboard) -> None:
    board.with_row(Row("Pipeline"))
    for panel in (
        number(
            "Exporter reads Redis", "Whether the last scrape could read the tables.", one("growth_redis_up"), BOOLEAN
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
        course(
            "Events by outcome",
            "Events per second by what became of them.",
            {"{{outcome}}": f"sum by (outcome) (rate(growth_events_total{{{WORKER}}}[$__rate_interval]))"},
            PER_SECOND,
            width=8,
        ),
        course(
            "Lag by topic",
            "Records not yet counted.",
            {"{{topic}}": "topic:growth_consumer_lag:sum"},
            COUNT,
            width=8,
        ),
        course(
            "Commit duration",
            "Median and 99th percentile of one shard's transaction.",
            {
                "p50": _quantile("0.5", "growth_commit_duration_seconds"),
                "p99": _quantile("0.99", "growth_commit_duration_seconds"),
            },
            SECONDS,
            width=8,
        ),
    ):
        board.with_panel(panel)


def _quantile(quantile: str, histogram: str) -> str:
    return f"histogram_quantile({quantile}, sum by (le) (rate({histogram}_bucket{{{WORKER}}}[$__rate_interval])))"


def rendered() -> str:
    """Give the dashboard's JSON, the same text for the same code."""
    board = overview().build()
    # Links to a panel name its id, and rows would all have 0.
    for identity, panel in enumerate(board.panels or [], start=1):
        panel.id_val = identity
    return JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False).encode(board) + "\n"


def main() -> int:
    """Write the JSON, or with --check say whether it is fresh."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 if the JSON is not fresh")
    fresh = rendered()
    if not parser.parse_args().check:
        TARGET.write_text(fresh, encoding="utf-8")
        return 0
    if TARGET.read_text(encoding="utf-8") == fresh:
        return 0
    print(f"{TARGET} is not what overview.py makes: run `python {Path(__file__).name}` in {Path(__file__).parent}.")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
