"""Who stays and who leaves: churn and retention of customers, lifetime value, cohorts, costs."""

from __future__ import annotations

from fractions import Fraction

from tests.acceptance.worked_examples.example import Example, Source, example

RETENTION = Source("exprimere: Retention rate", "https://www.exprimere.net/en/faq-items/retention-rate/")
CHARTMOGUL_CHURN = Source(
    "ChartMogul Help: Chart: Customer Churn Rate",
    "https://help.chartmogul.com/hc/en-us/articles/203359321-Chart-Customer-Churn-Rate",
)
CHARTMOGUL_CHURN_METRIC = Source(
    "ChartMogul Help: Metric: Customer Churn rate",
    "https://help.chartmogul.com/hc/en-us/articles/203359321-Metric-Customer-Churn-rate",
)
CHARTMOGUL_RECOGNITION = Source(
    "ChartMogul Help: Churn recognition", "https://help.chartmogul.com/article/242-churn-recognition"
)
CHARTMOGUL_FREE = Source(
    "ChartMogul Help: Configuring Subscription Analytics settings (Free Customer Handling)",
    "https://help.chartmogul.com/hc/en-us/articles/15384089786524-Configuring-Subscription-Analytics-settings",
)
STRIPE_CHURN_RATE = Source(
    "Stripe Support: Calculating subscriber churn rate in Billing",
    "https://support.stripe.com/questions/calculating-subscriber-churn-rate-in-billing",
)
SHOPIFY_CHURN = Source(
    "Shopify Engineering: Defining Churn Rate (no really, this actually requires an entire blog post)",
    "https://engineering.shopify.com/blogs/engineering/tagged/popular",
)
RECURLY_TERMS = Source(
    "Recurly: Key terms related to churn defined", "https://recurly.com/blog//key-terms-related-to-churn-defined/"
)
ADG = Source("Predict Churn: Company ADG", "https://github.com/Brett777/Predict-Churn")
PADDLE_RECURLY = Source(
    "Paddle Help: ProfitWell Metrics vs Recurly",
    "https://www.paddle.com/help/profitwell-metrics/measure/compare/profitwell-vs-recurly",
)
PADDLE_MAXIO = Source(
    "Paddle Help: ProfitWell Metrics vs Maxio",
    "https://www.paddle.com/help/profitwell-metrics/measure/compare/profitwell-vs-maxio",
)
PROFITWELL_LTV = Source("ProfitWell: Lifetime Value", "https://learn.profitwell.com/article/xJx5sQX95w-life-time-value")
BAREMETRICS_LTV = Source(
    "Baremetrics Help: Lifetime Value (figures: gistjunction, customer lifetime value calculator with Baremetrics)",
    "https://help.baremetrics.com/know-your-metrics/lifetime-value",
)
FEEDGOT = Source(
    "Feedgot: Customer Cohorts", "https://www.feedgot.com/tools/categories/customer-metrics/customer-cohort-analysis"
)
SALESHIVE = Source(
    "SalesHive: Customer acquisition cost (CAC)", "https://saleshive.com/glossary/customer-acquisition-cost-cac"
)
GROEW = Source(
    "Groew: How to calculate customer acquisition cost",
    "https://www.groew.com/learning-hub/how-to-calculate-customer-acquisition-cost/",
)
RETENTION_COST = Source(
    "Certified Calculator: Customer Retention Cost Calculation",
    "https://certifiedcalculator.com/customer-retention-cost-calculation/",
)
MONTH_DAYS = Fraction("30.4375")


@example(RETENTION, ours=True, company="strict", differs="60 / 70 is often printed as 86 %; it is 0.857142...")
def retention_rate_70_30_10(it: Example) -> None:
    """(At end - new) / at start: 70 customers, 30 won, 10 of the 70 lost, 90 at the end: 86 %."""
    for number in range(70):
        it.signup(f"old{number}", "05-12")
    for number in range(30):
        it.signup(f"new{number}", "06-12")
    for number in range(10):
        it.cancel(f"old{number}", "06-20")
    it.on(
        "06-30",
        {
            'customers_at_start{period="month"}': 70,
            'customers_gained{period="month"}': 30,
            'customers_lost{period="month"}': 10,
            "customers": 90,
            'customer_retention_ratio{period="month"}': Fraction(60, 70),
            'customer_churn_ratio{period="month"}': Fraction(10, 70),
        },
    )


@example(CHARTMOGUL_CHURN, company="strict")
def chartmogul_customer_churn_rate(it: Example) -> None:
    """100 at the start, 12 churned in the month, of whom one came back and one had also joined in it: 10 lost, 10 %."""
    for number in range(100):
        it.subscribe(f"c{number}", "05-12", 10)
    it.subscribe("joins", "06-03", 10)
    for name in ("joins", *(f"c{number}" for number in range(11))):
        it.cancel(name, "06-10")
    it.subscribe("c0", "06-20", 10)
    it.on(
        "06-30",
        {
            'subscribers_at_start{period="month"}': 100,
            'subscribers_churned{period="month"}': 12,
            'subscribers_lost{period="month"}': 10,
            'subscribers_gained{period="month"}': 0,
            'subscriber_churn_ratio{period="month"}': "0.1",
            'customer_churn_ratio{period="month"}': "0.1",
            'customers_returned{period="month"}': 1,
            "subscribers": 90,
        },
    )


