"""Packs of AVA: real boxes and label sets where they are at hand, a detector's boxes, and frames of small pictures."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from zlib import crc32

import numpy as np

from suite.data.planted.actors import LabelLaw, draw_people, label_law
from suite.data.planted.clips import detected
from suite.data.readers.ava import FIRST_SECOND
from suite.data.video import FPS, image_name, key_frame
from suite.rehearsal.pictures import Camera, Scene
from suite.rehearsal.request import Draft, Request, Step, at_hand
from suite.rehearsal.sports import sports
from suite.rehearsal.timelines import TEST, TRAIN
from suite.tasks.actors.ava_files import label_map, read_annotations
from suite.tasks.actors.tables import BoxTable

VIDEOS = {"ava-v1.0": (154, 38)}  # training and test videos; of v2.1 and v2.2:
VIDEOS_V2 = (235, 64)
SECONDS = {"ava-v1.0": 3.0}  # between key frames; of v2.1 and v2.2: 1
# Seconds of a video with key frames. All of the test are published as scored (57,408); of the training videos' 210,795
# the paper counts 184 thousand, those that show somebody: 783 of a video.
FIRST, SCORED, SHOWN = 902, 897, 783
SMALL = 10  # key frames of a video when nothing is said
SMALL_VIDEOS = 12
CLASSES, POSES, TAIL = (80, 60), 14, 1.0  # of v1.0 and of v2: how many classes, how many are poses, their long tail
REACH = 32  # frames of a clip on either side of its key frame
NAMING = "{name}_{index:06d}.jpg"
LINK = 64  # bytes of a folder's entry
SIZES = {False: (96, 128), True: (256, 340)}  # height and width, small and as SlowFast's frames are


@dataclass(frozen=True)
class People:
    """The annotated people of both parts, ``step`` seconds between key frames, and files taken as they are.

    ``real`` holds the parts that are at hand, the others are drawn when they are written: ``videos`` of each part, with
    ``frames_each`` key frames.
    """

    asked: Request
    origin: Mapping[str, str]
    real: Mapping[str, BoxTable]
    videos: Mapping[str, int]
    frames_each: Mapping[str, int]
    law: LabelLaw
    ids: list[int]
    step: float
    files: Mapping[str, bytes]
    camera: Camera

    @cached_property
    def tables(self) -> dict[str, BoxTable]:
        """The people of both parts."""
        drawn = {}
        for part in (TRAIN, TEST):
            size = (self.videos[part], self.frames_each[part], self.step)
            drawn[part] = self.real[part] if part in self.real else _generated(self.asked, part, *size, self.law)
        return drawn

    @cached_property
    def frames(self) -> tuple[int, int]:
        """How many frames there will be, and how many pictures for them."""
        each = {part: self._count(FIRST + np.arange(count) * self.step) for part, count in self.frames_each.items()}
        generated = [self.videos[part] * count for part, count in each.items() if part not in self.real]
        known = [self._count(np.unique(own)) for table in self.real.values() for own in _by_video(table).values()]
        frames, pictures = np.sum([*generated, *known], axis=0).tolist()
        return frames, pictures

    def _count(self, seconds: np.ndarray) -> np.ndarray:
        """Frames around key frames, and pictures for them."""
        frames, shown = _shown(seconds, self.apart)
        return np.array([len(frames), len(np.unique(shown))])

    @property
    def apart(self) -> int:
        """Frames from one picture to the next."""
        return round(FPS / float(self.asked.dials["pictures"]))

    @property
    def size(self) -> int:
        """About how many bytes the files take."""
        frames, pictures = self.frames
        return self.camera.size(pictures) + LINK * (frames - pictures)

    @property
    def packed(self) -> int:
        """None: clips are decoded from their frames while training."""
        return 0

    @property
    def holds(self) -> str:
        """Videos, pictures, and whose annotations."""
        said = "; ".join(f"{origin} {part} annotations" for part, origin in self.origin.items())
        size = f"{self.camera.width}×{self.camera.height}"
        frames, pictures = self.frames
        drawn = "" if frames == pictures else f" ({pictures} pictures)"
        return f"{sum(self.videos.values())} videos, {frames} frames of {size}{drawn}, {said}"

    def write(self, folder: Path, step: Step) -> None:
        """Annotations, the detector's boxes on annotated and on other key frames, and frames."""
        for name, content in self.files.items():
            (folder / name).write_bytes(content)
        options = self.asked.card.options
        for number, part in enumerate((TRAIN, TEST)):
            table = self.tables[part]
            if options[part] not in self.files:
                (folder / options[part]).write_text(_annotation(table, self.ids), encoding="utf-8")
            found = detected(table, self.asked.dials, self.asked.generator(13, number))
            (folder / options[f"{part}_detections"]).write_text(_detections(found), encoding="utf-8")
            if excluded := options.get(f"{part}_excluded"):  # no key frame is
                (folder / excluded).write_text("", encoding="utf-8")
            for video, seconds in _by_video(table).items():
                place, keys = folder / "frames" / video, np.unique(seconds)
                frames, shown = _shown(keys, self.apart)
                scenes = _scenes(table.take(table.video == video), keys, np.unique(shown))
                step(self.camera.film(place, NAMING, crc32(video.encode()), scenes))
                _link(place, frames, shown)
        between = detected(_halfway(self.tables[TRAIN], self.step), self.asked.dials, self.asked.generator(13, 2))
        (folder / options["unlabelled"]).write_text(_detections(between), encoding="utf-8")


