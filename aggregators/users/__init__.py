"""A user's ledger and fold: active days, windows, lifecycle, and sessions counted once (SPEC, section 3.3)."""

from aggregators.users.apply import SPACE, apply, fields
from aggregators.users.fold import fold
from aggregators.users.heavy import Covered
from aggregators.users.seen import Seen

__all__ = ["SPACE", "Covered", "Seen", "apply", "fields", "fold"]
