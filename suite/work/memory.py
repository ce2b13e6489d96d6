"""The memory of a run: the most that was held meanwhile where it trains, and what is kept for its next step."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from functools import cache
from pathlib import Path

import polars as pl
import torch

from suite.errors import UsageError
from suite.places import Places
from suite.results.ledger import Ledger
from suite.runs import dataset_label
from suite.spec.run import RunSpec

PROCESS = Path("/proc/self")
RESET = "5"  # what proc(5) asks to be written to clear_refs for VmHWM to begin anew
KIB = 2**20  # in a GiB
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # mallopt(3)
TRIMMED = 2**28  # bytes free at the end of the heap from which on they go back to the system
MAPPED = 2**30  # bytes of an array from which on it is asked of the system
MUCH = 2**30  # bytes that a process holds when its next run begins, libraries included, from which on it gives back
OWN = ("GLIBC_TUNABLES", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")  # somebody else's settings


@cache
def reuse_freed() -> bool:
    """Keep what a step frees for the next one; False where the C library has no say in it (only glibc has).

    Arrays of 32 MiB and more would otherwise be asked of the system each time and cleared by it: a quarter of the time
    that learning from clips takes. Arrays beyond ``MAPPED`` still are, as those of large datasets.
    """
    if any(name in os.environ for name in OWN):
        return False
    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        return bool(mallopt(M_MMAP_THRESHOLD, MAPPED) and mallopt(M_TRIM_THRESHOLD, TRIMMED))
    return False


def give_back() -> None:
    """Return to the system what earlier runs of this process freed, where it holds much (only glibc can).

    Otherwise the next run's peak would be counted on top of it, and a machine that has room for one run at a time be
    short of it.
    """
    with suppress(OSError, AttributeError, IndexError, ValueError):
        pages = int((PROCESS / "statm").read_text(encoding="ascii").split()[1])
        if pages * os.sysconf("SC_PAGE_SIZE") > MUCH:
            ctypes.CDLL(None).malloc_trim(0)


def confine(device: str, share: float) -> None:
    """Let this process use at most ``share`` of the memory of its GPU; what it asks for beyond fails there alone."""
    if device.startswith("cuda"):
        torch.cuda.set_per_process_memory_fraction(share)


def require_share(spec: RunSpec, device: str, share: float, places: Places) -> None:
    """Raise :class:`UsageError` where runs of this method on this dataset took more than ``share`` of a GPU before."""
    if not device.startswith("cuda") or share >= 1:
        return
    like = (pl.col("method") == spec.method) & (pl.col("dataset") == dataset_label(spec))
    there = pl.col("hardware").str.json_path_match("$.device") == device
    taken = Ledger(places.ledger).runs().filter(like & there)["memory"].max()
    total = torch.cuda.mem_get_info()[1] / 2**30
    if isinstance(taken, float) and taken > share * total:
        raise UsageError(
            f"{spec.method} on {spec.dataset} took {taken:.1f} GiB before, and {share:g} of this GPU are "
            f"{share * total:.1f} GiB; give each run at least {min(1.0, 1.1 * taken / total):.2f} of it."
        )


class Watched:
    """Watches from its making on: the whole process on a CPU (libraries included), what tensors hold on an accelerator.

    A process that trained other runs before may still hold some memory of theirs. On systems that do not say how much
    a process held, and for runs on workers of their own, nothing is known.
    """

    def __init__(self, device: str, workers: int = 0) -> None:
        self.device, self.known = device, not workers
        if device.startswith("cuda"):
            torch.cuda.reset_peak_memory_stats()
            return
        try:
            (PROCESS / "clear_refs").write_text(RESET, encoding="ascii")
        except OSError:
            self.known = False

    def gib(self) -> float | None:
        """The most held so far, in GiB; None where it is not known."""
        if not self.known:
            return None
        if self.device.startswith("cuda"):
            return float(torch.cuda.max_memory_allocated()) / 2**30
        with suppress(OSError, ValueError, IndexError):
            lines = (PROCESS / "status").read_text(encoding="ascii").splitlines()
            held = next((line for line in lines if line.startswith("VmHWM:")), "")
            return int(held.split()[1]) / KIB
        return None
