"""Series and seconds of a scrape on which every open label has more values than are shown."""

import json
import time
from collections import Counter
from itertools import product

import pytest
from prometheus_client import generate_latest

from aggregators.facts import CALENDAR_WINDOWS, MEASURES, ROLLING_WINDOWS, key
from aggregators.metrics import MetricSettings
from aggregators.metrics.revenue import MOVEMENTS
from aggregators.rates import Rates
from aggregators.rules import DIMENSIONS
from aggregators.tables.memory import Tables
from exporters.collector import make_registry
from exporters.growth import Growth
from tests.unit.exporter_facts import AS_OF, put, settings

VALUES = tuple(f"value-{number:02}" for number in range(60))
CURRENCIES = ("EUR", "GBP", "USD")
LABELS = {
    "dimension": DIMENSIONS,
    "segment": VALUES,
    "plan": VALUES,
    "reason": VALUES,
    "currency": CURRENCIES,
    "movement": (*MOVEMENTS, "left", "entered"),
    "window": (*CALENDAR_WINDOWS, *ROLLING_WINDOWS),
    "outcome": ("promoter", "passive", "detractor"),
    "cohort": tuple(f"{year}-{month:02}" for year in (2024, 2025, 2026) for month in range(1, 13)),
}
"""Labels not named here have a value or two."""
SCRAPE_SECONDS = 1.0
SERIES = 50_000


@pytest.fixture(scope="module")
def tables() -> Tables:
    """Facts of every measure under every combination of labels, on days of two years."""
    facts = {}
    for measure, definition in MEASURES.items():
        values = [LABELS.get(label, ("7", "30")) for label in definition.labels]
        if measure == "mrr":
            values[0] = MOVEMENTS
        amount = 1 if measure.startswith("void_") else 1_000_000
        facts |= {key(measure, *labels): amount for labels in product(*values)}
    filled = Tables()
    put(filled, 0, {AS_OF - back: facts for back in (700, 400, 40, 5, 0)})
    return filled


def growth_of(tables: Tables, **changes: object) -> Growth:
    """Open the tables, with rates for every currency."""
    steps = {f"{year}-{month:02}-01": "1.25" if month > 6 else "1.2" for year in (2024, 2025, 2026) for month in (1, 7)}
    rates = Rates.parse(json.dumps({"EUR": steps, "GBP": steps}), "the test")
    given = MetricSettings(zone=settings().zone, rates=rates, **changes)
    return Growth(tables.reader(), partitions=2, settings=given, patience=60)


def series(growth: Growth) -> Counter[str]:
    """Count samples by metric."""
    return Counter({family.name: len(family.samples) for family in growth.families(AS_OF)})


def test_by_default_a_scrape_of_everything_stays_small_and_quick(tables: Tables):
    """All four dimensions with fifty segments and `other` each: under 50,000 series and a second of work."""
    growth = growth_of(tables)
    found = series(growth)
    assert found["growth_segment_customers"] == len(DIMENSIONS) * 51
    assert found["growth_segment_mrr_movement"] == len(DIMENSIONS) * 51 * 3 * 8
    assert found.total() < SERIES
    registry, seconds = make_registry(growth, lambda: AS_OF), []
    for _ in range(3):
        began = time.process_time()
        text = generate_latest(registry)
        seconds.append(time.process_time() - began)
    assert text.count(b"\n") > found.total()
    assert min(seconds) < SCRAPE_SECONDS


def test_a_segment_costs_what_the_guide_says(tables: Tables):
    """Three series, and twelve for each of its periods."""
    for periods in (("month",), ("month", "previous_month", "30d")):
        found = series(growth_of(tables, segment_periods=periods, segment_limit=10))
        by_segment = sum(count for name, count in found.items() if name.startswith("growth_segment_"))
        assert by_segment == len(DIMENSIONS) * 11 * (3 + 12 * len(periods))


def test_cohorts_cost_what_the_guide_says(tables: Tables):
    """Two series for each month of each: n x (n + 1) of n."""
    for months in (12, 27):
        found = series(growth_of(tables, cohort_months=months))
        assert found["growth_cohort_customers"] + found["growth_cohort_mrr"] == months * (months + 1)


def test_ten_thousand_values_of_an_open_label_are_other_beyond_the_limit():
    """Reasons and segments stay at the limit and `other`; plans and currencies have no limit, as the guide says."""
    many, currencies = 10_000, 300
    facts: dict[str, int] = {}
    for number in range(many):
        text, currency = f"value {number}", f"C{number % currencies:02X}"
        for name, labels in (
            ("churned", (text,)),
            ("mrr", ("churn", currency, text)),
            ("plan_subscriptions", (text,)),
            ("plan_mrr", (text, currency)),
            *(("segment_customers", (dimension, text)) for dimension in DIMENSIONS),
            *(("segment_churned", (dimension, text)) for dimension in DIMENSIONS),
            *(("segment_mrr", (dimension, text, "new", currency)) for dimension in DIMENSIONS),
        ):
            facts[key(name, *labels)] = 1_000_000
    for number in range(currencies):
        facts[key("mrr", "new", f"C{number:02X}", "")] = 10**12
    filled = Tables()
    put(filled, 0, {AS_OF - 5: facts})
    growth = Growth(filled.reader(), partitions=2, settings=MetricSettings(zone=settings().zone), patience=60)
    found = {family.name: family for family in growth.families(AS_OF)}
    for name in ("growth_customers_churned", "growth_mrr_churned"):
        shown = {sample.labels[1] for sample in found[name].samples}
        assert len(shown) == 51
        assert "other" in shown
        of_year = [sample.value for sample in found[name].samples if sample.labels[0] == "365d"]
        assert len(of_year) == 51
    churned = [sample.value for sample in found["growth_customers_churned"].samples if sample.labels[0] == "365d"]
    assert sum(churned) == many * 1_000_000
    by_segment = sum(len(family.samples) for name, family in found.items() if name.startswith("growth_segment_"))
    assert by_segment <= len(DIMENSIONS) * 51 * (3 + 12 * 3)
    assert len(found["growth_plan_subscriptions"].samples) == many
    assert len(found["growth_mrr_native"].samples) == len(found["growth_currency_unconverted"].samples) == currencies
    assert sum(len(family.samples) for family in found.values()) < SERIES
