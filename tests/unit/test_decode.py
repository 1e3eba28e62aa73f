"""Batches of records: what is accepted and as what, what is refused and in which words."""

import datetime as dt
import json
from decimal import ROUND_HALF_EVEN, Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregators.events import (
    LAST_INSTANT,
    Cancellation,
    Expense,
    Payment,
    Session,
    Sessions,
    Signup,
    Survey,
    canonical,
)
from streams.decoding.decode import Decoded, decode
from streams.decoding.partition import partition_of
from streams.decoding.records import REASONS, Gate, Refused, read

NOON = int(dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC).timestamp() * 1000)
NOON_TEXT = "2026-01-31T12:00:00Z"
NINETIES = int(dt.datetime(1990, 1, 1, tzinfo=dt.UTC).timestamp() * 1000)
DAY = 86_400_000
GATE = Gate(partition=0, partitions=1, accept_from=NINETIES, allowed_skew_ms=DAY)

ENVELOPE = {"id": "e-1", "customer_id": "c-1", "occurred_at": NOON_TEXT}
KNOWN = {"id": "e-1", "customer_id": "c-1", "occurred_at": NOON}
LEAST = {
    "signup": {},
    "payment": {"amount": "9.90", "currency": "EUR"},
    "cancellation": {},
    "session": {},
    "survey": {"kind": "nps", "score": 9},
    "expense": {"category": "retention", "amount": 100, "currency": "USD"},
}


def _record(type_, **fields):
    """Give the least event of a type with some fields changed; `...` takes one away."""
    merged = ENVELOPE | {"type": type_} | LEAST[type_] | fields
    return {name: value for name, value in merged.items() if value is not ...}


def _decode(*values, timestamp=NOON, gate=GATE) -> Decoded:
    packed = [value if value is None or isinstance(value, bytes) else json.dumps(value).encode() for value in values]
    return decode(packed, [timestamp] * len(packed), **gate._asdict())


def _one(value, **options):
    """Decode one record that must be accepted."""
    decoded = _decode(value, **options)
    assert not decoded.rejects
    assert len(decoded.sessions) + len(decoded.events) == 1
    return next(iter(decoded.sessions), None) or decoded.events[0]


def _refusal(value, **options):
    """Decode one record that must be refused."""
    decoded = _decode(value, **options)
    assert (len(decoded.sessions), len(decoded.events), len(decoded.rejects)) == (0, 0, 1)
    return decoded.rejects[0]


@pytest.mark.parametrize(
    ("type_", "event"),
    [
        ("signup", Signup(**KNOWN)),
        ("payment", Payment(**KNOWN, amount="9.9", currency="EUR", recurring_amount="9.9")),
        ("cancellation", Cancellation(**KNOWN, effective_at=NOON)),
        ("session", Session("e-1", "c-1", "c-1", NOON)),
        ("survey", Survey(**KNOWN, kind="nps", score=9, user_id="c-1")),
        ("expense", Expense(**KNOWN, category="retention", amount="100", currency="USD")),
    ],
)
def test_defaults(type_, event):
    """An event with nothing but its required fields has the defaults of SPEC, and so has one with null for the rest."""
    assert _one(_record(type_)) == event
    optional = ("plan", "country", "channel", "owner", "trial_ends_at", "interval", "interval_count", "covers_until")
    optional += ("recurring_amount", "subscription_id", "status", "effective_at", "reason", "user_id", "features")
    optional += ("duration_seconds", "reactions", "revision", "withdrawn")
    assert _one(_record(type_, **dict.fromkeys(optional))) == event


