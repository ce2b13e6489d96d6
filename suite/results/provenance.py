"""Where a number comes from: library versions, the machine, the commit."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import suite

# The libraries that compute or store numbers, by distribution name.
LIBRARIES = ("torch", "numpy", "numba", "scipy", "faiss-cpu", "ray", "optuna", "polars", "pyarrow", "deltalake")


@cache
def versions() -> dict[str, str]:
    """The versions of Python, the suite and the libraries that compute."""
    found = {"python": platform.python_version(), "weak-action-suite": suite.__version__}
    for library in LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return found


@cache
def hardware() -> dict[str, Any]:
    """The machine: system, processor, cores this process may use, memory in GiB, accelerators by name."""
    import psutil

    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "accelerators": _accelerators(),
    }


@cache
def commit(folder: Path | None = None) -> str:
    """The git commit of the sources, with ``-dirty`` when tracked files differ from it; empty outside a repository."""
    root = folder or Path(suite.__file__).resolve().parents[1]
    name = _git(root, "rev-parse", "HEAD")
    if not name or _git(root, "rev-parse", "--show-toplevel") != str(root):
        return ""  # installed somewhere inside a repository that is not ours
    return f"{name}-dirty" if _git(root, "status", "--porcelain", "--untracked-files=no") else name


def provenance() -> dict[str, Any]:
    """The columns ``hardware``, ``versions`` and ``commit`` of a row of ``runs``."""
    return {"hardware": json.dumps(hardware()), "versions": json.dumps(versions()), "commit": commit()}


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _accelerators() -> list[str]:
    import torch

    return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
