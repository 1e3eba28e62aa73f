"""A rebuild's end in Redis: new facts are staged beside the old ones, and take their place in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from aggregators.facts import Facts, Group, group_of
from aggregators.tables import commits
from aggregators.tables.door import REBUILDING, Meta, Superseded, TablesUnavailable
from aggregators.tables.redis.connection import Command, Link
from aggregators.tables.redis.layout import date_bytes, pack_facts, pack_meta, unpack_days, unpack_facts, unpack_meta
from aggregators.tables.redis.shard import transact

_DAYS_AT_ONCE = 64
_KEYS_AT_ONCE = 250
_ATTEMPTS = 20

Item = TypeVar("Item")


def start(link: Link, mark: str = REBUILDING) -> Meta:
    """Mark a shard as being rebuilt or emptied, which supersedes every batch under way, and give its meta."""
    for _ in range(_ATTEMPTS):
        meta = commits.marked(_begin(link), mark)
        try:
            transact(link, meta, ())
        except Superseded:
            continue
        return meta
    raise TablesUnavailable("Workers keep committing to a shard that is to be rebuilt: stop them first.")


def replace(link: Link, based_on: Meta, fingerprint: str, facts: Facts) -> Meta:
    """Put newly folded facts in place of all but those of kept measures; see `Tables.replace_facts`."""
    keys = link.keys
    _unstage(link)
    stamps = unpack_days(link.call(("HGETALL", keys.days))[0])
    new = commits.by_group(facts)
    known = sorted(stamps.keys() | new.keys())
    staged: list[int] = []
    for days in _chunks(known):
        staged += _stage(link, days, new)
    # Watched, so that staged facts which vanish (an eviction, a FLUSHALL) stop the transaction instead of breaking it.
    staged_keys = [keys.staged_day(day) for day in staged]
    now = _begin(link)
    for watched in _chunks(staged_keys):
        _, there = link.call(("WATCH", *watched), ("EXISTS", *watched), resume=True)
        if there != len(watched):
            raise Superseded
    if now.token != based_on.token:
        _unstage(link)
        raise Superseded
    meta = commits.rebuilt(now, fingerprint)
    writes: list[Command] = [("RENAME", keys.staged_day(day), keys.day(day)) for day in staged]
    writes += [("DEL", keys.day(day)) for day in set(known).difference(staged)]
    if known:
        stamp = commits.stamp(meta)
        writes.append(("HSET", keys.days, *(item for day in known for item in (date_bytes(day), stamp))))
    transact(link, meta, [*writes, ("DEL", keys.staged)])
    return meta


def empty(link: Link, based_on: Meta, made_for: tuple[str, int] | None) -> None:
    """Remove every key of a shard, the mark in its meta last; see `Tables.empty`."""
    keys = link.keys
    if _begin(link).token != based_on.token:
        raise Superseded
    cursor = b"0"
    while True:
        # Whatever there is, also what nothing in the shard leads to any more.
        cursor, found = link.call(("SCAN", cursor, "MATCH", keys.pattern, "COUNT", _KEYS_AT_ONCE))[0]
        names = [name for name in found if name != keys.meta.encode()]
        if names:
            link.call(("UNLINK", *names))
        if cursor == b"0":
            break
    now = _begin(link)
    if now.token != based_on.token:
        raise Superseded
    writes: list[Command] = [("DEL", keys.meta)]
    if made_for is not None:
        writes.append(("HSET", keys.meta, *pack_meta(commits.emptied(now, *made_for))))
    if link.call(("MULTI",), *writes, ("EXEC",), resume=True)[-1] is None:
        raise Superseded


def _begin(link: Link) -> Meta:
    return unpack_meta(link.call(("UNWATCH",), ("WATCH", link.keys.meta), ("HGETALL", link.keys.meta))[-1])


def _stage(link: Link, days: Sequence[int], new: dict[int, dict[Group, dict[str, int]]]) -> list[int]:
    """Write the facts of some days, old ones of kept measures among them, beside the old; give the days that have any.

    Nobody commits to a shard under rebuild, and if somebody does, the token tells before the facts are used.
    """
    keys = link.keys
    staged: list[int] = []
    writes: list[Command] = []
    stored = link.call(*(("HVALS", keys.day(day)) for day in days))
    for day, values in zip(days, stored, strict=True):
        groups: dict[Group, dict[str, int]] = {}
        for group, group_facts in new.get(day, {}).items():
            groups[group] = {key: n for key, n in group_facts.items() if not commits.kept(key)}
        for key, amount in unpack_facts(values).items():
            if commits.kept(key):
                groups.setdefault(group_of(key), {})[key] = amount
        packed = [item for name, group in groups.items() if group for item in (name, pack_facts(group))]
        if packed:
            staged.append(day)
            writes.append(("HSET", keys.staged_day(day), *packed))
    if staged:
        link.call(("SADD", keys.staged, *map(date_bytes, staged)), *writes)
    return staged


def _unstage(link: Link) -> None:
    """Remove what an interrupted rebuild may have left."""
    dates: list[bytes] = link.call(("SMEMBERS", link.keys.staged))[0]
    for chunk in _chunks(dates):
        link.call(("DEL", *(link.keys.staged_prefix + date.decode() for date in chunk)))
    link.call(("DEL", link.keys.staged))


def _chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for first in range(0, len(items), _DAYS_AT_ONCE):
        yield items[first : first + _DAYS_AT_ONCE]
