"""What customers say: nps and its standard error, csat, ces, first contact resolution."""

from __future__ import annotations

from fractions import Fraction
from math import sqrt

from tests.acceptance.worked_examples.example import Example, Source, example

DELA = Source(
    "DELA annual report: Net Promoter Score", "https://annualreport2018.dela.nl/begrippenlijst/net-promotor-score"
)
AGERO = Source("Agero Help: NPS", "https://blog.agero.com/client-help-center/nps")
CROSS_VALIDATED = Source(
    "Cross Validated: How can I calculate margin of error in a NPS (Net Promoter Score) result?",
    "https://stats.stackexchange.com/questions/18603/how-can-i-calculate-margin-of-error-in-a-nps-net-promoter-score-result",
)
DELIGHTED = Source(
    "Delighted Help: How is CSAT calculated?", "https://help.delighted.com/article/240-how-is-csat-calculated"
)
VOC = Source(
    "VoC Metrics Help: What is CSAT and how is CSAT score calculated?",
    "https://intercom.help/voc-metrics/en/articles/9647540-what-is-csat-and-how-is-csat-score-calculated",
)
WYAPY = Source("Wyapy: How to calculate CSAT", "https://www.wyapy.com/guides/customer-feedback/how-to-calculate-csat")
CES = Source(
    "Calculator Academy: Customer Effort Score (CES)",
    "https://calculator.academy/customer-effort-score-ces-calculator/",
)
CYS = Source(
    "CYS Support: Customer Effort Score 7-point scale to average",
    "https://support.cys.group/support/solutions/articles/3000095529-customer-effort-score-7-point-scale-to-average",
)
FCR = Source(
    "CustomerFacing.io: First contact resolution rate",
    "https://www.customerfacing.io/glossary/first-contact-resolution-rate",
)
SPARROWDESK = Source(
    "SparrowDesk: First Contact Resolution (FCR)",
    "https://www.sparrowdesk.com/customer-support-metrics/first-contact-resolution-fcr",
)


@example(DELA, lane="nps")
def dela_nps(it: Example) -> None:
    """30 % promoters (9 and 10), 20 % detractors (0 to 6): +10."""
    it.survey("nps", "06-12", {10: 2, 9: 1, 8: 3, 7: 2, 6: 1, 0: 1})
    it.on(
        "06-30",
        {
            'nps{period="month"}': 10,
            'survey_responses{period="month",survey="nps",outcome="promoter"}': 3,
            'survey_responses{period="month",survey="nps",outcome="passive"}': 5,
            'survey_responses{period="month",survey="nps",outcome="detractor"}': 2,
        },
    )


@example(
    AGERO, ours=True, lane="nps", differs="Who answers twice in a period counts once here, with the last answer in it."
)
def agero_nps(it: Example) -> None:
    """(Promoters - detractors) / respondents: 5 and 1 of 8 are 50."""
    it.survey("nps", "06-12", {9: 4, 7: 2, 3: 2})
    it.event("survey", "3-0", "06-20", kind="nps", score=10)
    it.on("06-19", {'nps{period="month"}': 25})
    it.on("06-30", {'nps{period="month"}': 50})


@example(CROSS_VALIDATED, lane="nps")
def cross_validated_nps_standard_error(it: Example) -> None:
    """A half promoters, a third passive, a sixth detractors: nps 33.3, variance 5/9; of 324 answers, 4.1 either way."""
    it.survey("nps", "06-12", {10: 162, 8: 108, 5: 54})
    it.on(
        "06-30",
        {
            'nps{period="month"}': Fraction(100, 3),
            'nps_standard_error{period="month"}': 100 * sqrt(5 / 9) / sqrt(324),
        },
    )


@example(DELIGHTED, lane="csat", differs="Delighted rounds to 69.")
def delighted_csat(it: Example) -> None:
    """42 fives, 32 fours, 10 threes, 9 twos, 14 ones: 74 satisfied of 107, 69.16 %."""
    it.survey("csat", "06-12", {5: 42, 4: 32, 3: 10, 2: 9, 1: 14})
    it.on(
        "06-30",
        {
            'csat_ratio{period="month"}': Fraction(74, 107),
            'survey_responses{period="month",survey="csat",outcome="unsatisfied"}': 33,
        },
    )


@example(VOC, lane="csat")
def voc_metrics_csat(it: Example) -> None:
    """10 fives, 20 fours, 10 threes, 5 twos, 5 ones: 60 %."""
    it.survey("csat", "06-12", {5: 10, 4: 20, 3: 10, 2: 5, 1: 5})
    it.on("06-30", {'csat_ratio{period="month"}': "0.6"})


@example(WYAPY, lane="csat")
def wyapy_csat(it: Example) -> None:
    """120 fives, 40 fours, 20 threes, 10 twos, 10 ones: 160 of 200, 80 %; a three is not satisfied."""
    it.survey("csat", "06-12", {5: 120, 4: 40, 3: 20, 2: 10, 1: 10})
    it.on("06-30", {'csat_ratio{period="month"}': "0.8"})


@example(CES, lane="ces", differs="The page adds 4, 5, 6, 7 and 7 up to 24 and prints 4.8; it is 29, and 5.8.")
def calculator_academy_ces(it: Example) -> None:
    """Five answers, 4, 5, 6, 7 and 7: the sum of the scores over their number."""
    it.survey("ces", "06-12", {4: 1, 5: 1, 6: 1, 7: 2})
    it.on("06-30", {'ces_score{period="month"}': "5.8", 'ces_easy_ratio{period="month"}': "0.8"})


@example(CYS, lane="ces")
def cys_ces_7_point(it: Example) -> None:
    """Of 1,000 answers 80, 210, 140, 110, 160, 180 and 120 are 1 to 7: 4.08 (here in tens)."""
    it.survey("ces", "06-12", {1: 8, 2: 21, 3: 14, 4: 11, 5: 16, 6: 18, 7: 12})
    it.on(
        "06-30",
        {
            'ces_score{period="month"}': "4.08",
            'survey_responses{period="month",survey="ces",outcome="answered"}': 100,
        },
    )


@example(FCR, lane="fcr")
def customerfacing_first_contact_resolution(it: Example) -> None:
    """13 tickets, 8 of them resolved on the first contact: 61.54 %."""
    it.survey("fcr", "06-12", {1: 8, 0: 5})
    it.on("06-30", {'first_contact_resolution_ratio{period="month"}': Fraction(8, 13)})


@example(SPARROWDESK, lane="fcr")
def sparrowdesk_first_contact_resolution(it: Example) -> None:
    """120 of 200 tickets resolved in the first interaction: 60 %."""
    it.survey("fcr", "06-12", {1: 120, 0: 80})
    it.on(
        "06-30",
        {
            'first_contact_resolution_ratio{period="month"}': "0.6",
            'survey_responses{period="month",survey="fcr",outcome="unresolved"}': 80,
        },
    )
