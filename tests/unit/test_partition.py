"""Customers' partitions: equal to those of the clients that produce the events."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2

from streams.decoding.partition import partition_of, partitions_of

_ids = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def _expected(customer_id: str, partitions: int) -> int:
    return (murmur2(customer_id.encode()) & 0x7FFFFFFF) % partitions


@pytest.mark.parametrize(
    ("text", "value"),
    # The vectors of Apache Kafka's own UtilsTest.testMurmur2, as unsigned numbers.
    [
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
def test_java_vectors(text, value):
    """Java's published hashes give Java's partitions."""
    expected = (value & 0x7FFFFFFF) % 1009
    assert partition_of(text, 1009) == expected
    assert partitions_of([text], 1009).tolist() == [expected]


@settings(deadline=None)
@given(_ids, st.integers(1, 1000))
def test_one_customer(customer_id, partitions):
    """Any text goes where kafka-python sends it."""
    assert partition_of(customer_id, partitions) == _expected(customer_id, partitions)


@settings(deadline=None)
@given(st.lists(_ids, max_size=30), st.integers(1, 1000))
def test_a_column_of_customers(customer_ids, partitions):
    """A column of ids of any lengths gives each id's own partition."""
    got = partitions_of(customer_ids, partitions)
    assert got.dtype == np.int64
    assert got.tolist() == [_expected(each, partitions) for each in customer_ids]


@pytest.mark.parametrize("length", range(10))
def test_a_column_of_equal_lengths(length):
    """Ids of one length, the usual case, are right for every rest of whole words."""
    customer_ids = [f"{number:0{length}d}"[:length] for number in range(100)]
    assert partitions_of(customer_ids, 7).tolist() == [_expected(each, 7) for each in customer_ids]


def test_a_lone_surrogate_is_no_key():
    """What UTF-8 cannot write has no partition."""
    with pytest.raises(UnicodeEncodeError):
        partition_of("\ud800", 4)
