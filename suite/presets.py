"""What a run's settings are called: the preset it starts from, what was changed against it, what its authors report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from suite.method import Method, Selection
from suite.spec.pinned import PinnedFile

NOTES: dict[Selection, str] = {
    "last": "the authors report the last epoch: see column last",
    "oracle": "the authors report the epoch best on test data: see column oracle",
}


def preset_of(method: type[Method], params: Mapping[str, Any]) -> str:
    """The preset of a run with ``params``; empty for a method without presets."""
    return str(params.get("preset", method.default_preset()))


def changes(method: type[Method], params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a run that differ from its preset, or from the declared defaults.

    They come in the order of their declaration. ``params`` may come from a ledger: parameters that are declared no
    longer, and all parameters where the preset is declared no longer, count as changed.
    """
    preset = preset_of(method, params)
    known = not preset or preset in method.presets
    reference = method.resolve({"preset": preset} if preset and known else {}) if known else {}
    differs = [k for k in params if k != "preset" and (k not in reference or reference[k] != params[k])]
    place = {name: number for number, name in enumerate(method.hypers)}
    return {k: params[k] for k in sorted(differs, key=lambda name: place.get(name, len(place)))}


def in_words(method: type[Method], params: Mapping[str, Any], epochs: int | None = None) -> str:
    """A run's settings in a line: ``action-selection (ASL), preset recommended, q=0.5``."""
    preset = preset_of(method, params)
    changed = [f"{name}={value_text(value)}" for name, value in changes(method, params).items()]
    start = f"{method.name} ({method.title})"
    parts = [start, f"preset {preset}" if preset else "declared defaults", *changed]
    return ", ".join([*parts, f"--epochs {epochs}"] if epochs else parts)


def reported_selection(method: type[Method], params: Mapping[str, Any]) -> Selection:
    """The selection of epochs to which the authors' numbers belong, for runs of the published preset."""
    return method.published_selection if preset_of(method, params) == "published" else "validation"


def selection_note(method: type[Method], params: Mapping[str, Any]) -> str:
    """A sentence where the authors report another epoch than validation data chooses; else empty."""
    return NOTES.get(reported_selection(method, params), "")


def value_text(value: Any) -> str:
    """A parameter's value as people write it: ``0.7``, ``true``, ``fused``; a file by its name and checksum."""
    if isinstance(value, str):
        return PinnedFile.parse(value).label if "@sha256:" in value else value
    return f"{value:g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)
