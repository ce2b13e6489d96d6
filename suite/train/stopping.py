"""Early stopping: when nothing that is watched has improved for long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from suite.method import Stopping


def should_stop(rule: Stopping, history: Mapping[str, Sequence[float]]) -> bool:
    """Whether every watched curve had its best value at least ``patience`` evaluations before the last one.

    Curves called ``loss`` improve downwards, all others upwards; a tie counts as a new best.
    """
    ages = [_age(history[name], down=name == "loss") for name in rule.watch if history.get(name)]
    return bool(ages) and min(ages) >= rule.patience


def _age(curve: Sequence[float], down: bool) -> int:
    """Evaluations since the best value (the latest of equals)."""
    best = min(curve) if down else max(curve)
    return next(age for age, value in enumerate(reversed(curve)) if value == best)
