"""Optuna's pruners by name, each with what the search must know of it, and classes of a user's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from suite.plugins import chosen, make_own
from suite.spec.sweep import Pruner

if TYPE_CHECKING:
    from optuna.pruners import BasePruner


@dataclass(frozen=True)
class PrunerKind:
    """One way to stop configurations early: ``make(settings)``.

    ``looks`` says at what: the validation ``curve`` of a run while it trains, or the finished ``runs`` of a
    configuration (its datasets and seeds), one by one. ``note(curve, settings)`` gives what it would have noted on a
    trial of that curve (step to value) in a study that is rebuilt.
    """

    make: Callable[[Pruner], BasePruner]
    looks: Literal["", "curve", "runs"] = "curve"
    note: Callable[[Mapping[int, float], Pruner], dict[str, Any]] = lambda curve, settings: {}


def pruner_kind(settings: Pruner) -> PrunerKind:
    """The pruner that a sweep names, from the table or as ``module:Class``; raises :class:`UsageError` for no such."""
    own = PrunerKind(lambda given: make_own(given.name, "pruner", given.options))
    return chosen(settings.name, PRUNERS, "pruner", settings.options, own)


def _optuna() -> Any:
    from optuna import pruners

    return pruners


def _rungs(curve: Mapping[int, float], settings: Pruner) -> dict[str, float]:
    """What successive halving noted when the configuration passed its rungs."""
    rungs: dict[str, float] = {}
    step = settings.warmup
    while step in curve:
        rungs[f"completed_rung_{len(rungs)}"] = curve[step]
        # Rungs lie at warmup times powers of the reduction factor (Li et al. 2018, with early-stopping rate 0).
        step *= settings.reduction
    return rungs


PRUNERS = {
    "none": PrunerKind(lambda s: _optuna().NopPruner(), looks=""),
    "median": PrunerKind(lambda s: _optuna().MedianPruner(n_startup_trials=s.startup, n_warmup_steps=s.warmup)),
    "asha": PrunerKind(
        lambda s: _optuna().SuccessiveHalvingPruner(min_resource=s.warmup, reduction_factor=s.reduction), note=_rungs
    ),
    "wilcoxon": PrunerKind(
        lambda s: _optuna().WilcoxonPruner(p_threshold=s.threshold, n_startup_steps=2), looks="runs"
    ),
}