@example(CHARTMOGUL_CHURN_METRIC, company="strict")
def chartmogul_joined_and_churned(it: Example) -> None:
    """100 at the start, 11 cancelled, one of them had joined in the same month and is left out: 10 %."""
    for number in range(100):
        it.signup(f"c{number}", "05-12")
    it.signup("joins", "06-03")
    for name in ("joins", *(f"c{number}" for number in range(10))):
        it.cancel(name, "06-10")
    it.on(
        "06-30",
        {
            'customer_churn_ratio{period="month"}': "0.1",
            'customers_churned{period="month",reason="unspecified"}': 11,
            'customers_new{period="month"}': 1,
        },
    )


@example(
    CHARTMOGUL_RECOGNITION,
    ours=True,
    company="strict",
    differs="Stripe's dashboard drops such MRR on 8 June already; a cancellation without `effective_at` does so here.",
)
def chartmogul_churn_at_the_end_of_service(it: Example) -> None:
    """Cancelled on 8 June, paid to 15 June: MRR 10 until the service ends, 0 after."""
    it.pay("c", "05-15", 10)
    it.cancel("c", "06-08", effective_at="06-15")
    it.on("06-08", {"mrr": 10, "cancellations_scheduled": 1, 'cancellations{period="day"}': 1})
    it.on("06-14", {"mrr": 10})
    it.on("06-15", {"mrr": 0, "cancellations_scheduled": 0, 'mrr_movement{period="day",movement="churn"}': -10})
    it.on("06-30", {"mrr": 0, "customers": 0, 'subscribers_lost{period="month"}': 1})


@example(CHARTMOGUL_FREE, ours=True, company="strict")
def chartmogul_switch_to_a_free_plan(it: Example) -> None:
    """Who switches from a paid to a free plan stays active and does not count towards customer churn."""
    it.subscribe("c", "05-12", 40, plan="pro")
    it.pay("c", "06-12", 0, plan="free")
    it.on(
        "06-30",
        {
            "customers": 1,
            "subscribers": 0,
            'customer_churn_ratio{period="month"}': 0,
            'subscriber_churn_ratio{period="month"}': 1,
            'mrr_churned{period="month",reason="downgrade"}': 40,
        },
    )


@example(
    STRIPE_CHURN_RATE,
    ours=True,
    company="strict",
    differs="Stripe puts the new ones into both: 5 / 110. Here those at the start are what can be lost: 4 / 100.",
)
def stripe_subscriber_churn_rate(it: Example) -> None:
    """Churned in 30 days over active 30 days ago and new since: 100 active, 10 new, 5 churned, one of them new."""
    for number in range(100):
        it.subscribe(f"c{number}", "05-12", 10)
    for number in range(10):
        it.subscribe(f"n{number}", "06-12", 10)
    for name in ("n0", "c0", "c1", "c2", "c3"):
        it.cancel(name, "06-20")
    it.on(
        "06-30",
        {
            'subscriber_churn_ratio{period="30d"}': "0.04",
            'subscribers_churned{period="30d"}': 5,
            'subscribers_gained{period="30d"}': 9,
        },
    )


@example(
    SHOPIFY_CHURN,
    company="strict",
    differs="The basic definition counts the 12 as well: 62 / 1000 = 6.2 %. Here they were never at the start: 5 %.",
)
def shopify_butter_of_the_month(it: Example) -> None:
    """1,000 customers, 5 % of whom leave in the month; 500 new ones, 12 of whom leave as well."""
    for number in range(1000):
        it.signup(f"c{number}", "05-12")
    for number in range(500):
        it.signup(f"n{number}", "06-12")
    for name in (*(f"c{number}" for number in range(50)), *(f"n{number}" for number in range(12))):
        it.cancel(name, "06-20")
    it.on(
        "06-30",
        {
            'customer_churn_ratio{period="month"}': "0.05",
            'customers_churned{period="month",reason="unspecified"}': 62,
            'customers_lost{period="month"}': 50,
            'customers_gained{period="month"}': 488,
        },
    )


@example(RECURLY_TERMS, ours=True, company="strict")
def recurly_last_subscription_expires(it: Example) -> None:
    """Churned subscribers over those at the month's beginning, 5 %; who has another subscription has not churned."""
    for number in range(20):
        it.subscribe(f"c{number}", "05-12", 10)
    it.subscribe("c1", "05-12", 10, subscription_id="second")
    it.cancel("c0", "06-12")
    it.cancel("c1", "06-12", subscription_id="second")
    it.on("06-30", {'subscriber_churn_ratio{period="month"}': "0.05", "subscribers": 19, "mrr": 190})


@example(ADG, company="strict")
def company_adg_customer_churn(it: Example) -> None:
    """500 customers at the beginning of the month, 450 at its end: 10 %."""
    for number in range(500):
        it.signup(f"c{number}", "05-12")
    for number in range(50):
        it.cancel(f"c{number}", "06-12")
    it.on("06-30", {'customer_churn_ratio{period="month"}': "0.1", "customers": 450})


