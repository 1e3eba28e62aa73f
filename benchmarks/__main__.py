"""`python -m benchmarks`: both tables, on a real Apache Kafka and a real Redis."""

from __future__ import annotations

import argparse

from rich.console import Console

from benchmarks import latency, parts, throughput
from tests.support.servers_kafka import missing_for_kafka


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--events", type=int, default=500_000, help="sessions a load (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="passes over each load (%(default)s)")
    parser.add_argument("--seconds", type=int, default=40, help="of the second table, 0 to leave it out (%(default)s)")
    options = parser.parse_args()
    lacking = missing_for_kafka()
    if lacking:
        parser.error(lacking)
    console = Console(width=120)
    with parts.servers() as servers:
        console.print(f"Apache Kafka {servers.kafka.version}, Redis and the worker on this machine's cores.")
        filled = throughput.measure(servers, console, options.events, options.rounds)
        if options.seconds:
            latency.measure(servers, console, filled[0].load, options.seconds)


if __name__ == "__main__":
    main()
