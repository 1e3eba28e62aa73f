"""What a batch of sessions says of customers: their new days, the features used, the flow of their active users."""

from __future__ import annotations

from itertools import chain, compress

import numpy as np
from xxhash import xxh3_64_digest

from aggregators.events import Sessions
from aggregators.users.ledgers import Column, Flags, run_starts

WINDOW = 28
"""Days in which a user counts for its customer's health."""

DAY_BITS = 23
DAY_BIAS = 1 << 22


def marks(owners: Column | int, days: Column) -> Column:
    """Make one number of an owner's index and a day: it sorts by owner, then day, and days may be added to it."""
    return (owners << DAY_BITS) + days + DAY_BIAS


def owners_of(keys: Column) -> Column:
    """Give the owners of marks."""
    return keys >> DAY_BITS


def days_in(keys: Column) -> Column:
    """Give the days of marks."""
    return (keys & ((1 << DAY_BITS) - 1)) - DAY_BIAS


def summed(keys: Column, amounts: Column) -> tuple[Column, Column]:
    """Sort keys, add up the amounts of equal ones, and leave out those of 0."""
    if not len(keys):
        return keys, amounts
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    runs = run_starts(keys)
    sums = np.add.reduceat(amounts[order], runs)
    return keys[runs][sums != 0], sums[sums != 0]


_NOTHING = np.zeros(0, np.int64)


class Seen:
    """What customers' activity needs to know of one batch of sessions, those that count and those too late alike."""

    __slots__ = ("customers", "days", "steps", "uses")

    def __init__(self) -> None:
        """Start from nothing."""
        self.customers: list[str] = []
        """Every customer with a session in the batch; a customer is its index here."""
        self.days: Column = _NOTHING
        """Marks of customer and day on which a user was active that was not so far; ascending, each once."""
        self.steps: tuple[Column, Column] = _NOTHING, _NOTHING
        """Marks, ascending, and by how many more the customer's users active in 28 days change on that day."""
        self.uses: tuple[Column, Column] = _NOTHING, _NOTHING
        """Marks, ascending, and hashes of the features used on that day."""

    def take(
        self,
        sessions: Sessions,
        days: Column,
        counted: Flags,
        fresh: tuple[Column, Column],
        neighbours: tuple[Column, Column],
    ) -> None:
        """Gather what a batch says.

        Args:
            sessions: the batch.
            days: the sessions' days.
            counted: which sessions are no duplicates.
            fresh: users and days on which they were not active so far, ascending.
            neighbours: the user's active day before each of these and the one after it, counting smaller new days.
        """
        self.customers, customers = sessions.customers
        new_users, new_days = fresh
        if len(new_days):
            users = sessions.users[1]
            # Users are numbered as they come: the first row of each is where the greatest number so far grows.
            owners = customers[np.flatnonzero(np.diff(np.maximum.accumulate(users), prepend=-1))][new_users]
            keys = np.sort(marks(owners, new_days))
            self.days = keys[run_starts(keys)]
            last, following = neighbours
            come, leave = np.maximum(new_days, last + WINDOW), np.minimum(new_days + WINDOW, following)
            rows = np.flatnonzero(come < leave)
            ones = np.ones(len(rows), np.int64)
            self.steps = summed(
                np.concatenate((marks(owners[rows], come[rows]), marks(owners[rows], leave[rows]))),
                np.concatenate((ones, -ones)),
            )
        if any(sessions.features):
            self.uses = _uses(sessions, customers, days, counted)


def _uses(sessions: Sessions, customers: Column, days: Column, counted: Flags) -> tuple[Column, Column]:
    """Give customers' days and the hashes of the features used on them, each once."""
    rows = np.flatnonzero(counted)
    used = list(compress(sessions.features, counted.tolist()))
    lengths = np.fromiter(map(len, used), np.int64, len(used))
    numbers: dict[str, int] = {}
    codes = np.fromiter(
        (numbers.setdefault(name, len(numbers)) for name in chain.from_iterable(used)), np.int64, int(lengths.sum())
    )
    if not len(codes):
        return _NOTHING, _NOTHING
    hashes = np.frombuffer(b"".join(map(xxh3_64_digest, map(str.encode, numbers))), ">i8").astype(np.int64)
    distinct, places = np.unique(marks(customers[rows], days[rows]), return_inverse=True)
    pairs = np.sort(np.repeat(places, lengths) * len(hashes) + codes)
    places, codes = np.divmod(pairs[run_starts(pairs)], len(hashes))
    return distinct[places], hashes[codes]
