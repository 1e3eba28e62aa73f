"""The demo company: the same from one seed whenever it is asked, in order, and believable."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from functools import cache

import msgspec

from growthgauge.local.demo.company import HISTORY_DAYS, Company
from growthgauge.local.demo.feed import RATES, SEED
from growthgauge.local.demo.life import DAY_MS, Event
from streams.decoding.decode import decode

FIRST = dt.date(2024, 3, 1)
START = int(dt.datetime(2024, 3, 1, tzinfo=dt.UTC).timestamp() * 1000)
END = START + HISTORY_DAYS * DAY_MS


@cache
def history() -> tuple[Event, ...]:
    """Generate all of it once."""
    return tuple(Company(SEED, FIRST).events(START, END))


def test_any_stretch_of_time_is_the_same_whenever_it_is_asked_for():
    """A feed that was ended anywhere goes on with exactly the events that are missing."""
    fresh = Company(SEED, FIRST)
    since, until = START + 300 * DAY_MS + 12_345, START + 302 * DAY_MS + 999
    stretch = list(fresh.events(since, until))
    assert stretch
    assert stretch == [event for event in history() if since <= event["occurred_at"] < until]
    parts = [*fresh.events(START, since), *fresh.events(since, until)]
    assert parts == [event for event in history() if event["occurred_at"] < until]


def test_another_seed_is_another_company():
    """All chance comes from the seed."""
    other = list(Company(SEED + 1, FIRST).events(START, START + 100 * DAY_MS))
    assert other != [event for event in history() if event["occurred_at"] < START + 100 * DAY_MS]


def test_events_come_in_order_and_are_named_once():
    """Instants never fall, and no id is used twice for a customer and type."""
    instants = [event["occurred_at"] for event in history()]
    assert instants == sorted(instants)
    names = Counter((event["customer_id"], event["type"], event["id"]) for event in history())
    assert max(names.values()) == 1


def test_the_history_is_large_enough_to_be_believed_and_small_enough_to_load():
    """Two years hold every kind of event that the metrics know, within what loads in well under a minute."""
    events = history()
    assert 150_000 < len(events) < 450_000
    kinds = Counter(event["type"] for event in events)
    assert kinds.keys() == {"signup", "payment", "cancellation", "session", "survey", "expense"}
    payments = [event for event in events if event["type"] == "payment"]
    assert {event.get("status", "succeeded") for event in payments} == {"succeeded", "failed", "refunded"}
    assert {event["currency"] for event in payments} == {"USD", "EUR"} == {*RATES, "USD"}
    assert any("recurring_amount" in event for event in payments), "upgrades are prorated"
    signups = [event for event in events if event["type"] == "signup"]
    for attribute in ("plan", "country", "channel", "owner", "trial_ends_at"):
        assert any(attribute in event for event in signups)
    assert len({event["reason"] for event in events if event["type"] == "cancellation"}) > 3
    assert {event["kind"] for event in events if event["type"] == "survey"} == {"nps", "csat", "ces", "fcr"}


def test_live_traffic_is_slow_enough_to_be_left_on_for_days():
    """A day has some ten thousand events: the broker's memory grows by a few megabytes, and the page still moves."""
    days = Counter(event["occurred_at"] // DAY_MS for event in history()[-100_000:])
    last = [days[day] for day in sorted(days)[-7:]]
    assert min(last) > 2_000
    assert max(last) < 30_000


def test_every_event_is_accepted():
    """The demo follows the contract: nothing of it ends among the dead letters."""
    values = [msgspec.json.encode(event) for event in history()[::7]]
    rejected = decode_all(values)
    assert rejected == []


def decode_all(values: list[bytes]) -> list[str]:
    """Decode events as a worker with one partition would, and give the messages of those rejected."""
    timestamps = [END + 365 * 8 * DAY_MS] * len(values)
    decoded = decode(values, timestamps, partition=0, partitions=1, accept_from=0, allowed_skew_ms=0)
    return [reject.message for reject in decoded.rejects]
