"""Whether a shard was written with the settings at hand, and if not, what to do: one wording for all who ask."""

from __future__ import annotations

from aggregators.tables.door import EMPTYING, REBUILDING, Meta


def needs_replay(meta: Meta, fingerprint: str, partitions: int, remedy: str | None = None) -> str | None:
    """Say why folding the ledgers anew cannot make a shard follow the settings; None where it can.

    Args:
        meta: the shard's.
        fingerprint: of the settings.
        partitions: by the settings.
        remedy: what to do instead of what is done with servers of one's own.
    """
    if meta.partitions not in (None, partitions):
        copied = (
            "copy the events to new topics (`growthgauge init --copy-from TOPIC`) and read them anew with "
            "`growthgauge rebuild --from-kafka`"
        )
        return (
            f"The tables were made for {meta.partitions} partitions and PARTITIONS is {partitions}: set it to "
            f"{meta.partitions}, or {remedy or copied}."
        )
    if meta.fingerprint is None:
        return None
    if meta.fingerprint.startswith(EMPTYING):
        again = "wait for `growthgauge rebuild --from-kafka` to end, or run it again"
        return f"The tables are being emptied, or that was interrupted: {remedy or again}."
    # Only the zone's name is to be read in a fingerprint; a changed table of its offsets is another fingerprint.
    zone, wanted = (each.partition("/")[2] for each in (meta.fingerprint, fingerprint))
    if zone and zone != wanted:
        anew = "read all events anew with `growthgauge rebuild --from-kafka`"
        return (
            f"The tables hold the days of the time zone {zone} and TIME_ZONE is {wanted}: set it to {zone}, or "
            f"{remedy or anew}."
        )
    return None


def disagreement(meta: Meta, fingerprint: str, partitions: int) -> str | None:
    """Say how a shard disagrees with the settings, and what to do; None where it does not."""
    sentence = needs_replay(meta, fingerprint, partitions)
    if sentence is not None or meta.fingerprint in (None, fingerprint):
        return sentence
    if meta.fingerprint is not None and meta.fingerprint.startswith(REBUILDING):
        return (
            "The tables are being rebuilt, or a rebuild was interrupted: wait for `growthgauge rebuild` to end, or run "
            "it again."
        )
    return (
        "The tables were folded with other settings or by another version: go back to what they were folded with, or "
        "stop the workers and run `growthgauge rebuild`."
    )
