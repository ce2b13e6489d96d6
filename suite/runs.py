"""From what a user asks to a complete, validated run specification, and to the run's name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from suite.data import find_card, fingerprint
from suite.data.storage.files import dataset_folder, require_with
from suite.data.storage.generated import marked_dials
from suite.environment import OUTPUTS
from suite.errors import DataError, UsageError
from suite.hyper import Value
from suite.identity.code import code_fingerprint
from suite.method import Method
from suite.places import Places
from suite.registry import method, method_for
from suite.spec.base import validate
from suite.spec.card import GENERATED, DatasetCard, parse_dataset_name
from suite.spec.pinned import KEPT, PinnedFile
from suite.spec.run import Precision, RunSpec
from suite.tasks import task

RUN = re.compile(r"[0-9a-f]{4,16}")  # the id of a run, or its beginning
RUN_ID = re.compile(r"[0-9a-f]{16}")


def resolve_run(
    method_name: str,
    dataset: str,
    params: Mapping[str, Any] | None = None,
    *,
    protocol: str = "default",
    seed: int = 0,
    epochs: int | None = None,
    precision: Precision = "float32",
    root: Path | None = None,
    models: Path | None = None,
) -> RunSpec:
    """A run with every parameter and dial resolved; ``dataset`` may carry dials, ``planted-verbs[snr=3]``.

    Files among the parameters are pinned by their content; those that the dataset's card names lie below ``root``, and
    a run's id (or its beginning) or a folder stands for the weights kept of it, below ``models`` (None: those of the
    usual outputs).
    Raises :class:`UsageError` for anything unknown, out of range or that does not go together.
    """
    params = _without_blank(method_name, params or {})
    chosen = method_for(method_name, params)
    name, dials = parse_dataset_name(dataset)
    card = find_card(name)
    if chosen.task not in card.tasks:
        tasks = " or ".join(card.tasks)
        raise UsageError(f"{chosen.name} is a method for {chosen.task}, but {name} is a dataset for {tasks}.")
    card.protocol(protocol)
    asked = {
        "method": chosen.name,
        "dataset": name,
        "params": _with_pinned_files(chosen, chosen.resolve(params), card, root, models),
        "dials": marked_dials(card, card.resolve_dials(dials), dataset_folder(card, root)),
        "protocol": protocol,
        "seed": seed,
        "epochs": epochs,
        "precision": precision,
    }
    return validate(RunSpec, asked, f"the run of {chosen.name} on {name}")


def _without_blank(name: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """``params`` without an empty ``weights`` where the method does not declare it: that asks for a start as usual."""
    blank = params.get("weights") == "" and "weights" not in method(name).hypers
    return {key: value for key, value in params.items() if not (blank and key == "weights")}


def _with_pinned_files(
    chosen: type[Method], params: Mapping[str, Value], card: DatasetCard, root: Path | None, models: Path | None
) -> dict[str, Value]:
    """``params`` with the checksum of every file they name."""
    files = {name for name, value in params.items() if chosen.hypers[name].file and value}
    return {k: str(_file(str(v), card, root, models).pin()) if k in files else v for k, v in params.items()}


def _file(named: str, card: DatasetCard, root: Path | None, models: Path | None) -> PinnedFile:
    """A file by its path, by its name on the card, whose checksum it must then have, or as the weights of a run."""
    entry = card.weights.get(named)
    if entry is None:
        found = _kept(named, models) or PinnedFile.parse(named)
        if not (found.digest or found.path.expanduser().is_file()):
            raise UsageError(
                f"there is no file {named}, nor a run of that name whose weights are kept; name one of both."
            )
        return found
    path = dataset_folder(card, root).absolute() / entry.path
    if not path.is_file():
        raise DataError(f"{card.name}: the weights '{named}' are not at {path}; get them from {entry.url}.")
    if entry.sha256:
        PinnedFile(path, entry.sha256).require()
    return PinnedFile(path)


def _kept(named: str, models: Path | None) -> PinnedFile | None:
    """The kept weights of a run, or those of a model's folder; None where ``named`` is neither."""
    if (Path(named) / KEPT).is_file():
        return PinnedFile(Path(named) / KEPT)
    if not RUN.fullmatch(named) or Path(named).exists():
        return None
    folder = models or Path("outputs" if "://" in OUTPUTS.value else OUTPUTS.value or "outputs") / "models"
    found = [path for path in folder.glob(f"{named}*/{KEPT}") if not path.parent.name.startswith(".")]
    if len(found) > 1:
        raise UsageError(f"'{named}' is the beginning of {len(found)} runs with kept weights; write more of it.")
    if not found and RUN_ID.fullmatch(named):
        raise UsageError(f"no weights of run {named} are kept here; train it again with suite train … --again.")
    return PinnedFile(found[0]) if found else None


def cautions(spec: RunSpec) -> list[str]:
    """What a user should know of a run before it starts, in sentences without a full stop."""
    chosen, card = method(spec.method), find_card(spec.dataset)
    said = chosen.cautions(spec.params)
    if card.kind_of(spec.dials) == GENERATED:
        said.append(
            f"the features of {card.name} are generated (a rehearsal): its numbers are no results on {card.title}"
        )
    if "weights" in chosen.hypers and not spec.params["weights"] and card.kind == "real" and card.layout.channels == 0:
        said.append(
            f"{spec.method} learns from the pixels of {card.name} with random initial weights, published numbers start "
            "from Kinetics; give --set weights=FILE"
        )
    return said


def run_id(spec: RunSpec, places: Places) -> str:
    """The name of the run that ``spec`` asks for, given the data and the code as they are now."""
    return spec.run_id(data_fingerprint(spec, places), method_code(spec))


def require_files(spec: RunSpec, root: Path | None = None) -> None:
    """Raise :class:`DataError` when a file is absent that not all, but these dials and parameters need."""
    card = find_card(spec.dataset)
    require_with(card, dataset_folder(card, root), {**spec.dials, **spec.params})


def data_fingerprint(spec: RunSpec, places: Places) -> str:
    """The fingerprint of the dataset as ``spec`` sees it."""
    served = method(spec.method).task
    return fingerprint(spec.dataset, served, places.root, places.cache, protocol=spec.protocol, dials=spec.dials)


def method_code(spec: RunSpec) -> str:
    """The fingerprint of the code that computes ``spec``."""
    chosen = method_for(spec.method, spec.params)
    return code_fingerprint(chosen, type(task(chosen.task)))


def dataset_label(spec: RunSpec) -> str:
    """The dataset as tables name it: with the dials that differ from their defaults."""
    return find_card(spec.dataset).label(spec.dials)
