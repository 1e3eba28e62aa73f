"""Runs a worker that believes its own memory of how far it is, and not the tables."""

from __future__ import annotations

import sys

import msgspec

from aggregators.tables.door import Meta
from growthgauge.cli import main
from streams.worker.shards import ShardProcessor

_begin = ShardProcessor._begin


def remembered(processor: ShardProcessor) -> Meta:
    """Give a shard's meta with the offsets that this worker has reached, where those are further on."""
    meta = _begin(processor)
    offsets = {
        topic: msgspec.structs.replace(offset, next=max(offset.next, processor.covered.get(topic, 0)))
        for topic, offset in meta.offsets.items()
    }
    return msgspec.structs.replace(meta, offsets=offsets)


if __name__ == "__main__":
    ShardProcessor._begin = remembered  # type: ignore[method-assign]
    ShardProcessor.gone_back = lambda _: []  # type: ignore[method-assign]
    sys.argv[0] = "growthgauge"
    sys.exit(main())
