"""Customers and subscribers: how many, who came, who left and why (SPEC, sections 3.2 and 4)."""

from __future__ import annotations

from aggregators.metrics.family import metric
from aggregators.metrics.grouping import names_within
from aggregators.metrics.reading import Reading, Samples
from aggregators.metrics.vector import Vector, ratio


def customers_at_start(r: Reading) -> Vector:
    """Give the customers present at the end of the day before each period."""
    return r.at_start("new") + r.at_start("returned") - r.at_start("churned")


def customers_at_end(r: Reading) -> Vector:
    """Give the customers present at the end of each period's last day."""
    return r.at_end("new") + r.at_end("returned") - r.at_end("churned")


def customers_lost(r: Reading) -> Vector:
    """Give the customers present at each period's start and absent at its end."""
    return r.flow("churned") - r.void("void_customers")


def customers_gained(r: Reading) -> Vector:
    """Give the customers absent at each period's start and present at its end."""
    return r.flow("new") + r.flow("returned") - r.void("void_customers")


def subscribers_at_start(r: Reading) -> Vector:
    """Give the customers with MRR at the end of the day before each period."""
    return r.at_start("subscribers_came") - r.at_start("subscribers_left")


def subscribers_at_end(r: Reading) -> Vector:
    """Give the customers with MRR at the end of each period's last day."""
    return r.at_end("subscribers_came") - r.at_end("subscribers_left")


def subscribers_lost(r: Reading) -> Vector:
    """Give the customers with MRR at each period's start and without at its end."""
    return r.flow("subscribers_left") - r.void("void_subscribers")


def reason_names(r: Reading) -> dict[str, str]:
    """Give the name that each reason of a departure by the as-of day is shown by.

    Those beyond the limit, by customers churned until then (ties by name), are `other`.
    """
    counts = dict.fromkeys(r.values("mrr", "reason", "churn"), 0) | r.values("churned", "reason")
    return names_within(r.settings.segment_limit, counts)


@metric()
def growth_customers(r: Reading) -> Samples:
    """Customers present at the end of the as-of day.

    Present is who signed up or paid and has not left, in a trial and on a free plan too.

    Source: [ChartMogul: All subscribers], which counts free and paid ones.
    Differs: Most tools count who pays: that is growth_subscribers here. A customer leaves by cancelling, by a trial
        that ends unconverted, by a lapse or, if `PURCHASE_LAPSE_DAYS` is set, by buying nothing for so long.
    Example: [retention_rate_70_30_10]: 70 at the start, 30 gained, 10 lost: 90.
    """
    yield (), customers_at_end(r)[0]


@metric()
def growth_subscribers(r: Reading) -> Samples:
    """Customers with MRR above zero at the end of the as-of day.

    Source: [ChartMogul: Subscribers], [Stripe: Active subscribers].
    Differs: Stripe drops who is unpaid when its dunning gives up, ChartMogul by a setting for past-due ones; here MRR
        ends `LAPSE_GRACE_DAYS` after what was paid for. A discount of 100 % ends it too: ChartMogul can go on counting
        those.
    Example: [stripe_mrr_of_two_plans]: 100 customers on one plan and 50 on another: 150. Who has two subscriptions is
        one.
    """
    yield (), subscribers_at_end(r)[0]


@metric("period")
def growth_signups(r: Reading) -> Samples:
    """Signup events that occurred in the period.

    Source: [Big Delta: Signups].
    Differs: Events count, so a customer's second signup does as well; growth_customers_new has the first time only.
        What was sent twice under one `id` counts once.
    Example: 40 accounts sign up in June, and 2 of them once more: 42.
    """
    return r.by_period(r.flow("signups"))


@metric("period")
def growth_cancellations(r: Reading) -> Samples:
    """Cancellation events that occurred in the period, whenever they take effect.

    Source: [Arketa: Cancellation reports], [Vrio: Cancellations].
    Differs: Vrio's include subscriptions that ended by declined charges. Here nobody cancelled then: see the reasons
        `payment_failed` and `lapsed` of growth_customers_churned. The day is the one of asking, not of the end.
    Example: [stripe_two_subscriptions_cancelled]: one customer cancels two subscriptions: 2, and 1 subscriber lost.
    """
    return r.by_period(r.flow("cancellations"))


