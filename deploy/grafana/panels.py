"""The few kinds of panels that the dashboards are made of, so that all of them look and behave alike."""

from __future__ import annotations

from collections.abc import Mapping

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BigValueColorMode,
    BigValueGraphMode,
    DataSourceRef,
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TableCellBackgroundDisplayMode,
    TableColoredBackgroundCellOptions,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)

DATASOURCE = DataSourceRef(type_val="prometheus", uid="growthgauge-prometheus")
"""The uid that deploy/grafana/provisioning gives it."""

COUNT = "locale"
RATIO = "percentunit"
MONEY = "locale"
NUMBER = "none"
SECONDS = "s"
DAYS = "d"
PER_SECOND = "reqps"
BYTES = "bytes"
BOOLEAN = "bool_yes_no"

A_DAY = 25 * 3_600_000
"""Milliseconds: history filled in afterwards has one value a day, and a day may have 25 hours."""
BAND = "rgba(128, 128, 128, 0.5)"

Queries = Mapping[str, str]
"""From legend to expression."""


def now(selector: str) -> str:
    """Read a growth metric as it is, so that a second exporter, or one on another address, changes nothing."""
    return f"max without (instance) ({selector})"


def past(selector: str, offset: str = "") -> str:
    """Read a growth metric over time: also where there is one value a day, at whatever hour the day ends."""
    return f"max without (instance) (last_over_time({selector}[$__rate_interval]{offset}))"


def in_period(metric: str, **labels: str) -> str:
    """Select a metric of the period that the dashboard is set to."""
    matchers = (f'{label}="{value}"' for label, value in {"period": "$period", **labels}.items())
    return f"{metric}{{{', '.join(matchers)}}}"


def before(metric: str) -> str:
    """Read what a metric was in the period before: the complete one of a calendar kind, or one length ago."""
    previous = past(f'{metric}{{period="previous_$period"}}')
    earlier = past(in_period(metric), " offset ${window}d")
    return f"max without (period) ({previous}) or max without (period) ({earlier})"


def of_first_month(metric: str) -> str:
    """Divide what a cohort has in each month by what it had in its first."""
    first = now(f'{metric}{{month="0"}}')
    return f"{now(metric)} / on (cohort) group_left () ({first} > 0)"


def target(name: str) -> str:
    """Read a target; there is none unless the setting `TARGETS` names it."""
    return f'max(growth_target{{target="{name}"}})'


def number(
    title: str,
    description: str,
    expr: str,
    unit: str,
    *,
    beside: Queries | None = None,
    width: int = 4,
    decimals: int | None = None,
) -> stat.Panel:
    """Make a panel with one current value and its course, and perhaps others to compare it with."""
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .span(width)
        .height(5 if beside else 4)
        .graph_mode(BigValueGraphMode.AREA)
        .color_mode(BigValueColorMode.VALUE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .thresholds(_plain())
    )
    _ask(panel, {"now": expr, **(beside or {})})
    return panel if decimals is None else panel.decimals(decimals)


def state(title: str, description: str, expr: str, yes: str, no: str, *, width: int = 4) -> stat.Panel:
    """Make a panel that says which of two states there is: 1 is `yes`, 0 is `no` and drawn in orange."""
    texts = {"1": ValueMappingResult(text=yes, color="green"), "0": ValueMappingResult(text=no, color="orange")}
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(NUMBER)
        .span(width)
        .height(4)
        .graph_mode(BigValueGraphMode.NONE)
        .color_mode(BigValueColorMode.VALUE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .thresholds(_plain())
        .mappings([ValueMap(options=texts)])
        .no_value("no data")
    )
    return panel.with_target(prometheus.Dataquery().expr(expr).instant().ref_id("A"))


