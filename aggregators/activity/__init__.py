"""A customer's activity: its health, its silence and its first session, out of what users, billing and surveys say."""

from aggregators.activity.apply import PREFIX, SPACE, apply, field, fields
from aggregators.activity.digest import Digest, Excerpts, renewed
from aggregators.activity.fold import fold

__all__ = ["PREFIX", "SPACE", "Digest", "Excerpts", "apply", "field", "fields", "fold", "renewed"]
