"""Where a run computes; light to import, for what hands out work loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from suite.spec.resources import Resources

if TYPE_CHECKING:
    from suite.train.storage.keeping import Keep


@dataclass(frozen=True)
class Machine:
    """Where and how a run computes: none of it is part of the run's name.

    ``threads`` CPU threads (0: all cores; results are the same bytes for the same number); ``workers`` is
    recorded in the row, their group is started by the launcher. ``checkpoints=False`` keeps a short run off the disk.
    ``keep`` says whose weights are kept with the run: of the epoch that validation chose, of the last, of all
    selections, or none; ``log`` names the trackers (:mod:`suite.tracking`) that get its curves while it trains.
    ``share`` of the GPU's memory is what the process may use. A batch (of a worker) is computed in ``accumulate``
    pieces.
    """

    device: str = "cpu"
    threads: int = 1
    workers: int = 0
    checkpoints: bool = True
    keep: Keep = "none"
    log: tuple[str, ...] = ()
    share: float = 1.0
    accumulate: int = 1

    @classmethod
    def of(cls, resources: Resources, keep: Keep = "none", log: tuple[str, ...] = ()) -> Machine:
        """The machine of a run that holds ``resources``."""
        device, cores = "cuda" if resources.gpu else "cpu", max(1, int(resources.cpu))
        share = min(1.0, resources.gpu) if resources.gpu else 1.0
        return cls(device, cores, resources.workers, keep=keep, log=log, share=share, accumulate=resources.accumulate)

    def facts(self) -> dict[str, Any]:
        """What the row of a run says of it."""
        return {
            "device": self.device,
            "threads": self.threads,
            "workers": self.workers,
            "checkpoints": self.checkpoints,
            "accumulate": self.accumulate,
        }
