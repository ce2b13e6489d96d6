"""A kept model at work: it scores new features, or a dataset's split as its run did."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from suite.data.loading import load
from suite.errors import DataError, UsageError
from suite.method import Method, Run
from suite.models.folder import CONFIG, ModelFolder, model_of
from suite.models.form import stand_in
from suite.models.inputs import Timing, samples_of
from suite.models.predicted import Predicted
from suite.places import Places
from suite.registry import method as find_method
from suite.results.ledger import Ledger
from suite.runs import method_code
from suite.spec.base import validate
from suite.spec.card import parse_dataset_name
from suite.spec.run import RunSpec
from suite.tasks.data import SPLITS, TaskData
from suite.train.derived import Derived

logger = logging.getLogger(__name__)

PRINT = 8  # digits of a print of code that people are shown


@dataclass
class Model:
    """A trained network with its method, ready to predict. Made by :func:`load_model`.

    ``spec`` is the request it was trained for, ``classes`` are the names of its outputs in order.
    """

    folder: ModelFolder
    config: dict[str, Any]
    selection: str
    spec: RunSpec
    method: Method
    network: nn.Module
    data: TaskData[Any]
    device: str = "cpu"

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of scores."""
        return self.data.classes

    def predict(
        self,
        features: Any,
        ids: Sequence[str] | None = None,
        *,
        fps: float = 0.0,
        stride: float = 0.0,
        window: float = 0.0,
    ) -> Predicted:
        """What the model predicts for ``features`` of new samples.

        Features are (N, D), one row per clip or person, named by ``ids``; for videos a mapping from name to
        (snippets, D), a list of such arrays, or one of them. ``fps``, ``stride`` and ``window`` (frames) say when the
        snippets of videos are, where they are not as in training.
        Raises :class:`UsageError` for features of another width than those of the training.
        """
        served = self.config["task"]
        samples = samples_of(served, self.config["form"], features, ids, Timing(fps, stride, window))
        return self._predicted(replace(self.data, test=samples), samples)

    def predict_clips(self, folder: str | Path) -> Predicted:
        """What a model of pixels predicts for the people of ``boxes.csv`` in the video files of ``folder``.

        See :func:`suite.models.clips.read_clips` for the form of that file.
        """
        from suite.models.clips import read_clips

        samples = read_clips(Path(folder), self.config["form"])
        return self._predicted(replace(self.data, test=samples), samples)

    def predict_dataset(self, name: str = "", split: str = "test", places: Places | None = None) -> Predicted:
        """What the model predicts for a ``split`` of a dataset; without a ``name``, of the one it was trained on.

        Raises :class:`UsageError` for a dataset with other classes.
        """
        if split not in SPLITS:
            raise UsageError(f"there is no split '{split}'; use {', '.join(SPLITS)}.")
        places = places or Places()
        own = not name or name in (self.spec.dataset, self.config["dataset_label"])
        plain, given = parse_dataset_name(name or self.spec.dataset)
        dials = self.spec.dials if own else given
        protocol = self.spec.protocol if own else "default"
        data = load(
            plain, self.config["task"], places.root, places.cache, protocol=protocol, dials=dials, seed=self.spec.seed
        )
        if data.classes != self.classes:
            raise UsageError(
                f"{data.name} has other classes than the model, which knows {', '.join(self.classes[:5])} …"
            )
        return self._predicted(data, data.split(split))

    def _predicted(self, data: TaskData[Any], samples: Any) -> Predicted:
        run = Run(data, self.network, self.spec.seed, torch.device(self.device), _ignore, Derived(None, "").cached)
        with torch.no_grad():
            scores = self.method.score(self.network, samples, run)
        predictions = self.method.decode(scores, samples)
        decided = self.config["selections"][self.selection]["decided"]
        known = {name: math.nan if value is None else value for name, value in decided.items()}
        # What validation data decided beside the weights goes with them: new samples bring no labels to decide from.
        if known:
            predictions = replace(predictions, **known)
        return Predicted(self.config["task"], data, samples, predictions)


def load_model(what: str | Path, places: Places | None = None, selection: str = "", device: str = "cpu") -> Model:
    """The model of a run (an id or its beginning, in the ledger of ``places``) or in a folder.

    ``selection`` chooses among kept weights: validation, last or oracle (empty: the first that is kept).
    Raises :class:`UsageError` where there is none, and :class:`DataError` for one that is damaged.
    """
    folder = find_model(what, places or Places())
    config = folder.config
    spec = validate(RunSpec, config["request"], str(folder.path / CONFIG))
    chosen = selection or next(iter(config["selections"]))
    tensors = folder.tensors(chosen)
    _tell_of_other_code(spec, config)
    method = _method(spec)
    network, data = _network(method, config, tensors, spec)
    network.load_state_dict(tensors)
    return Model(folder, config, chosen, spec, method, network.to(device).eval(), data, device)


def find_model(what: str | Path, places: Places) -> ModelFolder:
    """The folder of the model that a run's id, its beginning, or a path names."""
    path = Path(what)
    if (path / CONFIG).is_file():
        return ModelFolder(path)
    if path.exists() or len(path.parts) > 1:
        raise UsageError(f"{path} is no folder of a kept model; suite export RUN FOLDER writes one.")
    return model_of(Ledger(places.ledger).resolve(str(what)), places)


def _tell_of_other_code(spec: RunSpec, config: dict[str, Any]) -> None:
    """Warn where the code that trains and scores ``spec`` is not that of the training: scores may be others."""
    if method_code(spec) != config["code"]:
        logger.warning(
            "the code of %s has changed since model %s was trained (%s, now %s): what it predicts may differ from what "
            "was recorded",
            spec.method,
            config["run"],
            config["code"][:PRINT],
            method_code(spec)[:PRINT],
        )


def _method(spec: RunSpec) -> Method:
    """The method of the model; the file of initial weights that it started from is not needed any more."""
    kind = find_method(spec.method)
    made = kind(**{name: value for name, value in spec.params.items() if name in kind.hypers})
    if hasattr(made, "initialized"):
        made.initialized = _as_it_is
    elif "weights" in kind.hypers and kind.hypers["weights"].file:  # of a part of the method
        vars(made)["weights"] = ""
    return made


def _as_it_is(network: nn.Module, release: Any) -> nn.Module:
    return network


def _network(
    method: Method, config: dict[str, Any], tensors: dict[str, Tensor], spec: RunSpec
) -> tuple[nn.Module, TaskData[Any]]:
    """A network for the weights, and data of the form that it was built from."""
    for whole in (False, True):  # some networks hold a row for each training sample
        data = stand_in(config["dataset_label"], config["task"], config["form"], spec.protocol, whole=whole)
        network = method.network(data)
        shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
        if shapes == {name: tensor.shape for name, tensor in tensors.items()}:
            return network, data
    raise DataError(f"the code of {spec.method} now builds another network than these weights are of; train it again.")


def _ignore(name: str, value: float) -> None:
    """Analyses of a prediction go nowhere."""