@example(
    PADDLE_RECURLY,
    ours=True,
    company="strict",
    differs="ProfitWell leaves such a customer out altogether; here both movements stand, and nobody counts as lost.",
)
def profitwell_new_and_churned_in_a_month(it: Example) -> None:
    """A customer signs up and churns in the same calendar month."""
    it.subscribe("stays", "05-12", 10)
    it.subscribe("c", "06-03", 30)
    it.cancel("c", "06-20")
    it.on(
        "06-30",
        {
            'mrr_movement{period="month",movement="new"}': 30,
            'mrr_movement{period="month",movement="churn"}': -30,
            'subscribers_lost{period="month"}': 0,
            'subscriber_churn_ratio{period="month"}': 0,
            'revenue_retention_ratio{period="month",kind="gross"}': 1,
        },
    )


@example(
    PADDLE_MAXIO,
    ours=True,
    company="strict",
    differs="With Maxio who comes back after more than 90 days is new; here, as in ProfitWell, it is a reactivation.",
)
def maxio_back_after_more_than_90_days(it: Example) -> None:
    """A customer churns and comes back after more than 90 days."""
    it.subscribe("c", "01-12", 30)
    it.cancel("c", "02-12")
    it.subscribe("c", "06-12", 30)
    it.on(
        "06-30",
        {
            'mrr_movement{period="month",movement="reactivation"}': 30,
            'mrr_movement{period="month",movement="new"}': 0,
            'customers_new{period="month"}': 0,
            'customers_returned{period="month"}': 1,
        },
    )


@example(
    PROFITWELL_LTV,
    company="strict",
    differs="The source divides by the month's churn as it is; here it is brought to a month of 30.4375 days first.",
)
def profitwell_lifetime_value(it: Example) -> None:
    """ARPU 10, churn 4 % a month: lifetime value 250."""
    for number in range(100):
        it.subscribe(f"c{number}", "05-12", 10)
    for number in range(4):
        it.cancel(f"c{number}", "06-12")
    it.on(
        "06-30",
        {
            "arpa": 10,
            'subscriber_churn_ratio{period="month"}': "0.04",
            'lifetime_value{period="month"}': 250 / (MONTH_DAYS / 30),
        },
    )


@example(
    BAREMETRICS_LTV,
    company="strict",
    report={"gross_margin": "0.8"},
    differs="The same: 1,600 there, 1,577.00 for a June of 30 days here.",
)
def baremetrics_lifetime_value_with_margin(it: Example) -> None:
    """ARPU 100 and churn 5 % a month: about 2,000; with a gross margin of 80 %: 1,600."""
    for number in range(20):
        it.subscribe(f"c{number}", "05-12", 100)
    it.cancel("c0", "06-12")
    it.on("06-30", {'lifetime_value{period="month"}': 1600 / (MONTH_DAYS / 30), "arpa": 100})


@example(FEEDGOT, company="strict")
def feedgot_cohort(it: Example) -> None:
    """200 customers join in January; 85 % are there after one month and 70 % after three."""
    for number in range(200):
        it.signup(f"c{number}", "01-12")
    for number in range(60):
        it.cancel(f"c{number}", "02-12" if number < 30 else "03-12")
    cohort = f"{it.year}-01"
    it.on(
        "06-30",
        {
            f'cohort_customers{{cohort="{cohort}",month="0"}}': 200,
            f'cohort_customers{{cohort="{cohort}",month="1"}}': 170,
            f'cohort_customers{{cohort="{cohort}",month="3"}}': 140,
        },
    )


@example(SALESHIVE, company="strict")
def saleshive_acquisition_cost(it: Example) -> None:
    """100,000 spent on marketing and sales in a year in which 100 customers came: 1,000 each."""
    for number in range(4):
        it.expense("acquisition", f"0{number + 2}-12", 25_000)
    for number in range(100):
        it.signup(f"c{number}", f"0{number % 5 + 1}-12")
    it.on(
        "06-30",
        {
            'acquisition_cost_per_customer{period="year"}': 1000,
            'expense{period="year",category="acquisition"}': 100_000,
        },
    )


@example(GROEW, company="strict")
def groew_acquisition_cost(it: Example) -> None:
    """Ads 12,000, management 4,000, creative 2,000, tools 2,000; 40 new customers: 500 each."""
    for amount in (12_000, 4_000, 2_000, 2_000):
        it.expense("acquisition", "06-12", amount)
    for number in range(40):
        it.signup(f"c{number}", "06-12")
    it.on("06-30", {'acquisition_cost_per_customer{period="month"}': 500})


@example(
    RETENTION_COST,
    company="strict",
    differs="The source divides by the number of customers; here it is the mean of those at the start and at the end.",
)
def certifiedcalculator_retention_cost(it: Example) -> None:
    """500 customers and 10,000 spent on keeping them: 20 each."""
    for number in range(500):
        it.signup(f"c{number}", "05-12")
    it.expense("retention", "06-12", 10_000)
    it.on("06-30", {'retention_cost_per_customer{period="month"}': 20})
