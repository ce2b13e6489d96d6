"""Which sweep is meant: one by name, one in a file, or one said on the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from suite.declarations import shipped
from suite.environment import PLUGINS
from suite.errors import DataError, UsageError, did_you_mean
from suite.places import Places
from suite.registry import canonical_name, names
from suite.sealing import checked, with_check
from suite.spec.base import load_toml, validate
from suite.spec.sweep import SweepSpec, parse_over
from suite.writing import write_whole

METHOD_FILES = "methods.json"  # of a sweep's own methods, beside its specification


def find_sweep(name: str) -> SweepSpec:
    """The sweep called ``name`` (shipped), or read from a path to a TOML file, which may have any name."""
    if name.endswith(".toml") or "/" in name:
        return load_toml(Path(name), SweepSpec)
    paths = {path.stem: path for path in shipped("sweeps").glob("*.toml")}
    if name not in paths:
        raise UsageError(f"there is no sweep '{name}'{did_you_mean(name, paths)}")
    return load_toml(paths[name], SweepSpec)


def known_sweep(name: str, places: Places) -> SweepSpec:
    """The sweep called ``name`` as it was last run into ``places``, or else as :func:`find_sweep` finds it.

    Raises :class:`UsageError` where its methods came from files that are not given now: they are named, not executed,
    because a folder of results may be somebody else's.
    """
    file = _stored(name, places)
    if "/" in name or not file.is_file():
        return find_sweep(name)
    spec, beside = _read(file), file.with_name(METHOD_FILES)
    lacking = [method for method in spec.methods if canonical_name(method) not in names()]
    files = json.loads(beside.read_text(encoding="utf-8")) if lacking and beside.is_file() else []
    if files:
        options = " ".join(f"--methods {path}" for path in files)
        raise UsageError(f"sweep {name} was run with a method of your own, {lacking[0]}; add {options}")
    return spec


def store(spec: SweepSpec, places: Places) -> None:
    """Keep ``spec`` beside the ledger, so that its name alone finds it again, and which files its methods came from."""
    file = _stored(spec.name, places)
    held = with_check(spec.model_dump(mode="json", exclude_defaults=True))
    write_whole(file, json.dumps(held, indent=2, ensure_ascii=False) + "\n")
    write_whole(file.with_name(METHOD_FILES), json.dumps(PLUGINS.paths()))


def _read(file: Path) -> SweepSpec:
    try:
        return SweepSpec.model_validate(checked(json.loads(file.read_text(encoding="utf-8"))))
    except (OSError, ValueError) as error:
        said = " ".join(str(error).split())
        remedy = "`suite results repair` sets it aside, and running the sweep writes it again."
        raise DataError(f"the sweep in {file} cannot be read ({said[:200]}); {remedy}") from None


def _stored(name: str, places: Places) -> Path:
    return places.local / "sweeps" / name / "sweep.json"


def asked(what: str, dataset: str | None, over: str, changes: Mapping[str, Any]) -> SweepSpec:
    """The sweep ``what`` (a name or file), changed as asked; with a ``dataset``, one of the method ``what``."""
    if dataset is not None:
        return ad_hoc(what, dataset, over, changes)
    return changed(find_sweep(what), over, changes) if over or changes else find_sweep(what)


def ad_hoc(method: str, dataset: str, over: str, changes: Mapping[str, Any]) -> SweepSpec:
    """A sweep without a file: ``method`` on ``dataset`` over the axes of ``over``.

    Its name is the method's and the dataset's, so that the same words find the same sweep again.
    """
    if not over:
        raise UsageError(f"what to vary of {method} is missing; add --over NAME or --over NAME=LOW..HIGH.")
    method = canonical_name(method)
    label = "".join(c if c.isalnum() or c in "._-" else "-" for c in f"{method}-{dataset}".lower()).strip("-._")
    base: dict[str, Any] = {"name": label, "methods": [method], "datasets": [dataset]}
    axes = {name: axis.model_dump(exclude_defaults=True) for name, axis in parse_over(over).items()}
    return validate(SweepSpec, {**base, "space": axes, **changes}, f"the sweep of {method} on {dataset}")


def changed(spec: SweepSpec, over: str, changes: Mapping[str, Any]) -> SweepSpec:
    """``spec`` with what the command line changes; ``over`` leaves only the named axes, others keep their defaults."""
    values = spec.model_dump(exclude_defaults=True) | {"name": spec.name}
    if over:
        wanted = {name: axis.model_dump(exclude_defaults=True) for name, axis in parse_over(over).items()}
        values["space"] = {name: axis or values.get("space", {}).get(name, {}) for name, axis in wanted.items()}
    for name, change in changes.items():
        both = isinstance(change, Mapping) and isinstance(values.get(name), Mapping)
        values[name] = {**values[name], **change} if both else change
    return validate(SweepSpec, values, f"sweep {spec.name}")
