"""Which runs can be packed, and running those that can."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from suite.data.samples import TaskData
from suite.method import Method, Phase
from suite.places import Places
from suite.registry import method as find_method
from suite.results.schema import Outcome
from suite.spec.base import canonical_json
from suite.spec.run import RunSpec
from suite.train.budget import budgeted
from suite.train.prepared import Prepared
from suite.work.preparation import Machine, prepare, threads
from suite.work.record import outcome_of, run_row

# Stacking pays where launches cost more than arithmetic; beyond this many weights a CPU is faster one by one.
SMALL_ON_CPU = 100_000

_REFUSED: set[str] = set()  # methods that turned out not to bear packing in this process


def can_pack(method: type[Method], names: Iterable[str]) -> bool:
    """Whether configurations that differ in the parameters ``names`` may train as one stack, by what is declared."""
    declared = all(name in method.hypers and method.hypers[name].packed for name in names)
    return declared and method.after_step is Method.after_step and method.name not in _REFUSED


def pays(method: Method, data: TaskData[Any], gpu: bool) -> bool:
    """Whether runs of ``method`` on ``data`` train faster as one stack than one by one."""
    if not method.phases(data):
        return False
    return gpu or sum(parameter.numel() for parameter in method.network(data).parameters()) <= SMALL_ON_CPU


def run_packed(
    specs: Sequence[RunSpec], places: Places, machine: Machine, group: str, going: Callable[[], bool]
) -> list[Outcome | None]:
    """The outcomes of those runs that could be trained together, each as if it had been trained alone.

    None stands for a run that has to be trained by itself, or that was stopped because ``going()`` said so.
    """
    found: dict[int, Outcome] = {}
    for members in groups(specs) if not machine.workers else []:
        found |= dict(zip(members, _run(places, machine, group, going, [specs[i] for i in members])))
    return [found.get(index) for index in range(len(specs))]


def groups(specs: Sequence[RunSpec]) -> list[list[int]]:
    """Runs that differ in nothing but packed parameters, by index; those without company are left out."""
    alike: dict[str, list[int]] = {}
    for index, spec in enumerate(specs):
        method = find_method(spec.method)
        packed = [name for name, declared in method.hypers.items() if declared.packed]
        if packed and can_pack(method, packed) and spec.precision == "float32":
            same = {name: value for name, value in spec.params.items() if name not in packed}
            alike.setdefault(canonical_json(spec.model_dump() | {"params": same}), []).append(index)
    return [members for members in alike.values() if len(members) > 1]


def _run(
    places: Places, machine: Machine, group: str, going: Callable[[], bool], specs: Sequence[RunSpec]
) -> list[Outcome]:
    """The outcomes of a group in order, or nothing where the method does not bear packing after all."""
    from suite.train.packed.pack import Pack

    clock = time.monotonic()
    rows = [run_row(spec, places, machine, group) for spec in specs]
    try:
        with threads(machine.threads):
            prepared = [prepare(spec, places) for spec in specs]
            phases = [_phases(one) for one in prepared]
            if not _agree(phases):
                return []
            members = Pack(prepared, phases, places.derived, machine.device, going).train()
    except Exception:  # whatever it was, training alone will tell, in the words of the method itself
        _REFUSED.add(specs[0].method)
        return []
    if not members:
        return []
    seconds = (time.monotonic() - clock) / len(specs)
    return [_end({**row, "seconds": seconds}, one, member) for row, one, member in zip(rows, prepared, members)]


def _end(row: dict[str, Any], prepared: Prepared, member: Any) -> Outcome:
    if member.error:
        return Outcome(run=row).failed(member.error)
    return outcome_of(row, prepared, member.trained())


def _phases(prepared: Prepared) -> list[Phase]:
    return budgeted(prepared.method.phases(prepared.data), prepared.spec.epochs)


def _agree(phases: Sequence[Sequence[Phase]]) -> bool:
    """Whether the schedules differ in learning rate and weight decay alone, and have nothing a stack cannot do."""
    plain = [[replace(p, optimizer=replace(p.optimizer, lr=0.0, weight_decay=0.0)) for p in one] for one in phases]
    simple = all(
        phase.average is None and phase.start == "continue" and (phase.stopping is None or len(plain[0]) == 1)
        for phase in plain[0]
    )
    return bool(plain[0]) and simple and all(one == plain[0] for one in plain)
