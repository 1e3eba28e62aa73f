"""A user's ledger and fold: active days, windows, lifecycle, and sessions counted once (SPEC, section 3.3)."""

from aggregators.users.apply import SPACE, apply, fields
from aggregators.users.fold import fold

__all__ = ["SPACE", "apply", "fields", "fold"]