@pytest.mark.parametrize(
    ("fields", "event"),
    [
        (
            _record("signup", plan="pro", country="DE", channel="ads", owner="Kim", trial_ends_at=NOON + DAY),
            Signup(**KNOWN, plan="pro", country="DE", channel="ads", owner="Kim", trial_ends_at=NOON + DAY),
        ),
        (_record("signup", plan="", country="", channel="", owner=""), Signup(**KNOWN)),
        (
            _record(
                "payment",
                revision=3,
                withdrawn=True,
                interval="quarter",
                interval_count=2,
                recurring_amount=59.4,
                covers_until="2026-03-01T00:00:00Z",
                subscription_id="s-1",
                status="failed",
                plan="pro",
            ),
            Payment(
                **KNOWN,
                revision=3,
                withdrawn=True,
                amount="9.9",
                currency="EUR",
                interval="quarter",
                interval_count=2,
                recurring_amount="59.4",
                covers_until=1_772_323_200_000,
                subscription_id="s-1",
                status="failed",
                plan="pro",
            ),
        ),
        (
            _record("cancellation", subscription_id="s-1", effective_at=NOON + DAY, reason="too_expensive"),
            Cancellation(**KNOWN, subscription_id="s-1", effective_at=NOON + DAY, reason="too_expensive"),
        ),
        (_record("cancellation", reason=""), Cancellation(**KNOWN, effective_at=NOON)),
        (
            _record("session", user_id="u-1", duration_seconds=12.5, features=["a", "b", "a"], reactions=2),
            Session("e-1", "c-1", "u-1", NOON, 12_500, 2, ("a", "b", "a")),
        ),
        (_record("session", revision=0, withdrawn=False), Session("e-1", "c-1", "c-1", NOON)),
        (
            _record("survey", kind="ces", score=7, user_id="u-1"),
            Survey(**KNOWN, kind="ces", score=7, user_id="u-1"),
        ),
        (_record("session", anything={"deep": [1.5, None]}), Session("e-1", "c-1", "c-1", NOON)),
        (_record("signup", anything=10**30, amount=-1), Signup(**KNOWN)),
    ],
)
def test_fields(fields, event):
    """Every field arrives; unknown ones are ignored; an empty text is the same as none."""
    assert _one(fields) == event


def test_fields_that_nobody_reads_may_hold_any_number():
    """A number beyond a double's range is legal JSON."""
    for type_ in ("session", "signup"):
        value = json.dumps(_record(type_)).encode()[:-1] + b', "x": 1e999}'
        assert _one(value).id == "e-1"


CONTROLS = ["\x00", "\t", "\n", "\x1b", "\x1f", "\x7f", "\x80", "\x9f", "\u202a", "\u202e", "\u2066", "\u2069"]


@pytest.mark.parametrize("character", CONTROLS)
@pytest.mark.parametrize("escaped", [True, False])
@pytest.mark.parametrize(
    ("type_", "field"),
    [
        *((type_, field) for type_ in LEAST for field in ("id", "customer_id")),
        *(("signup", field) for field in ("plan", "country", "channel", "owner")),
        *(("payment", field) for field in ("subscription_id", "plan")),
        *(("cancellation", field) for field in ("subscription_id", "reason")),
        ("session", "user_id"),
        ("survey", "user_id"),
    ],
)
def test_texts_without_control_characters(type_, field, character, escaped):
    """A control character or a bidirectional override in a text refuses it with its place, and is not repeated raw."""
    record = json.dumps(_record(type_, **{field: f"ab{character}c"}), ensure_ascii=escaped).encode()
    reject = _refusal(record)
    assert reject.reason == "schema"
    assert reject.message.startswith(
        f"$.{field} must hold no control character and no bidirectional override (character 3"
    )
    assert character not in reject.message


def test_features_without_control_characters():
    """A session's feature is refused with its place; its neighbours in the batch are accepted."""
    bad = _record("session", features=["a", "b\x1b"])
    fine = [_record("session", id=f"s-{n}", user_id=text) for n, text in enumerate(("é", '"', "\u2028", "\u200b", " "))]
    decoded = _decode(fine[0], bad, *fine[1:])
    assert [session.user_id for session in decoded.sessions] == ["é", '"', "\u2028", "\u200b", " "]
    (reject,) = decoded.rejects
    rule = "must hold no control character and no bidirectional override (character 2 is U+001B)"
    assert (reject.index, reject.message) == (1, f'$.features[1] {rule}; got "b\\u001b"')


def test_numbers_without_a_fraction_are_integers():
    """What pandas makes of a column of integers with gaps, `9.0`, is the integer, in every field that asks for one."""
    assert _one(_record("survey", score=9.0)) == _one(_record("survey", score=9))
    assert _one(_record("signup", revision=3.0)) == Signup(**KNOWN, revision=3)
    assert _one(_record("payment", interval_count=2.0)) == _one(_record("payment", interval_count=2))
    sessions = [_record("session", reactions=2.0, revision=0.0, occurred_at=float(NOON)), _record("session")]
    assert next(iter(_decode(*sessions).sessions)) == Session("e-1", "c-1", "c-1", NOON, 0, 2)


def test_sessions_in_any_form_take_the_fast_way(monkeypatch):
    """Neither databases' times nor numbers with a fraction of zero are read record by record."""
    monkeypatch.setattr("streams.decoding.records.read", lambda *_: pytest.fail("a record was read by itself"))
    times = ("2026-01-31 12:00:00+00:00", "2026-01-31 12:00:00.5+00", "2026-01-31T12:00Z", float(NOON), NOON)
    decoded = _decode(*(_record("session", occurred_at=each, reactions=1.0, revision=0.0) for each in times))
    assert [session.occurred_at - NOON for session in decoded.sessions] == [0, 500, 0, 0, 0]


