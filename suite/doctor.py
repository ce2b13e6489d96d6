"""What the suite finds on this machine: libraries, hardware, data, outputs, Ray; and what stands in the way."""

from __future__ import annotations

import importlib.util
import shutil
import uuid
from pathlib import Path
from typing import Any

from suite.environment import DATA
from suite.errors import SuiteError, UsageError
from suite.places import Places
from suite.results.provenance import hardware, versions
from suite.work.cluster import connected

LOW_MEMORY_GIB = 2.0
LOW_DISK_GIB = 1.0
Facts = dict[str, Any]


def examine(places: Places, address: str | None = None) -> Facts:
    """Facts by topic (``versions``, ``machine``, ``outputs``, ``data``, ``ray``) and ``problems``, a list of sentences.

    Nothing is started; a Ray cluster is only asked when ``address`` names one.
    """
    facts = {
        "versions": versions(),
        "machine": machine(),
        "outputs": outputs(places),
        "data": data(places),
        "ray": ray_cluster(address),
    }
    return facts | {"problems": problems(facts)}


def machine() -> Facts:
    """Processor, cores and memory that this process may use, what decodes video, and each GPU with its memory."""
    import psutil
    import torch

    from suite.data.hardware import present

    limit = _container_limit("memory.max")
    memory = psutil.virtual_memory()
    return {key: value for key, value in hardware().items() if key != "accelerators"} | {
        "physical_cores": psutil.cpu_count(logical=False),
        "core_limit": _core_limit(),
        "memory_available_gib": _gib(memory.available),
        "memory_limit_gib": _gib(limit) if limit is not None and limit < memory.total else None,
        "video_decoders": list(present()),
        "gpus": [_gpu(index) for index in range(torch.cuda.device_count())],
    }


def _gpu(index: int) -> Facts:
    import torch

    properties = torch.cuda.get_device_properties(index)
    free, total = torch.cuda.mem_get_info(index)
    driver = torch._C._cuda_getDriverVersion()  # type: ignore[attr-defined]  # no public name exists
    with torch.cuda.device(index):
        bfloat16 = torch.cuda.is_bf16_supported()
    return {
        "name": properties.name,
        "memory_gib": _gib(total),
        "free_gib": _gib(free),
        "bfloat16": bfloat16,
        "capability": f"{properties.major}.{properties.minor}",
        "driver": _version(driver),
        "cuda": torch.version.cuda,
    }


def _version(number: int) -> str:
    """CUDA's version from the number in which a driver tells it (12040: 12.4)."""
    return f"{number // 1000}.{number % 1000 // 10}"


def _container_limit(name: str) -> int | None:
    """A limit set on this container (control groups, version 2), if any."""
    try:
        words = Path("/sys/fs/cgroup", name).read_text(encoding="utf-8").split()
        return int(words[0])
    except (OSError, ValueError, IndexError):
        return None


def _core_limit() -> float | None:
    """Cores' worth of time that a container may spend, if limited."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="utf-8").split()
        return round(int(quota) / int(period), 2)
    except (OSError, ValueError):
        return None


def _gib(size: float) -> float:
    return round(size / 2**30, 1)


def outputs(places: Places) -> Facts:
    """Where things are written, whether they can be, the room there, and how many runs the ledger holds."""
    from suite.results.ledger import Ledger

    there = next((folder for folder in (places.local, *places.local.absolute().parents) if folder.exists()), Path("/"))
    found = {"folder": places.outputs, "writable": _writable(there), "free_gib": _gib(shutil.disk_usage(there).free)}
    try:
        return found | {"runs": len(Ledger.of(places.outputs).finished()), "ledger_error": None}
    except (SuiteError, OSError) as error:
        return found | {"runs": None, "ledger_error": str(error)}


def _writable(folder: Path) -> bool:
    """Whether a file can really be made there (permissions alone are no proof on every file system)."""
    probe = folder / f".suite-{uuid.uuid4().hex}"
    try:
        probe.touch()
        probe.unlink()
    except OSError:
        return False
    return True


def data(places: Places) -> list[Facts]:
    """Every dataset card, and whether its files are there."""
    from suite.data import all_cards
    from suite.data.storage.files import dataset_folder, missing
    from suite.data.storage.generated import find_mark
    from suite.spec.card import GENERATED

    found = []
    for card in all_cards():
        place = dataset_folder(card, places.root)
        absent = [file.path for file in missing(card, place)]
        folder, kind = str(place) if card.kind == "real" else "", GENERATED if find_mark(card, place) else card.kind
        found.append({"name": card.name, "kind": kind, "ready": not absent, "folder": folder, "missing": absent})
    return found


def ray_cluster(address: str | None) -> Facts:
    """Whether Ray is installed and, when ``address`` names a cluster, what that cluster offers."""
    if importlib.util.find_spec("ray") is None:
        return {"installed": False, "address": address, "answers": None, "resources": {}}
    found: Facts = {"installed": True, "address": address, "answers": None, "resources": {}}
    return found | (_ask(address) if address else {})


def _ask(address: str) -> Facts:
    try:
        with connected(address):
            import ray

            resources = {name: amount for name, amount in ray.cluster_resources().items() if ":" not in name}
            return {"answers": True, "nodes": sum(node["Alive"] for node in ray.nodes()), "resources": resources}
    except UsageError as error:
        return {"answers": False, "error": str(error)}


def problems(facts: Facts) -> list[str]:
    """What would make work fail, each with its remedy."""
    found = []
    place, memory = facts["outputs"], facts["machine"]["memory_available_gib"]
    if not place["writable"]:
        found.append(f"{place['folder']} cannot be written; choose another folder with --out or SUITE_OUTPUTS.")
    if place["free_gib"] < LOW_DISK_GIB:
        found.append(f"only {place['free_gib']} GiB are free for {place['folder']}; make room or choose another --out.")
    if place["ledger_error"]:
        found.append(f"the ledger of {place['folder']} cannot be read: {place['ledger_error']}")
    if memory < LOW_MEMORY_GIB:
        found.append(f"only {memory} GiB of memory are free; close other programs or train fewer runs at once.")
    if not facts["ray"]["installed"]:
        found.append("Ray is not installed, so nothing runs in parallel; install the suite with its dependencies.")
    if facts["ray"]["answers"] is False:
        found.append(f"no Ray cluster answers at '{facts['ray']['address']}'; start one or leave --address out.")
    data_folder = DATA.value
    if data_folder and not Path(data_folder).is_dir():
        found.append(f"SUITE_DATA names {data_folder}, which is not a folder; correct it.")
    return found
