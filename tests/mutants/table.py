"""The mutations: a piece of the product's source, what it becomes, and the tests that have to notice it."""

from __future__ import annotations

from typing import NamedTuple


class Mutation(NamedTuple):
    """One change of the product."""

    file: str
    old: str
    """Stands in the file exactly once."""
    new: str
    tests: str
    """What is given to pytest, separated by spaces."""
    survives: str = ""
    """Why no test can notice it, where it changes nothing that can be seen."""


_CUSTOMERS = "tests/unit/test_customers.py tests/unit/test_long.py"
_FOLDS = f"{_CUSTOMERS} tests/unit/test_differential.py"
_DECODE = "tests/unit/test_decode.py tests/unit/test_times.py"
_GOLDEN = "tests/unit/test_golden_ledgers.py"
_USERS = "tests/unit/test_users.py tests/unit/test_heavy.py"
_TABLES = "tests/contract/test_tables.py tests/unit/test_transactions.py"
_TIMELINE = "aggregators/customers/timeline.py"
_VOIDS = "aggregators/customers/voids.py"
_LEVELS = "aggregators/customers/levels.py"
_SHARD = "aggregators/tables/redis/shard.py"
_TIMES = "streams/decoding/times.py"
_RECORDS = "streams/decoding/records.py"
_FAST = "streams/decoding/decode.py"
_FIELDS = "streams/decoding/fields.py"

