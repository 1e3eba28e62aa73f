"""What recurring revenue is: intervals, discounts, prorations, currencies, averages."""

from __future__ import annotations

from fractions import Fraction

from tests.acceptance.worked_examples.example import Example, Source, example

LITTLE_STREAM = Source(
    "Little Stream Software: Repeat Purchase Rate, and how to calculate it",
    "https://www.littlestreamsoftware.com/articles/repeat-purchase-rate-calculate/",
)
BLOY = Source(
    "BLOY: Repeat Purchase Rate Formula, how to calculate RPR on Shopify",
    "https://bloy.io/blog/repeat-purchase-rate-formula-on-shopify",
)
STRIPE_GLOSSARY = Source(
    "Stripe Docs: Billing metric definitions", "https://docs.stripe.com/billing/subscriptions/analytics/glossary"
)
STRIPE_ANALYTICS = Source("Stripe Support: Billing Analytics", "https://support.stripe.com/questions/billing-analytics")
STRIPE_COUPONS = Source(
    "Stripe Support: Impact of discounts and coupons on MRR in Billing",
    "https://support.stripe.com/questions/impact-of-discounts-and-coupons-on-monthly-recurring-revenue-mrr-in-billing",
)
CHARTMOGUL_MRR = Source(
    "ChartMogul Help: Metric: Monthly Recurring Revenue (MRR)",
    "https://help.chartmogul.com/hc/en-us/articles/203299812",
)
CHARTMOGUL_FX = Source(
    "ChartMogul Help: How ChartMogul handles subscriptions billed in foreign currencies",
    "https://help.chartmogul.com/hc/en-us/articles/201520952-How-ChartMogul-handles-subscriptions-billed-in-foreign-currencies",
)
CHARGEBEE_COUPONS = Source(
    "Chargebee Support: How is MRR calculated if coupons are included along with Flexible MRR?",
    "https://support.chargebee.com/support/solutions/articles/255043-how-is-mrr-calculated-if-coupons-are-included-along-with-flexible-mrr-",
)
CHARGEBEE_FX = Source(
    "Chargebee Support: How exchange rates affect RevenueStory metrics over time",
    "https://support.chargebee.com/support/solutions/articles/256559-how-exchange-rates-affect-revenuestory-metrics-over-time-",
)
PADDLE_MRR = Source(
    "Paddle Help: How is Monthly Recurring Revenue (MRR) calculated?",
    "https://www.paddle.com/help/manage/reporting/how-is-monthly-recurring-revenue-calculated",
)
KACHING = Source(
    "Kaching Subscriptions Help: How we calculate MRR",
    "https://support.kachingappz.com/en/articles/12281658-how-we-calculate-mrr",
)
RECURLY_MID_MONTH = Source(
    "Recurly Support: How is MRR affected if I add a user in the middle of the billing cycle?",
    "https://support.recurly.com/hc/en-us/articles/360029630811-How-is-MRR-affected-if-I-add-a-user-in-the-middle-of-the-billing-cycle-",
)
USCREEN = Source(
    "Uscreen Help: Subscription Analytics, Monthly Recurring Revenue",
    "https://help.uscreen.tv/hc/en-us/articles/360024894994-Subscription-Analytics-Monthly-Recurring-Revenue",
)
PROFITHUB = Source("Profithub: How to calculate MRR", "https://profithub.cloud/es/blog/how-to-calculate-mrr")
NO_NOISE = Source(
    "NoNoiseMetrics: Types of MRR: New, Expansion, Contraction, and Churn",
    "https://blog.nonoisemetrics.com/understanding-mrr/",
)
INDIE_HACKERS = Source(
    "Indie Hackers: How to calculate monthly recurring revenue or MRR",
    "https://www.indiehackers.com/post/how-to-calculate-monthly-recurring-revenue-or-mrr-9ea0104358",
)
CHARTMOGUL_ARPA = Source(
    "ChartMogul Help: Chart: Average Revenue Per Account",
    "https://help.chartmogul.com/hc/en-us/articles/203359301-Chart-Average-Revenue-Per-Account",
)
CHARTMOGUL_ASP = Source(
    "ChartMogul Help: Chart: Average Sale Price",
    "https://help.chartmogul.com/hc/en-us/articles/203359381-Chart-Average-Sale-Price",
)


