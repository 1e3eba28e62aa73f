"""Times as they stand in events, RFC 3339 with an offset, to integer milliseconds: one, or a column at once.

Beside `T` a space may stand, as in Python's `str` and in Postgres; the offset may be hours alone (`+00`, Postgres), and
seconds may be left out (`T00:00Z`, Java).

Digits finer than the millisecond are cut off, never rounded: 23:59:59.9999999 keeps its day. The second 60 of a leap
second, which the epoch's milliseconds do not have, counts as the last millisecond of its minute, and keeps its day too.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aggregators.calendar import DAY_MS, civil, day_of, from_civil
from streams.decoding.columns import flatten

_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ]([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d|60)(?:\.(\d+))?)?"
    r"(?:Z|([+-])([01]\d|2[0-3])(?::([0-5]\d))?)",
    re.ASCII | re.IGNORECASE,
)
_MINUTE_MS = 60_000
_SHORTEST, _LONGEST = len("2026-01-31T09:30Z"), len("2026-01-31T09:30:00.000000000+01:00")
_NUMBER = -1
"""Stands for the length of a number."""
_FIRST_YEAR, _YEARS = 1600, 800
_MONTH_STARTS = np.array([from_civil(_FIRST_YEAR + n // 12, n % 12 + 1, 1) for n in range(12 * _YEARS + 1)])
_MONTH_LENGTHS = np.diff(_MONTH_STARTS)


def instant(text: str) -> int:
    """Read one time; ValueError if it is not one of the forms above, or no such time exists.

    With an offset it may lie up to a day outside of years 1 to 9999.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(text)
    year, month, day, hour, minute, second, fraction, sign, offset_hours, offset_minutes = match.groups()
    minutes = 60 * int(hour) + int(minute)
    if sign:
        offset = 60 * int(offset_hours) + int(offset_minutes or 0)
        minutes -= offset if sign == "+" else -offset
    start = day_of(dt.date(int(year), int(month), int(day))) * DAY_MS + minutes * _MINUTE_MS
    if second == "60":
        # A leap second is the last of a month, in UTC.
        following = start + _MINUTE_MS
        if following % DAY_MS or civil(following // DAY_MS)[2] != 1:
            raise ValueError(text)
        return following - 1
    return start + 1000 * int(second or 0) + int((fraction or "")[:3].ljust(3, "0"))


def instants(column: Sequence[str | float]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Read a column of times, of which numbers are milliseconds already.

    Args:
        column: n_rows texts or numbers; a number lies within years 1 to 9999.

    Returns:
        values: int64[n_rows], milliseconds since 1970.
        certain: bool[n_rows], where the value is certain. The rest (not a time, a number with a fraction, a leap
            second, a year far from ours) is for `instant` to decide.

    Raises:
        UnicodeEncodeError: a text has a lone surrogate.
    """
    values, certain = _nothing(len(column))
    lengths = [len(each) if type(each) is str else _NUMBER for each in column]
    for length in set(lengths):
        if length != _NUMBER and not _SHORTEST <= length <= _LONGEST:
            continue
        if lengths.count(length) == len(column):
            return _same_length(column, length)
        at = np.flatnonzero(np.array(lengths) == length)
        values[at], certain[at] = _same_length([column[i] for i in at.tolist()], length)
    return values, certain


def _same_length(column: Sequence[str | float], length: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    count = len(column)
    if length == _NUMBER:
        numbers = np.array(column)
        values = numbers.astype(np.int64)
        return values, values == numbers
    data, _, widths = flatten(column)  # type: ignore[arg-type]
    if int(widths.sum()) != length * count:  # a text takes more bytes than it has characters: it is no time
        values, certain = _nothing(count)
        at = np.flatnonzero(widths == length)
        if len(at):
            values[at], certain[at] = _same_length([column[i] for i in at.tolist()], length)
        return values, certain
    rows = np.ndarray((length, count), np.uint8, buffer=data, strides=(1, length + 1))
    forms = _forms(rows)
    first = int(forms[0])
    if (forms == first).all():
        return _parsed(rows, *_FORMS[first])
    values, certain = _nothing(count)
    for form in np.unique(forms).tolist():
        alike = forms == form
        values[alike], certain[alike] = _parsed(rows[:, alike], *_FORMS[form])
    return values, certain


_FORMS = [(tail, seconds) for tail in (1, 3, 6) for seconds in (False, True)]
"""Characters of the offset (`Z`, `+00`, `+00:00`), and whether there are seconds."""


def _forms(rows: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the index of each column's form in `_FORMS`, as far as its signs tell: int64[n_rows]."""
    hours_alone = (rows[-3] == ord("+")) | (rows[-3] == ord("-"))
    zulu = (rows[-1] | 0x20) == ord("z")
    forms: NDArray[np.int64] = 2 * np.where(zulu, 0, np.where(hours_alone, 1, 2)) + (rows[16] == ord(":"))
    return forms


def _nothing(count: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    return np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.bool_)


def _parsed(rows: NDArray[np.uint8], tail: int, seconds: bool) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Read times whose characters stand in the same places.

    Args:
        rows: uint8[n_characters, n_times].
        tail: characters of the offset: 1, 3 or 6.
        seconds: whether there are seconds, and perhaps digits after them.
    """
    end = len(rows) - tail
    least = 19 if seconds else 16
    # A point without digits, digits without a point, or too short for this offset.
    if end < least or end == 20 or (not seconds and end > least):
        return _nothing(rows.shape[1])
    certain = (rows[4] == ord("-")) & (rows[7] == ord("-")) & (rows[13] == ord(":"))
    certain &= ((rows[10] | 0x20) == ord("t")) | (rows[10] == ord(" "))
    digits = rows - np.uint8(ord("0"))
    places = [0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15]
    if seconds:
        certain &= rows[16] == ord(":")
        places.extend((17, 18))
    if end > 19:
        certain &= rows[19] == ord(".")
        places.extend(range(20, end))

    def number(start: int, stop: int) -> NDArray[np.int32]:
        total: NDArray[np.int32] = digits[start].astype(np.int32)
        for place in range(start + 1, stop):
            total *= 10
            total += digits[place]
        return total

    month, day = number(5, 7), number(8, 10)
    hour, minute = number(11, 13), number(14, 16)
    months = (number(0, 4) - _FIRST_YEAR) * 12 + month - 1
    minutes = hour * 60 + minute
    if tail == 1:
        certain &= (rows[end] | 0x20) == ord("z")
    else:
        ahead, behind = rows[end] == ord("+"), rows[end] == ord("-")
        offset_hours = number(end + 1, end + 3)
        certain &= (ahead | behind) & (offset_hours < 24)
        places.extend((end + 1, end + 2))
        offset = 60 * offset_hours
        if tail == 6:
            offset_minutes = number(end + 4, end + 6)
            certain &= (rows[end + 3] == ord(":")) & (offset_minutes < 60)
            places.extend((end + 4, end + 5))
            offset += offset_minutes
        minutes += np.where(ahead, -1, 1) * offset
    certain &= (digits[places] < 10).all(axis=0)
    certain &= (month >= 1) & (month <= 12) & (months >= 0) & (months < len(_MONTH_LENGTHS))
    months[~certain] = 0
    certain &= (day >= 1) & (day <= _MONTH_LENGTHS[months]) & (hour < 24) & (minute < 60)
    values = (_MONTH_STARTS[months] + day - 1) * DAY_MS + minutes.astype(np.int64) * _MINUTE_MS
    if seconds:
        second = number(17, 19)
        certain &= second < 60
        values += second * 1000
    if end > 19:
        present = min(end, 23)
        values += number(20, present) * 10 ** (23 - present)
    return values, certain
