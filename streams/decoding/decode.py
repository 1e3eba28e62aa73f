"""A batch of records to sessions as columns, other events as values, and what cannot be accepted with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from aggregators import events
from aggregators.events import Event, Session, Sessions
from streams.decoding import records
from streams.decoding.fields import CONTROL, duration
from streams.decoding.partition import partitions_of
from streams.decoding.records import Gate, Reason, Refused
from streams.decoding.times import instants


class Reject(msgspec.Struct, frozen=True):
    """A record that cannot be accepted."""

    index: int
    """Of the record, in the batch."""
    type: str
    """One of the six, or `unknown`."""
    reason: Reason
    message: str
    """Names the field's path and says what would be right."""


class Decoded(NamedTuple):
    """What a batch holds; every record is in exactly one of the three, each in the order of the records."""

    sessions: Sessions
    events: list[Event]
    rejects: list[Reject]


def decode(
    values: Sequence[bytes | None],
    timestamps: Sequence[int],
    *,
    partition: int,
    partitions: int,
    accept_from: int,
    allowed_skew_ms: int,
) -> Decoded:
    """Decode the records of one partition; no input makes it raise.

    Sessions, which are many, take a fast way, a column at a time. What that does not accept at once, and all other
    types, `records.read` decides record by record, so that it alone knows every rule and words every refusal.

    Args:
        values: the records' values, None for a tombstone.
        timestamps: the records' own, in milliseconds; a negative one (Kafka's "none") cannot tell what is `future`.
        partition: where all the records come from.
        partitions: how many the topic has.
        accept_from: the first instant that an event may have, in milliseconds.
        allowed_skew_ms: how much later than its record's timestamp an event may be.
    """
    gate = Gate(partition, partitions, accept_from, allowed_skew_ms)
    wires, at, plain = _wires(values)
    fits = np.zeros(0, dtype=np.bool_)
    sessions = Sessions.of()
    if wires:
        stamps = np.asarray(timestamps, dtype=np.int64)
        sessions, fits = _columns(wires, stamps if len(wires) == len(values) else stamps[at], gate)
        if not plain:
            fits &= _free_of_controls(sessions)
        if fits.all():
            if len(wires) == len(values):
                return Decoded(sessions, [], [])
        else:
            sessions, at = sessions.take(np.flatnonzero(fits)), at[fits]
    others: list[Event] = []
    rejects: list[Reject] = []
    late_rows: list[Session] = []
    late_at: list[int] = []
    slow = np.ones(len(values), dtype=np.bool_)
    slow[at] = False
    for index in np.flatnonzero(slow).tolist():
        try:
            event = records.read(values[index], timestamps[index], gate)
        except Refused as refused:
            rejects.append(Reject(index, refused.type, refused.reason, str(refused)))
            continue
        if isinstance(event, Session):
            late_rows.append(event)
            late_at.append(index)
        else:
            others.append(event)
    if late_rows:
        order = np.argsort(np.concatenate((at, late_at)))
        sessions = (sessions + Sessions.of(late_rows)).take(order)
    return Decoded(sessions, others, rejects)


_Id = Annotated[str, Meta(min_length=1, max_length=events.MAX_ID_LENGTH)]
_IN_CALENDAR = Meta(ge=events.FIRST_INSTANT, le=events.LAST_INSTANT)
_Milliseconds = Annotated[int, _IN_CALENDAR] | Annotated[float, _IN_CALENDAR]
_Seconds = Annotated[float, Meta(ge=0, le=events.MAX_DURATION_SECONDS)]
_Feature = Annotated[str, Meta(min_length=1, max_length=events.MAX_FEATURE_LENGTH)]
_Features = Annotated[tuple[_Feature, ...], Meta(max_length=events.MAX_FEATURES)]
_REACTIONS = Meta(ge=0, le=events.MAX_REACTIONS)
_Reactions = Annotated[int, _REACTIONS] | Annotated[float, _REACTIONS]
_Zero = Annotated[int, Meta(ge=0, le=0)] | Annotated[float, Meta(ge=0, le=0)]


class _Wire(msgspec.Struct, gc=False):
    """A session as it stands in a record: what passes here and in `_columns` passes `records.read`, and is the same."""

    type: Literal["session"]
    id: _Id
    customer_id: _Id
    occurred_at: str | _Milliseconds
    user_id: _Id | None = None
    duration_seconds: _Seconds | None = 0.0
    features: _Features | None = ()
    reactions: _Reactions | None = 0
    revision: _Zero | None = 0
    withdrawn: bool | None = False


