"""Learning rates as a pure function of the step."""

from __future__ import annotations

import math

from suite.method import Schedule


def rate(schedule: Schedule, base: float, step: int, total: int, steps_per_epoch: int) -> float:
    """The learning rate used at ``step`` (0-based) of a phase of ``total`` steps, for a base rate ``base``."""
    if schedule.kind == "warmup-cosine":
        return _warmup_cosine(schedule, base, step, total, steps_per_epoch)
    if schedule.kind == "one-cycle":
        return _one_cycle(schedule.warmup or 0.3, base, step, total)
    if schedule.kind == "step":
        return _stepwise(schedule, base, step, steps_per_epoch)
    return base


def _stepwise(schedule: Schedule, base: float, step: int, steps_per_epoch: int) -> float:
    """Linear up to the base rate, which the first step after the warm-up has; then lower at each milestone."""
    warm = schedule.warmup * steps_per_epoch
    if step < warm:
        return base * (schedule.start + (1 - schedule.start) * step / warm)
    passed = sum(step >= milestone * steps_per_epoch for milestone in schedule.milestones)
    return base * schedule.gamma**passed


def _warmup_cosine(schedule: Schedule, base: float, step: int, total: int, steps_per_epoch: int) -> float:
    """Rate 0 at step 0, the base rate at the last warm-up step and the first after it, ``floor`` behind the end."""
    warm = round(schedule.warmup * steps_per_epoch)
    if step < warm and warm > 1:
        return base * step / (warm - 1)
    progress = min(1.0, max(0, step - warm) / max(1, total - warm))
    return schedule.floor + (base - schedule.floor) * 0.5 * (1.0 + math.cos(math.pi * progress))


def _one_cycle(rise: float, peak: float, step: int, total: int, divisor: float = 25.0, final: float = 1e4) -> float:
    """Cosine from ``peak / divisor`` up to ``peak`` and down to ``peak / (divisor * final)``, momentum untouched."""
    # The divisors and the "- 1" are those of torch.optim.lr_scheduler.OneCycleLR.
    top, last = rise * total - 1.0, total - 1.0
    if step <= top and top > 0:
        return _cosine(peak / divisor, peak, step / top)
    return _cosine(peak, peak / (divisor * final), (step - max(top, 0.0)) / max(1.0, last - max(top, 0.0)))


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * min(1.0, share)))
