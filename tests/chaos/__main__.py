"""`python -m tests.chaos`: rounds of faults, each followed by a comparison with the reference, and a table at the end.

CHAOS_ROUNDS (15), CHAOS_EACH (10: how often every kind of fault happens) and CHAOS_SEED (drawn) are read from the
environment; CHAOS_ONLY names the faults to do, separated by commas. CHAOS_WITHOUT takes a safeguard of the product's
out, to prove that the comparison notices: `fence` (a commit no longer minds who has committed since it read) or `trust`
(a worker believes what it remembers of its offsets, not what the tables say).
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.faults import FAULTS
from tests.chaos.rounds import Round, run_round
from tests.chaos.schedule import deal
from tests.chaos.table import table
from tests.support.servers_kafka import Kafka, missing_for_kafka


def main() -> int:
    """Run all rounds and give 0 if nothing differs and every fault was really done; for a proof, if something does."""
    lacking = missing_for_kafka()
    if lacking:
        print(f"Left out: {lacking}.")
        return 1 if os.environ.get("GROWTHGAUGE_REQUIRE_KAFKA") else 0
    rounds = int(os.environ.get("CHAOS_ROUNDS") or 15)
    each = int(os.environ.get("CHAOS_EACH") or 10)
    seed = int(os.environ.get("CHAOS_SEED") or secrets.randbelow(1_000_000))
    kinds = [name for name in FAULTS if name in os.environ.get("CHAOS_ONLY", ",".join(FAULTS)).split(",")]
    without = os.environ.get("CHAOS_WITHOUT", "")
    dealt = deal(kinds, each, rounds, seed)
    print(f"seed {seed}: {rounds} rounds, {len(kinds)} kinds of faults, {each} of each", flush=True)
    began, found = time.monotonic(), list[Round]()
    folder = Path(tempfile.mkdtemp(prefix="growthgauge-chaos-"))
    with Kafka(folder / "kafka") as kafka:
        print(f"{kafka.name} {kafka.version} at {kafka.address}", flush=True)
        for number, faults in enumerate(dealt):

            def tell(line: str, number: int = number) -> None:
                print(f"{number + 1:2}/{rounds}  {line}", flush=True)

            found.append(
                run_round(number, faults, kafka, folder / f"round-{number}", seed * 1000 + number, tell, without)
            )
            last = found[-1]
            tell(f"{last.compared} samples compared, {len(last.differences)} differences")
            for line in [*last.differences[:20], *last.complaints]:
                tell(line)
    planned = [name for faults in dealt for name in faults]
    print(table(planned, found, seed, time.monotonic() - began))
    if without:
        noticed = any(each.differences for each in found)
        print(f"Without the {without} there are differences, as there must be." if noticed else "Nobody noticed.")
        shutil.rmtree(folder, ignore_errors=True)
        return 0 if noticed else 1
    good = all(not each.differences and not each.complaints for each in found)
    if good and len(planned) == sum(each.done.total() for each in found):
        shutil.rmtree(folder, ignore_errors=True)
        return 0
    print(f"Logs and data are in {folder}.")
    return 1


if __name__ == "__main__":
    sys.exit(main())
