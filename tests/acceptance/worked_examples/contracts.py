"""What contracts come to: trials, renewals, failed payments, the way to the first payment."""

from __future__ import annotations

from fractions import Fraction

from tests.acceptance.worked_examples.example import Example, Source, example

CHARTMOGUL_TRIALS = Source(
    "ChartMogul Help: Metric: Trial-to-paid conversion rate",
    "https://help.chartmogul.com/hc/en-us/articles/115000865205-Metric-Trial-to-paid-conversion-rate",
)
CHARTMOGUL_LEADS = Source(
    "ChartMogul Help: Setting up trial-to-paid conversion rate and lead tracking",
    "https://help.chartmogul.com/hc/en-us/articles/210547889-Setting-up-trial-to-paid-conversion-rate-and-lead-tracking",
)
CHARTMOGUL_RETENTION = Source(
    "ChartMogul Help: Metric: Customer retention rate",
    "https://help.chartmogul.com/hc/en-us/articles/203359401-Metric-Customer-retention-rate",
)
ZAPSCALE = Source("ZapScale: What is renewal rate?", "https://www.zapscale.com/blog/renewal-rate")
CHURNZERO_RENEWAL = Source("ChurnZero Churnopedia: Renewal Rate", "https://churnzero.com/churnopedia/renewal-rate/")
REKKO = Source(
    "Rekko: How to measure dunning and payment recovery success", "https://rekko.io/guides/measure-recovery-success"
)
REVATTO = Source("Revatto: What is payment recovery rate?", "https://revatto.com/glossary/recovery-rate")
NOVA = Source("NovaCalculator: Time to Value Calculator", "https://www.novacalculator.com/time-to-value-calculator/")


@example(
    CHARTMOGUL_TRIALS,
    company="strict",
    differs="ChartMogul counts by the month in which trials start, and its number may still rise; here it is those "
    "whose trial ended, without those still pending. When trials start and end in one month the two agree.",
)
def chartmogul_trial_to_paid(it: Example) -> None:
    """10 customers start a trial in May, 5 of them become paying customers: 50 %."""
    for number in range(10):
        it.signup(f"c{number}", "05-05", trial_ends_at="05-19")
    for number in range(5):
        it.subscribe(f"c{number}", "05-15", 20)
    it.on(
        "05-18",
        {
            'trials_started{period="month"}': 10,
            'trials_ended{period="month"}': 0,
            'trial_conversion_ratio{period="month"}': None,
        },
    )
    it.on(
        "05-31",
        {
            'trials_started{period="month"}': 10,
            'trials_ended{period="month"}': 10,
            'trials_pending{period="month"}': 0,
            'trial_conversion_ratio{period="month"}': "0.5",
            'customers_churned{period="month",reason="trial_ended"}': 5,
        },
    )


@example(
    CHARTMOGUL_TRIALS,
    differs="As above: with 30 days of grace the five that have not paid are pending until the grace is over.",
)
def chartmogul_trial_to_paid_with_grace(it: Example) -> None:
    """The same 10 trials where a payment up to 30 days after the trial's end still counts."""
    for number in range(10):
        it.signup(f"c{number}", "05-05", trial_ends_at="05-19")
    for number in range(5):
        it.subscribe(f"c{number}", "05-15", 20)
    it.on(
        "05-31",
        {
            'trials_ended{period="month"}': 10,
            'trials_pending{period="month"}': 5,
            'trial_conversion_ratio{period="month"}': 1,
        },
    )
    it.on(
        "06-30",
        {
            'trials_pending{period="previous_month"}': 0,
            'trial_conversion_ratio{period="previous_month"}': "0.5",
            'trials_ended{period="month"}': 0,
            'trial_conversion_ratio{period="month"}': None,
        },
    )


@example(CHARTMOGUL_LEADS, ours=True)
def chartmogul_average_sales_cycle(it: Example) -> None:
    """Average sales cycle length: the mean number of days from a lead to a paying customer; 2, 4 and 9 days are 5."""
    for name, paid in (("a", "06-12"), ("b", "06-14"), ("c", "06-19")):
        it.signup(name, "06-10")
        it.subscribe(name, paid, 20)
    it.signup("still a lead", "06-10")
    it.on("06-30", {'time_to_value_days_mean{period="month",milestone="payment"}': 5})


