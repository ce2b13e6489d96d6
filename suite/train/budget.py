"""How long each phase lasts: a method's own schedule, or the same schedule fitted into another number of epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from suite.errors import UsageError
from suite.method import Phase


def budgeted(phases: Sequence[Phase], epochs: int | None) -> list[Phase]:
    """``phases``, or, where ``epochs`` is given, the phases with their shares of that many epochs.

    Shares keep the proportions of the method's own epochs (or steps); with fewer epochs than phases the phases whose
    share rounds to nothing are left out, but the last epoch is of a phase whose epochs can be chosen, if there is any.
    Milestones and warm-up, counted in epochs, shrink or grow along.
    """
    for phase in phases:
        if (phase.epochs > 0) == (phase.steps > 0):
            raise UsageError(f"phase '{phase.name}' needs either epochs or steps above 0; give it one of them.")
    if epochs is None or not phases:
        return list(phases)
    weights = _weights(phases)
    # Ends are rounded, not lengths: rounding errors of lengths would add up to another total.
    ends = [round(epochs * sum(weights[: i + 1]) / sum(weights)) for i in range(len(weights))]
    if epochs >= len(phases):
        # Forwards each phase ends an epoch or more after the one before it, backwards each later one keeps an epoch.
        for i in range(len(ends)):
            ends[i] = max(ends[i], (ends[i - 1] if i else 0) + 1)
        for i in reversed(range(len(ends))):
            ends[i] = min(ends[i], epochs - (len(ends) - 1 - i))
    counts = [end - start for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    candidates = [place for place, phase in enumerate(phases) if phase.select]
    if candidates and not any(counts[place] for place in candidates):  # only with fewer epochs than phases
        counts[max(place for place, count in enumerate(counts) if count)] -= 1
        counts[candidates[-1]] = 1
    return [_fitted(phase, count) for phase, count in zip(phases, counts, strict=True) if count > 0]


def _weights(phases: Sequence[Phase]) -> list[int]:
    if all(phase.epochs for phase in phases):
        return [phase.epochs for phase in phases]
    return [phase.steps for phase in phases] if all(phase.steps for phase in phases) else [1] * len(phases)


def _fitted(phase: Phase, epochs: int) -> Phase:
    if not phase.epochs:
        return replace(phase, epochs=epochs, steps=0)
    scale = epochs / phase.epochs
    schedule = phase.schedule
    if schedule.kind in ("warmup-cosine", "step"):
        milestones = tuple(milestone * scale for milestone in schedule.milestones)
        schedule = replace(schedule, warmup=schedule.warmup * scale, milestones=milestones)
    return replace(phase, epochs=epochs, schedule=schedule)
