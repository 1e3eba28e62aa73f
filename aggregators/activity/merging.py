"""New days, features used and steps, put into what ledgers hold of them: by the column, only what was not known."""

from __future__ import annotations

import numpy as np

from aggregators.activity.health import INACTIVE_DAYS
from aggregators.activity.ledgers import Entries, Ledgers, Stretches
from aggregators.users.ledgers import SPAN_BITS, SPAN_DAYS, SPANS_BEFORE_EPOCH, Column, Flags, run_starts
from aggregators.users.seen import WINDOW, days_in, marks, owners_of, summed

LONGEST = max(INACTIVE_DAYS)
"""Days after a session until which a customer seen before is another for it."""


def unknown_days(ledgers: Ledgers, days: Column) -> Column:
    """Leave out the marks of owner and day that ledgers hold."""
    if not len(days):
        return days
    owners = owners_of(days)
    words, bits = ledgers.words(owners[run_starts(owners)])
    keys, bit = _words_of(days)
    place = np.searchsorted(words, keys)
    words, bits = np.append(words, -1), np.append(bits, 0)
    known: Flags = (words[place] == keys) & (bits[place] >> bit & 1 == 1)
    return days[~known]


def with_days(words: tuple[Column, Column], days: Column) -> tuple[Column, Column]:
    """Set the bits of new days; words are as in `State`."""
    if not len(days):
        return words
    keys, bit = _words_of(days)
    keys, bits = np.concatenate((words[0], keys)), np.concatenate((words[1], 1 << bit))
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    runs = run_starts(keys)
    return keys[runs], np.bitwise_or.reduceat(bits[order], runs)


def _words_of(days: Column) -> tuple[Column, Column]:
    """Give the key of the word that each mark lies in, and the bit's number."""
    spans, bit = np.divmod(days_in(days), SPAN_DAYS)
    return (owners_of(days) << SPAN_BITS) + spans + SPANS_BEFORE_EPOCH, bit


def unknown_uses(ledgers: Ledgers, days: Column, hashes: Column) -> tuple[Column, Column]:
    """Leave out the uses of a feature on a day that change nothing: it counts as used for the whole window anyway."""
    if not len(days):
        return days, hashes
    owners = owners_of(days)
    known = ledgers.features(owners[run_starts(owners)])
    # A feature's number in the batch makes keys that sort as stretches do: by owner, feature and start.
    names = np.sort(hashes)
    names = names[run_starts(names)]
    place = np.searchsorted(names, known.hashes)
    known = known.at(names[np.minimum(place, len(names) - 1)] == known.hashes)
    if not len(known.owners):
        return days, hashes
    starts = marks(known.owners * len(names) + np.searchsorted(names, known.hashes), known.starts)
    ends = starts + known.ends - known.starts
    wanted = marks(owners * len(names) + np.searchsorted(names, hashes), days_in(days))
    found = np.searchsorted(starts, wanted, side="right") - 1
    unknown = (found < 0) | (ends[found] < wanted + WINDOW)
    return days[unknown], hashes[unknown]


def with_uses(known: Stretches, days: Column, hashes: Column) -> Stretches:
    """Put in uses of features: each counts for the window that begins with its day."""
    if not len(days):
        return known
    begun = days_in(days)
    merged = Stretches(
        np.concatenate((known.owners, owners_of(days))),
        np.concatenate((known.hashes, hashes)),
        np.concatenate((known.starts, begun)),
        np.concatenate((known.ends, begun + WINDOW)),
    )
    merged = merged.at(np.lexsort((merged.starts, merged.hashes, merged.owners)))
    same = (merged.owners[1:] == merged.owners[:-1]) & (merged.hashes[1:] == merged.hashes[:-1])
    feature = np.cumsum(np.concatenate((np.zeros(1, np.int64), ~same)))
    # Keys of one feature are all smaller than those of the next: one running maximum serves all.
    ends = np.maximum.accumulate(marks(feature, merged.ends))
    runs = np.flatnonzero(np.concatenate((np.ones(1, np.bool_), marks(feature, merged.starts)[1:] > ends[:-1])))
    last = np.append(runs[1:], len(ends)) - 1
    return merged.at(runs)._replace(ends=days_in(ends[last]))


def with_steps(steps: Entries, added: Entries) -> Entries:
    """Add steps to steps."""
    keys, amounts = steps
    marked, more = added
    if not len(marked):
        return steps
    if (keys[1:] == keys[:-1]).any():  # a great one is stored as several
        return summed(np.concatenate((keys, marked)), np.concatenate((amounts, more)))
    if not len(keys):
        return added
    # Few are added to many: most often to what is there, and the rest in between.
    place = np.searchsorted(keys, marked)
    known = keys[np.minimum(place, len(keys) - 1)] == marked
    amounts = amounts.copy()
    amounts[place[known]] += more[known]
    new = ~known
    keys, amounts = np.insert(keys, place[new], marked[new]), np.insert(amounts, place[new], more[new])
    if amounts.all():
        return keys, amounts
    return keys[amounts != 0], amounts[amounts != 0]
