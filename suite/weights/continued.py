"""Any method from weights: ``--set weights=RUN`` where a method declares no such parameter, and where it does.

A method's network is built in one place, its ``network``. The class made here comes before the method there and fills
what that returns. Runs without ``weights`` never meet it: this module is part of the names of those that do.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Collection, Mapping
from dataclasses import fields, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from suite.errors import DataError
from suite.hyper import Hyper
from suite.method import Method
from suite.spec.pinned import PinnedFile
from suite.weights.initial import InitialWeights, NetworkT
from suite.weights.kept import KeptWeights, kept_weights
from suite.weights.reading import read_tensors
from suite.weights.taking import Release, listed, take

logger = logging.getLogger(__name__)

NAME = "weights"
DECLARED: Hyper = vars(InitialWeights)[NAME]


def accepted(method: type[Method]) -> dict[str, Hyper]:
    """The hyper-parameters that a run of ``method`` may set: the declared ones, and ``weights``."""
    return {**method.hypers, NAME: method.hypers.get(NAME, DECLARED)}


def started(method: Any, params: Mapping[str, Any]) -> type[Method]:
    """``method`` as it is, or, where ``params`` name weights, a method of the same name that starts from them."""
    chosen: type[Method] = _continued(method) if params.get(NAME) and accepted(method)[NAME].file else method
    return chosen


@cache
def _continued(method: Any) -> type[Method]:
    body = {"__module__": method.__module__, "__doc__": method.__doc__, "aliases": method.aliases, "of": method}
    return type(method.__name__, (Continued, method), body)


class Continued(InitialWeights):
    """Comes before a method among the bases of a class: its network starts from the file ``weights``."""

    code_beside = (__name__,)  # its module counts in the print of the method's code
    of: type[Method]
    asked = False  # whether the method gave released weights to its network, or to a part of it
    left_bare = False  # whether it then gets none

    def network(self, data: Any) -> nn.Module:
        """The method's network with the tensors of the file.

        Raises :class:`DataError` in one sentence for a file of another network.
        """
        file = PinnedFile.parse(self.weights)
        held = kept_weights(file.require())
        if held is None:
            return self._released(data, file)
        network = self._bare().built(data)
        rows = (len(data.train), len(data.classes))  # what a method holds of each training sample belongs to these
        tables = {name for name, tensor in network.state_dict().items() if tuple(tensor.shape) == rows}
        layers = self._class_layers(network, data) - tables
        _fill(network, held, layers, tables, tuple(data.classes), file.label)
        return network

    def initialized(self, network: NetworkT, release: Release) -> NetworkT:
        """As the method's own, where released weights are taken; kept ones fit the whole network and not this part."""
        self.asked = True
        return network if self.left_bare else super().initialized(network, release)

    def built(self, data: Any) -> nn.Module:
        """The network as the method builds it."""
        made: nn.Module = super().network(data)  # type: ignore[misc]  # of the method, the next base
        return made

    def _bare(self) -> Continued:
        """A copy that takes no weights while it builds, but knows that there are some (frozen norms depend on it)."""
        bare = copy.copy(self)
        bare.left_bare = True
        if not issubclass(self.of, InitialWeights):  # a part of the method may, which has no other way to know
            bare.weights = ""
        return bare

    def _released(self, data: Any, file: PinnedFile) -> nn.Module:
        """The network from weights that others released: as the method reads them, else by the names they have."""
        own = copy.copy(self)
        network = own.built(data)
        by_a_part = NAME in self.of.hypers and not issubclass(self.of, InitialWeights)
        if not own.asked and not by_a_part:
            taken = take(network, read_tensors(file.require()), Release(), file.label)
            _say(logging.INFO if taken.whole else logging.WARNING, taken.in_words())
        return network

    def _class_layers(self, network: nn.Module, data: Any) -> set[str]:
        """Names of the tensors whose shape depends on how many classes the data have."""
        with torch.random.fork_rng(devices=[]):
            other = self._bare().built(_one_class_more(data))
        shapes = {name: tensor.shape for name, tensor in other.state_dict().items()}
        return {name for name, tensor in network.state_dict().items() if shapes.get(name) != tensor.shape}


def _one_class_more(data: Any) -> Any:
    """``data`` with one class more, which nothing shows."""
    count, classes = len(data.train), len(data.classes)
    of_labels = {
        field.name: np.pad(value, ((0, 0), (0, 1)))
        for field in fields(data.train)
        if isinstance(value := getattr(data.train, field.name), np.ndarray)
        and value.shape == (count, classes)
        and value.dtype.kind in "biu"
    }
    return replace(data, classes=(*data.classes, "one more"), train=replace(data.train, **of_labels))


def _fill(
    network: nn.Module,
    held: KeptWeights,
    layers: Collection[str],
    tables: Collection[str],
    classes: tuple[str, ...],
    label: str,
) -> None:
    """Copy the tensors of a kept model into ``network``, but for ``tables`` of training samples.

    Layers that depend on classes start anew where the model knows others, which is said in a line. All else must fit.
    """
    own = network.state_dict()
    other = held.classes != classes if held.classes is not None else _differ(own, held.tensors, layers)
    anew = {*tables, *(layers if other else ())}
    problem = _misfit({k: t for k, t in own.items() if k not in anew}, held.tensors, anew)
    if problem:
        raise DataError(
            f"{label}{_made_by(held)} has another network than this run: {problem}; give the run the method and sizes "
            "of that model, or start from another one."
        )
    network.load_state_dict({name: held.tensors[name] for name in own if name not in anew}, strict=False)
    if other:
        names = listed(sorted(layers))
        _say(logging.WARNING, f"{label}{_made_by(held)} knows other classes: {names} start anew, all else is taken")


def _differ(own: Mapping[str, Tensor], held: Mapping[str, Tensor], layers: Collection[str]) -> bool:
    return any(name in held and held[name].shape != own[name].shape for name in layers)


def _misfit(own: Mapping[str, Tensor], held: Mapping[str, Tensor], anew: Collection[str]) -> str:
    """What of the tensors ``held`` does not fit, in words; empty if all does."""
    missing = [name for name in own if name not in held]
    surplus = [name for name in held if name not in own and name not in anew]
    wrong = [name for name in own if name in held and own[name].shape != held[name].shape]
    parts = [f"{name} is {tuple(held[name].shape)} there and {tuple(own[name].shape)} here" for name in wrong[:1]]
    parts += [f"{len(wrong) - 1} more differ"] if len(wrong) > 1 else []
    parts += [f"it lacks {listed(missing)}"] if missing else []
    parts += [f"{listed(surplus)} are not here"] if surplus else []
    return ", ".join(parts)


def _made_by(held: KeptWeights) -> str:
    facts = held.facts
    return f" ({facts['method']} on {facts['dataset']})" if {"method", "dataset"} <= set(facts) else ""


@cache
def _say(level: int, words: str) -> None:
    """Once in a process, however often a network is built."""
    logger.log(level, "%s", words)
