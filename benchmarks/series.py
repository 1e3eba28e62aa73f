"""How many series the growth metrics are, group by group and setting by setting, as tables in Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from aggregators.metrics.reading import Reading
from aggregators.tables import open_tables
from exporters.collector import GROUPS
from exporters.growth import Growth
from growthgauge.settings import DIMENSIONS, PERIODS, Settings
from growthgauge.wiring import metric_settings, today

VARIANTS: dict[str, Mapping[str, Any]] = {
    "defaults": {},
    "`DIMENSIONS` none": {"dimensions": ()},
    "`DIMENSIONS=plan`": {"dimensions": DIMENSIONS[:1]},
    "`DIMENSIONS=plan,country`": {"dimensions": DIMENSIONS[:2]},
    "`SEGMENT_LIMIT=10`": {"segment_limit": 10},
    "`SEGMENT_LIMIT=200`": {"segment_limit": 200},
    "`SEGMENT_PERIODS=month`": {"segment_periods": ("month",)},
    "`SEGMENT_PERIODS` all 14": {"segment_periods": PERIODS},
    "`COHORT_MONTHS=24`": {"cohort_months": 24},
    "`COHORT_MONTHS=36`": {"cohort_months": 36},
    "`SEGMENT_LIMIT=200` and `SEGMENT_PERIODS` all 14": {"segment_limit": 200, "segment_periods": PERIODS},
}
_OPEN = ("segments", "cohorts")
"""The groups that settings make larger or smaller."""


def page(settings: Settings) -> str:
    """Count, and write two tables: groups with the defaults, and settings."""
    counts = dict(zip(VARIANTS, _counted(settings), strict=True))
    defaults = counts["defaults"]
    lines = ["| group | series |", "| --- | ---: |"]
    lines += [f"| {group} | {defaults[group]:,} |" for group in GROUPS]
    lines += [f"| **all** | **{defaults.total():,}** |", ""]
    lines += ["| settings | segments | cohorts | all others | total |", "| --- | ---: | ---: | ---: | ---: |"]
    for name, found in counts.items():
        cells = [*(found[group] for group in _OPEN), found.total() - sum(found[group] for group in _OPEN)]
        lines.append(f"| {name} | {' | '.join(f'{cell:,}' for cell in (*cells, found.total()))} |")
    return "\n".join(lines)


def _counted(settings: Settings) -> Iterator[Counter[str]]:
    """Count each variant's samples of today by group."""
    plain = metric_settings(settings)
    growth = Growth(open_tables(settings.redis).reader(), partitions=settings.partitions, settings=plain, patience=60)
    with growth.at(today(settings)) as reading:
        for changes in VARIANTS.values():
            its = Reading(reading.book, msgspec.structs.replace(plain, **changes), reading.as_of)
            yield Counter(
                {group: sum(len(metric.family(its).samples) for metric in metrics) for group, metrics in GROUPS.items()}
            )
    growth.close()
