"""What one study of a sweep is about: a method, its datasets and its space; and from a configuration to its runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from suite.data import find_card
from suite.errors import UsageError, did_you_mean
from suite.hyper import Value
from suite.registry import method as find_method
from suite.registry import method_for
from suite.runs import resolve_run
from suite.spec.card import parse_dataset_name
from suite.spec.run import RunSpec
from suite.spec.sweep import SweepSpec
from suite.sweep.pruners import pruner_kind
from suite.sweep.samplers import sampler_kind
from suite.sweep.space import Space, Values, space_of


@dataclass(frozen=True)
class Problem:
    """One study: ``fixed`` parameters are the same in every trial, ``space`` holds those that vary.

    ``datasets`` are names with dials; a trial has one run for each of them and each seed of the sweep.
    """

    sweep: SweepSpec
    method: str
    datasets: tuple[str, ...]
    space: Space
    fixed: Mapping[str, Value]

    @property
    def title(self) -> str:
        """The study in words: ``mask-bce on planted-verbs``."""
        return f"{self.method} on {', '.join(self.datasets)}"

    def runs(self, values: Mapping[str, Value]) -> list[RunSpec]:
        """The runs of one configuration, dataset by dataset and seed by seed."""
        own = method_for(self.method, self.fixed).hypers
        params = {**self.fixed, **{k: v for k, v in values.items() if k in own}}
        turned = {k: v for k, v in values.items() if k not in own}
        return [
            resolve_run(
                self.method,
                _with_dials(dataset, turned),
                params,
                protocol=self.sweep.protocol,
                seed=seed,
                epochs=self.sweep.budget.epochs,
                precision=self.sweep.precision,
            )
            for dataset in self.datasets
            for seed in self.sweep.seeds
        ]

    def values_of(self, params: Mapping[str, Value], dials: Mapping[str, Value]) -> Values:
        """The configuration to which a run with these parameters and dials would belong."""
        known = {p.name: (dials if p.dial else params).get(p.name) for p in self.space.parameters}
        return self.space.existing({name: value for name, value in known.items() if value is not None})

    def points(self) -> list[Values]:
        """The configurations to try before the sampler is asked: the defaults, then those of the file.

        A point may also set parameters that are no axes; the axes that it leaves out keep their defaults.
        """
        names = set(self.space.names) | set(find_method(self.method).hypers)
        listed = [self._completed(point) for point in self.sweep.points if set(point) <= names]
        return [self.space.defaults(), *listed] if self.sweep.default else listed

    def _completed(self, point: Mapping[str, Value]) -> Values:
        axes = {name: value for name, value in point.items() if name in self.space.names}
        others = {name: value for name, value in point.items() if name not in self.space.names}
        return {**self.space.existing({**self.space.defaults(), **axes}), **others}


def problems(spec: SweepSpec) -> list[Problem]:
    """The studies of a sweep; raises :class:`UsageError` for whatever the methods and datasets do not know."""
    groups = [spec.datasets] if spec.across == "mean" else [(dataset,) for dataset in spec.datasets]
    _check_search(spec)
    _check_names(spec)
    names = dict.fromkeys(find_method(name).name for name in spec.methods)
    return [_problem(spec, name, group) for name in names for group in groups]


def _problem(spec: SweepSpec, name: str, datasets: tuple[str, ...]) -> Problem:
    method = method_for(name, spec.params)
    cards = [find_card(parse_dataset_name(dataset)[0]) for dataset in datasets]
    fixed = {k: v for k, v in spec.params.items() if k in method.hypers}
    space, resolved = space_of(spec, method, cards), method.resolve(fixed)
    problem = Problem(spec, method.name, datasets, space, {name: resolved[name] for name in fixed})
    problem.runs(problem.space.defaults())  # every name, value and pair of method and dataset is looked at
    for point in problem.points():
        problem.runs(point)
    return problem


def _check_search(spec: SweepSpec) -> None:
    """The sampler and the pruner must be known, and fit what is asked of them."""
    if len(spec.objectives) > 1 and not sampler_kind(spec.sampler).several:
        raise UsageError(f"sweep {spec.name}: the sampler {spec.sampler.name} takes one objective; use nsga2.")
    if pruner_kind(spec.pruner).looks == "runs" and spec.instances < 2:
        raise UsageError(
            f"sweep {spec.name}: the {spec.pruner.name} pruner compares over seeds and datasets; give seeds, or "
            'across = "mean".'
        )


def _check_names(spec: SweepSpec) -> None:
    """Every parameter of the file must belong to some method, or be a dial of some dataset."""
    methods = [method_for(name, spec.params) for name in spec.methods]
    cards = [find_card(parse_dataset_name(dataset)[0]) for dataset in spec.datasets]
    hypers = {name for method in methods for name in method.hypers}
    dials = {name for card in cards for name in card.dials}
    for where, names, known in (
        ("space", spec.space, hypers | dials),
        ("params", spec.params, hypers),
        ("points", {name for point in spec.points for name in point}, hypers | dials),
    ):
        for name in names:
            if name not in known:
                owners = " or ".join(spec.methods)
                raise UsageError(
                    f"sweep {spec.name}: {where}: {owners} has no parameter '{name}'{did_you_mean(name, known)}"
                )


def _with_dials(dataset: str, turned: Mapping[str, Value]) -> str:
    """The dataset's name with more dials turned."""
    if not turned:
        return dataset
    name, dials = parse_dataset_name(dataset)
    both = {**dials, **{k: str(v) for k, v in turned.items()}}
    return f"{name}[{','.join(f'{k}={v}' for k, v in both.items())}]"
