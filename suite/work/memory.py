"""How much memory a run takes: the most that was held meanwhile where it trains."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import torch

PROCESS = Path("/proc/self")
RESET = "5"  # what proc(5) asks to be written to clear_refs for VmHWM to begin anew
KIB = 2**20  # in a GiB


class Watched:
    """Watches from its making on: the whole process on a CPU (libraries included), what tensors hold on an accelerator.

    A process that trained other runs before may still hold memory of theirs. On systems that do not say how much a
    process held, and for runs on workers of their own, nothing is known.
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
