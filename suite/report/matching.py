"""Which runs of ours a printed cell belongs to: by resolved parameters, dataset with its dials, and protocol.

A method's name does not decide it: ablations share a name, and a setting that the paper did not use measures something
else. What tells a run from the printed one is said in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from suite.data import find_card
from suite.hyper import Value
from suite.presets import reported_selection, value_text
from suite.registry import method
from suite.report.published import Published
from suite.spec.base import canonical_json
from suite.spec.card import FEATURES, DatasetCard, parse_dataset_name
from suite.spec.pinned import PinnedFile
from suite.spec.run import RunSpec

FEW = 4  # settings that a sentence can hold
Key = tuple[str, ...]


@dataclass(frozen=True)
class Wanted:
    """The run that a printed cell asks for, on one of its datasets; ``selection``: the epoch its authors report."""

    method: str
    params: Mapping[str, Value]
    dataset: str
    dials: Mapping[str, Value]
    protocol: str
    selection: str


def wanted(cell: Published) -> tuple[Wanted, ...]:
    """The runs of ``cell``, one per dataset; none where only the print is known.

    Raises :class:`UsageError` where it names a method, parameter, dataset, dial or protocol that does not exist.
    """
    if cell.why_not:
        return ()
    return tuple(_wanted(cell.method, cell.params, dataset, cell.protocol) for dataset in cell.datasets)


def _wanted(name: str, params: str, dataset: str, protocol: str) -> Wanted:
    chosen = method(name)
    plain, dials = parse_dataset_name(dataset)
    card = find_card(plain)
    card.protocol(protocol)
    given = dict(part.split("=", 1) for part in params.split())
    resolved = chosen.resolve(given)
    return Wanted(
        chosen.name, resolved, plain, card.resolve_dials(dials), protocol, reported_selection(chosen, resolved)
    )


def key_of(spec: RunSpec | Wanted) -> Key:
    """What equal runs have in common, whatever their seeds and the name of their preset."""
    card, chosen = find_card(spec.dataset), method(spec.method)
    params = {
        name: _file(value, card) if name not in chosen.hypers or chosen.hypers[name].file else value
        for name, value in spec.params.items()
        # Any run may start from weights; one that does is not the printed one.
        if name != "preset" and (name in chosen.hypers or name == "weights")
    }
    # A rehearsal asks for the same run on generated features: what tells it from the printed one is said elsewhere.
    dials = {name: value for name, value in card.resolve_dials(spec.dials).items() if name != FEATURES}
    return (chosen.name, canonical_json(params), spec.dataset, canonical_json(dials), spec.protocol)


def _file(value: Value, card: DatasetCard) -> str:
    """A file by the name that the card gives it, however it was asked for; else its own name."""
    text = str(value)
    if not text or text in card.weights:
        return text
    found = PinnedFile.parse(text)
    for name, entry in card.weights.items():
        same = (
            entry.sha256 == found.digest if entry.sha256 and found.digest else Path(entry.path).name == found.path.name
        )
        if same:
            return name
    return found.path.name


@dataclass(frozen=True)
class Cells:
    """Printed cells with the runs that they ask for, resolved once."""

    cells: Sequence[Published]

    @cached_property
    def pairs(self) -> list[tuple[Published, Wanted]]:
        """Every cell that can be run, with each of its runs."""
        known: dict[Key, tuple[Wanted, ...]] = {}
        found = []
        for cell in self.cells:
            asked = (cell.method, cell.params, cell.dataset, cell.protocol, cell.why_not)
            if asked not in known:  # cells of one table repeat their runs for every column
                known[asked] = wanted(cell)
            found += [(cell, one) for one in known[asked]]
        return found

    def beside(self, spec: RunSpec) -> list[Published]:
        """The cells beside which a run of ``spec`` may stand: of its method and dataset, and not about something else.

        Parameters and dials in which printed cells of a method differ from each other are what these cells are about
        (an ablation, a share of labels): a run must agree in all of them.
        """
        own = [(cell, one) for cell, one in self.pairs if (one.method, one.dataset) == (spec.method, spec.dataset)]
        params, dials = _varied(one.params for _, one in own), _varied(one.dials for _, one in own)
        found = [
            cell
            for cell, one in own
            if _agree(one.params, spec.params, params) and _agree(one.dials, spec.dials, dials)
        ]
        return list({id(cell): cell for cell in found}.values())


def _varied(several: Iterable[Mapping[str, Value]]) -> set[str]:
    """The names whose values differ, the preset's own name apart."""
    values: dict[str, set[Value]] = {}
    for one in several:
        for name, value in one.items():
            values.setdefault(name, set()).add(value)
    return {name for name, held in values.items() if len(held) > 1 and name != "preset"}


def _agree(one: Mapping[str, Value], other: Mapping[str, Any], names: set[str]) -> bool:
    return all(one.get(name) == other.get(name) for name in names)


def differences(cell: Published, spec: RunSpec) -> list[str]:
    """What tells a run of ``spec`` from the printed one, in words; empty where they are the same setting.

    ``cell`` must be of the same method and dataset. Of a cell that is a mean over datasets, any of them counts.
    """
    ours = key_of(spec)
    own = [one for one in wanted(cell) if one.dataset == spec.dataset]
    found = min((_unlike(one, spec) for one in own if key_of(one) != ours), key=len, default=[])
    if any(key_of(one) == ours for one in own):
        found = []
    if len(cell.datasets) > 1:
        found.append(f"one of the {len(cell.datasets)} parts over which the print is a mean")
    if spec.epochs is not None:
        found.append(f"{spec.epochs} epochs instead of the method's own number")
    return found + [part for part in (cell.differs,) if part]


def _unlike(one: Wanted, spec: RunSpec) -> list[str]:
    card = find_card(spec.dataset)
    ours = card.resolve_dials(spec.dials)
    dials = [
        f"{card.say(name, ours[name])}, in print {card.say(name, value)}"
        for name, value in one.dials.items()
        if ours[name] != value
    ]
    protocol = [] if one.protocol == spec.protocol else [f"protocol {spec.protocol}, in print {one.protocol}"]
    return dials + protocol + _settings(one, spec, card)


def _settings(one: Wanted, spec: RunSpec, card: DatasetCard) -> list[str]:
    hypers = method(spec.method).hypers
    changed = []
    for name, value in one.params.items():
        theirs, ours = value, spec.params.get(name, "")
        if name in hypers and hypers[name].file:
            theirs, ours = _file(theirs, card), _file(ours, card)
        if name != "preset" and theirs != ours:
            changed.append(f"{name}={value_text(ours) or 'none'}, in print {value_text(theirs) or 'none'}")
    more = [f"{len(changed) - FEW} more settings"] if len(changed) > FEW else []
    return changed[:FEW] + more


def command(cell: Published, seed: int = 0, number: int = 0) -> str:
    """The command that makes one run of the cell, on the dataset of that ``number`` where it is a mean over several."""
    sets = "".join(
        f" --preset {value}" if name == "preset" else f" --set {name}={value}" for name, value in cell.settings.items()
    )
    protocol = f" --protocol {cell.protocol}" if cell.protocol != "default" else ""
    return f"suite train {cell.method} '{cell.datasets[number]}'{sets}{protocol} --seed {seed}"
