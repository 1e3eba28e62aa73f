# ruff: noqa: RUF001 - texts that look alike are the point
"""Records to break a decoder with: real ones, mutated by what they mean (fields, JSON) and by what they are (bytes)."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence

from tests.support.fuzz.strings import STRINGS

NOON = 1_769_860_800_000
"""2026-01-31T12:00:00Z: the timestamp of most records."""
DAY = 86_400_000

Pairs = list[tuple[str, object]]
"""An object in the order it is written in, the same key more than once if need be."""


class Raw(str):
    """Written into the record as it is: what JSON cannot say, or another way to say it."""

    __slots__ = ()


TYPES = ("signup", "payment", "cancellation", "session", "session", "session", "survey", "expense")
"""Sessions are many: two ways of reading them must agree."""
TIMES = (
    *("2026-01-31T12:00:00Z", "2026-01-15T23:59:59.999+14:00", "2025-12-31t00:00:00.5z", "2016-12-31T23:59:60Z"),
    *("2024-02-29T00:00:00-12:00", "1999-01-01T00:00:00.123456789Z", "2026-01-01T00:00:00.0000000000000000000001Z"),
    *("1990-01-01T00:00:00Z", "1989-12-31T23:59:59.999Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z"),
    *("2400-01-01T00:00:00Z", "1599-12-31T00:00:00Z", "1990-06-30T22:59:60-01:00", "2026-01-01T00:00:60Z"),
    *("2026-02-29T00:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31 12:00:00Z", "2026-01-31T12:00:00", "2026-01-31"),
    *("2026-01-31T12:00Z", "20260131T120000Z", "2026-1-31T12:00:00Z", "2026-01-31T12:00:00+0100", "+2026-01-31T12:00Z"),
    *("2026-01-31T12:00:00.Z", "2026-01-31T12:00:00,5Z", "2026-01-31T12:00:00+24:00", "2026-01-31T12:00:00.5+00:60"),
    *("２０２６-01-31T12:00:00Z", "2026-01-31T12:00:0٣Z", "2026-01-31T12:00:00Z ", " 2026-01-31T12:00:00Z"),
    *("0000-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:60Z", "9999-12-31T23:59:59-23:59"),
    *("2026-01-31T12:00:00é", "2026-01-31T12:00:00\0", "now", ""),
)
NUMBERS = (
    *(
        0,
        1,
        -1,
        9.9,
        0.1 + 0.2,
        1.0,
        12,
        1000,
        1001,
        10,
        11,
        7,
        20,
        2**31,
        2**53 + 1,
        2**63 - 1,
        2**63,
        2**64,
        -(2**63),
    ),
    *(10**11, 10**12 - 1, 10**12, 315_360_000, 315_360_001, 10**9, 10**9 + 1, 1e-7, 1e-30, 1e-31, 5e-324, 1.5e11, 1e22),
    *(0.0005, 0.0015, 12.3455, 1.0005, 2.5, 0.5, 1e3, 999_999_999_999.99),
    *map(
        Raw, ("-0", "-0.0", "1e999", "-1e999", "1E5", "1e5", "1e+2", "0e0", "1.0e0", "01", "+1", ".5", "5.", "1e", "-")
    ),
    *map(Raw, ("NaN", "Infinity", "-Infinity", "0x10", "1_000", "1" * 400, "0." + "0" * 400 + "1", "1e-400", "9" * 19)),
    *map(Raw, ("9223372036854775807", "9223372036854775808", "18446744073709551616", "100000000000000000000.0")),
)
AMOUNTS = (
    *("9.90", "0", "007.50", "0.000000000000000000000000000001", "999999999999.99", "1000000000000", "1." + "0" * 50),
    *("-1", "+1", "1e3", "1,5", ".5", "5.", "", " 1", "１", "1.2.3", "0." + "1" * 31, "9" * 200, "NaN", "49.00"),
)
WORDS = {
    "type": (*TYPES, "Session", "login", "SIGNUP", "signups", "", "session\0"),
    "interval": ("day", "week", "month", "quarter", "year", "one_time", "Month", "decade", ""),
    "status": ("succeeded", "failed", "refunded", "Failed", "pending"),
    "kind": ("nps", "csat", "ces", "fcr", "NPS", "sus"),
    "category": ("retention", "acquisition", "Retention", "support"),
    "currency": ("USD", "EUR", "JPY", "XXX", "usd", "US", "USDT", "ＵＳＤ", "U\0D", ""),
}
TEXTS = ("plan", "country", "channel", "owner", "reason", "subscription_id", "user_id", "customer_id", "id")
MOMENTS = ("occurred_at", "trial_ends_at", "covers_until", "effective_at")
COUNTS = ("revision", "interval_count", "score", "reactions", "duration_seconds")
MONEY = ("amount", "recurring_amount")


class Maker:
    """Makes records, the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        """Begin."""
        self.chance = random.Random(seed)

    def record(self) -> bytes | None:
        """Give one record's value: three in ten as they should be, the others mutated once or more."""
        chance = self.chance
        if chance.random() < 0.01:
            return chance.choice((None, b"", b"null", b"{}", b"[]", b'""', b"0", b"true", b" ", b"\n"))
        pairs = self._event()
        mutations = chance.choice((0, 0, 0, 1, 1, 1, 1, 2, 2, 3))
        for _ in range(mutations):
            chance.choice(_MUTATIONS)(self, pairs)
        value = self._written(pairs)
        if mutations and chance.random() < 0.25:
            value = chance.choice(_BYTES)(chance, value)
        return value

    def timestamp(self) -> int:
        """Give a record's timestamp."""
        return self.chance.choice((*[NOON] * 12, NOON + 40 * DAY, NOON - 400 * DAY, -1, -1, 0, 2**62))

    def _event(self) -> Pairs:
        chance = self.chance
        kind = chance.choice(TYPES)
        at = NOON - chance.randrange(60 * DAY)
        moment: object = at if chance.random() < 0.5 else chance.choice(TIMES[:3])
        pairs: Pairs = [
            ("id", f"e-{chance.randrange(400)}"),
            ("type", kind),
            ("customer_id", f"c-{chance.randrange(12)}"),
            ("occurred_at", moment),
        ]
        some = chance.random
        if kind == "signup":
            pairs += [(name, self.text()) for name in ("plan", "country", "channel", "owner") if some() < 0.5]
            if some() < 0.2:
                pairs.append(("trial_ends_at", NOON + chance.randrange(20) * DAY))
        elif kind == "payment":
            pairs += [("amount", chance.choice((9, "49.00", 29.5, "0"))), ("currency", chance.choice(("USD", "EUR")))]
            pairs += [("interval", chance.choice(WORDS["interval"][:6])), ("plan", self.text())]
            pairs += [("subscription_id", self.text() or "s")] if some() < 0.2 else []
            pairs += [("status", chance.choice(WORDS["status"][:3]))] if some() < 0.3 else []
        elif kind == "cancellation":
            pairs += [("reason", self.text())] if some() < 0.8 else []
            pairs += [("effective_at", NOON + chance.randrange(50) * DAY)] if some() < 0.3 else []
        elif kind == "session":
            pairs += [
                ("user_id", f"u-{chance.randrange(5)}"),
                ("duration_seconds", chance.choice((0, 12.5, 0.0005, 61))),
            ]
            pairs += [("features", [self.text()[:64] or "f" for _ in range(chance.randrange(4))])]
        elif kind == "survey":
            pairs += [("kind", chance.choice(WORDS["kind"][:4])), ("score", chance.randrange(8))]
        else:
            pairs += [("category", chance.choice(WORDS["category"][:2])), ("amount", "20"), ("currency", "USD")]
        if kind != "session" and some() < 0.1:
            pairs += [("revision", chance.randrange(3)), ("withdrawn", some() < 0.3)]
        return pairs

    def text(self) -> str:
        """Give a text: plain, or one that breaks what is careless with texts."""
        chance = self.chance
        if chance.random() < 0.6:
            return f"t{chance.randrange(6)}"
        return chance.choice(STRINGS)

    def scalar(self) -> object:
        """Give any value but a container."""
        return self.chance.choice((None, True, False, self.chance.choice(NUMBERS), self.text(), Raw('"\\ud800"')))

    def value_for(self, name: str) -> object:  # noqa: PLR0911 - a line for each kind of field
        """Give a value that is near what a field may be, or has nothing to do with it."""
        chance = self.chance
        if chance.random() < 0.2:
            deep = Raw("[" * (depth := chance.choice((1, 3, 50, 498, 499, 500, 900, 20_000))) + "]" * depth)
            return chance.choice((self.scalar(), [], {}, [self.scalar()], {"a": self.scalar()}, deep))
        if name in MOMENTS:
            numbers = (NOON, NOON // 1000, NOON * 1000, NOON + DAY, NOON + DAY + 1, -(2**63), 253_402_300_800_000)
            return chance.choice((chance.choice(TIMES), chance.choice(numbers), chance.choice(NUMBERS)))
        if name in MONEY:
            return chance.choice((*AMOUNTS, chance.choice(NUMBERS)))
        if name in WORDS:
            return chance.choice(WORDS[name])
        if name == "features":
            size = chance.choice((1, 2, 19, 20, 21))
            return [self.text() if chance.random() < 0.9 else self.scalar() for _ in range(size)]
        if name == "withdrawn":
            return chance.choice((True, False, None, 0, 1, "true"))
        return chance.choice(NUMBERS) if name in COUNTS else chance.choice((self.text(), chance.choice(STRINGS)))

    def _set(self, pairs: Pairs) -> None:
        at = self.chance.randrange(len(pairs))
        pairs[at] = pairs[at][0], self.value_for(pairs[at][0])

    def _add(self, pairs: Pairs) -> None:
        name = self.chance.choice((*TEXTS, *MOMENTS, *COUNTS, *MONEY, *WORDS, "features", "withdrawn", "x", "", "\0"))
        pairs.insert(self.chance.randrange(len(pairs) + 1), (name, self.value_for(name)))

    def _drop(self, pairs: Pairs) -> None:
        if len(pairs) > 1:
            del pairs[self.chance.randrange(len(pairs))]

    def _rename(self, pairs: Pairs) -> None:
        at = self.chance.randrange(len(pairs))
        name, value = pairs[at]
        pairs[at] = self.chance.choice((name.upper(), name.title(), f"{name} ", name[:-1], f"\ufeff{name}")), value

    def _again(self, pairs: Pairs) -> None:
        name, value = self.chance.choice(pairs)
        pairs.append((name, self.chance.choice((value, self.value_for(name)))))

    def _shuffle(self, pairs: Pairs) -> None:
        self.chance.shuffle(pairs)

    def _written(self, pairs: Pairs) -> bytes:
        chance = self.chance
        plain = chance.random() < 0.5
        gap = chance.choice(("", "", "", " ", "\n  ", "\t\r\n"))

        def text(value: str) -> str:
            written = json.dumps(value, ensure_ascii=plain)
            if chance.random() < 0.03 and written.isascii() and "\\" not in written:
                return '"' + "".join(f"\\u{ord(letter):04x}" for letter in value) + '"'
            return written

        def write(value: object) -> str:
            if isinstance(value, Raw):
                return str(value)
            if isinstance(value, str):
                return text(value)
            if isinstance(value, list):
                return "[" + f",{gap}".join(map(write, value)) + "]"
            if isinstance(value, dict):
                return "{" + ",".join(f"{text(name)}:{write(each)}" for name, each in value.items()) + "}"
            return json.dumps(value)

        inner = f",{gap}".join(f"{text(name)}:{gap}{write(value)}" for name, value in pairs)
        return f"{{{gap}{inner}{gap}}}".encode(errors="surrogatepass")


_MUTATIONS: tuple[Callable[[Maker, Pairs], None], ...] = (
    *(Maker._set, Maker._set, Maker._set, Maker._add, Maker._add),
    *(Maker._drop, Maker._rename, Maker._again, Maker._shuffle),
)


def _truncated(chance: random.Random, value: bytes) -> bytes:
    return value[: chance.randrange(len(value) + 1)]


def _flipped(chance: random.Random, value: bytes) -> bytes:
    at = chance.randrange(len(value))
    return value[:at] + bytes([chance.randrange(256)]) + value[at + 1 :]


def _inserted(chance: random.Random, value: bytes) -> bytes:
    at = chance.randrange(len(value) + 1)
    piece = chance.choice(
        (b"\0", b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b'"', b"\\", b",", b"{", b"\x1f")
    )
    return value[:at] + piece + value[at:]


def _cut(chance: random.Random, value: bytes) -> bytes:
    start = chance.randrange(len(value))
    return value[:start] + value[start + chance.randrange(1, 9) :]


def _wrapped(chance: random.Random, value: bytes) -> bytes:
    ways: Sequence[Callable[[bytes], bytes]] = (
        lambda inner: b"\xef\xbb\xbf" + inner,
        lambda inner: inner + inner,
        lambda inner: inner + b"\n" + inner,
        lambda inner: b" \r\n\t" + inner + b" \n",
        lambda inner: inner + b"\0",
        lambda inner: b"[" + inner + b"]",
        lambda inner: inner.decode(errors="replace").encode("utf-16"),
        lambda inner: inner.decode(errors="replace").encode("latin-1", errors="replace"),
        lambda inner: inner.replace(b'"', b"'"),
    )
    return chance.choice(ways)(value)


_BYTES: tuple[Callable[[random.Random, bytes], bytes], ...] = (_truncated, _flipped, _inserted, _cut, _wrapped)
