"""The main metrics by plan, country, channel and owner, with moves between segments (SPEC, sections 3.2 and 4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from aggregators.metrics.book import Sums
from aggregators.metrics.conversion import at_daily_rates, unit
from aggregators.metrics.family import metric
from aggregators.metrics.grouping import by_group, names_within
from aggregators.metrics.periods import Period
from aggregators.metrics.reading import Number, Reading, Samples
from aggregators.metrics.revenue import MOVEMENTS
from aggregators.metrics.vector import ratio

_MOVES = (*MOVEMENTS, "left", "entered")


class Segments(NamedTuple):
    """The segments shown, those of all dimensions in one row of places."""

    labels: list[tuple[str, str]]
    """By place, the dimension and the name shown."""
    places: dict[tuple[str, ...], int]
    """By dimension and segment, the place it is shown at: that of `other` for those beyond the limit."""

    @property
    def size(self) -> int:
        """How many places there are."""
        return len(self.labels)


def segments(r: Reading) -> Segments:
    """Give the segments that anyone was present in at the end of a day up to the as-of day, or answered to nps in."""
    return r.once("segments", lambda: _segments(r))


def _segments(r: Reading) -> Segments:
    counts: dict[str, dict[str, int]] = {dimension: {} for dimension in r.settings.dimensions}
    answered = {labels[:2]: 0 for labels in r.book.come("segment_nps", r.as_of)}
    for (dimension, segment), customers in (answered | r.book.come("segment_customers", r.as_of)).items():
        if dimension in counts:
            counts[dimension][segment] = customers
    shown = Segments([], {})
    for dimension, its_counts in counts.items():
        names = names_within(r.settings.segment_limit, its_counts)
        place_of = {name: place for place, name in enumerate(sorted(set(names.values())), shown.size)}
        shown.labels.extend((dimension, name) for name in place_of)
        shown.places.update({(dimension, segment): place_of[name] for segment, name in names.items()})
    return shown


def _spans(r: Reading) -> list[tuple[int, Period]]:
    """Give the periods of metrics by segment, each with its position among all."""
    return [
        (position, period) for position, period in enumerate(r.periods) if period.name in r.settings.segment_periods
    ]


def _now(r: Reading, measure: str) -> Samples:
    """Give a level's samples."""
    shown = segments(r)
    return zip(shown.labels, r.grouped("end", measure, shown.places.get, shown.size)[0].tolist(), strict=True)


def _by_period(r: Reading, rows: Iterable[Iterable[Number | None]], *more: str) -> Samples:
    """Give samples from a row for each period and a value in it for each segment."""
    labels = segments(r).labels
    for (_, period), row in zip(_spans(r), rows, strict=True):
        for (dimension, segment), value in zip(labels, row, strict=True):
            if value is not None:
                yield (period.name, dimension, segment, *more), value


def _at_start(r: Reading) -> list[list[int]]:
    """Give the customers in each segment at the start of each period."""
    shown = segments(r)
    levels = r.grouped("start", "segment_customers", shown.places.get, shown.size).tolist()
    return [levels[position] for position, _ in _spans(r)]


def _lost(r: Reading) -> list[list[int]]:
    """Give the customers present at each period's start and absent at its end, by their segment at the start."""
    return r.once("segment_lost", lambda: _less_voids(r, "segment_churned").tolist())


def _less_voids(r: Reading, measure: str, *rest: str) -> Sums:
    """Give what a comparison of each period's two ends says: flows less voids (SPEC, section 3.1).

    Args:
        r: the reading.
        measure: a flow by dimension, segment and what `rest` are the values of.
        rest: the labels after these.

    Returns:
        A row for each period of segments, a column for each of them.
    """
    (size, places), spans = (segments(r).size, segments(r).places), _spans(r)
    windows = {window: rank for rank, window in enumerate(sorted({period.window for _, period in spans}))}

    def group_of(labels: tuple[str, ...]) -> int | None:
        return places.get(labels[:2]) if labels[2:] == rest else None

    def group_in_window(labels: tuple[str, ...]) -> int | None:
        window, place = windows.get(labels[0]), group_of(labels[1:])
        return None if window is None or place is None else window * size + place

    flows = r.grouped("flow", measure, group_of, size)
    voids = {
        rolling: r.grouped("end" if rolling else "flow", f"void_{measure}", group_in_window, len(windows) * size)
        for rolling in {period.rolling for _, period in spans}
    }
    found = np.zeros((len(spans), size), np.object_)
    for row, (position, period) in zip(found, spans, strict=True):
        first = windows[period.window] * size
        row[:] = flows[position] - voids[period.rolling][position, first : first + size]
    return found


