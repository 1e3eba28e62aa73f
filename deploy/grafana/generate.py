"""Writes all dashboards: `python deploy/grafana/generate.py`, with `--check` only says whether they are fresh."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from engagement import engagement
from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from overview import overview
from pipeline import pipeline
from retention import retention
from revenue import revenue
from voice import voice

FOLDER = Path(__file__).parent / "dashboards"
BOARDS = (overview, revenue, retention, engagement, voice, pipeline)


def rendered(begun: Dashboard) -> str:
    """Give a dashboard's JSON, the same text for the same code."""
    board = begun.build()
    # Links to a panel name its id, and rows would all have 0.
    for identity, panel in enumerate(board.panels or [], start=1):
        panel.id_val = identity
    document = json.loads(JSONEncoder(sort_keys=True).encode(board))
    # The SDK would hide every link in a menu.
    for link in document["links"]:
        del link["placement"]
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> int:
    """Write the JSON, or with --check say whether it is fresh."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 if the JSON is not fresh")
    check = parser.parse_args().check
    fresh = {FOLDER / f"{make.__name__}.json": rendered(make()) for make in BOARDS}
    stale = [path for path, text in fresh.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    stale += set(FOLDER.glob("*.json")) - fresh.keys()
    if not check:
        for path, text in fresh.items():
            path.write_text(text, encoding="utf-8")
        return 0
    for path in stale:
        print(f"{path} is not what its code makes: run `python deploy/grafana/generate.py`.")
    return bool(stale)


if __name__ == "__main__":
    raise SystemExit(main())
