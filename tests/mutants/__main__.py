"""Try every mutation on a copy of the tree; MUTANTS=text picks those whose file or source holds the text."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.mutants.table import MUTATIONS, Mutation

ROOT = Path(__file__).parents[2]
SECONDS = 300
"""A test that hangs has noticed."""


def main() -> int:
    """Print what becomes of each; 1 if one survives without a reason, or cannot be tried."""
    wanted = os.environ.get("MUTANTS", "")
    chosen = [each for each in MUTATIONS if wanted in f"{each.file} {each.old}"]
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "tree")
        copy_to(tree)
        for mutation in chosen:
            begin = time.monotonic()
            outcome = tried(tree, mutation)
            counts[outcome if outcome == "killed" else "survived" if mutation.survives else "to look at"] += 1
            why = f": {mutation.survives}" if outcome == "survived" and mutation.survives else ""
            seconds = f"{time.monotonic() - begin:.0f} s"
            print(f"{mutation.file}: {mutation.old!r} -> {mutation.new!r}: {outcome}{why} ({seconds})", flush=True)
    print(
        f"{len(chosen)} mutants: "
        + ", ".join(f"{counts[each]} {each}" for each in ("killed", "survived", "to look at"))
    )
    return counts["to look at"] > 0


def copy_to(tree: Path) -> None:
    """Copy what is in the repository, and what is about to be."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\n")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, tree / name)


def tried(tree: Path, mutation: Mutation) -> str:
    """Say what becomes of one mutation."""
    path = tree / mutation.file
    source = path.read_text()
    if source.count(mutation.old) != 1:
        return f"stands {source.count(mutation.old)} times in the file: put the table right"
    path.write_text(source.replace(mutation.old, mutation.new))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *mutation.tests.split()],
            cwd=tree,
            env=os.environ | {"CI": "1", "PYTHONPATH": str(tree)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "killed"
    finally:
        path.write_text(source)
    return {0: "survived", 1: "killed"}.get(done.returncode, f"pytest ended with {done.returncode}")


if __name__ == "__main__":
    sys.exit(main())
