"""All shards' facts as one matrix of running sums, days by facts: what every metric is read from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from aggregators.facts import parts

Sums = npt.NDArray[Any]
"""64-bit integers, or Python's own where those could overflow."""

_SAFE = 2.0**62
"""Running sums of 64 bits are exact below 2**63; half of it leaves room for this bound being kept in floats."""


class _Day(msgspec.Struct, frozen=True, gc=False):
    """One shard's facts of one day."""

    columns: npt.NDArray[np.intp]
    amounts: Sums


class _Change(msgspec.Struct, frozen=True, gc=False):
    """Facts to add to (or with sign -1 to take from) all running sums from their day on."""

    day: int
    facts: _Day
    sign: int


class Book:
    """The facts of all shards, kept as running sums by day.

    A row of the matrix is a day with facts, never an empty one, so that facts of distant centuries cost a row each.
    Days later than any that was asked for wait outside the matrix: folds write the future ahead, and rewrite it often.
    A day's end before all facts has sums of 0. Not for use by two threads at once.
    """

    __slots__ = ("_bounds", "_columns", "_days", "_measures", "_reached", "_shards", "_sums")

    def __init__(self) -> None:
        """Start without facts."""
        self._shards: dict[int, dict[int, _Day]] = {}
        self._columns: dict[str, int] = {}
        self._measures: dict[str, dict[tuple[str, ...], int]] = {}
        self._days: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self._reached: int | None = None
        """The latest day asked for: the matrix covers the days up to it."""
        self._sums: Sums = np.zeros((1, 0), np.int64)
        """With room to grow; row 0 is the time before all facts, row i + 1 the end of the day at i."""
        self._bounds: npt.NDArray[np.float64] = np.empty(0)
        """By column, the sum of all amounts' absolute values: no running sum is further from 0."""

    def update(self, shard: int, days: Mapping[int, Mapping[str, int]]) -> None:
        """Put whole days of one shard in the place of what it had on them; an empty map for a day that is gone."""
        known = self._shards.setdefault(shard, {})
        changes: list[_Change] = []
        for day, facts in days.items():
            old = known.pop(day, None)
            new = self._pack(facts) if facts else None
            if new is not None:
                known[day] = new
            if self._reached is not None and day <= self._reached:
                changes += [_Change(day, a, sign) for a, sign in ((old, -1), (new, 1)) if a is not None]
        self._add(changes)

    @property
    def first_day(self) -> int | None:
        """The first day with facts, of those up to the latest day asked for; None if there is none."""
        return int(self._days[0]) if len(self._days) else None

    def columns(self, measure: str) -> Mapping[tuple[str, ...], int]:
        """Give the column of each combination of labels that a measure has come with, in order of arrival."""
        return self._measures.get(measure, {})

    def sums(self, days: Sequence[int], columns: Sequence[int] | None = None) -> Sums:
        """Give the sums of facts up to the end of each of the days, as rows of the columns named, or of all.

        Where 64 bits could overflow the elements are Python integers. The array is a copy.
        """
        if days:
            self._reach(max(days))
        if len(self._columns) > self._sums.shape[1]:
            self._make_room([])
        rows = np.searchsorted(self._days, np.asarray(days, np.int64), side="right")
        if columns is None:
            return self._sums[rows, : len(self._columns)]
        return self._sums[np.ix_(rows, np.asarray(columns, np.intp))]

    def each(self, days: npt.NDArray[np.int64], columns: Sequence[int]) -> Sums:
        """Give the sum of each column up to the end of a day of its own.

        Args:
            days: any number of rows, with one day for each of the columns.
            columns: the columns.

        Returns:
            Sums in the shape of `days`.
        """
        if days.size:
            self._reach(int(days.max()))
        if len(self._columns) > self._sums.shape[1]:
            self._make_room([])
        return self._sums[np.searchsorted(self._days, days, side="right"), np.asarray(columns, np.intp)]

    def come(self, measure: str, day: int) -> dict[tuple[str, ...], int]:
        """Give a level's sum up to the end of a day under each combination of labels that it ever was not 0 under.

        What counts is the days up to the one asked for, so that a series that has come stays.
        """
        columns = self.columns(measure)
        now = self.sums([day], list(columns.values()))[0].tolist()
        found = dict(zip(columns, now, strict=True))
        gone = [labels for labels, amount in found.items() if not amount]
        height = int(np.searchsorted(self._days, day, side="right")) + 1
        ever = (self._sums[:height, [columns[labels] for labels in gone]] != 0).any(axis=0)
        for position in np.flatnonzero(~ever).tolist():
            del found[gone[position]]
        return found

    def total(self, measure: str, day: int, *labels: str) -> int:
        """Give the sum of a measure up to the end of a day, over all labels that begin with the given ones."""
        row = self.sums([day])[0]
        return sum(int(row[column]) for column in self._matching(measure, labels))

    def flow(self, measure: str, start: int, last: int, *labels: str) -> int:
        """Give the sum of a measure from a first to a last day, over all labels that begin with the given ones."""
        before, after = self.sums([start - 1, last])
        return sum(int(after[column]) - int(before[column]) for column in self._matching(measure, labels))

    def _matching(self, measure: str, labels: tuple[str, ...]) -> list[int]:
        return [column for found, column in self.columns(measure).items() if found[: len(labels)] == labels]

    def _pack(self, facts: Mapping[str, int]) -> _Day:
        """Turn a day's facts into two columns, and give new facts columns of the matrix."""
        try:
            columns = [self._columns[fact] for fact in facts]
        except KeyError:
            for fact in facts:
                if fact not in self._columns:
                    column = self._columns[fact] = len(self._columns)
                    measure, *labels = parts(fact)
                    self._measures.setdefault(measure, {})[tuple(labels)] = column
            columns = [self._columns[fact] for fact in facts]
        amounts: Sums
        try:
            amounts = np.array(list(facts.values()), np.int64)
        except OverflowError:
            amounts = np.array(list(facts.values()), np.object_)
        return _Day(np.array(columns, np.intp), amounts)

    def _reach(self, day: int) -> None:
        """Take in the days that have waited, up to one that is asked for."""
        reached = self._reached
        if reached is not None and day <= reached:
            return
        self._reached = day
        self._add(
            [
                _Change(waiting, facts, 1)
                for known in self._shards.values()
                for waiting, facts in known.items()
                if waiting <= day and (reached is None or waiting > reached)
            ]
        )

    def _add(self, changes: list[_Change]) -> None:
        """Add changes to the matrix in one pass over the rows from the first of them on."""
        if not changes:
            return
        changes.sort(key=lambda change: change.day)
        self._make_room(sorted({change.day for change in changes}))
        self._keep_exact(changes)
        width, height = len(self._columns), len(self._days) + 1
        pending = np.zeros(width, self._sums.dtype)
        rows = (np.searchsorted(self._days, [change.day for change in changes]) + 1).tolist()
        for change, row, following in zip(changes, rows, [*rows[1:], height], strict=True):
            # A day's facts are a map: no column comes twice, so that adding by index counts each.
            if change.sign > 0:
                pending[change.facts.columns] += change.facts.amounts
            else:
                pending[change.facts.columns] -= change.facts.amounts
            if row == following:
                continue
            touched = np.flatnonzero(pending)
            if 8 * len(touched) < width and following - row > 1:
                self._sums[row:following, touched] += pending[touched]
            else:
                self._sums[row:following, :width] += pending

    def _make_room(self, days: Sequence[int]) -> None:
        """Give a row to each of the days and a column to each fact; growing is rare, by a quarter at a time."""
        new = np.setdiff1d(np.asarray(days, np.int64), self._days, assume_unique=True)
        height, width = self._sums.shape
        needed = len(self._days) + len(new) + 1
        if len(self._columns) > width:
            width = len(self._columns) * 5 // 4 + 64
            self._bounds = np.concatenate([self._bounds, np.zeros(width - len(self._bounds))])
        later = not len(self._days) or not len(new) or new[0] > self._days[-1]
        merged = np.union1d(self._days, new)
        if needed > height or width > self._sums.shape[1] or not later:
            # A day between others starts from the sums of the one before it.
            sources = np.searchsorted(self._days, merged, side="right")
            grown = np.zeros((max(height, needed * 5 // 4 + 16 if needed > height else 0), width), self._sums.dtype)
            grown[1:needed, : self._sums.shape[1]] = self._sums[sources]
            self._sums = grown
        elif len(new):
            self._sums[len(self._days) + 1 : needed] = self._sums[len(self._days)]
        self._days = merged

    def _keep_exact(self, changes: Iterable[_Change]) -> None:
        """Go over to Python's integers for good as soon as a sum could overflow 64 bits."""
        if self._sums.dtype == np.object_:
            return
        if all(change.facts.amounts.dtype == np.int64 for change in changes):
            weights = np.concatenate([change.sign * np.abs(change.facts.amounts.astype(float)) for change in changes])
            columns = np.concatenate([change.facts.columns for change in changes])
            self._bounds += np.bincount(columns, weights, len(self._bounds))
            if self._bounds.max(initial=0.0) < _SAFE:
                return
        self._sums = self._sums.astype(np.object_)
