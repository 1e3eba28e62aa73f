"""Times of RFC 3339 to milliseconds, one by one and by the column."""

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.decoding.times import instant, instants

NEW_YEAR = 1_767_225_600_000  # 2026-01-01T00:00:00Z


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-01T00:00:00Z", NEW_YEAR),
        ("2026-01-01t00:00:00z", NEW_YEAR),
        ("2026-01-01T01:00:00+01:00", NEW_YEAR),
        ("2025-12-31T18:30:00-05:30", NEW_YEAR),
        ("2026-01-01T00:00:00-00:00", NEW_YEAR),
        ("2026-01-01T23:59:00+23:59", NEW_YEAR),
        ("2026-01-01 00:00:00+00:00", NEW_YEAR),
        ("2026-01-01 00:00:00.123456+00", NEW_YEAR + 123),
        ("2026-01-01 05:30:00+05:30", NEW_YEAR),
        ("2025-12-31 18:00:00-06", NEW_YEAR),
        ("2026-01-01t00:00z", NEW_YEAR),
        ("2026-01-01T00:00Z", NEW_YEAR),
        ("2026-01-01T01:00+01:00", NEW_YEAR),
        ("2026-01-01 01:00+01", NEW_YEAR),
        ("2026-01-01T00:00:00.5Z", NEW_YEAR + 500),
        ("2026-01-01T00:00:00.05Z", NEW_YEAR + 50),
        ("2026-01-01T00:00:00.123Z", NEW_YEAR + 123),
        ("2026-01-01T00:00:00.9999996Z", NEW_YEAR + 999),
        ("2025-12-31T23:59:59.999999999999Z", NEW_YEAR - 1),
        ("1969-12-31T23:59:59.9999Z", -1),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000),
        ("2016-12-31T23:59:60Z", 1_483_228_799_999),
        ("2016-12-31T23:59:60.75Z", 1_483_228_799_999),
        ("2017-01-01T00:59:60+01:00", 1_483_228_799_999),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ("9999-12-31T23:59:59.999-01:00", 253_402_304_399_999),
    ],
)
def test_times(text, expected):
    """Offsets are applied, finer digits cut off, a leap second kept in its minute."""
    assert instant(text) == expected
    values, certain = instants([text])
    assert not certain[0] or values[0] == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-01-01_00:00:00Z",
        "2026-01-01  00:00Z",
        "2026-01-01T00Z",
        "2026-01-01T00:00",
        "2026-01-01T00:00:Z",
        "2026-01-01T00:00.5Z",
        "2026-01-01T00:00+0",
        "2026-01-01T00:00+24",
        "2026-01-01T00:00:00+1:00",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00.+00",
        "2026-01-01T00:00:00,5Z",
        "2026-01-01T00:00:00+0100",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+00:60",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:61Z",
        "2026-01-01T12:00:60Z",
        "2026-01-15T23:59:60Z",
        "2026-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "+2026-01-01T00:00:00Z",
        "20260101T000000Z",
        " 2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00Z\n",
        "2026-01-01T00:00:0\u0660Z",
        "2026/01/01T00:00:00Z",
        "2026-01-01T00:00:00.12\u00e9Z",
        "2026-01-01T00:00:00.123:00:00",
        "1767225600000",
    ],
)
def test_no_times(text):
    """Anything else is no time, neither alone nor in a column."""
    with pytest.raises(ValueError):  # noqa: PT011 - any kind of it
        instant(text)
    assert not instants([text])[1].any()
    assert instants([text, "2026-01-01T00:00:00Z"])[1].tolist() == [False, True]


_moments = st.datetimes(dt.datetime(1600, 1, 2), dt.datetime(2399, 12, 30))  # noqa: DTZ001 - the offset comes later
_offsets = st.integers(-23 * 60 - 59, 23 * 60 + 59)


_milliseconds = st.integers(0, 2**45).flatmap(lambda n: st.sampled_from([(n, n), (float(n), n)]))


@st.composite
def _texts(draw):
    """Draw a time in any of its forms, and its milliseconds."""
    moment, offset, digits = draw(_moments), draw(_offsets), draw(st.integers(0, 9))
    fraction = draw(st.integers(0, 10**digits - 1))
    hours_alone, seconds = draw(st.booleans()), draw(st.booleans())
    if hours_alone:
        offset -= offset % 60 if offset > 0 else -(-offset % 60)
    if not seconds:
        moment, digits, fraction = moment.replace(second=0), 0, 0
    text = moment.strftime(f"%Y-%m-%d{draw(st.sampled_from('Tt '))}%H:%M" + (":%S" if seconds else ""))
    text += f".{fraction:0{digits}d}" if digits else ""
    sign = "-" if offset < 0 else "+"
    minutes = "" if hours_alone else f":{abs(offset) % 60:02d}"
    text += draw(st.sampled_from("Zz")) if not offset else f"{sign}{abs(offset) // 60:02d}{minutes}"
    start = moment.replace(microsecond=0) - dt.timedelta(minutes=offset)
    elapsed = (start - dt.datetime(1970, 1, 1)) // dt.timedelta(seconds=1)  # noqa: DTZ001 - both are UTC
    return text, 1000 * elapsed + fraction * 1000 // 10**digits


@settings(deadline=None)
@given(st.lists(st.one_of(_texts(), _milliseconds), max_size=20))
def test_columns_are_exact(cases):
    """Texts of any mixture of forms, and numbers, give the right millisecond, all of them by the fast way."""
    values, certain = instants([text for text, _ in cases])
    assert values.tolist() == [expected for _, expected in cases]
    assert certain.all()
    assert [instant(text) for text, _ in cases if isinstance(text, str)] == [
        expected for text, expected in cases if isinstance(text, str)
    ]


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(_texts(), st.integers(0, 40), st.characters(codec="utf-8")), min_size=1, max_size=10))
def test_columns_accept_no_more_than_single_times(cases):
    """A text with one character changed is certain in a column only if it is a time, and then it is the same one."""
    column = [text[:at] + char + text[at + 1 :] for (text, _), at, char in cases]
    values, certain = instants(column)
    for text, value, sure in zip(column, values.tolist(), certain.tolist(), strict=True):
        if sure:
            assert instant(text) == value


def test_a_number_with_a_fraction_is_no_time():
    """Half a millisecond is certain in no column, whatever stands beside it."""
    assert instants([1.5, 2.0, 3])[1].tolist() == [False, True, True]
