"""Facts: keys that take any text, and sums by day."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aggregators.calendar import LAST_DAY
from aggregators.facts import MEASURES, Facts, group_of, key, parts

labels = st.lists(st.text(alphabet=st.sampled_from("ab01\x1e\x1f\n|ü😀")), max_size=4)


@given(labels)
def test_a_key_gives_back_its_labels(texts: list[str]) -> None:
    """Any text is safe in a label, the separator and the escape included."""
    assert parts(key("churned", *texts)) == ("churned", *texts)


@given(labels, labels)
def test_different_labels_have_different_keys(some: list[str], others: list[str]) -> None:
    """No two lists of labels share a key."""
    assert (key("mrr", *some) == key("mrr", *others)) == (some == others)


def test_every_measure_has_its_group() -> None:
    """A key is stored in the group that the catalogue names for its measure."""
    for measure, entry in MEASURES.items():
        assert group_of(key(measure, *entry.labels)) == entry.group


def test_sums_merge_and_cancel() -> None:
    """What is added and taken away again leaves nothing, and no one sees days after the last."""
    facts = Facts()
    facts.add(1, "new", 2)
    facts.add(LAST_DAY + 1, "new", 1)
    other = Facts({1: {"new": 2, "signups": 1}})
    facts.merge(other, -1)
    assert facts.nonzero() == {1: {"signups": -1}}
    assert list(facts) == [(1, "signups", -1)]
    facts.merge(Facts({1: {"signups": 1}}))
    assert facts == Facts()
