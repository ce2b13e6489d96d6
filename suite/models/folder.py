"""Folders of kept models, in the layout that Hugging Face's hub takes: README.md, config.json, model.safetensors.

A run's model lies in ``models/RUN`` below the outputs. ``model.safetensors`` holds the weights of the first of the kept
selections (validation, last, oracle); those of others are ``SELECTION/model.safetensors`` below.
"""

from __future__ import annotations

import json
import logging
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from suite.errors import DataError, SuiteError, UsageError
from suite.models.card import card
from suite.models.kept import NAME, Kept
from suite.places import Places
from suite.results.schema import Outcome, to_table
from suite.sealing import checked, with_check
from suite.spec.pinned import KEPT, PinnedFile
from suite.train.selection import SELECTIONS
from suite.train.storage import checkpoint
from suite.weights.kept import kept_facts

logger = logging.getLogger(__name__)

CONFIG, WEIGHTS, README = "config.json", "model.safetensors", "README.md"
FORMAT = 1


@dataclass(frozen=True)
class ModelFolder:
    """A folder with a kept model."""

    path: Path

    @property
    def config(self) -> dict[str, Any]:
        """What the model is; raises :class:`DataError` where it is damaged, or from a newer suite."""
        try:
            found: dict[str, Any] = json.loads((self.path / CONFIG).read_text(encoding="utf-8"))
            newer = found["format"] > FORMAT
            found = found if newer else checked(found)
            needed = (found["request"]["method"], found["task"], found["form"]["splits"], *found["selections"].values())
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise DataError(f"{self.path / CONFIG} cannot be read; export or train the model again.") from None
        if newer:
            raise DataError(f"{self.path} was written by a newer suite; upgrade the suite.")
        if not all(needed) or not set(found["selections"]) <= set(SELECTIONS):
            raise DataError(f"{self.path / CONFIG} is not that of a model; export or train the model again.")
        return found

    def file(self, selection: str = "") -> Path:
        """The weights of ``selection`` (empty: the first kept); raises :class:`UsageError` where those are not kept."""
        kept = list(self.config["selections"])
        if selection and selection not in kept:
            raise UsageError(f"{self.path.name} keeps {', '.join(kept)}, not {selection}; choose one of these.")
        return self.path / _file(selection or kept[0], kept)

    def tensors(self, selection: str = "") -> dict[str, Tensor]:
        """The weights of ``selection`` by name; raises :class:`DataError` where they are damaged."""
        return checkpoint.load(self.file(selection))[0]

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file())


def _file(selection: str, kept: Sequence[str]) -> str:
    return WEIGHTS if selection == kept[0] else f"{selection}/{WEIGHTS}"


def models_folder(places: Places) -> Path:
    """Where the models of ``places`` lie; where outputs are a URI, on this machine."""
    return places.local / "models"


def kept_models(places: Places) -> dict[str, ModelFolder]:
    """The kept models by run, the oldest first."""
    folder = models_folder(places)
    # A folder whose name begins with a dot is being written.
    whole = [path for path in folder.iterdir() if not path.name.startswith(".")] if folder.is_dir() else []
    found = [path for path in whole if (path / CONFIG).is_file()]
    return {path.name: ModelFolder(path) for path in sorted(found, key=lambda p: ((p / CONFIG).stat().st_mtime, p))}


def model_of(run: str, places: Places) -> ModelFolder:
    """The model of the run with the id ``run``; raises :class:`UsageError` with the way to get it."""
    path = models_folder(places) / run
    if not (path / CONFIG).is_file():
        raise UsageError(f"no weights of run {run} are kept here; train it again with suite train … --again.")
    return ModelFolder(path)


