"""How recurring revenue moves: the five movements, growth, quick ratio, churn and retention of revenue."""

from __future__ import annotations

from fractions import Fraction

from tests.acceptance.worked_examples.example import Example, Source, example
from tests.acceptance.worked_examples.mrr import STRIPE_GLOSSARY

CHARTMOGUL_LIFECYCLE = Source(
    "ChartMogul Help: the lifecycle of a subscription (Syncalytics)",
    "https://help.chartmogul.com/hc/en-us/articles/201244842",
)
CHARTMOGUL_GROSS = Source(
    "ChartMogul Help: Metric: MRR Churn Rate",
    "https://help.chartmogul.com/hc/en-us/articles/203359341-Metric-MRR-Churn-Rate",
)
CHARTMOGUL_NET = Source(
    "ChartMogul Help: Chart: Net MRR Churn Rate",
    "https://help.chartmogul.com/hc/en-us/articles/4414075567250-Chart-Net-MRR-Churn-Rate",
)
CHARTMOGUL_DATA = Source(
    "ChartMogul Help: Chart Data", "https://help.chartmogul.com/hc/en-us/articles/203299912-Chart-Data"
)
PROFITWELL_QUICK = Source(
    "ProfitWell: SaaS Quick Ratio", "https://learn.profitwell.com/l/en/article/sxsipjlziy-saa-s-quick-ratio"
)
PITCHKIT_QUICK = Source("PitchKit glossary: Quick ratio", "https://pitchkit.net/resources/glossary/quick-ratio")
REVENUE_CALCULATORS = Source(
    "Revenue Calculators: MRR Growth Calculator", "https://www.revenuecalculators.com/calculators/mrr-growth"
)
CHURNZERO_NRR = Source(
    "ChurnZero Churnopedia: Net Revenue Retention", "https://churnzero.net/churnopedia/net-revenue-retention/"
)
SUPERLEAP = Source("Superleap: Gross revenue retention", "https://www.superleap.com/blog/sales/gross-revenue-retention")
DNOISE = Source("dnoise: Net Revenue Retention (NRR)", "https://dnoise.online/en/metrics/nrr-ndr")
CHARGEBEE_GRR = Source(
    "Chargebee Docs: Recurring Revenue (Gross and Net Revenue Retention)",
    "https://chargebee.com/docs/2.0/recurring-revenue.html",
)
STRIPE_CHURNED = Source(
    "Stripe Support: Calculating Churned Revenue in Billing",
    "https://support.stripe.com/questions/calculating-churned-revenue-in-billing",
)
CHARGEBEE_CHURN = Source(
    "Chargebee Support: How Churn is calculated in the Chargebee Revenue Story",
    "https://support.chargebee.com/support/solutions/articles/264186-how-churn-is-calculated-in-the-chargebee-revenue-story",
)
CHARGEBEE_CHARTS = Source(
    "Chargebee Docs: Charts (Voluntary and Involuntary Cancellation MRR)",
    "https://www.chargebee.com/docs/2.0/charts.html",
)


def movement(name: str, period: str = "month") -> str:
    """Name a movement's sample."""
    return f'mrr_movement{{period="{period}",movement="{name}"}}'


@example(CHARTMOGUL_LIFECYCLE, company="strict", years=2)
def chartmogul_syncalytics(it: Example) -> None:
    """4 gold at 2,000 a year, 2 silver at 60 a month, silver cancelled, gold cancelled, back with 3 at 50 a month."""
    it.pay("syncalytics", "03-01", 2000, interval="year", subscription_id="gold", plan="gold")
    it.pay("syncalytics", "03-05", 60, subscription_id="silver", plan="silver")
    it.cancel("syncalytics", "03-19", subscription_id="silver")
    after = it.year + 1
    it.cancel("syncalytics", f"{after}-02-20", subscription_id="gold", effective_at=f"{after}-03-01")
    it.pay("syncalytics", f"{after}-04-10", 150, plan="gold")
    it.on("03-01", {movement("new", "day"): "166.666667", "mrr": "166.666667"})
    it.on("03-05", {movement("expansion", "day"): 60, movement("new", "day"): 0})
    it.on("03-19", {movement("contraction", "day"): -60, movement("churn", "day"): 0})
    it.on(f"{after}-02-28", {"mrr": "166.666667", "cancellations_scheduled": 1})
    it.on(f"{after}-03-01", {movement("churn", "day"): "-166.666667", "mrr": 0, "customers": 0})
    it.on(f"{after}-04-10", {movement("reactivation", "day"): 150, movement("new", "day"): 0, "mrr": 150})