@pytest.mark.parametrize("type_", LEAST)
@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        (NOON, NOON),
        (float(NOON), NOON),
        ("2026-01-31 12:00:00+00:00", NOON),
        ("2026-01-31 12:00:00.000+00", NOON),
        ("2026-01-31T12:00Z", NOON),
        ("2026-01-31T13:00:00+01:00", NOON),
        ("2026-01-31T12:00:00.9999996Z", NOON + 999),
        ("2016-12-31T23:59:60Z", 1_483_228_799_999),
    ],
)
def test_occurred_at(type_, given_, expected):
    """Times come as text or as milliseconds, whatever the type."""
    assert _one(_record(type_, occurred_at=given_)).occurred_at == expected


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ("0", "0"),
        ("9.90", "9.9"),
        ("0010.00", "10"),
        ("999999999999.99", "999999999999.99"),
        ("0.000000000000000000000000000001", "0.000000000000000000000000000001"),
        ("1." + 50 * "0", "1"),
        (0, "0"),
        (12, "12"),
        (9.9, "9.9"),
        (100.0, "100"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1e-7, "0.0000001"),
        (1.5e11, "150000000000"),
        (-0.0, "0"),
    ],
)
def test_amounts(given_, expected):
    """Amounts are exact decimals, of numbers the shortest that is the same double, in one canonical way."""
    assert _one(_record("payment", amount=given_)).amount == expected
    assert _one(_record("expense", amount=given_)).amount == expected
    assert _one(_record("payment", recurring_amount=given_)).recurring_amount == expected


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        (0, 0),
        (12, 12_000),
        (0.0004, 0),
        (0.0005, 0),
        (0.0015, 2),
        (0.0025, 2),
        (1.0005, 1000),
        (1.0015, 1002),
        (0.5015, 502),
        (2.0005, 2000),
        (66872.1925, 66_872_192),
        (2.0005001, 2001),
        (-0.0, 0),
        (3650 * 86_400, 3650 * DAY),
    ],
)
def test_durations(given_, expected):
    """Durations are rounded half-even as decimals: 2.0005 is a tie, though no double is exactly that."""
    assert _one(_record("session", duration_seconds=given_)).duration == expected


@pytest.mark.parametrize("length", [1, 128])
@pytest.mark.parametrize("letter", ["x", "é", "😀", "\u2028"])
def test_ids(length, letter):
    """Ids have up to 128 characters, not bytes."""
    for type_ in ("session", "survey"):
        event = _one(_record(type_, id=length * letter, customer_id=length * letter, user_id=length * letter))
        assert {event.id, event.customer_id, event.user_id} == {length * letter}


@pytest.mark.parametrize(("kind", "least", "most"), [("nps", 0, 10), ("csat", 1, 5), ("ces", 1, 7), ("fcr", 0, 1)])
def test_scores(kind, least, most):
    """Each kind of survey has its own range, and a refusal tells it."""
    for score in (least, most):
        assert _one(_record("survey", kind=kind, score=score)).score == score
    for score in (least - 1, most + 1):
        reject = _refusal(_record("survey", kind=kind, score=score))
        assert reject.reason == "schema"
        assert reject.message.startswith("$.score must be an integer")
        if 0 <= score <= 10:
            assert f"from {least} to {most} for {kind}; got {score}" in reject.message


TEN_YEARS_ON = "2036-01-31T12:00:00Z"


@pytest.mark.parametrize(
    ("type_", "name", "first"),
    [("signup", "trial_ends_at", 0), ("cancellation", "effective_at", 0), ("payment", "covers_until", 1)],
)
def test_times_ahead(type_, name, first):
    """Later times lie between the event and ten calendar years on; coverage ends after it began."""
    for good in (NOON + first, TEN_YEARS_ON):
        assert getattr(_one(_record(type_, **{name: good})), name) is not None
    for bad in (NOON + first - 1, "2036-01-31T12:00:00.001Z"):
        reject = _refusal(_record(type_, **{name: bad}))
        assert (reject.type, reject.reason) == (type_, "schema")
        assert reject.message.startswith(
            f"$.{name} must be {'after' if first else 'not before'} occurred_at, 2026-01-31T12"
        )
        assert "at most 10 years later" in reject.message


def test_ten_years_after_a_leap_day():
    """Ten years after a 29 February end with the 28th."""
    fields = {"occurred_at": "2024-02-29T00:00:00Z"}
    _one(_record("signup", **fields, trial_ends_at="2034-02-28T00:00:00Z"))
    _refusal(_record("signup", **fields, trial_ends_at="2034-02-28T00:00:00.001Z"))