class _Money(NamedTuple):
    """The columns of one currency's MRR by segment."""

    columns: list[int]
    moves: list[int]
    """By column, its segment's place and its movement: numbered through the movements of each place."""


def _money(r: Reading) -> dict[str, _Money]:
    """Give the columns of each currency that has a rate."""
    return r.once("segment_money", lambda: _columns_by_currency(r))


def _columns_by_currency(r: Reading) -> dict[str, _Money]:
    first_moves = {labels: place * len(_MOVES) for labels, place in segments(r).places.items()}
    ranks = {move: rank for rank, move in enumerate(_MOVES)}
    found: dict[str, _Money] = {}
    for labels, column in r.book.columns("segment_mrr").items():
        first = first_moves.get(labels[:2])
        if first is not None:
            money = found.get(labels[3]) or found.setdefault(labels[3], _Money([], []))
            money.columns.append(column)
            money.moves.append(first + ranks[labels[2]])
    return {currency: money for currency, money in found.items() if r.settings.rates.known(currency)}


def _mrr(r: Reading, days: list[int]) -> Sums:
    """Give MRR by segment at the ends of days, a row a day, at each day's rates."""
    size, rates = segments(r).size, r.settings.rates
    total: Sums = np.zeros((len(days), size), np.object_)
    for currency, money in _money(r).items():
        natives = by_group(r.book.sums(days, money.columns), [move // len(_MOVES) for move in money.moves], size)
        total += natives.astype(np.object_) * np.array([[rates.at(currency, day)] for day in days], np.object_)
    return total


def _moved(r: Reading, spans: list[Period]) -> Sums:
    """Give the movements of MRR at each day's rates: by period, segment and movement."""
    size = segments(r).size
    total: Sums = np.zeros((len(spans), size * len(_MOVES)), np.object_)
    for currency, money in _money(r).items():

        def by_move(days: Any, money: _Money = money) -> Sums:
            return by_group(r.book.sums(days, money.columns), money.moves, size * len(_MOVES))

        total += at_daily_rates(r, currency, spans, by_move)
    return total.reshape(len(spans), size, len(_MOVES))


def _amounts(r: Reading, row: Iterable[int]) -> Iterator[Number]:
    """Turn converted whole numbers into major units; most are 0, which needs no fraction."""
    one = unit(r)
    return (Fraction(value, one) if value else 0 for value in row)


@metric("dimension", "segment")
def growth_segment_customers(r: Reading) -> Samples:
    """Customers present at the end of the as-of day by segment.

    A dimension's latest non-empty value, else `unknown`; the plan is that of the subscription with the greatest MRR.

    Source: [ChartMogul: Segmentation], [ChurnWard: Customer segmentation].
    Differs: Each day has the values of that day, where filters elsewhere take today's values for the whole past.
    Example: 60 customers sign up from `DE` and 40 without a country: `DE` 60, `unknown` 40.
    """
    return _now(r, "segment_customers")


@metric("dimension", "segment")
def growth_segment_subscribers(r: Reading) -> Samples:
    """Customers with MRR above zero at the end of the as-of day by segment.

    Source: [ChartMogul: Segmentation], [ChartMogul: Subscribers].
    Differs: As growth_segment_customers. A customer with two plans is in one segment, that of the greater subscription.
    Example: [chartmogul_plan_switch]: one customer switches from plan A to B: `B` 1.
    """
    return _now(r, "segment_subscribers")


@metric("dimension", "segment", unit="money")
def growth_segment_mrr(r: Reading) -> Samples:
    """MRR at the end of the as-of day by segment.

    Source: [ChartMogul: Segmentation], [ChartMogul: Subscriptions with multiple components].
    Differs: All of a customer's MRR is in one segment; growth_plan_mrr has it by subscription.
    Example: [chartmogul_plan_switch]: from 50 on plan A to 30 on plan B: `B` 30.
    """
    return zip(segments(r).labels, _amounts(r, _mrr(r, [r.as_of])[0].tolist()), strict=True)


@metric("period", "dimension", "segment")
def growth_segment_customers_new(r: Reading) -> Samples:
    """Customers who were present for the first time in the period, by their segment then.

    Source: [ChartMogul: Segmentation], [ChartMogul: Subscribers] (new subscribers).
    Differs: As growth_customers_new. By the segment at the end of that day; who changes segment later stays new where
        it was.
    Example: 8 customers come through ads and 2 through friends: `ads` 8, `friends` 2.
    """
    shown = segments(r)
    flows = r.grouped("flow", "segment_new", shown.places.get, shown.size).tolist()
    return _by_period(r, (flows[position] for position, _ in _spans(r)))


@metric("period", "dimension", "segment")
def growth_segment_customers_lost(r: Reading) -> Samples:
    """Customers present at the period's start and absent at its end, by their segment at the start.

    Source: [ChartMogul: Segmentation], [ChartMogul: Customer churn rate].
    Differs: Where a customer was at the start, not where it left from: who switches plan and then leaves is lost to the
        first plan. Changing segment is not being lost.
    Example: 5 of 100 customers on plan A switch to B and leave in the same month: `A` 5, `B` 0.
    """
    return _by_period(r, _lost(r))


@metric("period", "dimension", "segment", unit="ratio")
def growth_segment_customer_churn_ratio(r: Reading) -> Samples:
    """Customers lost in the period per customer at its start, by their segment then.

    Source: [ChurnWard: Customer segmentation], [ChartMogul: Customer churn rate].
    Differs: As growth_customer_churn_ratio and growth_segment_customers_lost, so that losses are of those divided by.
        By `owner` it is the churn of an account's representative.
    Example: 5 of the 100 customers on plan A at the start are lost: 5 / 100 = 0.05.
    """
    return _by_period(r, map(ratio, _lost(r), _at_start(r)))


@metric("period", "dimension", "segment", unit="score")
def growth_segment_nps(r: Reading) -> Samples:
    """Net promoter score of the period by segment at the end of the answer's day, each respondent's last answer.

    Source: [Harvard Business Review: The one number you need to grow], [ChartMogul: Segmentation].
    Differs: As growth_nps. An answer stays in the segment of its day, of a customer who has left too; survey tools
        often sort by attributes of today.
    Example: of 10 respondents in `DE` 6 promote and 2 detract: 100 x (6 - 2) / 10 = 40.
    """
    outcomes = ("promoter", "passive", "detractor")
    promoters, passives, detractors = (_less_voids(r, "segment_nps", outcome) for outcome in outcomes)
    balance, respondents = 100 * (promoters - detractors), promoters + passives + detractors
    return _by_period(r, map(ratio, balance.tolist(), respondents.tolist()))


@metric("period", "dimension", "segment", "movement", unit="money")
def growth_segment_mrr_movement(r: Reading) -> Samples:
    """What changed a segment's MRR in the period; who changes segment books left in the old and entered in the new.

    Of who changes segment with MRR on both days, the old MRR is `left` in the old one and `entered` in the new one.

    Source: [ChartMogul: Chart data] (MRR entering and leaving the segment).
    Differs: ChartMogul shows such rows for filters by plan; here they are there for each dimension. All segments of a
        dimension add up to growth_mrr_movement, `left` and `entered` to 0.
    Example: [chartmogul_plan_switch]: from 50 on A to 30 on B: `A` left -50; `B` entered 50, contraction -20.
    """
    spans = [period for _, period in _spans(r)]
    if not spans:
        return
    moved = _moved(r, spans)
    start, end = _mrr(r, [period.before for period in spans]), _mrr(r, [period.last for period in spans])
    for rank, move in enumerate(_MOVES):
        yield from _by_period(r, (_amounts(r, row) for row in moved[:, :, rank].tolist()), move)
    left_over = end - start - moved.sum(axis=2)
    yield from _by_period(r, (_amounts(r, row) for row in left_over.tolist()), "fx")