@example(STRIPE_GLOSSARY, ours=True)
def stripe_mrr_growth(it: Example) -> None:
    """Start 50, new 8, expansion 4, reactivation 1, contraction 2, churn 3: growth 8, end 58; quick ratio 13 / 5."""
    it.subscribe("stays", "05-02", 10)
    it.subscribe("grows", "05-02", 20)
    it.subscribe("shrinks", "05-02", 17)
    it.subscribe("leaves", "05-02", 3)
    it.subscribe("was here", "03-02", 1)
    it.cancel("was here", "04-02")
    it.subscribe("was here", "06-20", 1)
    it.subscribe("comes", "06-05", 8)
    it.subscribe("grows", "06-06", 24)
    it.subscribe("shrinks", "06-07", 15)
    it.cancel("leaves", "06-08")
    it.on(
        "06-30",
        {
            'mrr_at_start{period="month"}': 50,
            movement("new"): 8,
            movement("expansion"): 4,
            movement("reactivation"): 1,
            movement("contraction"): -2,
            movement("churn"): -3,
            movement("fx"): 0,
            "mrr": 58,
            'quick_ratio{period="month"}': "2.6",
            'mrr_growth_ratio{period="month"}': "0.16",
        },
    )


@example(CHARTMOGUL_GROSS)
def chartmogul_gross_mrr_churn(it: Example) -> None:
    """Of 100 at the start 10 are lost to churn and 10 to contraction, 10 come by expansion: gross 20 %."""
    for name in ("leaves", "grows", "shrinks", "stays"):
        it.subscribe(name, "05-02", {"leaves": 10, "grows": 20, "shrinks": 30, "stays": 40}[name])
    it.cancel("leaves", "06-04")
    it.subscribe("shrinks", "06-05", 20)
    it.subscribe("grows", "06-06", 30)
    it.on(
        "06-30",
        {
            'mrr_churn_ratio{period="month",kind="gross"}': "0.2",
            'mrr_churn_ratio{period="month",kind="net"}': "0.1",
            'revenue_retention_ratio{period="month",kind="gross"}': "0.8",
            'revenue_retention_ratio{period="month",kind="net"}': "0.9",
            'mrr_churned{period="month",reason="unspecified"}': 10,
        },
    )


@example(
    CHARTMOGUL_NET,
    differs="The other formula of that page (Shopify's) adds up such days of a period; here a period has one ratio.",
)
def chartmogul_net_mrr_churn_of_a_day(it: Example) -> None:
    """100 at the start of a day and 120 at its end, 10 of which is new business: net churn -10 %."""
    it.subscribe("c", "05-02", 100)
    it.subscribe("c", "06-30", 110)
    it.subscribe("new", "06-30", 10)
    it.on("06-30", {'mrr_churn_ratio{period="day",kind="net"}': "-0.1", "mrr": 120})


@example(CHARTMOGUL_GROSS)
def chartmogul_gross_mrr_churn_of_a_day(it: Example) -> None:
    """100 at the start of a day, 95 at its end: gross churn 5 %."""
    it.subscribe("c", "05-02", 100)
    it.subscribe("c", "06-30", 95)
    it.on("06-30", {'mrr_churn_ratio{period="day",kind="gross"}': "0.05"})


