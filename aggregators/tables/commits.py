"""What a commit makes of a shard's meta and facts, whichever store it is written to."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

import msgspec

from aggregators.calendar import LAST_DAY
from aggregators.facts import MEASURES, SEPARATOR, Facts, Group, group_of
from aggregators.tables.door import REBUILDING, Commit, Meta


def committed(commit: Commit) -> Meta:
    """Give the meta after a commit: another token, one version more, offsets and outcomes taken up."""
    before = commit.based_on
    outcomes = dict(before.outcomes)
    for name, count in commit.outcomes.items():
        outcomes[name] = outcomes.get(name, 0) + count
    return msgspec.structs.replace(
        _next(before, commit.fingerprint),
        partitions=commit.partitions,
        offsets={**before.offsets, **commit.offsets},
        outcomes=outcomes,
    )


def marked(before: Meta, mark: str = REBUILDING) -> Meta:
    """Give the meta of a shard that is being rebuilt, or with the mark `EMPTYING` emptied."""
    # The zone stays readable: see Rules.fingerprint.
    zone = (before.fingerprint or "").partition("/")[2]
    return _next(before, f"{mark}{secrets.token_hex(8)}/{zone}")


def rebuilt(before: Meta, fingerprint: str) -> Meta:
    """Give the meta after a rebuild."""
    return _next(before, fingerprint)


def emptied(before: Meta, fingerprint: str, partitions: int) -> Meta:
    """Give the meta of a shard that is empty, for workers with this fingerprint; the version goes on for readers."""
    return msgspec.structs.replace(_next(before, fingerprint), partitions=partitions, offsets={}, outcomes={})


def _next(before: Meta, fingerprint: str) -> Meta:
    token, version = secrets.token_hex(8), before.version + 1
    return msgspec.structs.replace(before, fingerprint=fingerprint, token=token, version=version)


def stamp(meta: Meta) -> str:
    """Name the commit that made this meta: what the days that it changes are stamped with."""
    return f"{meta.version}:{meta.token}"


def by_group(facts: Facts) -> dict[int, dict[Group, dict[str, int]]]:
    """Sort facts that are not zero by day and by the group that they are stored in; days past the last are left out.

    Raises:
        KeyError: for a measure that the catalogue does not have.
    """
    days: dict[int, dict[Group, dict[str, int]]] = {}
    for day, day_facts in facts.nonzero().items():
        if day > LAST_DAY:
            continue
        groups = days[day] = {}
        for key, amount in day_facts.items():
            group = group_of(key)
            if group in groups:
                groups[group][key] = amount
            else:
                groups[group] = {key: amount}
    return days


def add(stored: dict[str, int], delta: Mapping[str, int]) -> None:
    """Add a delta to stored facts in place; what becomes zero is gone."""
    for key, amount in delta.items():
        total = stored.get(key, 0) + amount
        if total:
            stored[key] = total
        else:
            stored.pop(key, None)


def kept(fact_key: str) -> bool:
    """Tell whether a rebuild leaves a stored fact as it is; a measure of an older release is not kept."""
    measure = MEASURES.get(fact_key.partition(SEPARATOR)[0])
    return measure is not None and measure.kept
