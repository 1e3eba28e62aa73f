"""The dashboard of retention and churn: who stays, who leaves and why; segments, renewals, trials, cohorts."""

from __future__ import annotations

from frame import business, segments, to, uid
from grafana_foundation_sdk.builders.dashboard import Dashboard, DashboardLink, Row
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
    rows,
    target,
)

SEGMENT = 'dimension="$dimension", segment=~"$segment"'
OWNERS = 'dimension="owner"'


def retention() -> Dashboard:
    """Build the dashboard."""
    board = segments(
        business("retention", "Customers who stay and leave: reasons, segments, renewals, trials, cohorts.")
    )
    for add in (_now, _leave, _cohorts, _segments, _contracts):
        add(board)
    return board


def _now(board: Dashboard) -> None:
    board.with_row(Row("Now"))
    for title, description, metric, aim in (
        ("Customer churn", "Customers lost / customers at start", "customer_churn_ratio", True),
        ("Subscriber churn", "Subscribers lost / subscribers at start", "subscriber_churn_ratio", True),
        (
            "Retention",
            "Customers at start who are there at the end / customers at start",
            "customer_retention_ratio",
            True,
        ),
        ("Renewed", "Renewed / (due - pending)", "renewal_ratio", True),
        ("Trial conversion", "Converted / (ended - pending)", "trial_conversion_ratio", True),
        ("Payments recovered", "Recovered / episodes of failed payments that ended", "payment_recovery_ratio", True),
    ):
        board.with_panel(
            number(
                f"{title} ($period)",
                f"{description}; before: the period before.",
                past(in_period(f"growth_{metric}")),
                RATIO,
                beside={"before": before(f"growth_{metric}")} | ({"target": target(metric)} if aim else {}),
                decimals=1,
            )
        )


def _leave(board: Dashboard) -> None:
    board.with_row(Row("Who leaves, and why"))
    for panel in (
        course(
            "Gained and lost ($period)",
            "Absent at the start and present at the end of the period, and the reverse (as a negative number).",
            {
                "gained": past(in_period("growth_customers_gained")),
                "lost": f"-{past(in_period('growth_customers_lost'))}",
            },
            COUNT,
        ),
        course(
            "Why customers left ($period)",
            "Customers who left in the period, by the reason of what ended their presence.",
            {"{{reason}}": past(in_period("growth_customers_churned"))},
            COUNT,
            stacked=True,
        ),
        course(
            "Involuntary churn ($period)",
            "MRR lost because a payment failed / all MRR lost to churn.",
            {
                "payment failed": (
                    f"{past(in_period('growth_mrr_churned', reason='payment_failed'))} / on (period) group_left ()"
                    f" (sum by (period) ({past(in_period('growth_mrr_churned'))}) > 0)"
                )
            },
            RATIO,
        ),
        course(
            "Signups and cancellations ($period)",
            "Events by the day on which they occurred; scheduled: cancellations that take effect later.",
            {
                "signups": past(in_period("growth_signups")),
                "cancellations": past(in_period("growth_cancellations")),
                "scheduled": past("growth_cancellations_scheduled"),
            },
            COUNT,
        ),
        course(
            "New and returned ($period)",
            "Customers present for the first time, and present again.",
            {
                "new": past(in_period("growth_customers_new")),
                "returned": past(in_period("growth_customers_returned")),
            },
            COUNT,
        ),
        rows(
            "By owner ($segment_period)",
            "Each representative's accounts: customers now and gained and lost in the period.",
            "segment",
            {
                "customers": (now(f"growth_segment_customers{{{OWNERS}}}"), COUNT),
                "new": (now(f'growth_segment_customers_new{{period="$segment_period", {OWNERS}}}'), COUNT),
                "lost": (now(f'growth_segment_customers_lost{{period="$segment_period", {OWNERS}}}'), COUNT),
                "churn": (now(f'growth_segment_customer_churn_ratio{{period="$segment_period", {OWNERS}}}'), RATIO),
            },
            width=12,
        ),
    ):
        board.with_panel(panel)


