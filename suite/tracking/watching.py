"""Following a training: its new points go to every tracker that was asked for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from suite.errors import UsageError, did_you_mean, pass_on_interruption, redacted
from suite.tracking.base import Point, Steps, Tracked, Tracker
from suite.tracking.files import CsvTracker, TensorBoardTracker
from suite.tracking.services import MlflowTracker, WandbTracker

logger = logging.getLogger(__name__)

TRACKERS: Mapping[str, tuple[Callable[[Tracked], Tracker], str]] = {  # with the library that each needs
    "csv": (CsvTracker, ""),
    "tensorboard": (TensorBoardTracker, "tensorboardX"),
    "wandb": (WandbTracker, "wandb"),
    "mlflow": (MlflowTracker, "mlflow"),
}


def require(names: Iterable[str]) -> tuple[str, ...]:
    """``names`` of trackers, each once; raises :class:`UsageError` for one that is unknown or not installed."""
    found = tuple(dict.fromkeys(names))
    for name in found:
        if name not in TRACKERS:
            raise UsageError(f"there is no tracker '{name}'{did_you_mean(name, TRACKERS)} Use {', '.join(TRACKERS)}.")
        library = TRACKERS[name][1]
        if library and find_spec(library) is None:
            raise UsageError(f"--log {name} needs {library}; install weak-action-suite[{name}].")
    return found


def tracking_folder(local: Path) -> Path:
    """Where trackers write below the ``local`` outputs."""
    return local / "tracking"


class Following:
    """Passes the points of one training on to trackers; one that fails is left out from then on, the run goes on."""

    def __init__(self, names: Sequence[str], tracked: Tracked) -> None:
        self.steps, self.seen = Steps(), 0
        self.trackers: dict[str, Tracker] = {}
        for name in names:
            self._guarded(name, lambda name=name: self.trackers.__setitem__(name, TRACKERS[name][0](tracked)))  # type: ignore[misc]

    def look(self, points: Sequence[Point]) -> None:
        """Log those of a training's ``points`` that are new."""
        new, self.seen = points[self.seen :], len(points)
        if new:
            self._log([(self.steps.at(point), point) for point in new])

    def close(self, status: str) -> None:
        """Say how the run ended."""
        for name, tracker in list(self.trackers.items()):
            self._guarded(name, lambda tracker=tracker: tracker.close(status))  # type: ignore[misc]

    def _log(self, points: Sequence[tuple[int, Point]]) -> None:
        for name, tracker in list(self.trackers.items()):
            self._guarded(name, lambda tracker=tracker: tracker.log(points))  # type: ignore[misc]

    def _guarded(self, name: str, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # whatever another program's library raises: the training is worth more
            pass_on_interruption(error)
            self.trackers.pop(name, None)
            logger.warning("%s logs this run no further: %s", name, redacted(f"{type(error).__name__}: {error}")[:300])
