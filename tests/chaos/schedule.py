"""Which faults happen in which round, in which order: drawn from one seed, every kind equally often."""

from __future__ import annotations

import random
from collections.abc import Sequence


def deal(kinds: Sequence[str], each: int, rounds: int, seed: int) -> list[list[str]]:
    """Deal out faults to rounds.

    Args:
        kinds: names of faults.
        each: how often each of them happens over all rounds.
        rounds: how many there are; each gets as many as the others, or one more.
        seed: of the order.
    """
    rng = random.Random(f"schedule {seed}")
    deck = [kind for _ in range(each) for kind in rng.sample(list(kinds), len(kinds))]
    return [deck[number * len(deck) // rounds : (number + 1) * len(deck) // rounds] for number in range(rounds)]
