"""Optuna's samplers by name, each with what the search must know of it, and classes of a user's own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from suite.errors import UsageError, did_you_mean
from suite.plugins import load_object
from suite.spec.sweep import Sampler

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

WARM = 10  # complete trials below which CMA-ES cannot be warmed up: it looks at the best tenth


@dataclass(frozen=True)
class SamplerKind:
    """One way to propose configurations: ``make(settings, seed, trials known)``.

    ``several``: it takes more than one objective. ``batch``: the share of a stack of runs that may be asked for at once
    without much loss, though it learns nothing in between. ``sequence``: it proposes the same each time, so the
    study's own seed stays and what is known already is passed over. ``note(settings, index)`` gives what it would have
    noted on the trial at ``index`` of a study that is rebuilt.
    """

    make: Callable[[Sampler, int, Sequence[FrozenTrial]], BaseSampler]
    several: bool = True
    batch: float = 0.5
    sequence: bool = False
    note: Callable[[Sampler, int], dict[str, Any]] = lambda settings, index: {}


def sampler_kind(settings: Sampler) -> SamplerKind:
    """The sampler that a sweep names, from the table or as ``module:Class``; raises :class:`UsageError` for no such."""
    if ":" in settings.name:
        return SamplerKind(lambda given, seed, known: _own(given, seed))
    if settings.name not in SAMPLERS:
        known = did_you_mean(settings.name, SAMPLERS)
        raise UsageError(f"there is no sampler '{settings.name}'{known} Your own is named package.module:Class.")
    if settings.options:
        raise UsageError(f"the sampler {settings.name} takes no options; leave them out.")
    return SAMPLERS[settings.name]


def _own(settings: Sampler, seed: int) -> BaseSampler:
    from optuna.samplers import BruteForceSampler, GridSampler

    made = load_object(settings.name, "sampler")
    if made in (BruteForceSampler, GridSampler):
        raise UsageError(f"the sampler {settings.name} ends a study by itself; use grid, which the suite walks.")
    seeded = {"seed": seed} if "seed" in inspect.signature(made).parameters else {}
    try:
        sampler: BaseSampler = made(**seeded, **settings.options)
    except Exception as error:
        raise UsageError(f"the sampler {settings.name} cannot be made with its options: {error}.") from error
    return sampler


def _tpe(settings: Sampler, seed: int, known: Sequence[FrozenTrial]) -> BaseSampler:
    from optuna.samplers import TPESampler

    return TPESampler(n_startup_trials=settings.startup, seed=seed, constant_liar=True, multivariate=True, group=True)


def _gp(settings: Sampler, seed: int, known: Sequence[FrozenTrial]) -> BaseSampler:
    from optuna.samplers import GPSampler

    return GPSampler(seed=seed, n_startup_trials=settings.startup, warn_independent_sampling=False)


def _nsga2(settings: Sampler, seed: int, known: Sequence[FrozenTrial]) -> BaseSampler:
    from optuna.samplers import NSGAIISampler

    return NSGAIISampler(population_size=settings.population, seed=seed)


def _qmc(settings: Sampler, seed: int, known: Sequence[FrozenTrial]) -> BaseSampler:
    from optuna.samplers import QMCSampler

    return QMCSampler(seed=seed, scramble=True, warn_independent_sampling=False)


def _cmaes(settings: Sampler, seed: int, known: Sequence[FrozenTrial]) -> BaseSampler:
    """CMA-ES; its covariance is lost with the process, so a resumed one is warmed up by what is known."""
    from optuna.samplers import CmaEsSampler
    from optuna.trial import TrialState

    try:
        import cmaes  # noqa: F401  (Optuna asks for it only when the first configuration is drawn)
    except ModuleNotFoundError:
        raise UsageError("the sampler cmaes needs the package cmaes; install it or use tpe.") from None
    complete = [trial for trial in known if trial.state == TrialState.COMPLETE]
    warm = len(complete) >= max(settings.startup, WARM)
    more: dict[str, Any] = {"source_trials": complete} if warm else {"n_startup_trials": settings.startup}
    return CmaEsSampler(seed=seed, warn_independent_sampling=False, **more)


def _random(settings: Sampler, seed: int, known: Sequence[FrozenTrial]) -> BaseSampler:
    from optuna.samplers import RandomSampler

    return RandomSampler(seed=seed)


def _generation(settings: Sampler, index: int) -> dict[str, Any]:
    return {"NSGAIISampler:generation": index // settings.population}


SAMPLERS = {
    "tpe": SamplerKind(_tpe),
    "gp": SamplerKind(_gp, batch=0.25),
    "nsga2": SamplerKind(_nsga2, batch=1.0, note=_generation),
    "cmaes": SamplerKind(_cmaes, several=False),
    "qmc": SamplerKind(_qmc, batch=1.0, sequence=True),
    "random": SamplerKind(_random, batch=1.0),
    "grid": SamplerKind(_random, batch=1.0),  # the search itself walks the grid
}