def keep_models(outcomes: Iterable[Outcome], places: Places) -> Iterator[tuple[Outcome, str]]:
    """Write the models that ``outcomes`` carry; yields those whose models could not be written, and why."""
    for outcome in outcomes:
        kept: Kept | None = outcome.extra.get(NAME)
        if kept is None or outcome.run["status"] != "finished":
            continue
        if kept.lost:
            logger.warning(
                "the training of run %s began without keeping weights, those of %s are gone; --again trains it anew",
                outcome.id,
                " and ".join(kept.lost),
            )
        try:
            if kept.weights:
                write(outcome, kept, models_folder(places) / outcome.id)
        except (OSError, SuiteError) as error:
            yield outcome, str(error).rstrip(".")


def adopt(model: ModelFolder, run: str, places: Places) -> None:
    """Copy ``model``, of another place, to where that of ``run`` belongs among those of ``places``.

    It appears whole, in place of one that was there. Raises :class:`DataError` for one that is damaged, and
    :class:`OSError` where nothing can be written.
    """
    selections = list(model.config["selections"])
    for selection in selections:
        model.tensors(selection)
    target = models_folder(places) / run
    partial = target.with_name(f".{run}-{uuid.uuid4().hex[:8]}")
    try:
        for name in (CONFIG, README, *(_file(selection, selections) for selection in selections)):
            if (model.path / name).is_file():
                (partial / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(model.path / name, partial / name)
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write(outcome: Outcome, kept: Kept, folder: Path) -> None:
    """Write the model of a finished run to ``folder``, which appears whole, in place of one that was there."""
    partial = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}")
    names = [name for name in SELECTIONS if name in kept.weights]
    try:
        for name in names:
            checkpoint.save(partial / _file(name, names), kept.weights[name], _facts(outcome.run, kept, name))
        config = _config(outcome.run, kept, names)
        (partial / CONFIG).write_text(
            json.dumps(with_check(config), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        metrics = to_table("metrics", outcome.metrics, outcome.id, "").to_pylist()
        (partial / README).write_text(card(config, metrics), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _facts(run: Mapping[str, Any], kept: Kept, selection: str) -> dict[str, Any]:
    """What the file of weights says of itself: a training that starts from it goes by the classes."""
    about = {name: run[name] for name in ("run", "method", "dataset")}
    return {**kept.places[selection], **about, "classes": kept.form["classes"]}


def _config(run: Mapping[str, Any], kept: Kept, names: Sequence[str]) -> dict[str, Any]:
    selections = {name: {**kept.places[name], "decided": _finite(kept.decided[name])} for name in names}
    # The row's parameters and not those of the request: a search of post-processing gives the same weights others.
    params = {name: _without_place(value) for name, value in json.loads(run["params"]).items()}
    asked = {**kept.spec.model_dump(mode="json"), "params": params}
    row = {name: run[name] for name in ("run", "title", "task", "code", "fingerprint", "commit")}
    versions = json.loads(run["versions"] or "{}")
    about = {"dataset_label": run["dataset"], "versions": versions, "weights": kept.numbers, "carried": run["carried"]}
    about["started_from"] = origin_of(kept.spec.params.get("weights"))
    return {"format": FORMAT, **row, "request": asked, **about, "selections": selections, "form": kept.form}


def origin_of(weights: Any) -> dict[str, str]:
    """What a run with the parameter ``weights`` started from: the file, and of a kept model ``run``, ``method``,
    ``dataset``; nothing for a start as usual."""
    if not isinstance(weights, str) or not weights:
        return {}
    file = PinnedFile.parse(weights)
    facts = (kept_facts(file.path) if file.path.is_file() else None) or {}
    return {"file": file.label, **{name: facts[name] for name in ("run", "method", "dataset") if name in facts}}


def _without_place(value: Any) -> Any:
    """A pinned file by its name and checksum: where it lay on this machine concerns nobody else."""
    if not isinstance(value, str) or "@sha256:" not in value:
        return value
    file = PinnedFile.parse(value)
    name = Path(file.path.parent.name) / KEPT if file.path.name == KEPT else Path(file.path.name)
    return str(PinnedFile(name, file.digest))


def _finite(values: Mapping[str, float]) -> dict[str, float | None]:
    """JSON has no NaN."""
    return {name: value if value == value else None for name, value in values.items()}
