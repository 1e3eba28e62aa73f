"""What the dashboards have in common: names, links, variables, annotations, and how fresh their numbers are."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import (
    AnnotationQuery,
    CustomVariable,
    Dashboard,
    DashboardLink,
    QueryVariable,
)
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    VariableHide,
    VariableOption,
    VariableRefresh,
    VariableSort,
)
from panels import DATASOURCE, in_period, now, state

TAG = "growthgauge"
EXPORTER = 'job="growthgauge-exporter"'
WORKER = 'job="growthgauge-worker"'
PERIODS = (
    *("day", "week", "month", "quarter", "year"),
    *("previous_day", "previous_week", "previous_month", "previous_quarter", "previous_year"),
    *("7d", "30d", "90d", "365d"),
)


def board(name: str, description: str) -> Dashboard:
    """Begin a dashboard; its uid is fixed, so that links to it stay."""
    return (
        Dashboard(f"growthgauge: {name}")
        .uid(uid(name))
        .description(description)
        .tags([TAG])
        .readonly()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .timezone("browser")
        .link(
            DashboardLink("growthgauge")
            .type(DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .as_dropdown(False)
            .include_vars(True)
            .keep_time(True)
        )
        .annotation(_lost())
    )


def business(name: str, description: str) -> Dashboard:
    """Begin a dashboard of growth metrics: a month of them, for a period of choice."""
    return (
        board(name, description)
        .time("now-30d", "now")
        .refresh("30s")
        .annotation(_bound("start"))
        .annotation(_bound("end"))
        .with_variable(
            CustomVariable("period")
            .label("Period")
            .description("Calendar periods run up to today; previous ones are complete; the others end today.")
            .values(",".join(PERIODS))
            .options([VariableOption(selected=p == "30d", text=p, value=p) for p in PERIODS])
            .current(VariableOption(selected=True, text="30d", value="30d"))
        )
        .with_variable(
            # Whole days: the shorter day of a change of the clock is one, too.
            _asked(
                "window",
                "query_result(round((max(growth_period_end_timestamp_seconds{period='$period'})"
                " - max(growth_period_start_timestamp_seconds{period='$period'})) / 86400) or vector(30))",
            )
            .regex(r"/\{\} (\d+) /")
            .hide(VariableHide.HIDE_VARIABLE)
        )
        .with_variable(
            _asked("currency", "label_values(growth_reporting_currency_info, currency)").hide(
                VariableHide.HIDE_VARIABLE
            )
        )
        .with_panel(open_or_complete())
        .with_panel(live_or_not())
    )


def segments(begun: Dashboard) -> Dashboard:
    """Add the variables that choose a dimension, some of its segments, and one of the periods that segments have."""
    return (
        begun.with_variable(
            _asked("dimension", "label_values(growth_segment_customers, dimension)")
            .label("Dimension")
            .description("What customers are told apart by.")
        )
        .with_variable(
            _asked("segment", "label_values(growth_segment_customers{dimension='$dimension'}, segment)")
            .label("Segment")
            .description("Values of the dimension; `other` is all beyond the setting SEGMENT_LIMIT.")
            .multi(True)
            .include_all(True)
            .all_value(".*")
            .current(VariableOption(selected=True, text="All", value="$__all"))
        )
        .with_variable(
            _asked("segment_period", "label_values(growth_segment_customers_new, period)")
            .label("Segments' period")
            .description("Segments have the periods of the setting SEGMENT_PERIODS.")
        )
    )


def uid(name: str) -> str:
    """Give a dashboard's uid."""
    return f"growthgauge-{name}"


def to(name: str) -> list[DashboardLink]:
    """Link a panel to the dashboard that says more, for the same time and period."""
    url = f"/d/{uid(name)}?${{__url_time_range}}&${{period:queryparam}}"
    return [DashboardLink(f"More: {name}").type(DashboardLinkType.LINK).url(url)]


def open_or_complete() -> Stat:
    """Say whether the period may still change."""
    return state(
        "Period $period",
        "An open period ends later than now: its counts still grow. A complete one changes only by late events.",
        f"{now(in_period('growth_period_end_timestamp_seconds'))} <= bool time()",
        "complete",
        "open",
    )


def live_or_not() -> Stat:
    """Say whether the numbers are those of now."""
    return state(
        "Numbers",
        "Live while Prometheus reaches an exporter that reads the tables. Otherwise the last ones known are shown.",
        f"max(growth_redis_up{{{EXPORTER}}}) or vector(0)",
        "live",
        "not live",
    )


def _asked(name: str, query: str) -> QueryVariable:
    return (
        QueryVariable(name)
        .datasource(DATASOURCE)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )


def _bound(which: str) -> AnnotationQuery:
    return _mark(
        f"Period's {which}",
        f'max by (period) (growth_period_{which}_timestamp_seconds{{period="$period"}}) * 1000',
        "blue",
        f"The period {{{{period}}}}: its {which}",
    ).use_value_for_time(True)


def _lost() -> AnnotationQuery:
    return _mark(
        "Records lost",
        f"sum by (topic) (increase(growth_records_lost_total{{{WORKER}}}[$__rate_interval])) > 0",
        "red",
        "Kafka deleted records of {{topic}} before they were counted",
    )


def restarts() -> AnnotationQuery:
    """Mark when a worker began anew."""
    return _mark(
        "Worker restarted",
        f"sum by (instance) (resets(growth_commit_duration_seconds_count{{{WORKER}}}[$__rate_interval])) > 0",
        "orange",
        "The worker {{instance}} has begun anew",
    )


def _mark(name: str, expr: str, color: str, text: str) -> AnnotationQuery:
    return (
        AnnotationQuery().name(name).datasource(DATASOURCE).enable(True).icon_color(color).expr(expr).title_format(text)
    )
