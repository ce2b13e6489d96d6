"""Settings of soft suppression over one pool: those that differ in the limit and in the least score share their picks.

Scores only fall and a pick is the best that is left, so that picks come in descending score, and what falls below the
least score would never have lowered anything that stays above it. A lower least score therefore makes the same picks
and then others; a higher limit does, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from suite.evaluate.compiling import compiled
from suite.evaluate.scoring.pool import Picked, Pool, Thinning
from suite.evaluate.segments import Floats, Ints
from suite.evaluate.suppression import SoftRule, soft_picks


def thinned_each(pool: Pool, rules: Sequence[Thinning]) -> Iterator[tuple[int, Picked | None]]:
    """The number of each rule, in some order, with what :meth:`Pool.thinned` gives for it."""
    soft = {number: rule for number, rule in enumerate(rules) if isinstance(rule, SoftRule) and pool.lowest >= 0.0}
    yield from ((number, pool.thinned(rule)) for number, rule in enumerate(rules) if number not in soft)
    numbers = list(soft)
    for place, picked in _soft_each(pool, list(soft.values())):
        yield numbers[place], picked


def _soft_each(pool: Pool, rules: Sequence[SoftRule]) -> Iterator[tuple[int, Picked]]:
    """The number of each rule, in some order, with what it leaves of a pool that has no negative scores."""
    families: dict[SoftRule, list[int]] = {}
    for number, rule in enumerate(rules):
        families.setdefault(replace(rule, limit=1, min_score=0.0), []).append(number)
    widest = [_widest([rules[number] for number in family]) for family in families.values()]
    found = zip(families.values(), widest, soft_picks(pool.ranked, pool.videos, widest))
    for family, wide, (places, score) in found:
        for number in family:
            own = (places, score) if rules[number] == wide else _narrowed(pool, rules[number], places, score)
            yield number, Picked(pool, pool.ranked.rows[own[0]], own[1])


def _widest(rules: Sequence[SoftRule]) -> SoftRule:
    """The rule whose picks hold those of all."""
    limit, least = max(rule.limit for rule in rules), min(rule.min_score for rule in rules)
    return replace(rules[0], limit=limit, min_score=least)


def _narrowed(pool: Pool, rule: SoftRule, places: Ints, score: Floats) -> tuple[Ints, Floats]:
    """Places and scores that ``rule`` picks, from those of a wider one."""
    ranked = pool.ranked
    ends, best = ranked.edges[pool.videos[1:]], ranked.score[pool.firsts]
    return _cut(places, score, ends, pool.firsts, best, float(rule.min_score), int(rule.limit))


@compiled
def _cut(
    places: Ints, score: Floats, ends: Ints, firsts: Ints, best: Floats, least: float, limit: int
) -> tuple[Ints, Floats]:
    """Of picks (K,) in videos that hold the places until ``ends`` (V,): the first ``limit`` of at least ``least``.

    The best of a group is picked whatever its score is: behind all others, where it is below the least score.
    ``firsts`` and ``best`` (G,) are these places and scores, by video and descending score.
    """
    rows, value = np.empty(len(places) + len(firsts), dtype=np.int64), np.empty(len(places) + len(firsts))
    found, pick, group = 0, 0, 0
    for end in ends:
        most = found + limit
        while pick < len(places) and places[pick] < end:
            if score[pick] >= least and found < most:
                rows[found], value[found] = places[pick], score[pick]
                found += 1
            pick += 1
        while group < len(firsts) and firsts[group] < end:
            if best[group] < least and found < most:
                rows[found], value[found] = firsts[group], best[group]
                found += 1
            group += 1
    return rows[:found], value[:found]
