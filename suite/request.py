"""From what a user asks to a complete, validated run specification, and to the run's name."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suite.code import code_fingerprint
from suite.data import find_card, fingerprint
from suite.errors import UsageError
from suite.registry import method
from suite.spec.card import parse_dataset_name
from suite.spec.run import Precision, RunSpec
from suite.tasks import MODULES


@dataclass(frozen=True)
class Places:
    """Where things are: ``outputs`` (ledger, checkpoints, cache, reports; or a URI) and ``data`` (None: default)."""

    outputs: str = "outputs"
    data: str | None = None

    @property
    def root(self) -> Path | None:
        """The folder of the real data, if one was given."""
        return Path(self.data) if self.data else None

    @property
    def local(self) -> Path:
        """The folder for checkpoints and caches: ``outputs`` itself, or a local one where that is remote."""
        return Path("outputs" if "://" in self.outputs else self.outputs)

    @property
    def ledger(self) -> str:
        """The ledger's folder."""
        return f"{self.outputs.rstrip('/')}/ledger"

    @property
    def cache(self) -> Path:
        """Packed features of datasets."""
        return self.local / "cache" / "data"

    @property
    def derived(self) -> Path:
        """Arrays computed from datasets."""
        return self.local / "cache" / "derived"

    def absolute(self) -> Places:
        """The same places for processes that work in other folders."""
        outputs = self.outputs if "://" in self.outputs else str(Path(self.outputs).resolve())
        return Places(outputs, str(Path(self.data).resolve()) if self.data else None)

    def require_writable(self) -> None:
        """Raise :class:`UsageError` now if nothing can be written to ``outputs``, not after hours of training."""
        try:
            self.local.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.local):
                pass
        except OSError as error:
            reason = error.strerror or str(error)
            raise UsageError(f"cannot write to {self.local} ({reason}); choose another folder with --out.") from None

    def checkpoint(self, run: str) -> Path:
        """The checkpoint of a run under way."""
        return self.local / "checkpoints" / f"{run}.safetensors"


def request(
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
        raise UsageError(f"{method_name} is a method for {chosen.task}, but {name} is a dataset for {tasks}.")
    card.protocol(protocol)
    return RunSpec(
        method=method_name,
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
