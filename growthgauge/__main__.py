"""Runs the command line: `python -m growthgauge`."""

import sys

from growthgauge.cli import main

if __name__ == "__main__":
    sys.exit(main())
