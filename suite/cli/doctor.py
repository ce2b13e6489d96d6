"""``suite doctor``: is this machine ready, and for what?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from suite.cli.console import AddressOption, DataOption, JsonOption, OutOption, emit, emit_json, say


def register(app: typer.Typer) -> None:
    """Add ``suite doctor``."""
    app.command()(doctor)


def doctor(
    out: OutOption = "outputs", data: DataOption = None, address: AddressOption = None, json: JsonOption = False
) -> None:
    """Show versions, cores, memory, GPUs, data and Ray, and say what stands in the way; exit code 1 if something does.

    Nothing is started: a Ray cluster is asked only when --address names one.
    """
    from suite.doctor import examine
    from suite.places import Places

    facts = examine(Places(out, data), address)
    if json:
        emit_json(facts)
    else:
        emit([{"what": what, "found": found} for what, found in _lines(facts)], ["what", "found"], False)
        say("\n".join(facts["problems"]) or "Ready.")
    if facts["problems"]:
        raise SystemExit(1)


def _lines(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    machine, outputs, ray = facts["machine"], facts["outputs"], facts["ray"]
    yield "versions", ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    yield "machine", f"{machine['system']}, {machine['processor']}"
    limit = f", limited to {machine['core_limit']:g}" if machine["core_limit"] else ""
    yield "cores", f"{machine['cores']} ({machine['physical_cores']} physical{limit})"
    limit = f", limited to {machine['memory_limit_gib']} GiB" if machine["memory_limit_gib"] else ""
    yield "memory", f"{machine['memory_available_gib']} of {machine['memory_gib']} GiB free{limit}"
    yield "GPUs", ", ".join(map(_gpu, machine["gpus"])) or "none: torch sees no CUDA device"
    yield "used for training", _used(machine["gpus"])
    yield "video decoding", _decoding(machine["video_decoders"])
    runs = "no readable ledger" if outputs["runs"] is None else f"{outputs['runs']} finished runs"
    yield "outputs", f"{outputs['folder']}: {runs}, {outputs['free_gib']} GiB free"
    for ready, what in ((True, "data ready"), (False, "data not here")):
        yield what, ", ".join(row["name"] for row in facts["data"] if row["ready"] is ready) or "none"
    yield "Ray", _ray(ray)


def _gpu(gpu: dict[str, Any]) -> str:
    free = f"{gpu['free_gib']} of {gpu['memory_gib']} GiB free"
    versions = f"driver for CUDA {gpu['driver']}, torch for CUDA {gpu['cuda']}"
    return f"{gpu['name']} ({free}; capability {gpu['capability']}, {versions})"


def _used(gpus: list[dict[str, Any]]) -> str:
    """What a command computes on, by what it is asked for."""
    if not gpus:
        return "the processor"
    half = "bfloat16 or float16" if all(gpu["bfloat16"] for gpu in gpus) else "float16 (bfloat16 is emulated here)"
    return f"the processor; the first GPU with --gpu, in float32 or with --precision {half}"


def _decoding(kinds: list[str]) -> str:
    """What decodes the clips of a run."""
    return f"the processor; with --set decoding=hardware {kinds[0]}" if kinds else "the processor"


def _ray(ray: dict[str, Any]) -> str:
    if not ray["installed"]:
        return "not installed"
    if not ray["address"]:
        return "installed; a local cluster is started when it is needed"
    if not ray["answers"]:
        return f"nothing answers at {ray['address']}"
    offered = ", ".join(f"{amount:g} {name}" for name, amount in sorted(ray["resources"].items()))
    return f"{ray['nodes']} nodes at {ray['address']}: {offered}"
