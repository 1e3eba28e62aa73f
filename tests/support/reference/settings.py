"""The settings that change a number."""

from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from zoneinfo import ZoneInfo

MILLION = 1_000_000
HEALTH_WEIGHTS = {
    "recency": 3,
    "frequency": 2,
    "breadth": 1,
    "adoption": 1,
    "payment": 2,
    "sentiment": 2,
    "tenure": 1,
}


@dataclass(frozen=True)
class Settings:
    """What the metrics depend on besides the events; the names are the product's, in lower case."""

    time_zone: str = "UTC"
    lapse_grace_days: int = 30
    purchase_lapse_days: int | None = None
    reporting_currency: str = "USD"
    rates: dict[str, dict[str, str]] = field(default_factory=dict)
    targets: dict[str, float] = field(default_factory=dict)
    gross_margin: str = "1"
    cohort_months: int = 12
    dimensions: tuple[str, ...] = ("plan", "country", "channel", "owner")
    segment_periods: tuple[str, ...] = ("month", "previous_month", "30d")
    segment_limit: int = 50
    health_weights: dict[str, int] = field(default_factory=lambda: dict(HEALTH_WEIGHTS))
    health_users: int = 3
    health_features: int = 5

    @property
    def zone(self) -> ZoneInfo:
        """The reporting time zone."""
        return ZoneInfo(self.time_zone)

    def rate(self, currency: str, day: date) -> Fraction | None:
        """Reporting units for one unit of `currency` on `day`; None for a currency without any rate."""
        if currency == self.reporting_currency:
            return Fraction(1)
        table = sorted(
            (date.fromisoformat(key), Fraction(value)) for key, value in self.rates.get(currency, {}).items()
        )
        if not table:
            return None
        known = [value for since, value in table if since <= day]
        return known[-1] if known else table[0][1]

    def convert(self, millionths: dict[str, int], day: date) -> Fraction:
        """Millionths by currency as reporting units at the rates of `day`, currencies without a rate left out."""
        rates = {currency: self.rate(currency, day) for currency in millionths}
        return sum(
            (Fraction(amount, MILLION) * rates[currency] for currency, amount in millionths.items() if rates[currency]),
            Fraction(0),
        )