SCHEMA = [
    # Envelope
    (_record("signup", id=...), "$.id is missing: it must be a string of 1 to 128 characters"),
    (_record("session", id=...), "$.id is missing"),
    (_record("signup", id=""), '$.id must be a string of 1 to 128 characters; got ""'),
    (_record("session", id="x" * 129), "$.id must be a string of 1 to 128 characters; got"),
    (_record("session", id=5), "$.id must be a string of 1 to 128 characters; got 5"),
    (_record("session", customer_id=...), "$.customer_id is missing"),
    (_record("session", customer_id=None), "$.customer_id is missing"),
    (_record("survey", customer_id="é" * 129), "$.customer_id must be a string"),
    (_record("signup", occurred_at=...), "$.occurred_at is missing: it must be a time in RFC 3339 with an offset"),
    (_record("session", occurred_at="2026-01-31T12:00:00"), "$.occurred_at must be a time in RFC 3339 with an offset"),
    (
        _record("session", occurred_at="2026-01-31"),
        '$.occurred_at must be a time in RFC 3339 with an offset, such as "20',
    ),
    (_record("session", occurred_at=NOON + 0.5), "$.occurred_at must be a time"),
    (_record("session", occurred_at=True), "$.occurred_at must be a time"),
    (_record("signup", occurred_at="0000-01-01T00:00:00Z"), "$.occurred_at must be a time"),
    (_record("signup", occurred_at=[]), "$.occurred_at must be a time"),
    (_record("signup", revision=-1), "$.revision must be an integer >= 0"),
    (_record("signup", revision=2**63), "$.revision must be an integer >= 0 (below 2^63)"),
    (_record("signup", revision=1.5), "$.revision must be an integer >= 0 (below 2^63); got 1.5"),
    (_record("signup", revision=True), "$.revision must be an integer"),
    (_record("signup", withdrawn="yes"), '$.withdrawn must be true or false; got "yes"'),
    (_record("signup", withdrawn=1), "$.withdrawn must be true or false; got 1"),
    # Signups
    (_record("signup", plan="x" * 129), "$.plan must be a string of up to 128 characters, or left out; got"),
    (_record("signup", country=49), "$.country must be a string of up to 128 characters, or left out; got 49"),
    (_record("signup", channel=["ads"]), "$.channel must be a string of up to 128 characters, or left out; got a list"),
    (_record("signup", owner={}), "$.owner must be a string of up to 128 characters, or left out; got an object"),
    (_record("signup", trial_ends_at="soon"), "$.trial_ends_at must be a time in RFC 3339"),
    (_record("signup", trial_ends_at=10**80), "$.trial_ends_at must be not before occurred_at"),
    # Payments
    (_record("payment", amount=...), '$.amount is missing: it must be a decimal string such as "9.90"'),
    (_record("payment", amount="-1"), "$.amount must be a decimal string"),
    (_record("payment", amount="+1"), "$.amount must be a decimal string"),
    (_record("payment", amount="1e3"), "$.amount must be a decimal string"),
    (_record("payment", amount="1,5"), "$.amount must be a decimal string"),
    (_record("payment", amount=".5"), "$.amount must be a decimal string"),
    (_record("payment", amount="5."), "$.amount must be a decimal string"),
    (_record("payment", amount=" 5"), "$.amount must be a decimal string"),
    (_record("payment", amount="5\n"), "$.amount must be a decimal string"),
    (_record("payment", amount="\u0665"), "$.amount must be a decimal string"),
    (_record("payment", amount=""), "$.amount must be a decimal string"),
    (_record("payment", amount="NaN"), "$.amount must be a decimal string"),
    (_record("payment", amount=-0.01), "$.amount must be a decimal string"),
    (_record("payment", amount=True), "$.amount must be a decimal string"),
    (_record("payment", amount="1000000000000"), "below 10^12"),
    (_record("payment", amount=1e12), "below 10^12"),
    (_record("payment", amount=10**400), "$.amount must be a decimal string"),
    (_record("payment", amount=1e-300), "at most 30 digits after the point"),
    (_record("payment", amount="0." + 31 * "1"), "at most 30 digits after the point"),
    (_record("payment", recurring_amount="free"), "$.recurring_amount must be a decimal string"),
    (
        _record("payment", currency=...),
        "$.currency is missing: it must be a currency of ISO 4217, three capital letters",
    ),
    (
        _record("payment", currency="eur"),
        '$.currency must be a currency of ISO 4217, three capital letters such as "EUR"',
    ),
    (_record("payment", currency="EURO"), "$.currency must be"),
    (_record("payment", currency="€"), "$.currency must be"),
    (
        _record("payment", interval="monthly"),
        "$.interval must be one of day, week, month, quarter, year, one_time; got",
    ),
    (
        _record("payment", interval=[]),
        "$.interval must be one of day, week, month, quarter, year, one_time; got a list",
    ),
    (_record("payment", interval_count=0), "$.interval_count must be an integer from 1 to 1000; got 0"),
    (_record("payment", interval_count=1001), "$.interval_count must be an integer from 1 to 1000; got 1001"),
    (_record("payment", interval_count="1"), '$.interval_count must be an integer from 1 to 1000; got "1"'),
    (_record("payment", covers_until={}), "$.covers_until must be a time in RFC 3339"),
    (_record("payment", subscription_id=""), "$.subscription_id must be a string of 1 to 128 characters, or left out"),
    (_record("payment", status="paid"), '$.status must be one of succeeded, failed, refunded; got "paid"'),
    # Cancellations
    (_record("cancellation", subscription_id=""), "$.subscription_id must be a string of 1 to 128 characters, or left"),
    (_record("cancellation", reason="x" * 129), "$.reason must be a string of up to 128 characters, or left out"),
    (_record("cancellation", effective_at=1.5), "$.effective_at must be a time in RFC 3339"),
    # Sessions
    (_record("session", user_id=""), "$.user_id must be a string of 1 to 128 characters, or left out"),
    (_record("session", duration_seconds=-1), "$.duration_seconds must be a number from 0 to 315360000; got -1"),
    (_record("session", duration_seconds=4e8), "$.duration_seconds must be a number from 0 to 315360000"),
    (_record("session", duration_seconds="5"), '$.duration_seconds must be a number from 0 to 315360000; got "5"'),
    (_record("session", duration_seconds=True), "$.duration_seconds must be a number"),
    (_record("session", features="a"), '$.features must be a list of up to 20 strings; got "a"'),
    (_record("session", features=["a"] * 21), "$.features must be a list of up to 20 strings; got a list of 21"),
    (_record("session", features=["a", ""]), '$.features[1] must be a string of 1 to 64 characters; got ""'),
    (_record("session", features=["x" * 65]), "$.features[0] must be a string of 1 to 64 characters; got"),
    (_record("session", features=["a", "b", None]), "$.features[2] is missing"),
    (_record("session", features=[7]), "$.features[0] must be a string of 1 to 64 characters; got 7"),
    (_record("session", reactions=-1), "$.reactions must be an integer from 0 to 1000000000; got -1"),
    (_record("session", reactions=10**9 + 1), "$.reactions must be an integer from 0 to 1000000000"),
    (_record("session", reactions=1.5), "$.reactions must be an integer from 0 to 1000000000; got 1.5"),
    (_record("session", reactions=False), "$.reactions must be an integer from 0 to 1000000000; got false"),
    (_record("session", revision=1), "$.revision must be 0 or left out, for a session cannot be revised; got 1"),
    (_record("session", withdrawn=True), "$.withdrawn must be false or left out, for a session cannot be withdrawn"),
    # Surveys
    (_record("survey", kind=...), "$.kind is missing: it must be one of nps, csat, ces, fcr"),
    (_record("survey", kind="NPS"), '$.kind must be one of nps, csat, ces, fcr; got "NPS"'),
    (_record("survey", score=...), "$.score is missing: it must be an integer: nps 0 to 10"),
    (
        _record("survey", score="9"),
        '$.score must be an integer: nps 0 to 10, csat 1 to 5, ces 1 to 7, fcr 0 or 1; got "9"',
    ),
    (_record("survey", score=9.5), "$.score must be an integer"),
    (_record("survey", score=True), "$.score must be an integer"),
    (_record("survey", user_id="x" * 129), "$.user_id must be a string of 1 to 128 characters, or left out for"),
    # Expenses
    (_record("expense", category="rent"), '$.category must be one of retention, acquisition; got "rent"'),
    (_record("expense", amount=None), "$.amount is missing"),
    (_record("expense", currency=None), "$.currency is missing"),
]


