"""Published definitions of growth metrics, each acted out in events."""

from tests.acceptance.worked_examples import churn, contracts, movements, mrr, usage, voice
from tests.acceptance.worked_examples.example import COMPANIES, EXAMPLES, Example, key

__all__ = ["COMPANIES", "EXAMPLES", "Example", "churn", "contracts", "key", "movements", "mrr", "usage", "voice"]
