"""The few kinds of panels that the dashboards are made of, so that all of them look and behave alike."""

from __future__ import annotations

from collections.abc import Mapping

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    DataSourceRef,
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import Threshold, ThresholdsMode

DATASOURCE = DataSourceRef(type_val="prometheus", uid="growthgauge-prometheus")
"""The uid that deploy/grafana/provisioning gives it."""

COUNT = "locale"
RATIO = "percentunit"
MONEY = "locale"
NUMBER = "none"
SECONDS = "s"
PER_SECOND = "reqps"
BOOLEAN = "bool_yes_no"

StatPanel = stat.Panel
TimePanel = timeseries.Panel


def one(selector: str) -> str:
    """Read a growth metric so that a second exporter, or one on another address, changes nothing."""
    return f"max without (instance) ({selector})"


def number(
    title: str, description: str, expr: str, unit: str, *, width: int = 4, decimals: int | None = None
) -> StatPanel:
    """Make a panel with one current value and its course behind it."""
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .span(width)
        .height(4)
        .graph_mode(BigValueGraphMode.AREA)
        .color_mode(BigValueColorMode.VALUE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps([Threshold(color="text")]))
        .with_target(prometheus.Dataquery().expr(expr).ref_id("A"))
    )
    return panel if decimals is None else panel.decimals(decimals)


def course(
    title: str, description: str, queries: Mapping[str, str], unit: str, *, width: int = 12, stacked: bool = False
) -> TimePanel:
    """Make a panel of lines (stacked: bars) over time, from legend to expression."""
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
        .show_points(VisibilityMode.NEVER)
        .stacking(common.StackingConfig().mode(StackingMode.NORMAL if stacked else StackingMode.NONE).group("A"))
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    )
    for at, (legend, expr) in enumerate(queries.items()):
        panel.with_target(prometheus.Dataquery().expr(expr).legend_format(legend).ref_id(chr(ord("A") + at)))
    return panel
