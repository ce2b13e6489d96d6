"""From paired differences to a verdict, by rules that are fixed before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from suite.evaluate.significance import SeedSummary, summarize
from suite.report import spread
from suite.spec.claim import Expectation

Kind = Literal["reproduced", "not reproduced", "premise absent", "undecided", "not run"]


@dataclass(frozen=True)
class Judged:
    """One position of the dial: values of the method and its control by seed (shares), and the premise's measure."""

    at: float | str
    expect: Expectation
    method: tuple[float, ...] = ()
    control: tuple[float, ...] = ()
    premise: tuple[float, ...] = ()

    @property
    def gain(self) -> SeedSummary:
        """The paired differences over seeds, with their 95 % interval."""
        if len(self.method) != len(self.control):
            return summarize(())
        return summarize(np.subtract(self.method, self.control))


@dataclass(frozen=True)
class Verdict:
    """What the runs say of a claim, with one sentence of reasons."""

    kind: Kind
    why: str


def verdict(points: Sequence[Judged], least: float | None = None) -> Verdict:
    """The verdict on a claim from all positions of its dial; ``least`` is what the premise's measure must reach.

    Positions where a gain is expected count if the measure reaches ``least`` there, or is not known.
    *Premise absent*: none is left. *Reproduced*: a gain beyond its interval at one of them, and no loss beyond it at
    another. *Not reproduced*: no interval reaches above zero, or a loss is beyond chance. Else *undecided*.
    """
    expected = [point for point in points if point.expect == "gain"]
    ran = [point for point in expected if point.gain.count >= 2]
    if not ran:
        return Verdict("not run", "no position where a gain is expected has two seeds of both yet")
    absent = [point for point in ran if least is not None and point.premise and np.mean(point.premise) < least]
    ran = [point for point in ran if point not in absent]
    if not ran:
        best = max(float(np.mean(point.premise)) for point in absent)
        return Verdict("premise absent", f"its measure reaches {best:.2f} and the premise asks for {least:g}")
    gains = [point for point in ran if point.gain.low > 0]
    losses = [point for point in ran if point.gain.high < 0]
    if gains and not losses:
        return Verdict("reproduced", _best(gains) + _without(points))
    if losses:
        worst = min(losses, key=lambda point: point.gain.mean)
        elsewhere = f"; elsewhere a gain: {_best(gains)}" if gains else ""
        return Verdict("not reproduced", f"a loss beyond chance where a gain is expected: {_said(worst)}{elsewhere}")
    if all(point.gain.high <= 0 for point in ran):
        return Verdict("not reproduced", f"no gain where one is expected: {_said(ran[0])}")
    return _undecided(ran)


def _best(gains: Sequence[Judged]) -> str:
    return _said(max(gains, key=lambda point: point.gain.mean))


def _without(points: Sequence[Judged]) -> str:
    """What happens where the premise is off."""
    off = [point for point in points if point.expect == "none" and point.gain.count >= 2]
    if not off:
        return ""
    still = [point for point in off if point.gain.low > 0]
    return f"; without its premise there is a gain, too: {_said(still[0])}" if still else "; none without its premise"


def _undecided(ran: Sequence[Judged]) -> Verdict:
    best = max(ran, key=lambda point: point.gain.mean)
    needed = seeds_needed(best.gain)
    more = f"about {needed} seeds would settle it" if needed else "the difference is too small to be settled by seeds"
    return Verdict("undecided", f"{_said(best)} with {best.gain.count} seeds; {more}")


def seeds_needed(gain: SeedSummary) -> int:
    """Seeds at which a paired t-test finds a difference of this size with power 0.8; 0 for more than 1,000."""
    from scipy.stats import t

    return spread.seeds_needed(
        gain.mean, gain.deviation, lambda seeds: float(t.ppf(0.975, seeds - 1) + t.ppf(spread.POWER, seeds - 1))
    )


def _said(point: Judged) -> str:
    gain = point.gain
    low, high = 100 * gain.low, 100 * gain.high
    return f"{100 * gain.mean:+.1f} points [{low:+.1f}, {high:+.1f}] at {point.at}"