@example(LITTLE_STREAM, first=True)
def littlestream_repeat_purchase_rate(it: Example) -> None:
    """26 customers ordered, 8 of them more than once: 8 / 26, printed as 30.7 %."""
    for number in range(26):
        it.pay(f"c{number}", "06-03", 20, interval="one_time")
    for number in range(8):
        it.pay(f"c{number}", "06-20", 20, interval="one_time")
    it.on("06-30", {"repeat_purchase_ratio": Fraction(8, 26), 'revenue{period="month",kind="one_time"}': 680})


@example(BLOY, company="strict", first=True)
def bloy_repeat_purchase_rate(it: Example) -> None:
    """1,200 customers bought within 90 days and 300 of them once more: 25 %; orders are not what is counted."""
    for number in range(1200):
        it.pay(f"c{number}", "04-10", 20, interval="one_time")
    for number in range(300):
        it.pay(f"c{number}", "06-20", 20, interval="one_time")
    it.on("06-30", {"repeat_purchase_ratio": Fraction(1, 4), "customers": 1200, "subscribers": 0})


@example(STRIPE_GLOSSARY, differs="The page's formula has 800 where 600 belongs; its result, 12,500, is ours.")
def stripe_mrr_of_two_plans(it: Example) -> None:
    """100 subscribers at 100 a month and 50 at 600 a year: MRR 12,500."""
    for number in range(100):
        it.subscribe(f"a{number}", "06-02", 100, plan="A")
    for number in range(50):
        it.pay(f"b{number}", "06-02", 600, interval="year", plan="B")
    it.on(
        "06-30",
        {
            "mrr": 12500,
            "arr": 150000,
            "subscribers": 150,
            "arpa": Fraction(250, 3),
            'plan_mrr{plan="A"}': 10000,
            'plan_mrr{plan="B"}': 2500,
            'plan_subscriptions{plan="B"}': 50,
        },
    )


@example(STRIPE_ANALYTICS)
def stripe_annual_subscription(it: Example) -> None:
    """An annual subscription for 1,200 counts 100 towards MRR; the cash is another matter."""
    it.pay("c", "06-02", 1200, interval="year")
    it.on("06-30", {"mrr": 100, 'revenue{period="month",kind="recurring"}': 1200})


@example(STRIPE_ANALYTICS, ours=True)
def stripe_trials_do_not_count(it: Example) -> None:
    """A subscription in its trial counts nothing towards MRR."""
    it.signup("trying", "06-20", plan="pro", trial_ends_at="07-04")
    it.subscribe("paying", "06-20", 30, plan="pro")
    it.on("06-30", {"mrr": 30, "subscribers": 1, "customers": 2})


@example(STRIPE_COUPONS, ours=True)
def stripe_coupon_forever(it: Example) -> None:
    """A coupon of 50 % for ever halves a subscription's MRR."""
    it.subscribe("c", "05-10", 80)
    it.subscribe("c", "06-10", 40)
    it.on("06-30", {"mrr": 40, 'mrr_movement{period="month",movement="contraction"}': -40})


@example(CHARTMOGUL_MRR)
def chartmogul_mrr(it: Example) -> None:
    """5 customers at 5 a month: MRR 25; two more at 30: 85."""
    for number in range(5):
        it.subscribe(f"c{number}", "05-10", 5)
    for number in range(2):
        it.subscribe(f"d{number}", "06-10", 30)
    it.on("05-31", {"mrr": 25})
    it.on("06-30", {"mrr": 85})


@example(CHARTMOGUL_MRR, ours=True)
def chartmogul_several_months_up_front(it: Example) -> None:
    """What is paid for several months is divided by their number: 90 for 3 months is 30."""
    it.pay("quarterly", "06-02", 90, interval="quarter")
    it.pay("three months", "06-02", 90, interval="month", interval_count=3)
    it.on("06-30", {"mrr": 60, "arpa": 30})


