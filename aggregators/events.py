"""The six events as values: their fields, defaults and limits (SPEC, section 2), and the canonical form.

An event here is already valid and complete: every default is applied, so that events with equal content are equal
values. What turns bytes into them, and refuses what is not valid, is `streams.decoding.decode`.

Common to all: `id` names the event within its customer and type; `occurred_at` and the other times are integer
milliseconds since the epoch; of two events with one id the greater `revision` wins; `withdrawn` takes the event back,
as if it had never been. Amounts are canonical decimal strings in major units (`decimal`), optional values that are
absent are None.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from aggregators.facts import ESCAPE, SEPARATOR, key

Type = Literal["signup", "payment", "cancellation", "session", "survey", "expense"]
Interval = Literal["day", "week", "month", "quarter", "year", "one_time"]
Status = Literal["succeeded", "failed", "refunded"]
Kind = Literal["nps", "csat", "ces", "fcr"]
Category = Literal["retention", "acquisition"]

TYPES: tuple[Type, ...] = get_args(Type)
INTERVALS: tuple[Interval, ...] = get_args(Interval)
STATUSES: tuple[Status, ...] = get_args(Status)
CATEGORIES: tuple[Category, ...] = get_args(Category)
SCORES: dict[Kind, tuple[int, int]] = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7), "fcr": (0, 1)}
"""The least and the greatest score of each kind of survey."""

MAX_ID_LENGTH = 128
"""Characters of `id`, `customer_id`, `user_id` and `subscription_id`, which have at least one."""
MAX_TEXT_LENGTH = 128
"""Characters of `plan`, `country`, `channel`, `owner` and `reason`."""
MAX_FEATURES = 20
MAX_FEATURE_LENGTH = 64
"""Characters of one of a session's features, which has at least one."""
MAX_REVISION = 2**63 - 1
MAX_INTERVAL_COUNT = 1000
MAX_AMOUNT_DIGITS = 12
"""Digits before the point: amounts are below 10**12 of the major unit."""
MAX_FRACTION_DIGITS = 30
"""Digits after the point, trailing zeros not counted."""
MAX_DURATION_SECONDS = 3650 * 86_400
"""A session of more than about ten years is a mistake of units."""
MAX_REACTIONS = 10**9
MAX_YEARS_AHEAD = 10
"""Calendar years (UTC) from `occurred_at` to the latest `effective_at`, `trial_ends_at` and `covers_until`."""
FIRST_INSTANT = -62_135_596_800_000
"""0001-01-01T00:00:00Z in milliseconds: no instant is earlier."""
LAST_INSTANT = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z in milliseconds: no instant is later."""

DEFAULT_SUBSCRIPTION = "default"
DEFAULT_REASON = "unspecified"


class _Envelope(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag_field="type", tag=str.lower):
    """What every event has; the type is the struct's tag."""

    id: str
    customer_id: str
    occurred_at: int
    revision: int = 0
    withdrawn: bool = False

    @property
    def type(self) -> Type:
        """The event's type as it stands in the record."""
        return self.__struct_config__.tag  # type: ignore[return-value]


class Signup(_Envelope, frozen=True, gc=False, kw_only=True):
    """A customer signs up; the texts are its segment attributes, an empty one is the same as none."""

    plan: str | None = None
    country: str | None = None
    channel: str | None = None
    owner: str | None = None
    """The account's representative."""
    trial_ends_at: int | None = None


class Payment(_Envelope, frozen=True, gc=False, kw_only=True):
    """Money that came, did not come (`failed`), or went back (`refunded`, an event of its own)."""

    amount: str
    """The cash, net of tax."""
    currency: str
    interval: Interval = "month"
    interval_count: int = 1
    recurring_amount: str
    """The subscription's whole price for the whole interval: the amount, unless this payment is prorated."""
    covers_until: int | None = None
    """The end of coverage where it is not the interval's; after `occurred_at`."""
    subscription_id: str = DEFAULT_SUBSCRIPTION
    status: Status = "succeeded"
    plan: str | None = None


class Cancellation(_Envelope, frozen=True, gc=False, kw_only=True):
    """A customer ends one subscription, or leaves altogether."""

    subscription_id: str | None = None
    """None: the customer leaves altogether."""
    effective_at: int
    """When it takes effect: `occurred_at` unless given."""
    reason: str = DEFAULT_REASON


class Survey(_Envelope, frozen=True, gc=False, kw_only=True):
    """One answer of one user; `SCORES` has the range of each kind."""

    kind: Kind
    score: int
    user_id: str
    """The customer's id unless given."""


class Expense(_Envelope, frozen=True, gc=False, kw_only=True):
    """Money spent to keep or win customers; `customer_id` names the cost centre."""

    category: Category
    amount: str
    currency: str


Event: TypeAlias = Signup | Payment | Cancellation | Survey | Expense
"""Any event that has a struct: sessions come as columns."""


class Session(NamedTuple):
    """One session: a row of `Sessions`."""

    id: str
    customer_id: str
    user_id: str
    occurred_at: int
    """Milliseconds since the epoch."""
    duration: int = 0
    """Milliseconds."""
    reactions: int = 0
    features: tuple[str, ...] = ()


