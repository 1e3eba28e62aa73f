"""`growthgauge report` of today and of two years ago in all its forms, beside a plain count of the file sent."""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from tests.support.servers import free_port
from tests.support.terminal import Up, User

DAY = dt.timedelta(days=1)
TWO_YEARS = 730 * DAY
PRICES = (9, 29, 99.5, 240)
IN_DAYS = 'growth_time_to_value_days_mean use base unit "seconds" instead of "days"'
FORMS = ("table", "json", "prometheus")

Figures = dict[tuple[str, frozenset[tuple[str, str]]], float]


def today() -> dt.date:
    """Give the day that it is in UTC."""
    return dt.datetime.now(dt.UTC).date()


def event(kind: str, customer: str, date: dt.date, **fields: object) -> dict[str, object]:
    """Make an event early on a day."""
    at = f"{date}T00:00:01Z"
    return {"type": kind, "id": f"{date}", "customer_id": customer, "occurred_at": at} | fields


def company(until: dt.date) -> Iterator[dict[str, object]]:
    """Make three years of customers who pay every 30 days from their signup until they leave, and come by at times."""
    chance = random.Random(31)
    for number in range(400):
        name, price, stays = f"c{number}", chance.choice(PRICES), chance.choice((1, 40, 300, 2000))
        first = until - chance.randrange(1096) * DAY
        last = first + (stays + chance.randrange(100)) * DAY
        yield event("signup", name, first)
        if last <= until:
            yield event("cancellation", name, last)
        for step in range((min(last, until + DAY) - first).days):
            if step % 30 == 0:
                yield event("payment", name, first + step * DAY, amount=price, currency="USD")
            if chance.random() < 0.1:
                yield event("session", name, first + step * DAY, user_id=f"u{chance.randrange(3)}")


