"""The revenue dashboard: what MRR is made of, what moved it, what was kept of it, and cash."""

from __future__ import annotations

from frame import business, to
from grafana_foundation_sdk.builders.dashboard import Dashboard, Row
from panels import (
    COUNT,
    MONEY,
    NUMBER,
    RATIO,
    bars,
    before,
    course,
    in_period,
    matrix,
    now,
    number,
    of_first_month,
    past,
    target,
)

BEFORE = "before"


def revenue() -> Dashboard:
    """Build the dashboard."""
    board = business("revenue", "Recurring revenue and its movements, retention, plans, currencies, cohorts, and cash.")
    for add in (_now, _movements, _kept, _made_of, _cash):
        add(board)
    return board


def _now(board: Dashboard) -> None:
    board.with_row(Row("Now"))
    for panel in (
        number("MRR ($currency)", "Monthly recurring revenue.", past("growth_mrr"), MONEY, decimals=0),
        number("ARR ($currency)", "12 x MRR.", past("growth_arr"), MONEY, decimals=0),
        number("ARPA ($currency)", "MRR per subscriber.", past("growth_arpa"), MONEY, decimals=2),
        number(
            "MRR growth ($period)",
            "All movements of MRR in the period, exchange rates apart, / MRR at its start; before: the period before.",
            past(in_period("growth_mrr_growth_ratio")),
            RATIO,
            beside={BEFORE: before("growth_mrr_growth_ratio"), "target": target("mrr_growth_ratio")},
            decimals=1,
        ),
        number(
            "Quick ratio ($period)",
            "MRR won (new, expansion, reactivation) / MRR given up (contraction, churn); before: the period before.",
            past(in_period("growth_quick_ratio")),
            NUMBER,
            beside={BEFORE: before("growth_quick_ratio"), "target": target("quick_ratio")},
            decimals=2,
        ),
        number(
            "Average sale price ($period, $currency)",
            "MRR of new subscribers / their number; before: the period before.",
            past(in_period("growth_average_sale_price")),
            MONEY,
            beside={BEFORE: before("growth_average_sale_price")},
            decimals=2,
        ),
        number(
            "Lifetime value ($period, $currency)",
            "ARPA x gross margin / the period's subscriber churn, brought to a month; before: the period before.",
            past(in_period("growth_lifetime_value")),
            MONEY,
            beside={BEFORE: before("growth_lifetime_value")},
            decimals=0,
        ),
    ):
        board.with_panel(panel)


def _movements(board: Dashboard) -> None:
    board.with_row(Row("What moved MRR"))
    for panel in (
        bars(
            "From start to end ($period, $currency)",
            "MRR at the period's start, each movement, and MRR at its end: the first bars add up to the last.",
            {
                "at start": now(in_period("growth_mrr_at_start")),
                **{
                    movement: now(in_period("growth_mrr_movement", movement=movement))
                    for movement in ("new", "expansion", "reactivation", "contraction", "churn", "fx")
                },
                "at end": (
                    f"{now(in_period('growth_mrr_at_start'))}"
                    f" + sum without (movement) ({now(in_period('growth_mrr_movement'))})"
                ),
            },
            MONEY,
        ),
        course(
            "Movements ($period, $currency)",
            "What changed MRR in the period, losses below zero.",
            {"{{movement}}": past(in_period("growth_mrr_movement"))},
            MONEY,
            stacked=True,
        ),
        course(
            "Movements today ($currency)",
            "What changed MRR on each day, up to the time looked at.",
            {"{{movement}}": past('growth_mrr_movement{period="day"}')},
            MONEY,
            stacked=True,
        ),
        course(
            "Customers moved ($period)",
            "How many times a customer's MRR moved that way in the period, a day counting once.",
            {"{{movement}}": past(in_period("growth_mrr_movement_customers"))},
            COUNT,
        ),
    ):
        board.with_panel(panel)


def _kept(board: Dashboard) -> None:
    board.with_row(Row("What was kept"))
    for panel in (
        course(
            "Revenue retention ($period)",
            "Of the MRR at start, what its customers still paid (gross), and paid with expansion counted (net).",
            {
                "{{kind}}": past(in_period("growth_revenue_retention_ratio")),
                "target": target("revenue_retention_ratio"),
            },
            RATIO,
        ),
        course(
            "MRR churn ($period)",
            "Churn and contraction / MRR at start (gross); the same less expansion and reactivation (net).",
            {"{{kind}}": past(in_period("growth_mrr_churn_ratio")), "target": target("mrr_churn_ratio")},
            RATIO,
        ),
        course(
            "MRR lost by reason ($period, $currency)",
            "The movement churn, by the reason of what ended the customer's MRR.",
            {"{{reason}}": past(in_period("growth_mrr_churned"))},
            MONEY,
            stacked=True,
        ).links(to("retention")),
        course(
            "ARPA and average sale price ($period, $currency)",
            "MRR per subscriber, and per new subscriber of the period.",
            {"ARPA": past("growth_arpa"), "average sale price": past(in_period("growth_average_sale_price"))},
            MONEY,
        ),
        matrix(
            "MRR of cohorts against their first month",
            "MRR of the customers who came in a month, by months since, / their MRR at that month's end.",
            of_first_month("growth_cohort_mrr"),
            RATIO,
        ),
    ):
        board.with_panel(panel)


def _made_of(board: Dashboard) -> None:
    board.with_row(Row("What MRR is made of"))
    for panel in (
        bars(
            "MRR by plan ($currency)", "MRR of each plan's subscriptions.", {"{{plan}}": now("growth_plan_mrr")}, MONEY
        ),
        bars(
            "Subscriptions by plan",
            "Subscriptions with MRR, by their own plan.",
            {"{{plan}}": now("growth_plan_subscriptions")},
            COUNT,
        ),
        course(
            "MRR by billing currency",
            "MRR in each currency, not converted.",
            {"{{currency}}": past("growth_mrr_native")},
            MONEY,
        ),
        course(
            "Currencies without a rate",
            "1 where there is MRR or cash and no exchange rate: converted amounts leave that currency out.",
            {"{{currency}}": past("growth_currency_unconverted")},
            NUMBER,
        ),
    ):
        board.with_panel(panel)


def _cash(board: Dashboard) -> None:
    board.with_row(Row("Cash"))
    for panel in (
        course(
            "Cash in and back ($period, $currency)",
            "Succeeded payments by kind, and refunds (as a negative number).",
            {
                "{{kind}}": past(in_period("growth_revenue")),
                "refunds": f"-{past(in_period('growth_refunds'))}",
            },
            MONEY,
        ),
        course(
            "Expenses ($period, $currency)",
            "What was spent on keeping customers and on winning them.",
            {"{{category}}": past(in_period("growth_expense"))},
            MONEY,
        ),
        course(
            "Cost of a customer ($period, $currency)",
            "Acquisition expense / new customers, and retention expense / mean of customers at start and end.",
            {
                "to win": past(in_period("growth_acquisition_cost_per_customer")),
                "to keep": past(in_period("growth_retention_cost_per_customer")),
            },
            MONEY,
        ),
        number(
            "Bought again",
            "Customers with two or more succeeded payments / with one or more.",
            past("growth_repeat_purchase_ratio"),
            RATIO,
            width=12,
            decimals=1,
        ),
    ):
        board.with_panel(panel)