class Sessions:
    """Sessions as columns of equal length: they are many, and are folded many at a time."""

    __slots__ = (
        *("_customers", "_users", "customer_ids", "durations", "features", "ids"),
        *("occurred_at", "reactions", "user_ids"),
    )

    def __init__(
        self,
        *,
        ids: list[str],
        customer_ids: list[str],
        user_ids: list[str],
        occurred_at: NDArray[np.int64],
        durations: NDArray[np.int64],
        reactions: NDArray[np.int64],
        features: list[tuple[str, ...]],
    ) -> None:
        """Take the columns, as in `Session`: instants and durations in milliseconds, `()` where no feature is named."""
        self.ids = ids
        self.customer_ids = customer_ids
        self.user_ids = user_ids
        self.occurred_at = occurred_at
        self.durations = durations
        self.reactions = reactions
        self.features = features
        self._users: tuple[list[str], NDArray[np.int64]] | None = None
        self._customers: tuple[list[str], NDArray[np.int64]] | None = None

    @property
    def users(self) -> tuple[list[str], NDArray[np.int64]]:
        """The distinct users by key of customer and user id, as they come first, and each row's index among them.

        It is worked out once: the ledgers are read and written by the very same strings, which a map finds faster.
        """
        if self._users is None:
            keys = list(map(SEPARATOR.join, zip(self.customer_ids, self.user_ids, strict=True)))
            text = "".join(keys)
            if ESCAPE in text or text.count(SEPARATOR) != len(keys):
                keys = list(map(key, self.customer_ids, self.user_ids))
            self._users = _numbered(keys)
        return self._users

    @property
    def customers(self) -> tuple[list[str], NDArray[np.int64]]:
        """The distinct customers as they come first, and each row's index among them."""
        if self._customers is None:
            self._customers = _numbered(self.customer_ids)
        return self._customers

    @classmethod
    def of(cls, rows: Sequence[Session] = ()) -> Sessions:
        """Turn rows into columns."""
        columns: list[list[Any]] = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in Session._fields]
        ids, customer_ids, user_ids, occurred_at, durations, reactions, features = columns
        return cls(
            ids=ids,
            customer_ids=customer_ids,
            user_ids=user_ids,
            occurred_at=np.array(occurred_at, dtype=np.int64),
            durations=np.array(durations, dtype=np.int64),
            reactions=np.array(reactions, dtype=np.int64),
            features=features,
        )

    def take(self, indices: Sequence[int] | NDArray[np.int64]) -> Sessions:
        """Give the rows at these indices, in their order."""
        at = np.asarray(indices, dtype=np.int64)
        picks = at.tolist()
        return Sessions(
            ids=[self.ids[i] for i in picks],
            customer_ids=[self.customer_ids[i] for i in picks],
            user_ids=[self.user_ids[i] for i in picks],
            occurred_at=self.occurred_at[at],
            durations=self.durations[at],
            reactions=self.reactions[at],
            features=[self.features[i] for i in picks],
        )

    def __getitem__(self, rows: slice) -> Sessions:
        """Give a slice of the rows."""
        return Sessions(
            ids=self.ids[rows],
            customer_ids=self.customer_ids[rows],
            user_ids=self.user_ids[rows],
            occurred_at=self.occurred_at[rows],
            durations=self.durations[rows],
            reactions=self.reactions[rows],
            features=self.features[rows],
        )

    def __add__(self, other: Sessions) -> Sessions:
        """Give this one's rows and then the other's."""
        return Sessions(
            ids=self.ids + other.ids,
            customer_ids=self.customer_ids + other.customer_ids,
            user_ids=self.user_ids + other.user_ids,
            occurred_at=np.concatenate((self.occurred_at, other.occurred_at)),
            durations=np.concatenate((self.durations, other.durations)),
            reactions=np.concatenate((self.reactions, other.reactions)),
            features=self.features + other.features,
        )

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.ids)

    def __iter__(self) -> Iterator[Session]:
        """Iterate over the rows: for few of them, and for tests."""
        return map(
            Session,
            self.ids,
            self.customer_ids,
            self.user_ids,
            self.occurred_at.tolist(),
            self.durations.tolist(),
            self.reactions.tolist(),
            self.features,
        )

    def __eq__(self, other: object) -> bool:
        """Equal are the same rows in the same order."""
        return isinstance(other, Sessions) and list(self) == list(other)

    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Show the rows."""
        return f"Sessions.of({list(self)!r})"


def _numbered(names: list[str]) -> tuple[list[str], NDArray[np.int64]]:
    """Give the distinct names as they come first, and each name's index among them."""
    # It is the row in which a name comes first, counted among such rows.
    first_rows: dict[str, int] = {}
    firsts = np.fromiter(map(first_rows.setdefault, names, range(len(names))), np.int64, len(names))
    return list(first_rows), (np.cumsum(firsts == np.arange(len(names))) - 1)[firsts]


_encode = msgspec.json.Encoder(order="sorted").encode


def canonical(event: Event) -> bytes:
    """Give an event's canonical form: equal for equal content, and of two in conflict the greater one wins.

    It is JSON in UTF-8 (nothing escaped that need not be) with sorted keys and no spaces: every field that the type
    has, the envelope's and `type` among them, defaults applied, an absent optional as `null`, instants as integer
    milliseconds, amounts as decimal strings.
    """
    return _encode(event)


def decimal(text: str) -> str:
    """Write a decimal string (digits, perhaps a point and digits) in its one canonical way: `"007.50"` as `"7.5"`."""
    whole, _, fraction = text.partition(".")
    whole, fraction = whole.lstrip("0") or "0", fraction.rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole
