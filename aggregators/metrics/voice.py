"""What customers say: nps by respondent; csat, ces and first contact resolution by answer (SPEC, section 3.4)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

from aggregators.metrics.conversion import added
from aggregators.metrics.family import metric
from aggregators.metrics.reading import Reading, Samples
from aggregators.metrics.vector import Vector, ratio

_NPS = ("promoter", "passive", "detractor")
_CES = ("1", "2", "3", "4", "5", "6", "7")
_EASY = ("5", "6", "7")


def respondents(r: Reading, outcome: str) -> Vector:
    """Give the respondents to nps by the outcome of their last answer in each period."""
    return r.flow("nps", outcome) - r.void("void_nps", outcome)


def answers(r: Reading, *scores: str) -> Vector:
    """Give the answers to ces with some scores in each period."""
    return r.where("flow", "ces", outcome=scores)


@metric("period", unit="score")
def growth_nps(r: Reading) -> Samples:
    """Net promoter score, -100 to 100: share of promoters less share of detractors, each respondent's last answer."""
    promoters, passives, detractors = (respondents(r, outcome) for outcome in _NPS)
    return r.by_period(ratio((promoters - detractors) * 100, promoters + passives + detractors))


@metric("period", unit="score")
def growth_nps_standard_error(r: Reading) -> Samples:
    """Standard error of the net promoter score, in its points."""
    return r.by_period(_nps_standard_errors(r))


def _nps_standard_errors(r: Reading) -> Iterator[float | None]:
    for promoters, passives, detractors in zip(*(respondents(r, outcome) for outcome in _NPS), strict=True):
        if count := promoters + passives + detractors:
            variance = Fraction(promoters + detractors, count) - Fraction(promoters - detractors, count) ** 2
            # Facts that do not balance are for `verify` to tell of: a reading never fails by them.
            yield 100 * math.sqrt(max(variance / count, 0))
        else:
            yield None


@metric("period", unit="ratio")
def growth_csat_ratio(r: Reading) -> Samples:
    """Satisfied answers (4 or 5 of 5) per answer to csat in the period."""
    return r.by_period(ratio(r.flow("csat", "satisfied"), r.flow("csat")))


@metric("period", unit="score")
def growth_ces_score(r: Reading) -> Samples:
    """Mean customer effort score of the period's answers, 1 (hard) to 7 (easy)."""
    total = added(r, (r.flow("ces", score) * int(score) for score in _CES))
    return r.by_period(ratio(total, r.flow("ces")))


@metric("period", unit="ratio")
def growth_ces_easy_ratio(r: Reading) -> Samples:
    """Easy answers (5 or more of 7) per answer to ces in the period."""
    return r.by_period(ratio(answers(r, *_EASY), r.flow("ces")))


@metric("period", unit="ratio")
def growth_first_contact_resolution_ratio(r: Reading) -> Samples:
    """Contacts resolved at once per answer to fcr in the period."""
    return r.by_period(ratio(r.flow("fcr", "resolved"), r.flow("fcr")))


@metric("period", "survey", "outcome")
def growth_survey_responses(r: Reading) -> Samples:
    """Answers of the period by survey and outcome; nps counts each respondent once, with the last answer."""
    for outcome in _NPS:
        yield from r.by_period(respondents(r, outcome), "nps", outcome)
    for outcome in ("satisfied", "unsatisfied"):
        yield from r.by_period(r.flow("csat", outcome), "csat", outcome)
    yield from r.by_period(r.flow("ces"), "ces", "answered")
    for outcome in ("resolved", "unresolved"):
        yield from r.by_period(r.flow("fcr", outcome), "fcr", outcome)
