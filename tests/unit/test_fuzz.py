"""Mutated records: none stops the decoder, each is accounted for once, and what they say is shown as it came."""

from __future__ import annotations

import os

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from aggregators.batch import fold_batch
from aggregators.calendar import Zone
from aggregators.events import Cancellation, Event, Payment, Sessions, Signup
from aggregators.facts import Facts
from aggregators.metrics import Book, MetricSettings, samples
from aggregators.rules import DIMENSIONS, Rules
from exporters import report
from growthgauge.sending.send import Router
from tests.support.fuzz import TOPICS, Findings, run
from tests.support.fuzz.maker import DAY, NOON, Maker
from tests.support.fuzz.showing import AS_OF, show_families
from tests.support.fuzz.strings import STRINGS

RECORDS = int(os.environ.get("GROWTHGAUGE_FUZZ", "3000"))
SEED = int(os.environ.get("GROWTHGAUGE_FUZZ_SEED", "0"))
ROUND = 50_000
"""Records of one seed: a long run takes the seeds after the first, and any round of it can be run alone."""
TEXTS = tuple(text for text in STRINGS if len(text) <= 128)


def test_mutated_records_are_accepted_or_rejected_once_and_shown_as_they_are():
    """In a batch and alone, folded in any order, in every form of the numbers: `tests/fuzz` says what must hold."""
    found = Findings()
    for number, start in enumerate(range(0, RECORDS, ROUND)):
        run(min(ROUND, RECORDS - start), SEED + number, shown_every=10, findings=found)
        print(f"\n{found.told()} (seeds {SEED} to {SEED + number})", flush=True)
        if found.wrong:
            break
    assert not found.wrong, "\n".join(text[:5000] for text in found.wrong[:3])
    assert found.records == RECORDS == found.accepted.total() + found.rejected.total()
    assert len(found.accepted) == len(found.rejected) == 6
    assert found.folded > RECORDS / 5


def test_the_maker_makes_the_same_records_again():
    """A record that breaks something can be had again from its seed."""
    one, other, third = ([maker.record() for _ in range(300)] for maker in (Maker(1), Maker(1), Maker(2)))
    assert one == other != third
    assert len(set(one)) > 250


def told(texts: tuple[str, ...]) -> list[Event]:
    """A customer for each text, who signs up, pays and leaves under that text."""
    found: list[Event] = []
    for number, text in enumerate(texts):
        envelope = {"customer_id": f"c-{number}", "occurred_at": NOON - DAY}
        said = text or None
        found += [
            Signup(id="s", **envelope, plan=said, country=said, channel=said, owner=said),
            Signup(id="s", **envelope | {"customer_id": f"stays-{number}"}, plan=said, country=said, owner=said),
            Payment(
                id="p",
                **envelope | {"customer_id": f"stays-{number}"},
                amount="10",
                recurring_amount="10",
                currency="USD",
                plan=said,
            ),
            Cancellation(id="c", **envelope, effective_at=NOON, reason=text or "unspecified"),
        ]
    return found


@pytest.fixture(scope="module")
def shown():
    """The metrics of all texts that an event may hold."""
    rules = Rules(zone=Zone("UTC"))
    folded = fold_batch(rules, Sessions.of(), told(TEXTS), {"users": {}, "customers": {}})
    assert set(folded.outcomes) == {"signup/accepted", "payment/accepted", "cancellation/accepted"}
    book = Book()
    book.update(0, Facts(folded.facts.days).days)
    return samples(book, MetricSettings(zone=rules.zone, segment_limit=10_000), AS_OF)


def test_a_label_is_what_an_event_said(shown):
    """Quotes, line breaks, separators, marks and 128 characters: parsed back, each text is there and no other."""
    said = {text for text in TEXTS if text}
    found: dict[tuple[str, str], set[str]] = {}
    for family in parse(report.as_exposition(shown)):
        for sample in family.samples:
            for label in ("plan", "reason", "segment"):
                if label in sample.labels:
                    where = sample.name, sample.labels.get("dimension", label)
                    found.setdefault(where, set()).add(sample.labels[label])
    assert found["growth_plan_subscriptions", "plan"] == said | {"unknown"}
    assert said <= found["growth_customers_churned", "reason"]
    for dimension in DIMENSIONS:
        assert found["growth_segment_customers", dimension] == said | {"unknown"}


def test_every_form_of_the_numbers_stands_every_text(shown):
    """Both formats for Prometheus, JSON, the table and the page."""
    few = [family for family in shown if {"plan", "reason"} & {*family.labels} or family.name == "growth_segment_mrr"]
    assert len(few) == 4
    assert show_families(few, (None, 60)) == []


def test_an_event_with_a_field_twice_is_sent_to_where_its_last_one_belongs():
    """As the worker reads it, whatever the first one holds, and whatever stands beside it."""
    line = b'{"customer_id": {}, "type": 5, "x": 1e999, "type": "payment", "customer_id": "acme"}'
    assert Router(TOPICS, 12)(line) == Router(TOPICS, 12)(b'{"type": "payment", "customer_id": "acme"}')


def test_no_record_that_is_json_is_told_to_be_none():
    """Half of the records are JSON objects, or there would be little to find behind the decoder."""
    maker = Maker(3)
    values = [maker.record() or b"" for _ in range(1000)]

    def is_json(value: bytes) -> bool:
        try:
            return isinstance(msgspec.json.Decoder(float_hook=float).decode(value), dict)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return False

    assert sum(map(is_json, values)) > 500
