"""Facts that one event gives by itself: counts and cash, by the day on which it occurred."""

from __future__ import annotations

from functools import lru_cache

from aggregators.customers.items import Item, PaymentTerms, SignupTerms, Terms
from aggregators.facts import Facts, key
from aggregators.money import millionths
from aggregators.rules import Rules

_key = lru_cache(maxsize=1024)(key)


def count(rules: Rules, item: Item, terms: Terms, facts: Facts, sign: int) -> None:
    """Add what one item counts, or take it away with `sign=-1`; a withdrawn event counts nothing."""
    if item.withdrawn:
        return
    day = rules.zone.day
    if isinstance(terms, PaymentTerms):
        on = day(item.at)
        facts.add(on, _key("payments", terms.status), sign)
        amount = sign * millionths(terms.amount)
        if amount and terms.status == "succeeded":
            kind = "one_time" if terms.interval == "one_time" else "recurring"
            facts.add(on, _key("cash", kind, terms.currency), amount)
        elif amount and terms.status == "refunded":
            facts.add(on, _key("refunds", terms.currency), amount)
    elif isinstance(terms, SignupTerms):
        facts.add(day(item.at), "signups", sign)
    else:
        assert item.other is not None
        asked, effective = day(item.other), day(item.at)
        facts.add(asked, "cancellations", sign)
        if effective > asked:
            facts.add(asked, "cancellations_scheduled", sign)
            facts.add(effective, "cancellations_scheduled", -sign)