@example(CHARTMOGUL_DATA)
def chartmogul_plan_switch(it: Example) -> None:
    """A customer at 50 switches from plan A to plan B at 30: 50 leaves the one segment and enters the other."""
    it.subscribe("c", "05-02", 50, plan="A")
    it.subscribe("c", "06-12", 30, plan="B")

    def of(plan: str, what: str) -> str:
        return f'segment_mrr_movement{{dimension="plan",segment="{plan}",period="month",movement="{what}"}}'

    it.on(
        "06-30",
        {
            of("A", "left"): -50,
            of("B", "entered"): 50,
            of("B", "contraction"): -20,
            'segment_mrr{dimension="plan",segment="B"}': 30,
            'segment_subscribers{dimension="plan",segment="B"}': 1,
            movement("contraction"): -20,
        },
    )


@example(PROFITWELL_QUICK)
def profitwell_quick_ratios(it: Example) -> None:
    """24k won and 4k lost, 30k and 10k, 40k and 20k: the same growth of 20k, quick ratios 6, 3 and 2."""
    it.subscribe("base", "01-02", 100_000)
    for month, won, lost in (("04", 24_000, 4_000), ("05", 30_000, 10_000), ("06", 40_000, 20_000)):
        it.subscribe(f"leaves {month}", "01-02", lost)
        it.subscribe(f"comes {month}", f"{month}-03", won)
        it.cancel(f"leaves {month}", f"{month}-04")
    it.on("04-30", {'quick_ratio{period="month"}': 6, movement("new"): 24_000, movement("churn"): -4_000})
    it.on("05-31", {'quick_ratio{period="month"}': 3})
    it.on("06-30", {'quick_ratio{period="month"}': 2, 'quick_ratio{period="previous_month"}': 3})


@example(PITCHKIT_QUICK)
def pitchkit_quick_ratio(it: Example) -> None:
    """New 20k, expansion 8k, churn 5k, contraction 3k: 28 / 8 = 3.5."""
    it.subscribe("grows", "05-02", 12_000)
    it.subscribe("shrinks", "05-02", 13_000)
    it.subscribe("leaves", "05-02", 5_000)
    it.subscribe("comes", "06-02", 20_000)
    it.subscribe("grows", "06-02", 20_000)
    it.subscribe("shrinks", "06-02", 10_000)
    it.cancel("leaves", "06-02")
    it.on("06-30", {'quick_ratio{period="month"}': "3.5"})


@example(REVENUE_CALCULATORS)
def revenuecalculators_mrr_bridge(it: Example) -> None:
    """18,000, plus 2,800 new and 700 expansion, less 300 contraction and 900 churn: 2,300 more, about 12.8 %."""
    it.subscribe("grows", "05-02", 10_000)
    it.subscribe("shrinks", "05-02", 7_100)
    it.subscribe("leaves", "05-02", 900)
    it.subscribe("comes", "06-02", 2_800)
    it.subscribe("grows", "06-02", 10_700)
    it.subscribe("shrinks", "06-02", 6_800)
    it.cancel("leaves", "06-02")
    it.on("06-30", {"mrr": 20_300, 'mrr_growth_ratio{period="month"}': Fraction(2_300, 18_000)})


@example(CHURNZERO_NRR)
def churnzero_net_revenue_retention(it: Example) -> None:
    """27,000 at the start; upsells to the same customers and 5,000 of churn leave 30,000: 111 %."""
    it.subscribe("leaves", "05-02", 5_000)
    it.subscribe("grows", "05-02", 22_000)
    it.subscribe("grows", "06-02", 30_000)
    it.cancel("leaves", "06-30")
    it.on(
        "06-30",
        {
            'revenue_retention_ratio{period="month",kind="net"}': Fraction(30_000, 27_000),
            'revenue_retention_ratio{period="month",kind="gross"}': Fraction(22_000, 27_000),
        },
    )