def figure(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    """Name a figure."""
    return name, frozenset(labels.items())


def counted(events: list[dict], as_of: dt.date) -> Figures:
    """Count in the most plain way what a day's report should say."""
    known = [each for each in events if each["occurred_at"] < str(as_of + DAY)]
    month = [each for each in known if each["occurred_at"] >= str(as_of.replace(day=1))]
    before = [each for each in known if each["occurred_at"].startswith(f"{as_of.replace(day=1) - DAY:%Y-%m}")]
    window = [each for each in known if each["occurred_at"] >= str(as_of - 29 * DAY)]
    left = {each["customer_id"] for each in known if each["type"] == "cancellation"}
    there = {each["customer_id"] for each in known if each["type"] == "signup"} - left
    price = {each["customer_id"]: each["amount"] for each in known if each["type"] == "payment"}
    users = {(each["customer_id"], each["user_id"]) for each in window if each["type"] == "session"}
    return {
        figure("growth_customers"): len(there),
        figure("growth_mrr"): sum(price[name] for name in there),
        figure("growth_monthly_active_users"): len(users),
        figure("growth_signups", period="previous_month"): sum(each["type"] == "signup" for each in before),
        figure("growth_cancellations", period="30d"): sum(each["type"] == "cancellation" for each in window),
        figure("growth_sessions", period="month"): sum(each["type"] == "session" for each in month),
        figure("growth_revenue", period="previous_month", kind="recurring"): sum(
            each["amount"] for each in before if each["type"] == "payment"
        ),
    }


def of_table(text: str) -> Figures:
    """Read the tables as a person does: a value stands under its column's name, a name above others holds for them."""
    found: Figures = {}
    columns: list[tuple[str, int]] = []
    name = ""
    for line in text.splitlines():
        if line.startswith(" growth_..."):
            columns = [(cell[0].replace(" ", "_"), cell.end()) for cell in re.finditer(r"\S+(?: \S+)*", line)][1:]
        elif line.startswith(" ") and line.strip() and not line.startswith(" ─"):
            name = line[1:].split(" ")[0] or name
            labels = dict(re.findall(r"(\w+)=([^\s,]+)", line))
            for column, end in columns:
                period = {} if column == "value" else {"period": column}
                cell = line[:end].split()[-1].replace(",", "")
                if line[end - 1] != " " and re.fullmatch(r"-?[\d.]+", cell):
                    found[figure(f"growth_{name}", **labels, **period)] = float(cell)
    return found


def of_json(text: str) -> Figures:
    """Read the document."""
    return {
        figure(metric["name"], **sample["labels"]): sample["value"]
        for metric in json.loads(text)["metrics"]
        for sample in metric["samples"]
    }


def of_prometheus(text: str) -> Figures:
    """Read the exposition."""
    return {figure(each.name, **each.labels): each.value for family in parse(text) for each in family.samples}


class Reports(NamedTuple):
    """What was sent and what was reported."""

    events: list[dict]
    days: dict[str, tuple[dt.date, dict[str, str]]]
    """By what was asked for: the day that it is about, and the text by form."""


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Reports:
    """The events of a company sent to an `up`, and its reports in all forms."""
    user = User(tmp_path_factory.mktemp("report"))
    broker, redis, exporter, worker = (free_port() for _ in range(4))
    where = ("--redis-url", f"redis://127.0.0.1:{redis}/0")
    ports = ("--exporter-port", str(exporter), "--worker-port", str(worker))
    running = Up(user, "--broker", f"127.0.0.1:{broker}", *where, *ports)

    def asked(*as_of: str) -> tuple[dt.date, dict[str, str]]:
        day, texts = today(), {}
        for form in FORMS:
            # It needs no broker: nobody listens at this one.
            ran = user.runs("report", *where, *as_of, "--format", form, GROWTHGAUGE_BROKER="127.0.0.1:1")
            assert (ran.status, ran.error) == (0, "")
            texts[form] = ran.output
        return (day, texts) if day == today() else asked(*as_of)  # midnight came between

    try:
        running.ready()
        events = list(company(today()))
        sent = user.runs("send", "--wait", user.file("company.ndjson", events))
        assert f"{len(events):,} sent: {len(events):,} accepted, 0 duplicate, 0 late, 0 rejected" in sent.output
        before = today() - TWO_YEARS
        days = {"today": asked(), "two years ago": (before, asked("--as-of", str(before))[1])}
    finally:
        running.close()
    return Reports(events, days)


@pytest.mark.parametrize("day", ["today", "two years ago"])
def test_all_forms_say_what_a_plain_count_of_the_file_says(reports: Reports, day: str):
    """Levels and flows, customers and money and users: equal in the table, the document and the exposition."""
    as_of, texts = reports.days[day]
    expected = counted(reports.events, as_of)
    found = {"table": of_table, "json": of_json, "prometheus": of_prometheus}
    read = {form: found[form](text) for form, text in texts.items()}
    print(f"\n{'as of ' + str(as_of):66}{'counted':>12}" + "".join(f"{form:>12}" for form in FORMS))
    for key, value in expected.items():
        told = [read[form].get(key) for form in FORMS]
        print(f"{key[0]} {dict(key[1]) or ''}".ljust(66), *(f"{each:>12}" for each in (value, *told)), sep="")
    for form in FORMS:
        assert {key: read[form].get(key) for key in expected} == expected, form
    assert all(expected.values())
    assert json.loads(texts["json"])["as_of"] == str(as_of)
    assert texts["table"].startswith(f"Growth on {as_of}")
    assert read["json"] == pytest.approx(read["prometheus"], rel=1e-15)


def test_promtool_accepts_the_exposition(reports: Reports):
    """Prometheus' own linter has nothing to say about a whole report but of the one metric that is read in days."""
    promtool = shutil.which("promtool")
    if promtool is None:
        assert not os.environ.get("GROWTHGAUGE_REQUIRE_PROMTOOL"), "promtool is missing: it comes with Prometheus"
        pytest.skip("promtool, which comes with Prometheus, is not here")
    for _, texts in reports.days.values():
        text = texts["prometheus"].encode()
        checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)
        lint = {line for line in checked.stderr.decode().splitlines() if line != IN_DAYS}
        assert (checked.returncode in (0, 3), lint) == (True, set())


def test_tomorrow_is_wrong_usage(tmp_path: Path):
    """Nobody knows what will have happened then; no server is asked."""
    User(tmp_path).runs("report", "--as-of", str(today() + DAY)).refuses(2, "later than today", str(today()))
