"""The dashboard of the customer's voice: what surveys say, how sure that is, and how customers are."""

from __future__ import annotations

from frame import business, segments, to
from grafana_foundation_sdk.builders.dashboard import Dashboard, Row
from panels import COUNT, NUMBER, RATIO, bars, before, course, in_period, now, number, past, target


def voice() -> Dashboard:
    """Build the dashboard."""
    board = segments(business("voice", "Surveys (nps, csat, ces, fcr) with their number of answers, and health."))
    for add in (_now, _courses, _answers, _health):
        add(board)
    return board


def _now(board: Dashboard) -> None:
    board.with_row(Row("Now"))
    for title, description, metric, unit in (
        ("NPS", "100 x (promoters - detractors) / respondents", "nps", NUMBER),
        ("NPS, standard error", "How far chance alone moves nps", "nps_standard_error", NUMBER),
        ("Satisfied (csat)", "Answers 4 and 5 / answers", "csat_ratio", RATIO),
        ("Effort (ces)", "Mean of the answers 1 to 7; 7 is easiest", "ces_score", NUMBER),
        ("Easy (ces)", "Answers 5 to 7 / answers", "ces_easy_ratio", RATIO),
        ("Resolved at once (fcr)", "Resolved / answers", "first_contact_resolution_ratio", RATIO),
    ):
        beside = {"before": before(f"growth_{metric}"), "target": target(metric)}
        board.with_panel(
            number(
                f"{title} ($period)",
                f"{description}; before: the period before.",
                past(in_period(f"growth_{metric}")),
                unit,
                beside=beside,
                decimals=1,
            )
        )


def _courses(board: Dashboard) -> None:
    board.with_row(Row("Over time"))
    nps, error = past(in_period("growth_nps")), past(in_period("growth_nps_standard_error"))
    for panel in (
        course(
            "NPS with its error ($period)",
            "Net promoter score with the band of two standard errors around it: within it a change says nothing.",
            {"nps": nps, "upper": f"{nps} + 2 * {error}", "lower": f"{nps} - 2 * {error}", "target": target("nps")},
            NUMBER,
        ),
        course(
            "Service ($period)",
            "Satisfied answers, easy answers, and questions resolved at first contact, of all answers.",
            {
                "satisfied (csat)": past(in_period("growth_csat_ratio")),
                "easy (ces)": past(in_period("growth_ces_easy_ratio")),
                "resolved (fcr)": past(in_period("growth_first_contact_resolution_ratio")),
            },
            RATIO,
        ),
    ):
        board.with_panel(panel)


def _answers(board: Dashboard) -> None:
    board.with_row(Row("Answers"))
    for panel in (
        course(
            "Respondents to nps ($period)",
            "Each respondent once, by the last answer in the period.",
            {"{{outcome}}": past(in_period("growth_survey_responses", survey="nps"))},
            COUNT,
            stacked=True,
        ),
        bars(
            "Answers by survey and outcome ($period)",
            "Respondents of nps and answers of the others: how much the ratios rest on.",
            {"{{survey}}, {{outcome}}": now(in_period("growth_survey_responses"))},
            COUNT,
        ),
        bars(
            "NPS by $dimension ($segment_period)",
            "Net promoter score of the chosen segments, each answer in the segment of its day.",
            {
                "{{segment}}": now(
                    'growth_segment_nps{period="$segment_period", dimension="$dimension", segment=~"$segment"}'
                )
            },
            NUMBER,
            width=24,
        ),
    ):
        board.with_panel(panel)


def _health(board: Dashboard) -> None:
    board.with_row(Row("Health of customers"))
    for panel in (
        course(
            "Customers by health",
            "Customers present by the band of their health score: healthy from 70, at risk from 40, else critical.",
            {"{{band}}": past("growth_customer_health")},
            COUNT,
            stacked=True,
        ).links(to("retention")),
        course(
            "Share by health",
            "Each band's customers / all that have a score.",
            {
                "{{band}}": (
                    f"{past('growth_customer_health')} / ignoring (band) group_left ()"
                    f" (sum without (band) ({past('growth_customer_health')}) > 0)"
                )
            },
            RATIO,
        ),
    ):
        board.with_panel(panel)