@example(SUPERLEAP)
def superleap_gross_revenue_retention(it: Example) -> None:
    """100,000 less 6,000 of downgrades and 8,000 of churn: 86 %; another 8,000 of expansion is not in it."""
    it.subscribe("shrinks", "03-02", 50_000)
    it.subscribe("leaves", "03-02", 8_000)
    it.subscribe("grows", "03-02", 42_000)
    it.subscribe("shrinks", "04-12", 44_000)
    it.cancel("leaves", "05-12")
    it.subscribe("grows", "06-12", 50_000)
    it.on(
        "06-30",
        {
            'revenue_retention_ratio{period="quarter",kind="gross"}': "0.86",
            'revenue_retention_ratio{period="quarter",kind="net"}': "0.94",
        },
    )


@example(DNOISE)
def dnoise_net_revenue_retention(it: Example) -> None:
    """200,000 less 6,000 of churn and 4,000 of contraction, plus 20,000 of expansion: 105 %; new logos are left out."""
    it.subscribe("leaves", "05-02", 6_000)
    it.subscribe("shrinks", "05-02", 94_000)
    it.subscribe("grows", "05-02", 100_000)
    it.cancel("leaves", "06-12")
    it.subscribe("shrinks", "06-12", 90_000)
    it.subscribe("grows", "06-12", 120_000)
    it.subscribe("comes", "06-20", 77_000)
    it.on("06-30", {'revenue_retention_ratio{period="month",kind="net"}': "1.05", "mrr": 287_000})


@example(
    CHARGEBEE_GRR,
    differs="Chargebee prints 5000/5000 as 1 %; it is 1, or 100 %. Chargebee takes the smaller of two totals, "
    "here it is the smaller of the two of each customer.",
)
def chargebee_gross_revenue_retention(it: Example) -> None:
    """5,000 at the start and 6,000 at the end of a period: the smaller over the first, expansion is not counted."""
    it.subscribe("stays", "05-02", 3_000)
    it.subscribe("grows", "05-02", 2_000)
    it.subscribe("grows", "06-12", 3_000)
    it.on(
        "06-30",
        {
            'revenue_retention_ratio{period="month",kind="gross"}': 1,
            'revenue_retention_ratio{period="month",kind="net"}': "1.2",
        },
    )


@example(STRIPE_CHURNED, ours=True)
def stripe_two_subscriptions_cancelled(it: Example) -> None:
    """Of two subscriptions the first cancellation is a downgrade and the second is churn."""
    it.subscribe("c", "05-02", 10, subscription_id="a")
    it.subscribe("c", "05-02", 20, subscription_id="b")
    it.cancel("c", "06-10", subscription_id="a")
    it.cancel("c", "06-20", subscription_id="b")
    it.on(
        "06-30",
        {
            movement("contraction"): -10,
            movement("churn"): -20,
            'mrr_churned{period="month",reason="unspecified"}': 20,
            'cancellations{period="month"}': 2,
            'subscribers_lost{period="month"}': 1,
        },
    )


@example(CHARGEBEE_CHURN)
def chargebee_price_decrease(it: Example) -> None:
    """From a plan of 100 a month to one of 70: no customer has churned, 30 of revenue is lost to contraction."""
    it.subscribe("c", "05-02", 100, plan="large")
    it.subscribe("c", "06-12", 70, plan="small")
    it.on(
        "06-30",
        {
            'customer_churn_ratio{period="month"}': 0,
            movement("contraction"): -30,
            'mrr_churn_ratio{period="month",kind="gross"}': "0.3",
        },
    )


@example(CHARGEBEE_CHARTS, company="strict")
def chargebee_voluntary_cancellation(it: Example) -> None:
    """15 customers at 10 a month leave of their own will and 10 because their payments fail: 150 and 100."""
    for number in range(15):
        it.pay(f"v{number}", "05-12", 10)
        it.cancel(f"v{number}", "06-03", reason="too_expensive")
    for number in range(10):
        it.pay(f"i{number}", "05-12", 10)
        it.pay(f"i{number}", "06-12 09:00", 10, status="failed")
    it.on(
        "06-30",
        {
            'mrr_churned{period="month",reason="too_expensive"}': 150,
            'mrr_churned{period="month",reason="payment_failed"}': 100,
            movement("churn"): -250,
            'customers_churned{period="month",reason="payment_failed"}': 10,
        },
    )
