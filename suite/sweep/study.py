"""An Optuna study that is rebuilt from the ledger each time it is opened."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from suite.spec.base import content_hash
from suite.spec.sweep import Pruner, Sampler
from suite.sweep.history import Observed
from suite.sweep.pruners import pruner_kind
from suite.sweep.samplers import sampler_kind
from suite.sweep.space import Space

Direction = Literal["maximize", "minimize"]

if TYPE_CHECKING:
    from optuna import Study
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
    kind = sampler_kind(sampler)
    # Runs of boards and of other sweeps may lie outside of this space, where Optuna cannot hold them.
    trials = [_frozen(space, one, i, sampler, pruner) for i, one in enumerate(observed) if space.contains(one.values)]
    drawn = seed if kind.sequence else int(content_hash(seed, len(trials)), 16) % 2**31
    made = kind.make(sampler, drawn, trials)
    study = optuna.create_study(directions=list(directions), sampler=made, pruner=pruner_kind(pruner).make(pruner))
    study.add_trials(trials)
    return study


def _frozen(space: Space, one: Observed, index: int, sampler: Sampler, pruner: Pruner) -> FrozenTrial:
    """A configuration of the ledger as a trial that has ended (or, where runs are missing, goes on)."""
    from optuna.trial import TrialState, create_trial

    states = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
    steps = dict(one.curve)
    if pruner_kind(pruner).looks == "runs":
        steps = {step: numbers[0] for step, numbers in enumerate(one.instances) if numbers[0] == numbers[0]}
    return create_trial(
        state=states.get(one.state, TrialState.FAIL),
        values=list(one.objectives) if one.state == "complete" else None,
        params=dict(one.values),
        distributions=space.distributions(one.values),
        intermediate_values=steps,
        system_attrs=sampler_kind(sampler).note(sampler, index) | pruner_kind(pruner).note(one.curve, pruner),
    )