@pytest.mark.parametrize(("record", "message"), SCHEMA)
def test_schema(record, message):
    """A field that breaks its rule is named by its path, with what would be right."""
    reject = _refusal(record)
    assert reject.reason == "schema"
    assert reject.type == record["type"]
    assert message in reject.message
    assert len(reject.message) < 400


@pytest.mark.parametrize(
    ("value", "type_", "reason", "message"),
    [
        (None, "unknown", "not_json", "the record has no value (a tombstone)"),
        (b"", "unknown", "not_json", "the value is empty"),
        (b"hello", "unknown", "not_json", "the value is not JSON in UTF-8"),
        (b"{", "unknown", "not_json", "the value is not JSON in UTF-8"),
        (b'{"type": "session"} {}', "unknown", "not_json", "trailing"),
        (b'{"type": NaN}', "unknown", "not_json", "the value is not JSON"),
        (b"\xef\xbb\xbf{}", "unknown", "not_json", "the value is not JSON"),
        (b'{"id": "\\ud800"}', "unknown", "not_json", "the value is not JSON"),
        (b'{"id": "\xff"}', "unknown", "not_json", "the value is not JSON"),
        (json.dumps(_record("session")).encode()[:-1] + b', "x": "\xff"}', "unknown", "not_json", "not JSON in UTF-8"),
        (b"[" * 100_000, "unknown", "not_json", "the value is nested too deeply"),
        (b'{"x":' * 50_000 + b"1" + b"}" * 50_000, "unknown", "not_json", "the value is nested too deeply"),
        (
            json.dumps(_record("session")).encode()[:-1] + b', "x": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
            "unknown",
            "not_json",
            "the value is nested too deeply",
        ),
        (b"[]", "unknown", "schema", "$ must be a JSON object, one event a record; got a list of 0"),
        (b"null", "unknown", "schema", "$ is missing: it must be a JSON object"),
        (b"5", "unknown", "schema", "$ must be a JSON object, one event a record; got 5"),
        (b"1" * 5000, "unknown", "schema", "a number is out of range"),
        (b"{}", "unknown", "schema", "$.type is missing: it must be one of signup, payment"),
        (b'{"type": 5}', "unknown", "schema", "$.type must be one of signup, payment, cancellation, session, survey,"),
        (b'{"type": "click"}', "unknown", "unknown_type", "$.type must be one of signup, payment, cancellation"),
        (_record("signup") | {"type": "Signup"}, "unknown", "unknown_type", 'expense; got "Signup"'),
        (_record("session", occurred_at=NOON // 1000), "session", "too_old", "are these seconds?"),
        (
            _record("signup", occurred_at=NOON // 1000),
            "signup",
            "too_old",
            "accept_from, 1990-01-01T00:00:00.000Z; got",
        ),
        (
            _record("session", occurred_at="1989-12-31T23:59:59.999Z"),
            "session",
            "too_old",
            '"1989-12-31T23:59:59.999Z"',
        ),
        (_record("survey", occurred_at=-(10**30)), "survey", "too_old", "$.occurred_at must not be before accept_from"),
        (
            _record("session", occurred_at=NOON + DAY + 1),
            "session",
            "future",
            "$.occurred_at must be at most 24 h later",
        ),
        (
            _record("expense", occurred_at=NOON + DAY + 1),
            "expense",
            "future",
            "timestamp, 2026-01-31T12:00:00.000Z; got",
        ),
        (_record("session", occurred_at=NOON * 1000), "session", "future", "are these microseconds?"),
        (_record("payment", occurred_at=10**30), "payment", "future", "are these microseconds?"),
    ],
)
def test_other_reasons(value, type_, reason, message):
    """What is no event at all, or not of its time, is refused for a reason of its own."""
    reject = _refusal(value)
    assert (reject.type, reject.reason) == (type_, reason)
    assert message in reject.message


@pytest.mark.parametrize("type_", LEAST)
def test_limits_of_time_are_inclusive(type_):
    """The first accepted instant and the last of the allowed skew are accepted."""
    assert _one(_record(type_, occurred_at=NINETIES)).occurred_at == NINETIES
    assert _one(_record(type_, occurred_at=NOON + DAY)).occurred_at == NOON + DAY


@pytest.mark.parametrize("type_", LEAST)
def test_a_record_without_a_timestamp_has_no_future(type_):
    """Where Kafka has no timestamp (-1) only the calendar's end bounds an event."""
    assert _one(_record(type_, occurred_at=LAST_INSTANT), timestamp=-1).occurred_at == LAST_INSTANT
    reject = _refusal(_record(type_, occurred_at=LAST_INSTANT + 1), timestamp=-1)
    assert reject.reason == "schema"
    assert "in years 1 to 9999" in reject.message


@pytest.mark.parametrize("type_", LEAST)
def test_partitions(type_):
    """A record is accepted in the partition of its customer, and nowhere else."""
    customers = [f"c-{number}" for number in range(20)] + ["Ünï"]
    records = [_record(type_, customer_id=customer) for customer in customers]
    for partition in range(4):
        decoded = _decode(*records, gate=GATE._replace(partition=partition, partitions=4))
        wrong = [index for index, customer in enumerate(customers) if partition_of(customer, 4) != partition]
        assert [reject.index for reject in decoded.rejects] == wrong
        assert {(reject.type, reject.reason) for reject in decoded.rejects} == {(type_, "wrong_partition")}
        first = decoded.rejects[0]
        right = partition_of(customers[first.index], 4)
        assert f"$.customer_id must belong to the record's partition: it is partition {right} of 4" in first.message
        kept = decoded.sessions.customer_ids + [event.customer_id for event in decoded.events]
        assert kept == [customer for customer in customers if partition_of(customer, 4) == partition]


def test_the_last_of_two_equal_keys_counts():
    """A key that an object has twice is legal JSON: the last value is the one, in every type."""
    for type_ in ("session", "cancellation"):
        value = json.dumps(_record(type_)).encode()[:-1]
        assert _one(value + b', "id": "e-2"}').id == "e-2"
        assert _one(b'{"id": 5, ' + value[1:] + b"}").id == "e-1"
        assert _refusal(value + b', "id": 5}').message.startswith("$.id must be")
    assert _one(json.dumps(_record("session")).encode()[:-1] + b', "type": "signup"}') == Signup(**KNOWN)
    assert _one(json.dumps(_record("signup")).encode()[:-1] + b', "type": "session"}').user_id == "c-1"


def test_pieces_of_events_do_not_join():
    """Two halves of an event in two records, and two events in one, are three records that are no JSON."""
    whole = json.dumps(_record("session")).encode()
    decoded = _decode(whole[:-1] + b', "x": [{}', b"{}]}", whole + b"\n" + whole, whole)
    assert [(reject.index, reject.reason) for reject in decoded.rejects] == [(n, "not_json") for n in range(3)]
    assert len(decoded.sessions) == 1


def test_layout_does_not_matter():
    """Spaces and line ends between the parts of an event are legal JSON."""
    for type_ in ("session", "signup"):
        assert _one(b" \r\n" + json.dumps(_record(type_), indent=2).encode() + b"\n") == _one(_record(type_))


def test_an_empty_batch():
    """No records, no events."""
    assert _decode() == Decoded(Sessions.of(), [], [])


def test_a_mixed_batch_keeps_the_order():
    """Sessions, events and rejects of one batch come each in the order of their records."""
    decoded = _decode(
        _record("session", id="s-1"),
        b"{",
        _record("signup", id="e-1"),
        _record("session", id="s-2", occurred_at="2016-12-31T23:59:60Z"),
        _record("session", id="s-3", withdrawn=True),
        _record("session", id="s-4"),
        None,
        _record("expense", id="e-2"),
        _record("session", id="s-5", duration_seconds=1.5),
    )
    assert decoded.sessions.ids == ["s-1", "s-2", "s-4", "s-5"]
    assert decoded.sessions.durations.tolist() == [0, 0, 0, 1500]
    assert [event.id for event in decoded.events] == ["e-1", "e-2"]
    assert [(reject.index, reject.reason) for reject in decoded.rejects] == [
        (1, "not_json"),
        (4, "schema"),
        (6, "not_json"),
    ]


# Properties.

_scraps = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 2000),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.sampled_from(["x" * 128, "x" * 129, "😀" * 64, NOON_TEXT, "2026-01-31T12:00:00", "9.90", "EUR", "nps", "month"]),
    st.lists(st.text(max_size=3), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
_times = st.one_of(
    st.integers(NOON - DAY, NOON + 2 * DAY),
    st.sampled_from(
        [NOON_TEXT, "2026-01-31T12:00:00.1234567+05:30", "2016-12-31T23:59:60Z", "1989-01-01T00:00:00Z", 5]
    ),
)
_good = {
    "user_id": st.text(min_size=1, max_size=3),
    "duration_seconds": st.floats(0, 1e6),
    "features": st.lists(st.text(min_size=1, max_size=3), max_size=3),
    "reactions": st.integers(0, 9),
    "revision": st.integers(0, 1),
    "withdrawn": st.booleans(),
    "plan": st.text(max_size=3),
    "reason": st.text(max_size=3),
    "trial_ends_at": _times,
    "effective_at": _times,
    "covers_until": _times,
    "recurring_amount": st.floats(0, 1e6),
    "subscription_id": st.text(min_size=1, max_size=3),
}


@st.composite
def _almost_events(draw, types=tuple(LEAST)):
    """Events of which some fields are good, some are null, some are anything."""
    record = _record(draw(st.sampled_from(types)), occurred_at=draw(_times), customer_id=draw(st.sampled_from("ab😀")))
    for name in draw(st.lists(st.sampled_from(sorted(_good)), max_size=4, unique=True)):
        record[name] = draw(st.one_of(st.none(), _good[name]))
    if draw(st.integers(0, 2)) == 0:
        record[draw(st.sampled_from(sorted(record)))] = draw(_scraps)
    return msgspec.json.encode(record)


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.binary(max_size=20), _almost_events()), max_size=8), st.integers(1, 3))
def test_every_record_is_an_event_or_a_reject(values, partitions):
    """Whatever the bytes, each record is in exactly one of the three, and as it would be alone, in words too."""
    gate = GATE._replace(partitions=partitions)
    decoded = decode(values, [NOON] * len(values), **gate._asdict())
    assert len(decoded.sessions) + len(decoded.events) + len(decoded.rejects) == len(values)
    alone, rejects = [], []
    for index, value in enumerate(values):
        try:
            alone.append(read(value, NOON, gate))
        except Refused as refused:
            rejects.append((index, refused.type, refused.reason, str(refused)))
    assert list(decoded.sessions) == [event for event in alone if isinstance(event, Session)]
    assert decoded.events == [event for event in alone if not isinstance(event, Session)]
    assert [(each.index, each.type, each.reason, each.message) for each in decoded.rejects] == rejects
    assert {each.reason for each in decoded.rejects} <= set(REASONS)