@example(NOVA, company="strict")
def novacalculator_time_to_value(it: Example) -> None:
    """The mean time from signup to first value is 5 days; who never gets there is not in the mean."""
    for name, first in (("a", "06-13"), ("b", "06-15"), ("c", "06-17")):
        it.signup(name, "06-10")
        it.session(name, first)
    it.session("a", "06-20")
    it.signup("never", "06-10")
    it.on("06-30", {'time_to_value_days_mean{period="month",milestone="session"}': 5})


@example(ZAPSCALE, company="strict")
def zapscale_renewal_rate(it: Example) -> None:
    """100 contracts expire in a month, 80 of them are renewed: 80 %."""
    for number in range(100):
        it.pay(f"c{number}", "03-10", 300, interval="quarter")
    for number in range(80):
        it.pay(f"c{number}", "06-10 09:00", 300, interval="quarter")
    it.on(
        "06-30",
        {
            'renewals_due{period="month"}': 100,
            'renewals{period="month"}': 80,
            'renewals_pending{period="month"}': 0,
            'renewal_ratio{period="month"}': "0.8",
            "subscribers": 80,
        },
    )


@example(
    CHURNZERO_RENEWAL,
    differs="Counted on 31 May, with 30 days of grace, two are pending and none has been refused yet: 98 of 98.",
)
def churnzero_renewal_rate(it: Example) -> None:
    """100 customers at the start of their contracts and 98 at the end: renewal rate 98 %."""
    for number in range(100):
        it.pay(f"c{number}", "04-20", 10)
    for number in range(98):
        it.subscribe(f"c{number}", "05-20 09:00", 10)
    it.on(
        "05-31",
        {
            'renewals_due{period="month"}': 100,
            'renewals_pending{period="month"}': 2,
            'renewal_ratio{period="month"}': 1,
        },
    )
    it.on("06-30", {'renewal_ratio{period="previous_month"}': "0.98", "subscribers": 98})


@example(CHARTMOGUL_RETENTION, company="strict")
def chartmogul_customer_retention_rate(it: Example) -> None:
    """30 customers at the beginning of the month, 29 of whom renew at its end: 96.67 %."""
    for number in range(30):
        it.pay(f"c{number}", "05-28", 10)
    for number in range(29):
        it.pay(f"c{number}", "06-28 09:00", 10)
    cohort = f"{it.year}-05"
    it.on(
        "06-30",
        {
            'renewal_ratio{period="month"}': Fraction(29, 30),
            'customer_retention_ratio{period="month"}': Fraction(29, 30),
            f'cohort_customers{{cohort="{cohort}",month="0"}}': 30,
            f'cohort_customers{{cohort="{cohort}",month="1"}}': 29,
            f'cohort_mrr{{cohort="{cohort}",month="1"}}': 290,
        },
    )


@example(REKKO)
def rekko_failure_and_recovery(it: Example) -> None:
    """70 of 1,000 payments fail: 7 %; 49 of the 70 are recovered: 70 %."""
    for number in range(70):
        it.pay(f"f{number}", "04-20", 10)
        it.pay(f"f{number}", "05-20", 10, status="failed")
    for number in range(930):
        it.pay(f"s{number}", "05-20", 10)
    for number in range(70):
        if number < 49:
            it.pay(f"f{number}", "06-05", 10)
        else:
            it.cancel(f"f{number}", "06-05")
    it.on(
        "05-31",
        {
            'payments{period="month",status="failed"}': 70,
            'payment_failure_ratio{period="month"}': "0.07",
            'payment_recovery_ratio{period="month"}': None,
        },
    )
    it.on("06-30", {'payment_recovery_ratio{period="month"}': "0.7"})


@example(
    REVATTO,
    company="strict",
    differs="Revatto counts by the month of the failure; here it is the month in which it is known how it ended.",
)
def revatto_recovery_rate(it: Example) -> None:
    """100 subscription payments fail in a month, 35 of them are collected in the end: 35 %."""
    for number in range(100):
        it.pay(f"c{number}", "05-12", 10)
        it.pay(f"c{number}", "06-11", 10, status="failed")
    for number in range(35):
        it.pay(f"c{number}", "06-12 09:00", 10)
    it.on(
        "06-30",
        {
            'payment_recovery_ratio{period="month"}': "0.35",
            'customers_churned{period="month",reason="payment_failed"}': 65,
            "subscribers": 35,
        },
    )