_decode = msgspec.json.Decoder(_Wire).decode
_REFUSALS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, TypeError)
"""All that the decoder raises; the last is for a tombstone."""


def _wires(values: Sequence[bytes | None]) -> tuple[list[_Wire], NDArray[np.int64], bool]:
    """Decode those records that are plainly sessions.

    Returns:
        The sessions; the index of each record, int64[n_sessions]; whether no text of any can hold a control character.
    """
    everything = np.arange(len(values))
    try:
        wires = list(map(_decode, values))  # type: ignore[arg-type]
        # The decoder skips unknown fields without a look at their encoding.
        joined = b"\n".join(values)  # type: ignore[arg-type]
        ascii_alone = joined.isascii()
        if not ascii_alone:
            joined.decode()
        if max(map(len, values), default=0) > records.MAX_DEPTH and any(map(records.too_deep, values)):  # type: ignore[arg-type]
            raise RecursionError
    except _REFUSALS:
        pass
    else:
        # In ASCII a control character stands escaped, but for the last one.
        return wires, everything, ascii_alone and b"\\" not in joined and b"\x7f" not in joined
    wires, at = [], []
    for index, value in enumerate(values):
        try:
            wire = _decode(value)  # type: ignore[arg-type]
            if not value.isascii():  # type: ignore[union-attr]
                value.decode()  # type: ignore[union-attr]
            if records.too_deep(value):  # type: ignore[arg-type]
                continue
        except _REFUSALS:
            continue
        wires.append(wire)
        at.append(index)
    return wires, everything[at], False


def _columns(wires: list[_Wire], stamps: NDArray[np.int64], gate: Gate) -> tuple[Sessions, NDArray[np.bool_]]:
    """Turn sessions into columns, and say which of them are surely acceptable."""
    customer_ids = [wire.customer_id for wire in wires]
    user_ids: list[Any] = [wire.user_id for wire in wires]
    if None in user_ids:
        user_ids = [customer if user is None else user for user, customer in zip(user_ids, customer_ids, strict=True)]
    features: list[Any] = [wire.features for wire in wires]
    if None in features:
        features = [each or () for each in features]
    occurred_at, fits = instants([wire.occurred_at for wire in wires])
    fits &= occurred_at >= gate.accept_from
    fits &= (occurred_at - gate.allowed_skew_ms <= stamps) | (stamps < 0)
    fits &= partitions_of(customer_ids, gate.partitions) == gate.partition
    reactions, whole = _integers([wire.reactions for wire in wires])
    fits &= whole
    withdrawn = [wire.withdrawn for wire in wires]
    if True in withdrawn:
        fits &= ~np.array(withdrawn, dtype=np.bool_)
    sessions = Sessions(
        ids=[wire.id for wire in wires],
        customer_ids=customer_ids,
        user_ids=user_ids,
        occurred_at=occurred_at,
        durations=_durations([wire.duration_seconds for wire in wires]),
        reactions=reactions,
        features=features,
    )
    return sessions, fits


def _free_of_controls(sessions: Sessions) -> NDArray[np.bool_]:
    """Return where no text of a session holds a control character: bool[n_sessions]."""
    texts = sessions.ids, sessions.customer_ids, sessions.user_ids, map(" ".join, sessions.features)
    joined = list(map(" ".join, zip(*texts, strict=True)))
    if CONTROL.search(" ".join(joined)) is None:
        return np.ones(len(joined), dtype=np.bool_)
    return np.array([CONTROL.search(text) is None for text in joined])


def _durations(seconds: list[float | None]) -> NDArray[np.int64]:
    exact = np.array(seconds, dtype=np.float64)  # None becomes NaN
    np.nan_to_num(exact, copy=False)
    exact *= 1000
    nearest = np.rint(exact)
    milliseconds: NDArray[np.int64] = nearest.astype(np.int64)
    # A double near a tie does not tell on which side of it the decimal lies that was sent.
    for index in np.flatnonzero(np.abs(np.abs(exact - nearest) - 0.5) < 0.001).tolist():
        milliseconds[index] = duration(seconds[index] or 0)
    return milliseconds


def _integers(values: list[float | None]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return numbers as int64[n_rows], and where they are whole, bool[n_rows]; None is 0."""
    if None in values:
        values = [value or 0 for value in values]
    given = np.array(values)
    integers = given.astype(np.int64)
    return integers, integers == given