def _by_video(table: BoxTable) -> dict[str, np.ndarray]:
    """Every video with the seconds of its people, as often as there are people."""
    names, place = np.unique(table.video, return_inverse=True)
    order = np.argsort(place, kind="stable")
    parts = np.split(table.second[order], np.cumsum(np.bincount(place, minlength=len(names)))[:-1])
    return dict(zip(names.tolist(), parts, strict=True))


def _shown(seconds: np.ndarray, apart: int) -> tuple[np.ndarray, np.ndarray]:
    """The frames (F,) (from 15:00 on) that clips around key frames see, and which frame's picture each (F,) shows.

    Every key frame shows its own, and so does each ``apart``-th frame before and after it.
    """
    centres = _centres(seconds)
    frames = np.unique(np.maximum(centres[:, None] + np.arange(-REACH, REACH + 1), 0))
    near = centres[_nearest(centres, frames)]
    return frames, np.maximum(near + np.rint((frames - near) / apart).astype(np.int64) * apart, 0)


def _centres(seconds: np.ndarray) -> np.ndarray:
    return np.array([key_frame(float(second)) - FIRST_SECOND * FPS for second in seconds])


def _nearest(centres: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Place of the centre (ascending) that each frame is nearest to, the earlier of two."""
    after = np.clip(np.searchsorted(centres, frames), 1, max(1, len(centres) - 1))
    before = after - 1
    after = np.minimum(after, len(centres) - 1)
    return np.where(np.abs(centres[before] - frames) <= np.abs(centres[after] - frames), before, after)


def _scenes(people: BoxTable, seconds: np.ndarray, frames: np.ndarray) -> Iterator[tuple[int, Scene]]:
    """For each of the ``frames`` those who are there at the nearest key frame."""
    scenes = [Scene(people.box[people.second == s], people.labels[people.second == s]) for s in seconds]
    for frame, place in zip(frames.tolist(), _nearest(_centres(seconds), frames).tolist(), strict=True):
        yield frame, scenes[place]


def _link(folder: Path, frames: np.ndarray, shown: np.ndarray) -> None:
    """Give each of the ``frames`` (F,) without a picture the one of the frame that it shows (F,)."""
    for frame, other in zip(frames.tolist(), shown.tolist(), strict=True):
        if frame != other:
            target, source = (folder / image_name(folder, NAMING, number + 1) for number in (frame, other))
            os.link(source, target)


def _annotation(table: BoxTable, ids: list[int]) -> str:
    rows = [
        [video, f"{second:g}", *(f"{side:.3f}" for side in box), ids[label]]
        for video, second, box, labels in zip(table.video, table.second, table.box, table.labels, strict=True)
        for label in np.flatnonzero(labels)
    ]
    return _csv(rows)


def _detections(table: BoxTable) -> str:
    rows = [
        [video, f"{second:g}", *(f"{side:.3f}" for side in box), "", f"{score:.6f}"]
        for video, second, box, score in zip(table.video, table.second, table.box, table.score, strict=True)
    ]
    return _csv(rows)


def _csv(rows: list[list[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _halfway(table: BoxTable, step: float) -> BoxTable:
    """The people half a step after key frames that another follows: they are where they were."""
    there = set(zip(table.video.tolist(), table.second.tolist(), strict=True))
    goes_on = np.array(
        [(v, s + step) in there for v, s in zip(table.video.tolist(), table.second.tolist(), strict=True)]
    )
    kept = table.take(goes_on.astype(bool))
    return BoxTable(kept.video, kept.second + step / 2, kept.box, kept.labels, kept.score)


def people(asked: Request) -> Draft:
    """The pack of a version of AVA, or of UCF101-24."""
    return sports(asked) if asked.card.reader == "ucf101" else ava(asked)


def ava(asked: Request) -> People:
    """The people that are at hand, or generated ones, of as many videos as are asked for."""
    options, name = asked.card.options, asked.card.name
    whole, step = asked.videos is None, SECONDS.get(name, 1.0)
    published = VIDEOS.get(name, VIDEOS_V2)
    classes = CLASSES[0] if name in VIDEOS else CLASSES[1]
    file = at_hand(asked, str(options["label_map"]))
    content = file.read_bytes() if file else _label_map(classes).encode()
    names, poses = label_map(file) if file else ({i + 1: "" for i in range(classes)}, set(range(1, POSES + 1)))
    ids = sorted(names)
    law = label_law(len(ids), len(poses & set(ids)), TAIL, asked.generator(14))
    count = asked.amount(sum(published), SMALL_VIDEOS)
    tests = max(1, round(count * published[1] / sum(published)))
    frames = {TRAIN: round(SHOWN / step), TEST: round(SCORED / step)} if whole else {TRAIN: SMALL, TEST: SMALL}
    real, videos, files, origin = {}, {}, {str(options["label_map"]): content}, {}
    for part in (TRAIN, TEST):
        path = at_hand(asked, str(options[part]))
        wanted = tests if part == TEST else count - tests
        if path is None:
            videos[part], origin[part] = wanted, "generated"
            continue
        real[part] = _shortened(read_annotations(path, ids), None if whole else (wanted, frames[part]))
        videos[part] = len(np.unique(real[part].video))
        origin[part] = "real" if whole else "shortened real"
        if whole:
            files[str(options[part])] = path.read_bytes()
    camera = Camera(asked, *SIZES[whole], len(ids))
    return People(asked, origin, real, videos, frames, law, ids, step, files, camera)


def _shortened(table: BoxTable, most: tuple[int, int] | None) -> BoxTable:
    """The first key frames of the first videos."""
    if most is None:
        return table
    kept = table.take(np.isin(table.video, np.unique(table.video)[: most[0]]))
    rows = np.zeros(len(kept), dtype=bool)
    for video in np.unique(kept.video):
        own = kept.video == video
        rows |= own & np.isin(kept.second, np.unique(kept.second[own])[: most[1]])
    return kept.take(rows)


def _generated(asked: Request, part: str, videos: int, frames: int, step: float, law: LabelLaw) -> BoxTable:
    """People who come, do something for a while and go, in each video by a stream of its own."""
    tables = []
    for number in range(videos):
        generator = asked.generator(15, (TRAIN, TEST).index(part), number)
        drawn, _, _ = draw_people(part, 1, frames, False, law, generator)
        names = np.full(len(drawn), f"{part}{number:04d}")
        tables.append(BoxTable(names, FIRST + drawn.second * step, np.round(drawn.box, 3), drawn.labels, drawn.score))
    return BoxTable(*(np.concatenate([getattr(t, field) for t in tables]) for field in BoxTable.__dataclass_fields__))


def _label_map(classes: int) -> str:
    kinds = ["PERSON_MOVEMENT" if number < POSES else "PERSON_INTERACTION" for number in range(classes)]
    entry = 'label {{\n  name: "{}"\n  label_id: {}\n  label_type: {}\n}}\n'
    names = [f"{'pose' if number < POSES else 'interaction'} {number}" for number in range(classes)]
    return "".join(entry.format(name, i + 1, kind) for i, (name, kind) in enumerate(zip(names, kinds, strict=True)))
