"""The rules of one deployment: every setting that a fold reads, and their fingerprint."""

from __future__ import annotations

import hashlib

import msgspec

from aggregators.calendar import Zone

FOLD_VERSION = 1
"""One more whenever a fold gives other facts for the same ledger."""


class Rules(msgspec.Struct, frozen=True):
    """What the folds need to know beside the events."""

    zone: Zone
    lapse_grace_days: int = 30
    purchase_lapse_days: int | None = None
    dedupe_days: int = 100
    tag: int = 0
    """The fingerprint's first 48 bits, for what is stored with a ledger; worked out, not given."""

    def __post_init__(self) -> None:
        """Work out the tag."""
        msgspec.structs.force_setattr(self, "tag", int(self.fingerprint()[:12], 16))

    def fingerprint(self) -> str:
        """Give a short text that differs whenever a fold could give other facts (SPEC, section 6).

        It ends with the time zone's name, since days of another zone cannot be folded anew from ledgers.
        """
        settings = (
            FOLD_VERSION,
            self.zone.name,
            self.zone.digest,
            self.lapse_grace_days,
            self.purchase_lapse_days,
            self.dedupe_days,
        )
        return f"{hashlib.blake2b(msgspec.json.encode(settings), digest_size=12).hexdigest()}/{self.zone.name}"
