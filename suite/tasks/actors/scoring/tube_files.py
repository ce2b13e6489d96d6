"""Files of tubes, or of boxes to be linked into tubes, and what they score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.errors import UsageError, did_you_mean
from suite.evaluate.linking import Linking
from suite.evaluate.protocols import UCF_ALL_FRAMES, linspaced
from suite.evaluate.tubes import match_tubes
from suite.tasks.actors.scoring.boxes import BoxRows, read_boxes
from suite.tasks.actors.scoring.tubes import (
    TubeRows,
    TubeTruth,
    join_tubes,
    link_rows,
    truth_of_json,
    truth_of_ucf,
    tubes_of_json,
)
from suite.tasks.data import TaskData
from suite.tasks.protocols import with_switches
from suite.tasks.scoring.contents import Contents
from suite.tasks.scoring.files import Choice, PredictionFiles
from suite.tasks.scoring.report import Report, Ties, class_rows, with_intervals

if TYPE_CHECKING:
    from suite.spec.card import DatasetCard

LOOSE, LEVELS = 0.2, linspaced(0.5, 0.95, 10)


@dataclass(frozen=True)
class TubeProtocol(Linking):
    """How tubes are linked (see :class:`Linking`) and scored: with ``pixel_boxes`` a box is x2 - x1 + 1 wide; with
    ``best`` a tube may only take the truth that it overlaps most, whether or not it is free."""

    name: str = "video-map"
    pixel_boxes: bool = True
    best: bool = False


TUBE_PROTOCOLS = {one.name: one for one in (TubeProtocol(), TubeProtocol(name="video-map-best", best=True))}


class TubeFiles(PredictionFiles):
    """Tubes against annotated tubes, by video mAP; boxes on frames are linked first, under a protocol of tubes."""

    kind = "tubes"
    forms = ("tubes JSON", "a csv of boxes on frames, with --protocol video-map")
    protocols = TUBE_PROTOCOLS

    def read(self, contents: Contents) -> TubeRows | BoxRows | None:
        """Tubes, or boxes (which are scored as boxes unless a protocol of tubes is asked for)."""
        if contents.json is not None:
            return tubes_of_json(contents.path, contents.json)
        rows = read_boxes(contents)
        return None if rows is None else replace(rows, form="boxes on frames, linked")

    def truth_from_file(self, path: Path, choice: Choice) -> TubeTruth:
        """The JSON of tubes."""
        choice.only_all(self.kind)
        if path.suffix != ".json":
            raise self.not_the_truth(path)
        return truth_of_json(path)

    def truth_from_card(self, card: DatasetCard, folder: Path, choice: Choice) -> TubeTruth | None:
        """The files that the card's options name: ``tubes`` and ``test_list``, as UCF101-24 publishes them."""
        choice.only_all(self.kind)
        files = [folder / str(card.options.get(name, "")) for name in ("tubes", "test_list")]
        return truth_of_ucf(*files) if all(path.is_file() for path in files) else None

    def truth_from_data(self, data: TaskData[Any], choice: Choice) -> TubeTruth:
        """A packed dataset has boxes, but does not say which of them are one tube."""
        raise UsageError(f"no tubes of {data.name} are here: put its annotation in place, or give --truth TUBES.json.")

    def protocol_of(self, settings: Mapping[str, Any]) -> TubeProtocol:
        """``tubes`` of a card's protocol, with its fields overridden; a protocol of boxes says nothing about tubes."""
        asked = {} if "spatial" in settings else settings
        return with_switches(asked, "tubes", _named, TUBE_PROTOCOLS["video-map"], "video mAP")

    def score(self, rows: TubeRows | BoxRows, truth: TubeTruth, protocol: TubeProtocol, resamples: int) -> Report:
        """Video mAP averaged over 0.5, 0.55 ... 0.95, at each of these, and at 0.2; a bootstrap draws videos."""
        plus = 1.0 if protocol.pixel_boxes else 0.0
        if isinstance(rows, TubeRows):
            found, oddities = join_tubes(rows, truth)
        else:
            found, oddities = link_rows(rows, truth, protocol, plus)
        switches = replace(UCF_ALL_FRAMES, pixel_boxes=protocol.pixel_boxes, tubes="best" if protocol.best else "free")
        loose, matches = (match_tubes(truth.tubes, found, levels, switches) for levels in ((LOOSE,), LEVELS))
        metrics = with_intervals(matches, "video mAP", resamples)
        metrics.insert(1, with_intervals(loose, "video mAP", resamples)[1])
        counts = {
            "predictions": len(rows.video),
            "tubes": len(found),
            "counted": len(matches.row),
            "ground truths": len(truth.tubes),
            "videos": len(truth.videos),
        }
        names = [truth.classes[label] for label in matches.classes]
        odd = [*truth.oddities, *oddities]
        return Report(protocol.name, metrics, class_rows(matches, names), odd, counts, Ties.of(matches))


def _named(name: str) -> TubeProtocol:
    if name not in TUBE_PROTOCOLS:
        raise UsageError(f"there is no protocol of tubes '{name}'{did_you_mean(name, TUBE_PROTOCOLS)}")
    return TUBE_PROTOCOLS[name]
