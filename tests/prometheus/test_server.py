"""The harness itself: what a real Prometheus answers comes back as the tests read it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.prometheus.server import Prometheus, QueryError

RULES = "groups: [{name: test, rules: [{record: 'job:up:sum', expr: 'sum by (job) (up)'}]}]"


def test_a_prometheus_scrapes_evaluates_and_answers(prometheus: Callable[..., Prometheus], tmp_path: Path):
    """It scrapes a target (a second Prometheus), evaluates rules, and says what is wrong with a query."""
    rules = tmp_path / "rules.yml"
    rules.write_text(RULES)
    target = f"127.0.0.1:{prometheus().port}"
    server = prometheus(jobs={"other": [target]}, rules=[rules])
    server.wait_for_scrapes()
    labels = {("__name__", "up"), ("job", "other"), ("instance", target)}
    assert server.query("up") == {frozenset(labels): 1.0}
    assert server.wait_for("job:up:sum") == {frozenset({("__name__", "job:up:sum"), ("job", "other")}): 1.0}
    assert server.query("1 + 1") == {frozenset(): 2.0}
    assert server.query_range("vector(3)", 60, 180, 60) == {frozenset(): {60.0: 3.0, 120.0: 3.0, 180.0: 3.0}}
    with pytest.raises(QueryError, match="parse error"):
        server.query("sum(")
