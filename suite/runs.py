"""From what a user asks to a complete, validated run specification, and to the run's name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from suite.data import find_card, fingerprint
from suite.errors import UsageError
from suite.identity.code import code_fingerprint
from suite.places import Places
from suite.registry import method
from suite.spec.card import parse_dataset_name
from suite.spec.run import Precision, RunSpec
from suite.tasks import MODULES


def resolve_run(
    method_name: str,
    dataset: str,
    params: Mapping[str, Any] | None = None,
    *,
    protocol: str = "default",
    seed: int = 0,
    epochs: int | None = None,
    precision: Precision = "float32",
) -> RunSpec:
    """A run with every parameter and dial resolved; ``dataset`` may carry dials, ``planted-verbs[snr=3]``.

    Raises :class:`UsageError` for anything unknown, out of range or that does not go together.
    """
    chosen = method(method_name)
    name, dials = parse_dataset_name(dataset)
    card = find_card(name)
    if chosen.task not in card.tasks:
        tasks = " or ".join(card.tasks)
        raise UsageError(f"{chosen.name} is a method for {chosen.task}, but {name} is a dataset for {tasks}.")
    card.protocol(protocol)
    return RunSpec(
        method=chosen.name,
        dataset=name,
        params=chosen.resolve(params or {}),
        dials=card.resolve_dials(dials),
        protocol=protocol,
        seed=seed,
        epochs=epochs,
        precision=precision,
    )


def run_id(spec: RunSpec, places: Places) -> str:
    """The name of the run that ``spec`` asks for, given the data and the code as they are now."""
    return spec.run_id(data_fingerprint(spec, places), method_code(spec))


def data_fingerprint(spec: RunSpec, places: Places) -> str:
    """The fingerprint of the dataset as ``spec`` sees it."""
    task = method(spec.method).task
    return fingerprint(spec.dataset, task, places.root, places.cache, protocol=spec.protocol, dials=spec.dials)


def method_code(spec: RunSpec) -> str:
    """The fingerprint of the code that computes ``spec``."""
    chosen = method(spec.method)
    return code_fingerprint(chosen, MODULES[chosen.task])


def dataset_label(spec: RunSpec) -> str:
    """The dataset as tables name it: with the dials that differ from their defaults."""
    return find_card(spec.dataset).label(spec.dials)
