"""All faults by name: each is done to a world, makes sure that it has happened, and says what it did in a line."""

from __future__ import annotations

from collections.abc import Callable

from tests.chaos import kafka_faults, redis_faults, worker_faults
from tests.chaos.world import World

CLOCK = "clock jumped"
"""Needs workers whose clock can be set."""

FAULTS: dict[str, Callable[[World], str]] = {
    "worker killed": worker_faults.worker_killed,
    "worker asleep": worker_faults.worker_asleep,
    "settings changed": worker_faults.settings_changed,
    CLOCK: worker_faults.clock_jumped,
    "Kafka killed": kafka_faults.kafka_killed,
    "topic made again": kafka_faults.topic_made_again,
    "unread records deleted": kafka_faults.records_deleted,
    "unstored records deleted": kafka_faults.records_deleted_behind,
    "Redis killed": redis_faults.redis_killed,
    "Redis rolled back": redis_faults.redis_rolled_back,
    "Redis emptied": redis_faults.redis_emptied,
    "Redis out of memory": redis_faults.redis_full,
    "Redis read-only": redis_faults.redis_read_only,
    "Redis busy": redis_faults.redis_busy,
    "Redis slow": redis_faults.redis_slow,
    "replies cut half-way": redis_faults.redis_cut,
}

QUIET = ("worker killed", "worker asleep", "Redis killed", "Redis rolled back", "Redis emptied", "Kafka killed")
"""May as well happen after everything is processed, when nothing new comes that would show what has happened."""
