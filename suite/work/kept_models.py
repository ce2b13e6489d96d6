"""Weights that could not be written where they belong: kept elsewhere, and moved there by the next command."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from suite.errors import SuiteError
from suite.models.folder import CONFIG, ModelFolder, adopt, keep_models, models_folder, write
from suite.models.kept import NAME
from suite.places import Places
from suite.results.schema import Outcome
from suite.work.kept_places import MODEL, kept, places_to_keep

logger = logging.getLogger(__name__)


def keep_models_or_later(outcomes: Iterable[Outcome], places: Places) -> None:
    """Write the models that ``outcomes`` carry, before their rows are recorded.

    What cannot be written where it belongs is kept where there is room; that, or that there is none, is logged and no
    failure of the run, whose numbers do not need it.
    """
    for outcome, problem in keep_models(outcomes, places):
        place = _elsewhere(outcome, places)
        if place is None:
            logger.warning("the weights of run %s were not kept: %s", outcome.id, problem)
        else:
            logger.warning(
                "the weights of run %s wait in %s, the next command moves them: %s", outcome.id, place, problem
            )


def _elsewhere(outcome: Outcome, places: Places) -> Path | None:
    """The first place that took the weights; None where there is none."""
    for place in places_to_keep(places):
        try:
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            write(outcome, outcome.extra[NAME], place / f"{outcome.id}{MODEL}")
        except (OSError, SuiteError):
            continue
        return place
    return None


def waiting_models(places: Places) -> Iterator[ModelFolder]:
    """The models that wait to be moved among those of ``places``."""
    return (ModelFolder(path) for path in kept(places) if path.name.endswith(MODEL) and (path / CONFIG).is_file())


def take_up_models(places: Places) -> None:
    """Move what waits to where it belongs, unless the run has been trained again since."""
    for model in list(waiting_models(places)):
        run = model.path.name.removesuffix(MODEL)
        try:
            if not (models_folder(places) / run / CONFIG).is_file():
                adopt(model, run, places)
        except (OSError, SuiteError) as error:
            logger.warning("the weights of run %s still wait in %s: %s", run, model.path, str(error).rstrip("."))
        else:
            shutil.rmtree(model.path, ignore_errors=True)
