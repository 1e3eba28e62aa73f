"""Tables emptied to be read anew: interrupted anywhere nobody takes them for whole, and what is lost is said first."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from aggregators.calendar import Zone
from aggregators.facts import Facts
from aggregators.rules import Rules
from aggregators.tables import memory
from aggregators.tables.agreement import disagreement, needs_replay
from aggregators.tables.door import EMPTYING, Commit, Meta, Offset, Superseded
from growthgauge.errors import GrowthgaugeError
from growthgauge.upkeep import rebuild_from_kafka
from growthgauge.upkeep.catch_up import metas
from growthgauge.upkeep.rebuild import rebuild
from growthgauge.upkeep.verify import verify
from streams.kafka import topics
from streams.kafka.topics import Topic

OLD, NEW = Rules(zone=Zone("UTC")), Rules(zone=Zone("Asia/Tokyo"))


def filled(partitions: int, identity: str = "id") -> memory.Tables:
    """Make tables of so many shards, each of which has read ten records of one topic."""
    tables = memory.Tables()
    for number in range(partitions):
        shard = tables.shard(number)
        shard.commit(
            Commit(
                based_on=shard.begin(),
                fingerprint=OLD.fingerprint(),
                partitions=partitions,
                ledgers={"users": {"c\x1fu": b"1"}},
                facts=Facts({1: {"sessions": 10}}),
                offsets={"t": Offset(identity, 10)},
                outcomes={"session/accepted": 9, "rejected/schema": 1},
            )
        )
    return tables


@pytest.mark.parametrize(("before", "after"), [(4, 4), (4, 6), (6, 4)])
def test_emptied_tables_are_for_the_new_settings(before: int, after: int):
    """Every shard of before and after holds nothing; those that stay are for the new workers, the others are gone."""
    tables = filled(before)
    shown: list[int] = []
    rebuild_from_kafka.empty(tables, NEW, after, max(before, after), shown.append)
    assert shown[-1] == max(before, after)
    for number, meta in enumerate(metas(tables, 8)):
        made_for = (NEW.fingerprint(), after) if number < after else (None, None)
        assert ((meta.fingerprint, meta.partitions), meta.offsets, meta.outcomes) == (made_for, {}, {})
        assert not list(tables.shard(number).ledgers("users"))
        assert not tables.reader().changes(number, {})[0].days
    assert all(disagreement(meta, NEW.fingerprint(), after) is None for meta in metas(tables, after))


@pytest.mark.parametrize(("before", "after"), [(4, 6), (6, 4)])
@pytest.mark.parametrize("cut", range(12))
def test_an_interruption_anywhere_can_go_on(before: int, after: int, cut: int, monkeypatch: pytest.MonkeyPatch):
    """Cut off before any of its steps: every shard is old, marked or ready, one marked if any is not old, and again."""
    tables, steps = filled(before), 0

    def counted(whole):
        def step(*arguments):
            nonlocal steps
            steps += 1
            if steps > cut:
                raise KeyboardInterrupt
            return whole(*arguments)

        return step

    with monkeypatch.context() as patched:
        for name in ("start_emptying", "empty"):
            patched.setattr(tables, name, counted(getattr(tables, name)))
        with pytest.raises(KeyboardInterrupt):
            rebuild_from_kafka.empty(tables, NEW, after, 6, lambda _: None)
    there = metas(tables, 6)
    if any(meta.fingerprint != OLD.fingerprint() for meta in there[:before]):
        assert any((meta.fingerprint or "").startswith(EMPTYING) for meta in there)
    if cut >= 6:
        # All are marked: neither the old nor the new settings, nor a rebuild, take them for whole.
        for rules, partitions in ((OLD, before), (NEW, after)):
            assert any(disagreement(meta, rules.fingerprint(), partitions) for meta in metas(tables, partitions))
            with pytest.raises(GrowthgaugeError, match="--from-kafka"):
                rebuild(tables, rules, partitions, lambda *_: None)
    plan = replay_plan(tables, after, monkeypatch)
    assert plan.shards == 6 or not any(meta.fingerprint for meta in there[after:])
    rebuild_from_kafka.empty(tables, NEW, after, plan.shards, lambda _: None)
    for number, meta in enumerate(metas(tables, 6)):
        assert meta.partitions == (after if number < after else None)
        assert not meta.offsets


def replay_plan(
    tables: memory.Tables,
    partitions: int,
    monkeypatch: pytest.MonkeyPatch,
    there: Mapping[str, Topic] | None = None,
    earliest: int = 0,
) -> rebuild_from_kafka.Plan:
    """Make a plan with a broker that has one topic of 100 records a partition."""
    there = {"t": Topic("id", partitions)} if there is None else there
    monkeypatch.setattr(
        topics, "describe", lambda _, names, *__: {n: topic for n, topic in there.items() if n in {*names}}
    )
    monkeypatch.setattr(topics, "earliest", lambda _, places, *__: dict.fromkeys(places, earliest))
    monkeypatch.setattr(topics, "ends", lambda _, places, *__: dict.fromkeys(places, 100))
    name = next(iter(there))
    return rebuild_from_kafka.plan(tables, "nowhere:1", [name], partitions)


def told(plan: rebuild_from_kafka.Plan) -> str:
    """Give what a plan says."""
    return "\n".join(rebuild_from_kafka.outlook(plan))


def test_what_can_be_read_again_is_counted(monkeypatch: pytest.MonkeyPatch):
    """All that was read is there: nothing is lost."""
    plan = replay_plan(filled(4), 4, monkeypatch)
    assert (plan.shards, plan.partitions, plan.events, plan.lost) == (4, 4, 40, 0)
    assert "40 records counted, made for 4 partitions" in told(plan)
    assert "  t: 400 records" in told(plan)
    assert "lost" not in told(plan)


@pytest.mark.parametrize(("earliest", "lost"), [(3, 12), (10, 40), (50, 40)])
def test_what_kafka_has_deleted_is_lost(earliest: int, lost: int, monkeypatch: pytest.MonkeyPatch):
    """As far as it was read: what nobody has read yet is no loss of this."""
    plan = replay_plan(filled(4), 4, monkeypatch, earliest=earliest)
    assert plan.lost == lost
    assert f"t: {lost} records that were read are not in Kafka any more, and are lost." in told(plan)
    assert "sent again" in told(plan)


def test_a_topic_made_again_is_another_one(monkeypatch: pytest.MonkeyPatch):
    """What was read of the one before is lost."""
    plan = replay_plan(filled(4, identity="before"), 4, monkeypatch)
    assert plan.lost == 40
    assert "t is not the topic that was read before: 40 records of that one are lost." in told(plan)


def test_a_topic_that_was_read_and_is_not_among_the_settings_is_named(monkeypatch: pytest.MonkeyPatch):
    """Copying it is what its events need; one that is gone altogether is lost."""
    plan = replay_plan(filled(4), 6, monkeypatch, {"t.6": Topic("new", 6), "t": Topic("id", 4)})
    assert (plan.shards, plan.lost) == (6, 0)
    assert "growthgauge init --copy-from t`" in told(plan)
    plan = replay_plan(filled(4), 6, monkeypatch, {"t.6": Topic("new", 6)})
    assert plan.lost == 40


def test_topics_that_do_not_fit_are_refused(monkeypatch: pytest.MonkeyPatch):
    """A topic with another number of partitions would put its records elsewhere; nothing is planned."""
    with pytest.raises(GrowthgaugeError, match="--copy-from t`"):
        replay_plan(filled(4), 6, monkeypatch, {"t": Topic("id", 4)})


def test_two_at_once_do_no_harm(monkeypatch: pytest.MonkeyPatch):
    """Who finds the shard marked by somebody else stops with a sentence."""
    tables = filled(2)
    whole = tables.empty

    def later(number: int, *rest):
        tables.start_emptying(number)
        whole(number, *rest)

    monkeypatch.setattr(tables, "empty", later)
    with pytest.raises(GrowthgaugeError, match="Another `growthgauge rebuild`"):
        rebuild_from_kafka.empty(tables, NEW, 2, 2, lambda _: None)
    assert list(tables.shard(0).ledgers("users"))
    with pytest.raises(Superseded):
        whole(0, Meta(), None)


def test_every_disagreement_names_its_command():
    """Partitions, zone, an emptying, a rebuild, other rules: what to run for each; and nothing where all agree."""
    mine = OLD.fingerprint()
    assert disagreement(Meta(), mine, 4) is None
    assert disagreement(Meta(fingerprint=mine, partitions=4), mine, 4) is None
    cases = {
        "growthgauge init --copy-from": Meta(fingerprint=mine, partitions=6),
        "set it to 6": Meta(fingerprint=mine, partitions=6),
        "set it to Asia/Tokyo, or read all events anew with `growthgauge rebuild --from-kafka`": Meta(
            fingerprint=NEW.fingerprint(), partitions=4
        ),
        "`growthgauge rebuild --from-kafka` to end": Meta(fingerprint=f"{EMPTYING}1/UTC", partitions=4),
    }
    for words, meta in cases.items():
        assert words in str(disagreement(meta, mine, 4))
        assert needs_replay(meta, mine, 4) == disagreement(meta, mine, 4)
        assert str(needs_replay(meta, mine, 4, "do without")).endswith("do without.")
    for words, fingerprint in (
        ("`growthgauge rebuild` to end", "rebuilding:1/UTC"),
        ("run `growthgauge rebuild`", "other/UTC"),
    ):
        meta = Meta(fingerprint=fingerprint, partitions=4)
        assert words in str(disagreement(meta, mine, 4))
        assert needs_replay(meta, mine, 4) is None


def test_verify_refuses_half_empty_tables():
    """They would not balance, and that says nothing."""
    tables = filled(2)
    tables.start_emptying(1)
    with pytest.raises(GrowthgaugeError, match="being emptied"):
        verify(tables, OLD, 2, 20, lambda *_: None)
