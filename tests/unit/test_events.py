"""Events as values: equality, the canonical form, and sessions as columns."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregators.events import (
    TYPES,
    Cancellation,
    Expense,
    Payment,
    Session,
    Sessions,
    Signup,
    Survey,
    canonical,
    decimal,
)

_COMMON = {"id": "e-1", "customer_id": "c-1", "occurred_at": 1_767_225_600_000}
_PAYMENT = Payment(**_COMMON, amount="9.9", currency="EUR", recurring_amount="9.9")
_EVENTS = [
    Signup(**_COMMON),
    _PAYMENT,
    Cancellation(**_COMMON, effective_at=1_767_225_600_000),
    Survey(**_COMMON, kind="nps", score=9, user_id="c-1"),
    Expense(**_COMMON, category="retention", amount="100", currency="USD"),
]


def test_types():
    """Each struct knows its type by the name that a record gives it; sessions have no struct."""
    assert [event.type for event in _EVENTS] == [name for name in TYPES if name != "session"]


def test_canonical_payment():
    """The whole form of one payment, byte by byte."""
    assert canonical(_PAYMENT) == (
        b'{"amount":"9.9","covers_until":null,"currency":"EUR","customer_id":"c-1","id":"e-1","interval":"month",'
        b'"interval_count":1,"occurred_at":1767225600000,"plan":null,"recurring_amount":"9.9","revision":0,'
        b'"status":"succeeded","subscription_id":"default","type":"payment","withdrawn":false}'
    )


@pytest.mark.parametrize("event", _EVENTS, ids=lambda event: event.type)
def test_canonical_is_json(event):
    """The form of every type is what the standard library writes with sorted keys, no spaces and UTF-8."""
    fields = {name: getattr(event, name) for name in event.__struct_fields__} | {"type": event.type}
    expected = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert canonical(event) == expected


def test_canonical_is_utf8():
    """Letters outside of ASCII stand as they are."""
    assert '"reason":"zu teuer: übel"'.encode() in canonical(
        Cancellation(**_COMMON, effective_at=0, reason="zu teuer: übel")
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", "0"),
        ("0.0", "0"),
        ("000", "0"),
        ("10", "10"),
        ("100.00", "100"),
        ("007.50", "7.5"),
        ("0.000001", "0.000001"),
        ("1.10", "1.1"),
        ("1.01", "1.01"),
    ],
)
def test_decimal(text, expected):
    """Zeros that mean nothing go, zeros that mean something stay."""
    assert decimal(text) == expected


_rows = st.lists(
    st.builds(
        Session,
        st.text(),
        st.text(),
        st.text(),
        st.integers(0, 2**40),
        st.integers(0, 2**40),
        st.integers(0, 9),
        st.lists(st.text(), max_size=2).map(tuple),
    ),
    max_size=6,
)


@settings(deadline=None)
@given(_rows, _rows, st.integers(0, 6), st.integers(0, 6))
def test_sessions_behave_as_rows(rows, more, start, stop):
    """Columns count, join, slice and pick as the list of their rows does."""
    sessions = Sessions.of(rows)
    assert len(sessions) == len(rows)
    assert list(sessions) == rows
    assert list(sessions + Sessions.of(more)) == rows + more
    assert sessions[start:stop] == Sessions.of(rows[start:stop])
    backwards = list(reversed(range(len(rows))))
    assert list(sessions.take(backwards)) == rows[::-1]
