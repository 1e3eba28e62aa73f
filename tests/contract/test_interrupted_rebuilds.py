"""`rebuild` on a real Redis, cut off after any of its commands: refused meanwhile, and run again it ends well."""

from __future__ import annotations

import pytest

from aggregators.tables.agreement import disagreement
from aggregators.tables.opening import open_tables
from growthgauge.upkeep import rebuild as rebuilding
from growthgauge.upkeep.catch_up import metas
from growthgauge.upkeep.rebuild import rebuild
from growthgauge.upkeep.verify import verify
from tests.contract.cut import cut_off
from tests.support.servers import RedisServer
from tests.unit.test_rebuild import NEW, OLD, PARTITIONS, filled, into_redis


def test_a_rebuild_cut_off_anywhere(fresh: RedisServer, monkeypatch: pytest.MonkeyPatch):
    """Marked, ledgers half written, facts staged: no worker of either settings takes the whole, and it can go on."""
    monkeypatch.setattr(rebuilding, "LEDGERS_AT_ONCE", 2)
    written: list[int] = []
    write = rebuilding._write

    def counted(shard, meta, ledgers):
        written.append(len(ledgers))
        return write(shard, meta, ledgers)

    monkeypatch.setattr(rebuilding, "_write", counted)
    made, tables = filled(OLD, days=14), open_tables(fresh.url)
    into_redis(tables, made)
    interrupted = 0
    while True:
        try:
            with cut_off(monkeypatch, interrupted):
                rebuild(tables, NEW, PARTITIONS, lambda *_: None)
            break
        except KeyboardInterrupt:
            pass
        there = metas(tables, PARTITIONS)
        refusals = {
            rules: [disagreement(meta, rules.fingerprint(), PARTITIONS) for meta in there] for rules in (OLD, NEW)
        }
        assert any(refusals[NEW])
        if interrupted > 5:
            assert any(refusals[OLD])
        # In growing steps: every command of the beginning, and a sample of the many after it.
        interrupted += 1 if interrupted < 20 else 7
    assert interrupted > 60
    assert max(written) > 2, "other rules give other digests"
    assert all(disagreement(meta, NEW.fingerprint(), PARTITIONS) is None for meta in metas(tables, PARTITIONS))
    assert verify(tables, NEW, PARTITIONS, 20, lambda *_: None).balanced
    assert [meta.outcomes for meta in metas(tables, PARTITIONS)] == [
        made._contents[number].meta.outcomes for number in range(PARTITIONS)
    ]
    with fresh.client() as client:
        assert not [name for name in client.scan_iter() if b"staged" in name]