@example(CHARTMOGUL_MRR, ours=True)
def chartmogul_discounts_are_deducted(it: Example) -> None:
    """Discounts are deducted first: 25 a month less 5 is 20."""
    it.subscribe("c", "06-02", "20.00")
    it.on("06-30", {"mrr": 20})


@example(CHARTMOGUL_MRR, ours=True)
def chartmogul_refunds_and_one_time_payments(it: Example) -> None:
    """One-time payments are left out of MRR; refunds are tracked and do not change it."""
    it.subscribe("c", "06-02", 50)
    it.pay("c", "06-05", 500, interval="one_time")
    it.pay("c", "06-09", 50, status="refunded")
    it.on(
        "06-30",
        {
            "mrr": 50,
            'revenue{period="month",kind="recurring"}': 50,
            'revenue{period="month",kind="one_time"}': 500,
            'refunds{period="month"}': 50,
            'payments{period="month",status="refunded"}': 1,
        },
    )


@example(CHARGEBEE_COUPONS)
def chargebee_coupon_and_add_ons(it: Example) -> None:
    """A plan of 100, three add-ons of 100 each, a coupon of 50 % for ever: MRR 200."""
    it.subscribe("c", "06-02", 200)
    it.on("06-30", {"mrr": 200})


@example(
    PADDLE_MRR,
    ours=True,
    differs="Paddle multiplies a week by 4.33 and gives 433; a year has 52 weeks, so it is 52/12 = 433.33 here.",
)
def paddle_weekly_subscription(it: Example) -> None:
    """A weekly charge becomes a monthly one: 100 a week."""
    it.subscribe("c", "06-02", 100, interval="week")
    it.on("06-30", {"mrr": "433.333333"})


@example(
    KACHING,
    differs="Kaching takes 30.437 days and 4.345 weeks a month and gives 431.27; here it is 365/12 and 52/12.",
)
def kaching_four_intervals(it: Example) -> None:
    """10 a day, 20 a week, 60 every 2 months, 120 a year."""
    it.subscribe("a", "06-02", 10, interval="day")
    it.subscribe("b", "06-02", 20, interval="week")
    it.pay("c", "06-02", 60, interval="month", interval_count=2)
    it.pay("d", "06-02", 120, interval="year")
    it.on("06-30", {"mrr": Fraction("304.166667") + Fraction("86.666667") + 30 + 10})


@example(
    RECURLY_MID_MONTH,
    differs="Recurly counts the 5 for the days that it was charged for; here MRR is what the subscription costs from "
    "now on, so it rises by the whole 10, and the 5 is the cash.",
)
def recurly_user_added_half_way(it: Example) -> None:
    """A second user at 10 is added half-way through June, and 5 is charged for the rest of the month."""
    it.pay("c", "06-01", 10)
    it.pay("c", "06-16", 5, recurring_amount=20, covers_until="07-01")
    it.on("06-15", {"mrr": 10})
    it.on(
        "06-30",
        {
            "mrr": 20,
            'mrr_movement{period="month",movement="new"}': 10,
            'mrr_movement{period="month",movement="expansion"}': 10,
            'revenue{period="month",kind="recurring"}': 15,
        },
    )


@example(USCREEN)
def uscreen_monthly_and_yearly(it: Example) -> None:
    """A subscriber at 35 a month is 35, one at 360 a year is 30."""
    it.subscribe("a", "06-02", 35)
    it.pay("b", "06-02", 360, interval="year")
    it.on("06-30", {"mrr": 65, 'mrr_native{currency="USD"}': 65})


@example(PROFITHUB)
def profithub_worked_example(it: Example) -> None:
    """120 at 79 a month and 30 at 990 a year: 11,955; five upgrades by 20 and three cancellations: 137 less."""
    for number in range(120):
        it.subscribe(f"m{number}", "05-10", 79)
    for number in range(30):
        it.pay(f"y{number}", "05-10", 990, interval="year")
    for number in range(5):
        it.subscribe(f"m{number}", "06-10", 99)
    for number in range(5, 8):
        it.cancel(f"m{number}", "06-10")
    it.on("05-31", {"mrr": 11955})
    it.on(
        "06-30",
        {
            "mrr": 11818,
            'mrr_movement{period="month",movement="expansion"}': 100,
            'mrr_movement{period="month",movement="churn"}': -237,
        },
    )


