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
    """Net promoter score, -100 to 100: share of promoters less share of detractors, each respondent's last answer.

    100 x (promoters - detractors) / respondents: 9 and 10 promote, 7 and 8 are passive, 0 to 6 detract.

    Source: [Harvard Business Review: The one number you need to grow], [DELA: Net promoter score].
    Differs: Many tools count all answers. Here each user counts once a period, with the last answer in it, as in
        [Appcues: Calculating your NPS score]; so weeks do not add up to a month.
    Example: [agero_nps]: 5 promoters and 1 detractor of 8: 50.
    """
    promoters, passives, detractors = (respondents(r, outcome) for outcome in _NPS)
    return r.by_period(ratio((promoters - detractors) * 100, promoters + passives + detractors))


@metric("period", unit="score")
def growth_nps_standard_error(r: Reading) -> Samples:
    """Standard error of the net promoter score, in its points.

    100 x sqrt((p + d - (p - d)^2) / respondents), with p and d the shares of promoters and detractors.

    Source: [Cross Validated: Margin of error of NPS].
    Differs: Most tools show none. Twice this either way holds about 95 %. Too small where most of all customers have
        answered, as it takes them for a sample of many.
    Example: [cross_validated_nps_standard_error]: 324 answers, a half promoters and a sixth detractors: 33.3, give or
        take 4.14.
    """
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
    """Satisfied answers (4 or 5 of 5) per answer to csat in the period.

    Source: [Delighted: How is CSAT calculated?], [Wyapy: How to calculate CSAT].
    Differs: Some give the mean of the scores instead, or call a 3 satisfied. Every answer counts, for it rates a
        contact. Not rounded: Delighted has 69.
    Example: [delighted_csat]: 42 fives and 32 fours of 107: 0.692.
    """
    return r.by_period(ratio(r.flow("csat", "satisfied"), r.flow("csat")))


@metric("period", unit="score")
def growth_ces_score(r: Reading) -> Samples:
    """Mean customer effort score of the period's answers, 1 (hard) to 7 (easy).

    Source: [Gartner: What's your customer effort score?], [CYS: Customer effort score, 7-point scale].
    Differs: The scale of 2010 went from 1 (very little effort) to 5, less being better; some 7-point scales run that
        way too. Here 7 is easiest.
    Example: [calculator_academy_ces]: (4 + 5 + 6 + 7 + 7) / 5 = 5.8.
    """
    total = added(r, (r.flow("ces", score) * int(score) for score in _CES))
    return r.by_period(ratio(total, r.flow("ces")))


@metric("period", unit="ratio")
def growth_ces_easy_ratio(r: Reading) -> Samples:
    """Easy answers (5 or more of 7) per answer to ces in the period.

    Source: [Gartner: What's your customer effort score?], [Calculator Academy: Customer effort score].
    Differs: Many tools have the mean only: growth_ces_score. On a scale of 5 the easy answers would be 4 and 5.
    Example: [calculator_academy_ces]: of 4, 5, 6, 7 and 7 four are easy: 4 / 5 = 0.8.
    """
    return r.by_period(ratio(answers(r, *_EASY), r.flow("ces")))


@metric("period", unit="ratio")
def growth_first_contact_resolution_ratio(r: Reading) -> Samples:
    """Contacts resolved at once per answer to fcr in the period.

    Source: [CustomerFacing.io: First contact resolution rate], [SparrowDesk: First contact resolution].
    Differs: Help desks derive it from tickets that were not reopened; here it is what the event says, be it from the
        customer or the desk.
    Example: [customerfacing_first_contact_resolution]: 8 of 13: 0.615.
    """
    return r.by_period(ratio(r.flow("fcr", "resolved"), r.flow("fcr")))


@metric("period", "survey", "outcome")
def growth_survey_responses(r: Reading) -> Samples:
    """Answers of the period by survey and outcome; nps counts each respondent once, with the last answer.

    Source: [DELA: Net promoter score], [Delighted: How is CSAT calculated?].
    Differs: Of nps it counts respondents, where other tools count answers; of the others answers.
    Example: [dela_nps]: 3 promoters, 5 passives, 2 detractors.
    """
    for outcome in _NPS:
        yield from r.by_period(respondents(r, outcome), "nps", outcome)
    for outcome in ("satisfied", "unsatisfied"):
        yield from r.by_period(r.flow("csat", outcome), "csat", outcome)
    yield from r.by_period(r.flow("ces"), "ces", "answered")
    for outcome in ("resolved", "unresolved"):
        yield from r.by_period(r.flow("fcr", outcome), "fcr", outcome)