@metric()
def growth_cancellations_scheduled(r: Reading) -> Samples:
    """Cancellations asked for on or before the as-of day that take effect on a day after it.

    Source: [Arketa: Cancellation reports] (subscriptions to cancel), [ChartMogul: Churn recognition].
    Differs: Stripe's dashboard takes such a subscription out of MRR at once; here it counts until `effective_at`.
    Example: [chartmogul_churn_at_the_end_of_service]: cancelled on 8 June for 15 June: 1 from the 8th to the 14th, then
        0.
    """
    yield (), r.now("cancellations_scheduled")


@metric("period")
def growth_customers_at_start(r: Reading) -> Samples:
    """Customers present at the end of the day before the period.

    Source: [ChartMogul: Customer churn rate], whose denominator it is.
    Differs: Others divide by customers at the end or on average, or add the period's new ones: see [Shopify
        Engineering: Defining churn rate]. The period begins at midnight of the reporting time zone.
    Example: [retention_rate_70_30_10]: 70.
    """
    return r.by_period(customers_at_start(r))


@metric("period")
def growth_customers_new(r: Reading) -> Samples:
    """Customers who were present for the first time in the period.

    Source: [ChartMogul: Subscribers] (new subscribers).
    Differs: Billing tools call a customer new at its first payment; here it is at its signup, if that is earlier. Maxio
        calls new who comes back after 90 days ([Paddle: ProfitWell Metrics vs Maxio]); here nobody is new twice. Who
        comes and goes within a day is not counted.
    Example: [maxio_back_after_more_than_90_days]: 0 new, 1 returned.
    """
    return r.by_period(r.flow("new"))


@metric("period")
def growth_customers_returned(r: Reading) -> Samples:
    """Times that a customer who had left was present again in the period.

    Source: [ChartMogul: Subscribers] (reactivated subscribers).
    Differs: Times are counted: who comes back twice in the period counts twice. There is no time after which a customer
        would be new again. A signup brings a customer back, not only a payment.
    Example: [chartmogul_customer_churn_rate]: 12 left in the month and one of them came back: 1.
    """
    return r.by_period(r.flow("returned"))


@metric("period", "reason")
def growth_customers_churned(r: Reading) -> Samples:
    """Times that a customer left in the period, by the reason of what ended its presence.

    Source: [Recurly: Key terms related to churn], [Vrio: Cancellations] (by reason).
    Differs: Every leaving counts, also of who joined in the period or came back in it. ChartMogul counts who is still
        gone at the end: growth_customers_lost. `lapsed`, `payment_failed`, `downgrade`, `trial_ended` and `inactive`
        are reasons of growthgauge's own; all others are the events'.
    Example: [shopify_butter_of_the_month]: 50 of those at the start leave and 12 of the new ones: 62.
    """
    come = r.values("churned", "reason")
    names = {reason: name for reason, name in reason_names(r).items() if reason in come}
    for name, flow in sorted(r.by_label("flow", "churned", "reason", names).items()):
        yield from r.by_period(flow, name)


@metric("period")
def growth_customers_gained(r: Reading) -> Samples:
    """Customers absent at the end of the day before the period and present at the end of its last day.

    Source: [exprimere: Retention rate], whose new customers they are.
    Differs: Two days are compared: who joined and left again within the period is not gained, who returned is. Tools
        that count every joiner there come to a wrong retention: see growth_customers_new.
    Example: [shopify_butter_of_the_month]: 500 join and 12 of them leave again: 488.
    """
    return r.by_period(customers_gained(r))


@metric("period")
def growth_customers_lost(r: Reading) -> Samples:
    """Customers present at the end of the day before the period and absent at the end of its last day.

    Source: [ChartMogul: Customer churn rate].
    Differs: Two days are compared: who left and came back is not lost, nor who joined and left within the period.
        Shopify's basic definition counts the latter, Stripe in both numerator and denominator.
    Example: [shopify_butter_of_the_month]: 62 leave, 12 of whom were not there at the start: 50.
    """
    return r.by_period(customers_lost(r))