MUTATIONS = (
    # The folds of customers.
    Mutation(_TIMELINE, "self._settle(at if rank else at - 1)", "self._settle(at)", _CUSTOMERS),
    Mutation(_TIMELINE, ">= 3 * (replaced.ends", "> 3 * (replaced.ends", _FOLDS),
    Mutation(_TIMELINE, 'self._leave("payment_failed" if failed', 'self._leave("payment_failed" if not failed', _FOLDS),
    Mutation(_TIMELINE, "state.signup_plan = terms.plan or state.signup_plan", "pass", _FOLDS),
    Mutation(_TIMELINE, "elif not state.ever or rules", "elif rules", _CUSTOMERS),
    Mutation(_TIMELINE, "(-named[1].monthly, named[0])", "(named[1].monthly, named[0])", _FOLDS),
    Mutation(_TIMELINE, "(-named[1].monthly, named[0])", "-named[1].monthly", _FOLDS),
    Mutation(_TIMELINE, "later = max(decided - due_day, 0)", "later = 0", _FOLDS),
    Mutation(_TIMELINE, "min(trial.ends, left)", "trial.ends", _FOLDS),
    Mutation(_TIMELINE, "* DAY_MS) if grace else instant", "* DAY_MS)", _FOLDS),
    Mutation(_VOIDS, "REACH_DAYS = 366", "REACH_DAYS = 365", _CUSTOMERS),
    Mutation(_VOIDS, '"week": 7', '"week": 6', _CUSTOMERS),
    Mutation(_VOIDS, '"month": 31', '"month": 30', _CUSTOMERS),
    Mutation(_VOIDS, '"quarter": 92', '"quarter": 91', _CUSTOMERS),
    Mutation(_VOIDS, '"year": 366}', '"year": 365}', _CUSTOMERS),
    Mutation(
        "aggregators/customers/histories.py",
        "next((place for place in range(begin) if changes[place].mrr), begin),",
        "begin,",
        _CUSTOMERS,
    ),
    Mutation(
        "aggregators/customers/__init__.py",
        "if place == len(ledger.items) and ledger.tip is not None and ledger.tip_rules == rules.tag:",
        "if place == len(ledger.items) and ledger.tip is not None:",
        _CUSTOMERS,
    ),
    Mutation("aggregators/customers/long.py", "self.head.tip_rules == self._rules.tag", "True", _CUSTOMERS),
    Mutation(_LEVELS, 'return "reactivation" if had_mrr_ever else "new"', 'return "new"', _CUSTOMERS),
    Mutation(_LEVELS, 'return "contraction" if after else "churn"', 'return "churn"', _CUSTOMERS),
    Mutation(_LEVELS, 'segment = old if kind == "churn" else new', "segment = new", _FOLDS),
    Mutation(_LEVELS, "sign * (day - first)", "sign * (day - first + 1)", _FOLDS),
    Mutation(
        "aggregators/customers/counts.py",
        "if effective > asked:",
        "if effective >= asked:",
        _FOLDS,
        "On one day the two facts are +1 and -1 of the same key.",
    ),
    Mutation(
        "aggregators/merge.py",
        "canonical(arriving) > canonical(stored)",
        "canonical(arriving) < canonical(stored)",
        _FOLDS,
    ),
    Mutation(
        "aggregators/merge.py",
        'return "revised", arriving.revision > stored.revision',
        'return "revised", True',
        _FOLDS,
    ),
    # Days and labels.
    Mutation("aggregators/metrics/grouping.py", ">= 1 << 63:", ">= 1 << 99:", "tests/unit/test_grouping.py"),
    Mutation(
        "aggregators/metrics/grouping.py",
        "(-counts[value], value)",
        "(-counts[value],)",
        "tests/unit/test_metrics_segments.py tests/unit/test_cardinality.py tests/unit/test_differential.py",
    ),
    # Users.
    Mutation("aggregators/users/apply.py", "late = days < state.newest", "late = days <= state.newest", _USERS),
    # Stored formats.
    Mutation("aggregators/users/ledgers.py", "SPAN_DAYS = 46", "SPAN_DAYS = 45", _GOLDEN),
    Mutation("aggregators/users/ledgers.py", "SPANS_BEFORE_EPOCH = 1 << 14", "SPANS_BEFORE_EPOCH = 1 << 13", _GOLDEN),
    Mutation("aggregators/users/heavy.py", "_HASH_AT = 32", "_HASH_AT = 33", _GOLDEN),
    Mutation("aggregators/activity/ledgers.py", "ENTRY_BIAS = 1 << 20", "ENTRY_BIAS = 1 << 19", _GOLDEN),
    Mutation("aggregators/tables/redis/layout.py", "BUCKETS = 512", "BUCKETS = 256", _GOLDEN),
    # Commits.
    Mutation(_SHARD, "or read != fields:", "or len(read) != len(fields):", _TABLES),
    Mutation(_SHARD, "if failure is not None or len(replies) != expected:", "if failure is not None:", _TABLES),
    Mutation(_SHARD, "if failure is not None or len(replies) != expected:", "if len(replies) != expected:", _TABLES),
    Mutation(_SHARD, "if replies is None:\n        raise Superseded", "if replies is None:\n        return", _TABLES),
    # What comes in.
    Mutation(_FAST, "fits &= occurred_at >= gate.accept_from", "pass", _DECODE),
    Mutation(
        _FAST,
        "<= stamps) | (stamps < 0)",
        "<= stamps)",
        _DECODE,
        "The slow way decides on what the fast way does not take, and accepts it.",
    ),
    Mutation(_FAST, "fits &= partitions_of(customer_ids, gate.partitions) == gate.partition", "pass", _DECODE),
    Mutation(_FAST, "fits &= ~np.array(withdrawn, dtype=np.bool_)", "pass", _DECODE),
    Mutation(_FAST, "fits &= whole", "pass", _DECODE),
    Mutation(_FAST, "fits &= _free_of_controls(sessions)", "pass", _DECODE),
    Mutation(_FAST, 'ascii_alone and b"\\\\" not in joined', "ascii_alone", _DECODE),
    Mutation(_FAST, 'and b"\\x7f" not in joined', "", _DECODE),
    Mutation(_RECORDS, "if occurred_at < gate.accept_from:", "if occurred_at <= gate.accept_from:", _DECODE),
    Mutation(_RECORDS, "if 0 <= timestamp < occurred_at", "if 0 <= timestamp <= occurred_at", _DECODE),
    Mutation(_RECORDS, 'after = name == "covers_until"', "after = False", _DECODE),
    Mutation(_FIELDS, "value.is_integer()", "True", _DECODE),
    Mutation(_FIELDS, "\\u202a-\\u202e", "\\u202b-\\u202e", _DECODE),
    Mutation(_TIMES, "return following - 1", "return following", _DECODE),
    Mutation(_TIMES, 'offset if sign == "+" else -offset', "offset", _DECODE),
    Mutation(_TIMES, "(offset_hours < 24)", "(offset_hours < 25)", _DECODE),
    Mutation(_TIMES, "(hour < 24)", "(hour < 25)", _DECODE),
    Mutation(_TIMES, "present = min(end, 23)", "present = min(end, 22)", _DECODE),
    # The worker.
    Mutation(
        "streams/worker/dispatch.py", "if lane is not None and lane.in_work:", "if False:", "tests/unit/test_work.py"
    ),
    Mutation("streams/worker/dispatch.py", "self.wrong.end()", "pass", "tests/unit/test_work.py"),
    Mutation(
        "streams/worker/health.py",
        "now - max(since, self._work.moved(number))",
        "now - since",
        "tests/unit/test_watch.py",
    ),
    Mutation(
        "streams/worker/health.py",
        "now - max(since, self._work.moved(number))",
        "now - self._work.moved(number)",
        "tests/unit/test_watch.py",
    ),
    Mutation("aggregators/rules.py", '"dedupe_days": (1, 255)', '"dedupe_days": (1, 256)', "tests/unit/test_rules.py"),
)
