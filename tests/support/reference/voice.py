"""What customers say: nps by respondent, csat, ces and fcr by answer."""

from collections import Counter
from datetime import date
from fractions import Fraction
from math import sqrt
from typing import TYPE_CHECKING

from .days import periods
from .sheet import Sheet

if TYPE_CHECKING:
    from .book import Reference

OUTCOMES = {
    "nps": ("promoter", "passive", "detractor"),
    "csat": ("satisfied", "unsatisfied"),
    "ces": ("answered",),
    "fcr": ("resolved", "unresolved"),
}


def outcome(kind: str, score: int) -> str:
    """What an answer counts as."""
    if kind == "nps":
        return "promoter" if score >= 9 else "passive" if score >= 7 else "detractor"
    if kind == "csat":
        return "satisfied" if score >= 4 else "unsatisfied"
    return "answered" if kind == "ces" else "resolved" if score == 1 else "unresolved"


def last_answers(surveys: list[dict]) -> list[dict]:
    """The last nps answer of each respondent; of two at one instant the one with the greater id."""
    last: dict[tuple[str, str], dict] = {}
    for event in sorted(surveys, key=lambda event: (event["occurred_at"], event["id"])):
        if event["kind"] == "nps":
            last[event["customer_id"], event["user_id"]] = event
    return list(last.values())


def write(book: "Reference", as_of: date, sheet: Sheet) -> None:
    """Write the group's samples."""
    for period in periods(as_of):
        surveys = [event for _, event in book.happened("survey", period)]
        counted = last_answers(surveys) + [event for event in surveys if event["kind"] != "nps"]
        count = Counter((event["kind"], outcome(event["kind"], event["score"])) for event in counted)
        for kind, outcomes in OUTCOMES.items():
            for name in outcomes:
                number = count[kind, name]
                sheet.put("growth_survey_responses", number, period=period.name, survey=kind, outcome=name)
        answers = {kind: sum(count[kind, name] for name in outcomes) for kind, outcomes in OUTCOMES.items()}
        if answers["nps"]:
            p = Fraction(count["nps", "promoter"], answers["nps"])
            d = Fraction(count["nps", "detractor"], answers["nps"])
            sheet.put("growth_nps", 100 * (p - d), period=period.name)
            error = 100 * sqrt((p + d - (p - d) ** 2) / answers["nps"])
            sheet.put("growth_nps_standard_error", error, period=period.name)
        efforts = [event["score"] for event in surveys if event["kind"] == "ces"]
        sheet.ratio("growth_csat_ratio", count["csat", "satisfied"], answers["csat"], period=period.name)
        sheet.ratio("growth_ces_score", sum(efforts), len(efforts), period=period.name)
        sheet.ratio("growth_ces_easy_ratio", sum(score >= 5 for score in efforts), len(efforts), period=period.name)
        resolved, contacts = count["fcr", "resolved"], answers["fcr"]
        sheet.ratio("growth_first_contact_resolution_ratio", resolved, contacts, period=period.name)
