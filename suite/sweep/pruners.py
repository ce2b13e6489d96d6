"""Optuna's pruners by name, each with what the search must know of it, and classes of a user's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from suite.errors import UsageError, did_you_mean
from suite.plugins import load_object
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
    if ":" in settings.name:
        return PrunerKind(_own)
    if settings.name not in PRUNERS:
        known = did_you_mean(settings.name, PRUNERS)
        raise UsageError(f"there is no pruner '{settings.name}'{known} Your own is named package.module:Class.")
    if settings.options:
        raise UsageError(f"the pruner {settings.name} takes no options; leave them out.")
    return PRUNERS[settings.name]


def _own(settings: Pruner) -> BasePruner:
    try:
        pruner: BasePruner = load_object(settings.name, "pruner")(**settings.options)
    except (TypeError, ValueError) as error:
        raise UsageError(f"the pruner {settings.name} cannot be made with its options: {error}.") from error
    return pruner


def _none(settings: Pruner) -> BasePruner:
    from optuna.pruners import NopPruner

    return NopPruner()


def _median(settings: Pruner) -> BasePruner:
    from optuna.pruners import MedianPruner

    return MedianPruner(n_startup_trials=settings.startup, n_warmup_steps=settings.warmup)


def _asha(settings: Pruner) -> BasePruner:
    from optuna.pruners import SuccessiveHalvingPruner

    return SuccessiveHalvingPruner(min_resource=settings.warmup, reduction_factor=settings.reduction)


def _wilcoxon(settings: Pruner) -> BasePruner:
    from optuna.pruners import WilcoxonPruner

    return WilcoxonPruner(p_threshold=settings.threshold, n_startup_steps=2)


def _rungs(curve: Mapping[int, float], settings: Pruner) -> dict[str, float]:
    """What successive halving noted when the configuration passed its rungs."""
    rungs: dict[str, float] = {}
    step = settings.warmup
    while step in curve:
        rungs[f"completed_rung_{len(rungs)}"] = curve[step]
        step *= settings.reduction
    return rungs


PRUNERS = {
    "none": PrunerKind(_none, looks=""),
    "median": PrunerKind(_median),
    "asha": PrunerKind(_asha, note=_rungs),
    "wilcoxon": PrunerKind(_wilcoxon, looks="runs"),
}
