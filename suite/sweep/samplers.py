"""Optuna's samplers and pruners for a study that is rebuilt from the ledger each time it is opened."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from suite.errors import UsageError
from suite.spec.base import content_hash
from suite.spec.sweep import Pruner, Sampler
from suite.sweep.history import Observed
from suite.sweep.space import Space

Direction = Literal["maximize", "minimize"]

WARM = 10  # complete trials below which CMA-ES cannot be warmed up: it looks at the best tenth

if TYPE_CHECKING:
    from optuna import Study
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial


def make_study(
    space: Space,
    sampler: Sampler,
    pruner: Pruner,
    directions: Sequence[Direction],
    observed: Sequence[Observed],
    seed: int,
) -> Study:
    """A study in memory that knows ``observed``.

    Its random state follows from ``seed`` and from how much is known, so that a resumed sweep draws new proposals and
    not the first ones again.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    trials = [_frozen(space, one, i, sampler, pruner) for i, one in enumerate(observed) if space.contains(one.values)]
    drawn = int(content_hash(seed, len(trials)), 16) % 2**31
    made = make_sampler(sampler, drawn if sampler.name != "qmc" else seed, trials)
    study = optuna.create_study(directions=list(directions), sampler=made, pruner=make_pruner(pruner))
    study.add_trials(trials)
    return study


def make_sampler(sampler: Sampler, seed: int, known: Sequence[FrozenTrial]) -> BaseSampler:
    """The sampler; a grid is walked by the search itself and only falls back to random draws."""
    from optuna import samplers

    if sampler.name == "tpe":
        return samplers.TPESampler(
            n_startup_trials=sampler.startup, seed=seed, constant_liar=True, multivariate=True, group=True
        )
    if sampler.name == "gp":
        return samplers.GPSampler(seed=seed, n_startup_trials=sampler.startup, warn_independent_sampling=False)
    if sampler.name == "nsga2":
        return samplers.NSGAIISampler(population_size=sampler.population, seed=seed)
    if sampler.name == "qmc":  # its sequence is the same each time; what is known already is passed over
        return samplers.QMCSampler(seed=seed, scramble=True, warn_independent_sampling=False)
    if sampler.name == "cmaes":
        return _cmaes(seed, sampler.startup, known)
    return samplers.RandomSampler(seed=seed)


def _cmaes(seed: int, startup: int, known: Sequence[FrozenTrial]) -> BaseSampler:
    """CMA-ES; its covariance is lost with the process, so a resumed one is warmed up by what is known."""
    from optuna import samplers
    from optuna.trial import TrialState

    try:
        import cmaes  # noqa: F401  (Optuna asks for it only when the first configuration is drawn)
    except ModuleNotFoundError:
        raise UsageError("the sampler cmaes needs the package cmaes; install it or use tpe.") from None
    complete = [trial for trial in known if trial.state == TrialState.COMPLETE]
    warm = len(complete) >= max(startup, WARM)
    more: dict[str, Any] = {"source_trials": complete} if warm else {"n_startup_trials": startup}
    return samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False, **more)


def make_pruner(pruner: Pruner) -> BasePruner:
    """The pruner that judges reported values."""
    from optuna import pruners

    if pruner.name == "median":
        return pruners.MedianPruner(n_startup_trials=pruner.startup, n_warmup_steps=pruner.warmup)
    if pruner.name == "asha":
        return pruners.SuccessiveHalvingPruner(min_resource=pruner.warmup, reduction_factor=pruner.reduction)
    if pruner.name == "wilcoxon":
        return pruners.WilcoxonPruner(p_threshold=pruner.threshold, n_startup_steps=2)
    return pruners.NopPruner()


def _frozen(space: Space, one: Observed, index: int, sampler: Sampler, pruner: Pruner) -> FrozenTrial:
    """A configuration of the ledger as a trial that has ended (or, where runs are missing, goes on)."""
    from optuna.trial import TrialState, create_trial

    states = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
    attributes: dict[str, Any] = {}
    if sampler.name == "nsga2":
        attributes["NSGAIISampler:generation"] = index // sampler.population
    if pruner.name == "asha":
        attributes |= _rungs(one, pruner)
    steps = dict(one.curve)
    if pruner.name == "wilcoxon":
        steps = {step: numbers[0] for step, numbers in enumerate(one.instances) if numbers[0] == numbers[0]}
    return create_trial(
        state=states.get(one.state, TrialState.FAIL),
        values=list(one.objectives) if one.state == "complete" else None,
        params=dict(one.values),
        distributions=space.distributions(one.values),
        intermediate_values=steps,
        system_attrs=attributes,
    )


def _rungs(one: Observed, pruner: Pruner) -> dict[str, float]:
    """What successive halving noted when the configuration passed its rungs."""
    rungs: dict[str, float] = {}
    step = pruner.warmup
    while step in one.curve:
        rungs[f"completed_rung_{len(rungs)}"] = one.curve[step]
        step *= pruner.reduction
    return rungs
