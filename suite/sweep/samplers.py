"""Optuna's samplers by name, each with what the search must know of it, and classes of a user's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from suite.errors import UsageError
from suite.plugins import chosen, make_own
from suite.spec.sweep import Sampler

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

WARM = 10  # complete trials below which CMA-ES cannot be warmed up: it looks at the best tenth
ENDING = ("optuna.samplers:GridSampler", "optuna.samplers:BruteForceSampler")


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
    return chosen(settings.name, SAMPLERS, "sampler", settings.options, SamplerKind(_own))


def _own(settings: Sampler, seed: int, known: Sequence[FrozenTrial]) -> BaseSampler:
    if settings.name in ENDING:
        raise UsageError(f"the sampler {settings.name} ends a study by itself; use grid instead.")
    made: BaseSampler = make_own(settings.name, "sampler", settings.options, seed=seed)
    return made


def _optuna() -> Any:
    from optuna import samplers

    return samplers


def _tpe(settings: Sampler, seed: int, known: Sequence[FrozenTrial]) -> BaseSampler:
    # Constant liar: configurations under way count as bad, so that workers do not crowd around one place. Multivariate
    # TPE needs groups where axes exist under a condition only.
    more = {"constant_liar": True, "multivariate": True, "group": True}
    made: BaseSampler = _optuna().TPESampler(n_startup_trials=settings.startup, seed=seed, **more)
    return made


def _cmaes(settings: Sampler, seed: int, known: Sequence[FrozenTrial]) -> BaseSampler:
    """CMA-ES; its covariance is lost with the process, so a resumed one is warmed up by what is known."""
    from optuna.trial import TrialState

    try:
        import cmaes  # noqa: F401  (Optuna asks for it only when the first configuration is drawn)
    except ModuleNotFoundError:
        raise UsageError("the sampler cmaes needs the package cmaes; install it or use tpe.") from None
    complete = [trial for trial in known if trial.state == TrialState.COMPLETE]
    # Where enough is known, known trials take the place of random ones.
    warm = len(complete) >= max(settings.startup, WARM)
    more: dict[str, Any] = {"source_trials": complete} if warm else {"n_startup_trials": settings.startup}
    made: BaseSampler = _optuna().CmaEsSampler(seed=seed, warn_independent_sampling=False, **more)
    return made


QUIET = {"warn_independent_sampling": False}
SAMPLERS = {
    "tpe": SamplerKind(_tpe),
    "gp": SamplerKind(
        lambda s, seed, _: _optuna().GPSampler(seed=seed, n_startup_trials=s.startup, **QUIET), batch=0.25
    ),
    # NSGA-II finds its parents by the generation that it noted on each trial, which the ledger does not have.
    "nsga2": SamplerKind(
        lambda s, seed, _: _optuna().NSGAIISampler(population_size=s.population, seed=seed),
        batch=1.0,
        note=lambda s, index: {"NSGAIISampler:generation": index // s.population},
    ),
    "cmaes": SamplerKind(_cmaes, several=False),
    "qmc": SamplerKind(
        lambda s, seed, _: _optuna().QMCSampler(seed=seed, scramble=True, **QUIET), batch=1.0, sequence=True
    ),
    "random": SamplerKind(lambda s, seed, _: _optuna().RandomSampler(seed=seed), batch=1.0),
    # The search itself visits the grid; a point outside it is drawn at random.
    "grid": SamplerKind(lambda s, seed, _: _optuna().RandomSampler(seed=seed), batch=1.0),
}
