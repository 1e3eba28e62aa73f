"""Labels that are shown together: sums by group, and open labels beyond a limit as `other`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from aggregators.metrics.book import Sums

OTHER = "other"


def names_within(limit: int, counts: Mapping[str, int]) -> dict[str, str]:
    """Give the name that each value of an open label is shown by: beyond the `limit` counted most, ties by name, other.

    A value that is itself called `other` is shown together with these.
    """
    ranked = sorted(counts, key=lambda value: (-counts[value], value))
    return {value: value if rank < limit else OTHER for rank, value in enumerate(ranked)}


def by_group(sums: Sums, groups: Sequence[int], size: int) -> Sums:
    """Add up the columns of each group, exactly.

    Args:
        sums: any rows; a column for each of `groups`.
        groups: by column, its group's number.
        size: how many groups there are.

    Returns:
        The same rows, a column a group; 0 in a group without columns.
    """
    if sums.dtype != np.object_ and int(np.abs(sums).max(initial=0)) * len(groups) >= 1 << 63:
        sums = sums.astype(np.object_)
    total = np.zeros((len(sums), size), sums.dtype)
    if groups:
        order = np.argsort(groups, kind="stable")
        numbers, starts = np.unique(np.asarray(groups)[order], return_index=True)
        total[:, numbers] = np.add.reduceat(sums[:, order], starts, axis=1)
    return total
