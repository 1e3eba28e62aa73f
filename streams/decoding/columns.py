"""A column of texts as one run of bytes, so that numpy can work on all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PADDING = 4
"""Zero bytes after the last text, so that a word may be read at any byte of any text."""


class Texts(NamedTuple):
    """Texts in UTF-8, one after the other, and where each one is."""

    data: bytes
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    """In bytes."""


def flatten(texts: Sequence[str]) -> Texts:
    """Lay texts out as bytes.

    Raises:
        UnicodeEncodeError: a text has a lone surrogate.
    """
    count = len(texts)
    data = "\0".join(texts).encode() + bytes(PADDING)
    # Finding the separators is ten times as fast as asking every text for its length.
    ends = np.flatnonzero(np.frombuffer(data, np.uint8)[: len(data) - PADDING + 1] == 0)
    if len(ends) != count:  # a text has a zero of its own, or there are none
        ends = np.cumsum([len(text.encode()) + 1 for text in texts], dtype=np.int64) - 1
    starts = np.zeros(count, dtype=np.int64)
    starts[1:] = ends[:-1] + 1
    return Texts(data, starts, ends - starts)
