"""What is stored, to the byte: ledgers of every kind, the layout in Redis, and the facts of one random log.

Whoever changes a byte of it makes every Redis that is in use unreadable, or read as something else; round trips agree
with themselves and do not notice. `python -m tests.unit.test_golden_ledgers` writes a new sample once the constant that
the failure names has been raised.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from aggregators import parts
from aggregators.batch import fold_batch, touched
from aggregators.calendar import DAY_MS, Zone
from aggregators.customers import long
from aggregators.events import Cancellation, Event, Expense, Payment, Session, Sessions, Signup, Survey
from aggregators.facts import Facts
from aggregators.refold import refold
from aggregators.rules import FOLD_VERSION, Rules
from aggregators.surveys import ledgers as answers
from aggregators.tables.door import Meta, Offset, Space
from aggregators.tables.redis import layout
from aggregators.users import heavy
from tests.support.differential import Product
from tests.support.random_logs import SETTINGS, random_log

GOLDEN = Path(__file__).parent / "golden" / "ledgers.json"
KEY = f"layout {layout.LAYOUT.decode()}, fold {FOLD_VERSION}"
RULES = Rules(zone=Zone("UTC"))
START = 20_000 * DAY_MS
SMALL = {(long, "CHUNK"): 1, (answers, "LONG"): 1, (parts, "ROWS"): 2, (heavy, "LIGHT"): 4, (heavy, "PART"): 2}
"""Sizes at which few events make every kind of part."""


def made(number: int, customer: str = "c", **more: Any) -> dict[str, Any]:
    """Give the envelope of an event."""
    at = START + number * 17 * DAY_MS + number * 3_600_000
    return {"id": f"e{number}", "customer_id": customer, "occurred_at": at, **more}


def billing(customer: str) -> list[Event]:
    """Give events of every kind of item, with every field."""
    at = START + 400 * DAY_MS
    plan: dict[str, Any] = {"currency": "EUR", "plan": "prö"}
    return [
        Signup(**made(0, customer), plan="pro", country="DE", channel="ads", owner="kim", trial_ends_at=at),
        Payment(**made(1, customer), amount="9.9", recurring_amount="9.9", **plan),
        Payment(**made(2, customer), amount="5", recurring_amount="120", interval="year", interval_count=2, **plan),
        Payment(**made(3, customer), amount="5", recurring_amount="5", status="failed", subscription_id="s", **plan),
        Payment(**made(4, customer, revision=3), amount="1", recurring_amount="1", covers_until=at, **plan),
        Payment(**made(5, customer, withdrawn=True), amount="1", recurring_amount="1", status="refunded", **plan),
        Cancellation(**made(6, customer), effective_at=at, reason="price"),
        Cancellation(**made(7, customer), effective_at=at + 1, subscription_id="s"),
    ]


def voices(customer: str) -> list[Event]:
    """Give answers of every kind and an expense."""
    return [
        Survey(**made(10, customer), kind="nps", score=9, user_id="ü"),
        Survey(**made(11, customer, revision=1), kind="nps", score=3, user_id="ü"),
        Survey(**made(12, customer), kind="csat", score=4, user_id="v"),
        Survey(**made(13, customer, withdrawn=True), kind="ces", score=4, user_id="v"),
        Expense(**made(14, customer), category="retention", amount="7.5", currency="EUR"),
    ]


def visits(customer: str, count: int) -> list[Session]:
    """Give sessions of two users, before 1970 and after, with and without features."""
    rows = [
        Session(f"s{n}", customer, f"u{n % 2}", START + n * 11 * DAY_MS + n, 1500 * n, n % 3, ("a", "b")[: n % 3])
        for n in range(count)
    ]
    return [*rows, Session("old", customer, "u0", -5 * DAY_MS - 1)]


class Store:
    """Ledgers as the tables hold them."""

    def __init__(self) -> None:
        """Start empty."""
        self.fields: dict[Space, dict[str, bytes]] = {"users": {}, "customers": {}}
        self.facts = Facts()

    def take(self, rows: Sequence[Session], events: Sequence[Event]) -> None:
        """Fold one batch."""
        sessions = Sessions.of(rows)
        held = {
            space: {name: self.fields[space][name] for name in names if name in self.fields[space]}
            for space, names in touched(sessions, events).items()
        }
        folded = fold_batch(RULES, sessions, events, held, self.read)
        self.facts.merge(folded.facts)
        for space, changed in folded.ledgers.items():
            self.fields[space] |= changed
            self.fields[space] = {name: packed for name, packed in self.fields[space].items() if packed}

    def read(self, space: Space, fields: Sequence[str]) -> list[bytes | None]:
        """Read further fields."""
        return [self.fields[space].get(name) for name in fields]

    def begin(self) -> Meta:
        """Come before every read."""
        return Meta()

    def ledgers(self, space: Space) -> Iterator[tuple[str, bytes]]:
        """Give all fields."""
        return iter(self.fields[space].items())

    def refolded(self) -> dict[int, dict[str, int]]:
        """Fold all ledgers again."""
        folded = refold(RULES, self, lambda _: None)
        assert not folded.damaged
        return folded.facts.nonzero()


def filled(*, small: bool) -> Store:
    """Fold the sample; small: into long ledgers and heavy users, kept in parts."""
    with pytest.MonkeyPatch.context() as patch:
        for (module, name), size in SMALL.items() if small else ():
            patch.setattr(module, name, size)
        store = Store()
        for row in visits("c", 12 if small else 5):
            store.take([row], [])
        for event in [*billing("c"), *voices("c")]:
            store.take([], [event])
        return store


def in_redis() -> dict[str, Any]:
    """Give what the layout makes of names, days, facts and a shard's meta."""
    names = ["bc", "sc", "ac", "b", "ü", "a" * 128, "e\x1fc"]
    meta = Meta("f/UTC", 4, "t", 7, {"growth.sessions": Offset("id", 42)}, {"session/accepted": 3})
    keys = layout.Keys(3)
    return {
        "keys": [keys.meta, keys.days, keys.day(20_000), keys.day(-1)],
        "tables": [keys.bucket("customers", 5), keys.bucket("users", 5)],
        "buckets": {name: layout.by_bucket([name]).buckets[0][0] for name in names},
        "dates": [layout.date_bytes(day).hex() for day in (-1, 0, 20_000)],
        "facts": layout.pack_facts({"new": 1, "mrr\x1fnew\x1fEUR\x1f": -(2**63), "mrr\x1fnew\x1fUSD\x1f": 2**70}).hex(),
        "meta": [item.hex() if isinstance(item, bytes) else item for item in layout.pack_meta(meta)],
    }