@settings(deadline=None)
@given(st.lists(_almost_events(types=("session",)), min_size=1, max_size=8))
def test_the_fast_way_is_the_slow_way(values):
    """Sessions as columns equal sessions read one by one, all of them good or not."""
    decoded = decode(values, [NOON] * len(values), **GATE._asdict())
    expected = []
    for value in values:
        try:
            expected.append(read(value, NOON, GATE))
        except Refused:
            continue
    assert [*decoded.sessions, *decoded.events] == expected


@settings(deadline=None)
@given(st.integers(0, 10**8), st.integers(0, 6))
def test_durations_round_as_decimals(units, digits):
    """Any decimal of seconds is rounded half-even to the millisecond."""
    text = str(Decimal(units).scaleb(-digits).normalize())
    expected = int((Decimal(text) * 1000).quantize(Decimal(1), ROUND_HALF_EVEN))
    value = json.dumps(_record("session")).encode()[:-1] + f', "duration_seconds": {text}}}'.encode()
    assert _one(value).duration == expected


@settings(deadline=None)
@given(
    st.permutations(sorted(_record("payment") | {"status": "succeeded", "plan": None, "x": 1})),
    st.integers(0, 3),
    st.booleans(),
    st.sampled_from([NOON, NOON_TEXT, "2026-01-31T13:30:00+01:30", "2026-01-31T12:00:00.0009Z"]),
)
def test_canonical_form_is_stable(names, zeros, written_out, time):
    """Order of keys, defaults written out, trailing zeros and the notation of times do not change the form."""
    record = _record("payment", occurred_at=time, amount="9.9" + "0" * zeros, plan=None, status="succeeded", x=zeros)
    record = {name: record[name] for name in names}
    if written_out:
        record |= {"revision": 0, "withdrawn": False, "interval": "month", "interval_count": 1, "recurring_amount": 9.9}
        record |= {"subscription_id": "default", "covers_until": None}
    assert canonical(_one(record)) == canonical(_one(_record("payment")))