@example(
    NO_NOISE,
    differs="No rate is given for the euro, so it stays out of converted MRR, and a metric says so.",
)
def nonoisemetrics_in_euro(it: Example) -> None:
    """50 customers at 19 euro a month and 10 at 190 a year: 1,108.33."""
    for number in range(50):
        it.subscribe(f"m{number}", "06-02", 19, currency="EUR")
    for number in range(10):
        it.pay(f"y{number}", "06-02", 190, interval="year", currency="EUR")
    it.on(
        "06-30",
        {'mrr_native{currency="EUR"}': "1108.33333", 'currency_unconverted{currency="EUR"}': 1, "mrr": 0},
    )


@example(INDIE_HACKERS, differs="633.33 is printed as roughly 633; a subscription is rounded to the millionth here.")
def indiehackers_ten_customers(it: Example) -> None:
    """5 customers at 50 a month, 3 at 100 and 2 at 500 a year: roughly 633."""
    for name, price, people in (("a", 50, 5), ("b", 100, 3)):
        for number in range(people):
            it.subscribe(f"{name}{number}", "06-02", price)
    for number in range(2):
        it.pay(f"c{number}", "06-02", 500, interval="year")
    it.on("06-30", {"mrr": "633.333334"})


@example(CHARTMOGUL_ARPA)
def chartmogul_arpa(it: Example) -> None:
    """Five accounts at 100, 100, 300, 500 and 500 a month: 300 per account."""
    for number, price in enumerate((100, 100, 300, 500, 500)):
        it.subscribe(f"c{number}", "06-02", price)
    it.on("06-30", {"mrr": 1500, "arpa": 300})


@example(CHARTMOGUL_ASP)
def chartmogul_average_sale_price(it: Example) -> None:
    """Ten new customers, three at 100 and seven at 50: average sale price 65; what they pay later is not in it."""
    it.subscribe("old", "05-02", 900)
    for number in range(10):
        it.subscribe(f"c{number}", "06-02", 100 if number < 3 else 50)
    it.subscribe("c9", "06-20", 70)
    it.on(
        "06-30",
        {'average_sale_price{period="month"}': 65, 'mrr_movement_customers{period="month",movement="new"}': 10},
    )


@example(CHARTMOGUL_FX, ours=True, report={"rates_file": '{"EUR": {"1970-01-01": "1.25", "YEAR-06-15": "1.2"}}'})
def chartmogul_exchange_rate_impact(it: Example) -> None:
    """A change of rates makes no expansion and no contraction; it stands in a row of its own."""
    it.subscribe("c", "05-02", 100, currency="EUR")
    it.subscribe("d", "06-20", 50, currency="EUR")
    it.on("05-31", {"mrr": 125})
    it.on(
        "06-30",
        {
            "mrr": 180,
            'mrr_native{currency="EUR"}': 150,
            'mrr_movement{period="month",movement="fx"}': -5,
            'mrr_movement{period="month",movement="new"}': 60,
            'mrr_movement{period="month",movement="expansion"}': 0,
            'mrr_movement{period="month",movement="contraction"}': 0,
        },
    )


@example(
    CHARGEBEE_FX,
    report={"reporting_currency": "GBP", "rates_file": '{"USD": {"1970-01-01": "0.80", "YEAR-06-01": "0.75"}}'},
)
def chargebee_base_currency_gbp(it: Example) -> None:
    """100 dollars were 80 pounds when they were sold, and are worth something else at today's rate."""
    it.subscribe("c", "01-10", 100)
    it.on("01-31", {"mrr": 80})
    it.on("06-30", {"mrr": 75, 'mrr_movement{period="month",movement="fx"}': -5, 'mrr_native{currency="USD"}': 100})