def of_a_log() -> str:
    """Give a hash of all facts of one random log."""
    settings = SETTINGS[0]
    product = Product(settings)
    product.take(random_log(7, zone=str(settings["time_zone"])), 7)
    days = {
        shard: {day: sorted((k, n) for k, n in facts.items() if n) for day, facts in sorted(contents.days.items())}
        for shard, contents in sorted(product.tables._contents.items())
    }
    return hashlib.sha256(json.dumps(days).encode()).hexdigest()


def sample() -> dict[str, Any]:
    """Give all that the file holds."""
    return {
        "ledgers": {
            kind: {
                space: {name: packed.hex() for name, packed in sorted(fields.items())}
                for space, fields in filled(small=small).fields.items()
            }
            for kind, small in (("whole", False), ("parts", True))
        },
        "facts": {str(day): facts for day, facts in sorted(filled(small=True).refolded().items())},
        "redis": in_redis(),
        "log": of_a_log(),
    }


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    """What was written under today's constants."""
    held: dict[str, Any] = json.loads(GOLDEN.read_text())
    assert held.keys() == {KEY}, (
        f"{GOLDEN.name} is of {[*held]}, the code is of {KEY}: python -m tests.unit.test_golden_ledgers writes it"
    )
    return held[KEY]  # type: ignore[no-any-return]


@pytest.mark.parametrize(("kind", "small"), [("whole", False), ("parts", True)])
def test_ledgers_are_written_to_the_byte_as_before(golden: dict[str, Any], kind: str, small: bool) -> None:
    """The same events give the same bytes."""
    written = filled(small=small).fields
    for space, fields in golden["ledgers"][kind].items():
        assert {name: packed.hex() for name, packed in sorted(written[space].items())} == fields, (
            "stored ledgers are written in another way: raise the ledger's format and LAYOUT"
        )


@pytest.mark.parametrize("kind", ["whole", "parts"])
def test_stored_ledgers_are_read_as_before(golden: dict[str, Any], kind: str) -> None:
    """The bytes of before give the facts of before."""
    store = Store()
    for space, fields in golden["ledgers"][kind].items():
        store.fields[space] = {name: bytes.fromhex(packed) for name, packed in fields.items()}
    facts = {str(day): facts for day, facts in store.refolded().items()}
    if kind == "parts":
        assert facts == golden["facts"], "stored ledgers give other facts: raise FOLD_VERSION (LAYOUT if bytes differ)"
    else:
        assert facts == {str(day): facts for day, facts in filled(small=False).refolded().items()}


def test_parts_are_in_the_sample(golden: dict[str, Any]) -> None:
    """Every kind of ledger and of part stands in it, or it would hold nothing."""
    whole, split = golden["ledgers"]["whole"], golden["ledgers"]["parts"]
    assert {name[0] for name in whole["customers"]} == {"a", "b", "e", "s"}
    assert len(whole["customers"]) == 4
    assert len(whole["users"]) == 2
    assert len(split["customers"]) > 12
    assert len(split["users"]) > 4


def test_redis_is_laid_out_as_before(golden: dict[str, Any]) -> None:
    """Keys, buckets, dates, facts and meta stand where they stood."""
    assert json.loads(json.dumps(in_redis())) == golden["redis"], "the layout has changed: raise LAYOUT"


def test_facts_of_a_log_are_as_before(golden: dict[str, Any]) -> None:
    """One random log gives the very facts that it gave."""
    assert of_a_log() == golden["log"], "folds give other facts: raise FOLD_VERSION"


if __name__ == "__main__":
    made_before = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    made_now = json.loads(json.dumps(sample()))
    if made_before.get(KEY, made_now) != made_now:
        raise SystemExit(f"The sample of {KEY} would change: raise LAYOUT or FOLD_VERSION first.")
    GOLDEN.write_text(json.dumps({KEY: made_now}, indent=1, ensure_ascii=True) + "\n")
