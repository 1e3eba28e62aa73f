"""What all rounds came to, as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tests.chaos.faults import FAULTS
from tests.chaos.rounds import Round


def table(planned: Sequence[str], rounds: Sequence[Round], seed: int, seconds: float) -> str:
    """Write it.

    Args:
        planned: the faults of all rounds.
        rounds: what came of each.
        seed: of everything.
        seconds: how long it all took.
    """
    plan, done = Counter(planned), sum((each.done for each in rounds), Counter[str]())
    lines = ["", f"{'fault':28}{'planned':>9}{'done':>7}"]
    lines += [f"{name:28}{plan[name]:9}{done[name]:7}" for name in FAULTS if plan[name]]
    lines.append(f"{'all':28}{plan.total():9}{done.total():7}")
    sums = {
        "seed": seed,
        "rounds": len(rounds),
        "minutes": round(seconds / 60, 1),
        "workers started": sum(each.started for each in rounds),
        **{f"{what} killed": number for what, number in sum((each.killed for each in rounds), Counter[str]()).items()},
        "events": sum(each.events for each in rounds),
        "records sent": sum(each.sent for each in rounds),
        "records covered at the end": sum(each.covered for each in rounds),
        "samples compared": sum(each.compared for each in rounds),
        "complaints": sum(len(each.complaints) for each in rounds),
        "differences": sum(len(each.differences) for each in rounds),
    }
    lines += [
        "",
        *(f"{name:28}{number:16,}" if name != "seed" else f"{name:28}{number:16}" for name, number in sums.items()),
    ]
    return "\n".join(lines)