def course(
    title: str,
    description: str,
    queries: Queries,
    unit: str,
    *,
    width: int = 12,
    stacked: bool = False,
    gaps: bool = False,
) -> timeseries.Panel:
    """Make a panel of lines (stacked: bars) over time; lines go on over less than a day unless gaps are to show."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .span(width)
        .height(8)
        .line_width(2)
        .fill_opacity(60 if stacked else 8)
        .draw_style(GraphDrawStyle.BARS if stacked else GraphDrawStyle.LINE)
        .show_points(VisibilityMode.NEVER if gaps else VisibilityMode.AUTO)
        .span_nulls(False if gaps else A_DAY)
        .stacking(common.StackingConfig().mode(StackingMode.NORMAL if stacked else StackingMode.NONE).group("A"))
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
        .override_by_name("target", [_override("custom.lineStyle", {"fill": "dash", "dash": [8, 8]})])
        .override_by_regexp("^(upper|lower)$", [_override("color", {"mode": "fixed", "fixedColor": BAND})])
    )
    _ask(panel, queries)
    return panel


def bars(title: str, description: str, queries: Queries, unit: str, *, width: int = 12) -> bargauge.Panel:
    """Make a panel with a bar for each current value."""
    panel = (
        bargauge.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .span(width)
        .height(8)
        .orientation(VizOrientation.HORIZONTAL)
        .display_mode(BarGaugeDisplayMode.BASIC)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .thresholds(_plain("blue"))
    )
    _ask(panel, queries, instant=True)
    return panel


def matrix(title: str, description: str, expr: str, unit: str) -> table.Panel:
    """Make a heat map of cohorts: a row for each, a column for each month of its age."""
    return (
        _table(title, description, unit, 24)
        .cell_options(TableColoredBackgroundCellOptions(mode=TableCellBackgroundDisplayMode.BASIC))
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.CONTINUOUS_BL_PU))
        .override_by_name("cohort\\month", [_override("custom.cellOptions", {"type": "auto"})])
        .with_target(_instant_table(expr, "A"))
        # As text month 10 would come before month 2; a stable sort leaves cohorts in order within a month.
        .with_transformation(_step("sortBy", sort=[{"field": "cohort"}]))
        .with_transformation(
            _step("convertFieldType", conversions=[{"targetField": "month", "destinationType": "number"}])
        )
        .with_transformation(_step("sortBy", sort=[{"field": "month"}]))
        .with_transformation(
            _step("groupingToMatrix", columnField="month", rowField="cohort", valueField="Value", emptyValue="empty")
        )
    )


def rows(
    title: str, description: str, key: str, columns: Mapping[str, tuple[str, str]], *, width: int = 24
) -> table.Panel:
    """Make a table with a row for each value of a label, and columns from their head to expression and unit."""
    panel = _table(title, description, NUMBER, width)
    names, hidden = {}, {"Time": True, "job": True, "dimension": True, "period": True}
    for letter, (head, (expr, unit)) in zip("ABCDEFGH", columns.items(), strict=False):
        panel.with_target(_instant_table(expr, letter)).override_by_name(head, [_override("unit", unit)])
        names[f"Value #{letter}"] = head
    order = {name: place for place, name in enumerate((key, *names))}
    return panel.with_transformation(_step("merge")).with_transformation(
        _step("organize", excludeByName=hidden, renameByName=names, indexByName=order)
    )


def _table(title: str, description: str, unit: str, width: int) -> table.Panel:
    return table.Panel().title(title).description(description).datasource(DATASOURCE).unit(unit).span(width).height(11)


def _instant_table(expr: str, letter: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(expr).instant().format("table").ref_id(letter)


def _ask(panel: stat.Panel | timeseries.Panel | bargauge.Panel, queries: Queries, *, instant: bool = False) -> None:
    for letter, (legend, expr) in zip("ABCDEFGHIJKL", queries.items(), strict=False):
        query = prometheus.Dataquery().expr(expr).legend_format(legend).ref_id(letter)
        panel.with_target(query.instant() if instant else query)


def _step(identity: str, **options: object) -> DataTransformerConfig:
    return DataTransformerConfig(id_val=identity, options=options)


def _override(identity: str, value: object) -> DynamicConfigValue:
    return DynamicConfigValue(id_val=identity, value=value)


def _plain(color: str = "text") -> dashboard.ThresholdsConfig:
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps([Threshold(color=color)])
