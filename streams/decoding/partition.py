"""The partition of a customer: murmur2 of its id, as Java's default partitioner and kafka-python's have it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streams.decoding.columns import flatten

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF
_POSITIVE = 0x7FFFFFFF
_TAIL_MASKS = np.array([0, 0xFF, 0xFFFF, 0xFFFFFF], dtype=np.uint32)
"""By the number of bytes after the last whole block: the bits of a little-endian word that they take."""


def partition_of(customer_id: str, partitions: int) -> int:
    """Give the partition, from 0, of a customer's records in a topic with that many partitions.

    Raises:
        UnicodeEncodeError: the id has a lone surrogate, so it cannot be a key.
    """
    return (_murmur2(customer_id.encode()) & _POSITIVE) % partitions


def partitions_of(customer_ids: Sequence[str], partitions: int) -> NDArray[np.int64]:
    """Give the partitions of many customers at once, in their order: `partition_of` as a column."""
    if not customer_ids:
        return np.empty(0, dtype=np.int64)
    data, starts, lengths = flatten(customer_ids)
    # A word begins at every byte of the ids; aligned copies of them are faster to pick from.
    words = np.ascontiguousarray(np.ndarray((len(data) - 3,), "<u4", buffer=data, strides=(1,)))
    hashes = lengths.astype(np.uint32) ^ np.uint32(_SEED)
    blocks = lengths >> 2
    shortest = int(blocks.min())
    for block in range(int(blocks.max())):
        if block < shortest:
            hashes = _mix(hashes, words[starts + 4 * block])
        else:
            longer = np.flatnonzero(blocks > block)
            hashes[longer] = _mix(hashes[longer], words[starts[longer] + 4 * block])
    rest = lengths & 3
    tail = words[starts + 4 * blocks] & _TAIL_MASKS[rest]
    hashes = np.where(rest > 0, (hashes ^ tail) * np.uint32(_M), hashes)
    hashes ^= hashes >> np.uint32(13)
    hashes *= np.uint32(_M)
    hashes ^= hashes >> np.uint32(15)
    return (hashes & np.uint32(_POSITIVE)).astype(np.int64) % partitions


def _mix(hashes: NDArray[np.uint32], words: NDArray[np.uint32]) -> NDArray[np.uint32]:
    words = words * np.uint32(_M)
    words ^= words >> np.uint32(24)
    words *= np.uint32(_M)
    words ^= hashes * np.uint32(_M)
    return words


def _murmur2(data: bytes) -> int:
    whole = len(data) & ~3
    value = _SEED ^ len(data)
    for start in range(0, whole, 4):
        word = int.from_bytes(data[start : start + 4], "little") * _M & _MASK
        word = (word ^ word >> 24) * _M & _MASK
        value = (value * _M & _MASK) ^ word
    if whole < len(data):
        value = (value ^ int.from_bytes(data[whole:], "little")) * _M & _MASK
    value = (value ^ value >> 13) * _M & _MASK
    return value ^ value >> 15