def _from_below(frames, act):
    """Call something with so many more frames on the stack."""
    return act() if frames == 0 else _from_below(frames - 1, act)


@pytest.mark.parametrize("type_", ["session", "signup"])
@pytest.mark.parametrize("frames", [0, 300])
def test_how_deep_a_record_may_be_nested_does_not_depend_on_the_stack(type_, frames):
    """500 levels, the record's own included: another worker decides the same, whoever calls its decoder."""
    head = json.dumps(_record(type_)).encode()[:-1]

    def nested(levels: int, more: bytes = b"") -> bytes:
        return head + more + b', "x": ' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"

    texts = b', "y": "' + b"[{" * 2000 + b'\\"[", "z": [' + b"[],{}," * 600 + b"1]"
    for more in (b"", texts):
        assert _from_below(frames, lambda more=more: _one(nested(500, more))).id == "e-1"
        refused = _from_below(frames, lambda more=more: _refusal(nested(501, more)))
        assert (refused.reason, refused.message.partition(":")[0]) == ("not_json", "the value is nested too deeply")
    for broken in (nested(800)[:-1], nested(940)[:-300] + b"?", head + b', "' + b"[" * 501):
        for depth in (0, frames):
            assert _from_below(depth, lambda broken=broken: _refusal(broken)) == _refusal(broken)
