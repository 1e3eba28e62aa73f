"""The three rings: pure rules inside, what comes in and what goes out apart, and the wiring outside."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FORBIDDEN = {
    "aggregators": {"streams", "exporters", "growthgauge", "faust", "aiokafka", "kafka", "prometheus_client"},
    "streams": {"exporters", "growthgauge"},
    "exporters": {"streams", "growthgauge", "faust", "aiokafka", "kafka"},
}
CLOCKS = {"time", "monotonic", "now", "utcnow", "today", "perf_counter", "sleep"}


ROOMS = {
    "streams/decoding": {"streams.kafka", "streams.worker", "aiokafka", "kafka", "faust"},
    "streams/kafka": {"streams.decoding", "streams.worker"},
}


def modules() -> dict[str, Path]:
    """Give every module of the product by its name."""
    found = {}
    for ring in (*FORBIDDEN, "growthgauge"):
        for path in (ROOT / ring).rglob("*.py"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


def imported(path: Path) -> set[str]:
    """Give the full names of what a module imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def imports(path: Path) -> set[str]:
    """Name the top-level packages that a module imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names.add(str(node.module).partition(".")[0])
    return names


@pytest.mark.parametrize("ring", FORBIDDEN)
def test_ring_imports_nothing_from_outside_it(ring: str) -> None:
    """No module of a ring imports what lies outside of it."""
    modules = sorted((ROOT / ring).rglob("*.py"))
    assert modules
    for path in modules:
        assert not imports(path) & FORBIDDEN[ring], path


def test_only_the_redis_tables_open_a_socket_to_redis() -> None:
    """One module of the whole product imports the Redis client."""
    modules = [path for ring in (*FORBIDDEN, "growthgauge") for path in (ROOT / ring).rglob("*.py")]
    users = {path.relative_to(ROOT).as_posix() for path in modules if imports(path) & {"redis", "hiredis", "socket"}}
    assert {path for path in users if path.startswith("aggregators")} == {"aggregators/tables/redis/connection.py"}


def test_pure_rules_read_no_clock() -> None:
    """Time enters the rules as an argument."""
    for path in (ROOT / "aggregators").rglob("*.py"):
        if "tables" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = node.func.value
                assert not (isinstance(owner, ast.Name) and owner.id in {"time", "datetime", "dt"}) or (
                    node.func.attr not in CLOCKS
                ), f"{path}:{node.lineno}"


def test_no_module_needs_itself() -> None:
    """Imports go round in no circle, those for types alone included."""
    paths = modules()
    graph = {
        name: {found if found in paths else found.rpartition(".")[0] for found in imported(path)} & paths.keys()
        for name, path in paths.items()
    }
    order = TopologicalSorter({name: needs - {name} for name, needs in graph.items()})
    assert len(list(order.static_order())) == len(paths)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_nothing_from_its_neighbours(room: str) -> None:
    """What turns bytes into events knows no broker, and what speaks to the broker knows no event."""
    paths = sorted((ROOT / room).rglob("*.py"))
    assert len(paths) > 3
    for path in paths:
        found = {name for name in imported(path) for other in ROOMS[room] if f"{name}.".startswith(f"{other}.")}
        assert not found, path
