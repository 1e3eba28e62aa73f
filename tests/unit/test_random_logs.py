"""Random logs keep the reference's books, and hit every rule."""

import pytest

from tests.support.random_logs import SETTINGS, as_of_days, doubled, random_log, shuffled
from tests.support.reference import Reference, Settings
from tests.support.reference.examples import get


@pytest.mark.parametrize("variant", range(len(SETTINGS)))
def test_they_keep_the_books(variant: int) -> None:
    """Order and copies change nothing; start, movements and end add up; so do start, gained, lost and end."""
    settings = SETTINGS[variant]
    log = random_log(variant, 12, settings["time_zone"])
    book = Reference(log, Settings(**settings))
    twin = Reference(doubled(shuffled(log, variant), variant), Settings(**settings))
    for day in as_of_days(variant):
        samples = book.metrics(day)
        assert samples == twin.metrics(day)
        moved = sum(
            value
            for (name, labels), value in samples.items()
            if name == "growth_mrr_movement" and ("period", "quarter") in labels
        )
        of = lambda name, **labels: get(samples, name, **labels)  # noqa: B023, E731
        assert of("mrr_at_start", period="quarter") + moved == of("mrr")
        change = of("customers_gained", period="365d") - of("customers_lost", period="365d")
        assert of("customers_at_start", period="365d") + change == of("customers")


def test_they_hit_the_rules() -> None:
    """Every reason, movement, due and outcome occurs in a handful of logs."""
    seen: set[tuple[str, str]] = set()
    for seed, settings in enumerate(SETTINGS):
        book = Reference(random_log(seed, 25, settings["time_zone"]), Settings(**settings))
        for day in as_of_days(seed):
            for (name, labels), value in book.metrics(day).items():
                texts = {text for label, text in labels if label != "period" and value}
                seen |= {(name.removeprefix("growth_"), text) for text in texts}
    reasons = {"payment_failed", "lapsed", "trial_ended", "inactive", "price", "unspecified"}
    assert {("customers_churned", reason) for reason in reasons} <= seen
    assert ("mrr_churned", "downgrade") in seen
    movements = {"new", "expansion", "contraction", "churn", "reactivation", "fx"}
    assert {("mrr_movement", movement) for movement in movements} <= seen
    assert {("currency_unconverted", "CHF"), ("revenue", "one_time"), ("users_lifecycle", "new")} <= seen
    assert {("survey_responses", "detractor"), ("survey_responses", "unresolved"), ("expense", "retention")} <= seen


def test_without_steps_in_rates_nothing_is_left_over() -> None:
    """With one rate for all days the books of all segments balance without `fx`."""
    for seed in range(3):
        settings = {**SETTINGS[seed], "rates": {"EUR": {"2024-01-01": "1.1"}}}
        book = Reference(random_log(seed, 12, settings["time_zone"]), Settings(**settings))
        for day in as_of_days(seed):
            left_over = {
                key: value for key, value in book.metrics(day).items() if ("movement", "fx") in key[1] and value != 0
            }
            assert left_over == {}