@metric("period", unit="ratio")
def growth_customer_churn_ratio(r: Reading) -> Samples:
    """Customers lost in the period per customer at its start.

    growth_customers_lost / growth_customers_at_start.

    Source: [ChartMogul: Customer churn rate], [Shopify Engineering: Defining churn rate].
    Differs: Others divide by the customers at the end or by the mean of both ends, or count who joined and left within
        the period. Where only payers are customers, compare growth_subscriber_churn_ratio.
    Example: [chartmogul_joined_and_churned]: 100 at the start, 11 cancel, one of whom joined in the month: 10 / 100 =
        0.1.
    """
    return r.by_period(ratio(customers_lost(r), customers_at_start(r)))


@metric("period", unit="ratio")
def growth_customer_retention_ratio(r: Reading) -> Samples:
    """Share of the customers at the period's start who are present at its end.

    1 - growth_customer_churn_ratio = (at end - gained) / at start.

    Source: [exprimere: Retention rate].
    Differs: The formula fails where new customers are all who joined, since some leave again: here they are
        growth_customers_gained. Retention of those who began together is growth_cohort_customers.
    Example: [retention_rate_70_30_10]: (90 - 30) / 70 = 0.857, often printed as 86 %.
    """
    start = customers_at_start(r)
    return r.by_period(ratio(start - customers_lost(r), start))


@metric("period")
def growth_subscribers_at_start(r: Reading) -> Samples:
    """Customers with MRR at the end of the day before the period.

    Source: [ChartMogul: Customer churn rate], whose denominator it is.
    Differs: Stripe adds the period's new subscribers: [Stripe: Subscriber churn rate]. Else as
        growth_customers_at_start.
    Example: [chartmogul_customer_churn_rate]: 100.
    """
    return r.by_period(subscribers_at_start(r))


@metric("period")
def growth_subscribers_churned(r: Reading) -> Samples:
    """Times that a customer lost its last MRR in the period.

    Source: [Stripe: Active subscribers], [Recurly: Key terms related to churn].
    Differs: As growth_customers_churned. A downgrade to free ends a subscriber and no customer. A pause, which churns
        at Stripe, is known here by its missing payment only, after the grace.
    Example: [stripe_subscriber_churn_rate]: 4 of 100 subscribers and 1 of 10 new ones leave: 5.
    """
    return r.by_period(r.flow("subscribers_left"))


@metric("period")
def growth_subscribers_gained(r: Reading) -> Samples:
    """Customers without MRR at the end of the day before the period and with MRR at the end of its last day.

    Source: [ChartMogul: Subscribers] (new and reactivated ones).
    Differs: As growth_customers_gained: two days are compared. ChartMogul shows who subscribed and churned in a row of
        its own.
    Example: [stripe_subscriber_churn_rate]: 10 subscribe and 1 of them leaves again: 9.
    """
    return r.by_period(r.flow("subscribers_came") - r.void("void_subscribers"))


@metric("period")
def growth_subscribers_lost(r: Reading) -> Samples:
    """Customers with MRR at the end of the day before the period and without at the end of its last day.

    Source: [ChartMogul: Customer churn rate], [ChartMogul: Subscribers] (churned subscribers).
    Differs: As growth_customers_lost. The end of one of two subscriptions loses nobody; tools that count subscriptions
        differ.
    Example: [chartmogul_customer_churn_rate]: 12 left, one of whom came back and one had joined in the month: 10.
    """
    return r.by_period(subscribers_lost(r))


@metric("period", unit="ratio")
def growth_subscriber_churn_ratio(r: Reading) -> Samples:
    """Subscribers lost in the period per subscriber at its start.

    growth_subscribers_lost / growth_subscribers_at_start.

    Source: [ChartMogul: Customer churn rate], [Stripe: Subscriber churn rate].
    Differs: Stripe puts the new ones into both: 5 / 110 where this is 4 / 100. Recurly and ChartMogul divide by those
        at the start, as here. `30d` is a window that moves by a day; a month's churn is `previous_month`.
    Example: [stripe_subscriber_churn_rate]: 4 / 100 = 0.04.
    """
    return r.by_period(ratio(subscribers_lost(r), subscribers_at_start(r)))
