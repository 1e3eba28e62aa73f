"""How many series the growth metrics are, group by group and setting by setting, as tables in Markdown."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from aggregators.metrics.reading import Reading
from aggregators.tables.opening import open_tables
from exporters.collector import GROUPS
from exporters.growth import Growth
from exporters.report import as_exposition
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
    "`SEGMENT_LIMIT=200`, `SEGMENT_PERIODS` all 14, `COHORT_MONTHS=36`": {
        "segment_limit": 200,
        "segment_periods": PERIODS,
        "cohort_months": 36,
    },
}
ROUNDS = 3
_OPEN = ("segments", "cohorts")
"""The groups that settings make larger or smaller."""


def page(settings: Settings) -> str:
    """Count, and write two tables: groups with the defaults, and settings."""
    counts = dict(zip(VARIANTS, _counted(settings), strict=True))
    defaults, _ = counts["defaults"]
    lines = ["| group | series |", "| --- | ---: |"]
    lines += [f"| {group} | {defaults[group]:,} |" for group in GROUPS]
    lines += [f"| **all** | **{defaults.total():,}** |", ""]
    lines += ["| settings | segments | cohorts | all others | total | CPU seconds a scrape |"]
    lines += ["| --- | ---: | ---: | ---: | ---: | ---: |"]
    for name, (found, seconds) in counts.items():
        cells = [*(found[group] for group in _OPEN), found.total() - sum(found[group] for group in _OPEN)]
        lines.append(f"| {name} | {' | '.join(f'{cell:,}' for cell in (*cells, found.total()))} | {seconds:.2f} |")
    return "\n".join(lines)


def _counted(settings: Settings) -> Iterator[tuple[Counter[str], float]]:
    """Count each variant's samples of today by group, and give the CPU seconds of the quickest of three scrapes."""
    plain = metric_settings(settings)
    growth = Growth(open_tables(settings.redis).reader(), partitions=settings.partitions, settings=plain, patience=60)
    with growth.at(today(settings)) as reading:
        for changes in VARIANTS.values():
            its_settings, seconds = msgspec.structs.replace(plain, **changes), []
            for _ in range(ROUNDS):
                began = time.process_time()
                its = Reading(reading.book, its_settings, reading.as_of)
                found = {group: [metric.family(its) for metric in metrics] for group, metrics in GROUPS.items()}
                as_exposition([family for families in found.values() for family in families if family.samples])
                seconds.append(time.process_time() - began)
            counts = {group: sum(len(family.samples) for family in families) for group, families in found.items()}
            yield Counter(counts), min(seconds)
    growth.close()