def _cohorts(board: Dashboard) -> None:
    board.with_row(Row("Cohorts"))
    board.with_panel(
        matrix(
            "Customers of cohorts against their first month",
            "Customers who came in a month and are present at the end of each month since, / those of the first.",
            of_first_month("growth_cohort_customers"),
            RATIO,
        )
    )
    board.with_panel(
        matrix(
            "Customers of cohorts",
            "Customers who came in a month and are present at the end of each month since.",
            now("growth_cohort_customers"),
            COUNT,
        )
    )


def _segments(board: Dashboard) -> None:
    board.with_row(Row("Segments"))
    chosen = f'period="$segment_period", {SEGMENT}'
    there = f"/d/{uid('retention')}?${{__url_time_range}}&var-dimension=${{dimension}}"
    for panel in (
        rows(
            "Segments by $dimension ($segment_period)",
            "Each segment's customers, MRR, losses and nps; a click on a segment looks at it alone.",
            "segment",
            {
                "customers": (now(f"growth_segment_customers{{{SEGMENT}}}"), COUNT),
                "subscribers": (now(f"growth_segment_subscribers{{{SEGMENT}}}"), COUNT),
                "MRR": (now(f"growth_segment_mrr{{{SEGMENT}}}"), MONEY),
                "new": (now(f"growth_segment_customers_new{{{chosen}}}"), COUNT),
                "lost": (now(f"growth_segment_customers_lost{{{chosen}}}"), COUNT),
                "churn": (now(f"growth_segment_customer_churn_ratio{{{chosen}}}"), RATIO),
                "nps": (now(f"growth_segment_nps{{{chosen}}}"), NUMBER),
            },
        ).data_links([DashboardLink("This segment").url(f"{there}&var-segment=${{__data.fields.segment}}")]),
        course(
            "Churn of segments ($segment_period)",
            "Customers lost / customers at start, by the segment at the period's start.",
            {"{{segment}}": past(f"growth_segment_customer_churn_ratio{{{chosen}}}")},
            RATIO,
        ),
        course(
            "MRR of segments ($currency)",
            "MRR by segment.",
            {"{{segment}}": past(f"growth_segment_mrr{{{SEGMENT}}}")},
            MONEY,
        ).links(to("revenue")),
        bars(
            "MRR movements of segments ($segment_period, $currency)",
            "The chosen segments together; customers who change segment leave one and enter another.",
            {"{{movement}}": f"sum by (movement) ({now(f'growth_segment_mrr_movement{{{chosen}}}')})"},
            MONEY,
        ),
    ):
        board.with_panel(panel)


def _contracts(board: Dashboard) -> None:
    board.with_row(Row("Trials, renewals and failed payments"))
    for panel in (
        course(
            "Trials ($period)",
            "Trials by the day of their start and of their end, and those that have ended and may still convert.",
            {
                "started": past(in_period("growth_trials_started")),
                "ended": past(in_period("growth_trials_ended")),
                "pending": past(in_period("growth_trials_pending")),
            },
            COUNT,
        ),
        course(
            "Renewals ($period)",
            "Coverages that were due, those renewed, and those not yet decided.",
            {
                "due": past(in_period("growth_renewals_due")),
                "renewed": past(in_period("growth_renewals")),
                "pending": past(in_period("growth_renewals_pending")),
            },
            COUNT,
        ),
        course(
            "Payments ($period)",
            "Payments by status.",
            {"{{status}}": past(in_period("growth_payments"))},
            COUNT,
        ).links(to("revenue")),
        course(
            "Payments that fail and recover ($period)",
            "Failed / (failed + succeeded), and recovered / episodes of failed payments that ended.",
            {
                "failed": past(in_period("growth_payment_failure_ratio")),
                "recovered": past(in_period("growth_payment_recovery_ratio")),
            },
            RATIO,
        ),
    ):
        board.with_panel(panel)
