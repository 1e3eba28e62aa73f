"""Labels' values put together: exact whatever the amounts."""

from __future__ import annotations

import numpy as np

from aggregators.metrics.grouping import by_group


def test_sums_beyond_64_bits_are_exact() -> None:
    """Six columns of 2^61 in one group are more than an int64 holds."""
    sums = np.full((1, 6), 1 << 61, np.int64)
    assert by_group(sums, [0] * 6, 1).tolist() == [[6 << 61]]
    assert by_group(-sums, [0, 1, 1, 1, 1, 1], 2).tolist() == [[-(1 << 61), -(5 << 61)]]
