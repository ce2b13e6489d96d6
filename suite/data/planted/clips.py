"""planted-clips: small rendered videos of shapes with several labels each, encoded as real video files.

A video is a few shots, each with shapes of its own and its key frame in the middle; the shots of a video share nothing
from which labels could be guessed. Files are written once per version, dials and code below the cache and read through
the real decoder.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from suite.data.planted.scenes import CLASSES, MIRROR, POSES, Behaviour, draw_cast, stage
from suite.data.planted.shapes import moving_background, render
from suite.data.readers.ava import copy_labels
from suite.data.reading import Reader
from suite.data.video import FPS, ClipSource, key_frame, write_video
from suite.errors import DataError
from suite.hyper import Value
from suite.identity.code import reader_fingerprint
from suite.spec.base import content_hash
from suite.spec.card import DatasetCard
from suite.tasks.actors.samples import Actors
from suite.tasks.actors.tables import BoxTable, assemble, frequent_and_rare
from suite.tasks.data import TaskData

SHOT = 40  # frames of a shot: the clip around its key frame (16 frames, every second) and a margin
SHOTS = (2, 3)  # shots in a video: 2.7 to 4 seconds
PARTS = ("train", "unlabelled", "validation", "test")


def read(card: DatasetCard, folder: Path, dials: Mapping[str, Value], task: str) -> TaskData[Actors]:
    """Render the world unless its files are there, and describe it: a pure function of version and dials."""
    seeds = np.random.SeedSequence([card.version, int(dials["world_seed"])]).spawn(2 * len(PARTS))
    place = videos_folder(folder, card, dials)
    scripts = {
        part: script(part, int(dials[f"{part}_videos"]), dials, np.random.default_rng(seed))
        for part, seed in zip(PARTS, seeds)
    }
    if not place.is_dir():
        _film(scripts, place, dials, dict(zip(PARTS, seeds[len(PARTS) :])))
    # A stream of its own: rendering happens only where files are missing, and may not shift what the detector finds.
    noise = np.random.default_rng([card.version, int(dials["world_seed"]), 7])
    tables = {part: table(videos, dials) for part, videos in scripts.items()}
    train = _joined(tables["train"], detected(tables["unlabelled"], dials, noise))
    samples = {"train": assemble(train, labelled=np.char.startswith(train.video.astype(str), "train"))}
    for part in ("validation", "test"):
        samples[part] = assemble(detected(tables[part], dials, noise), tables[part])
    samples = {part: replace(actors, frames=_source(actors, place, dials)) for part, actors in samples.items()}
    counts = tables["train"].labels.sum(axis=0)
    facts = {"poses": POSES, "mirror": MIRROR, "groups": frequent_and_rare(counts), "unit": "video"}
    return TaskData.of(card.name, task, CLASSES, samples, facts)


def require_videos(data: TaskData[Actors], dials: Mapping[str, Value]) -> TaskData[Actors]:
    """``data`` as it is; :class:`DataError` when the rendered files are gone since they were packed."""
    place = Path(str(data.test.frames.files[0])).parent
    if not place.is_dir():
        raise DataError(f"{data.name}: its videos are gone from {place}; suite data prepare --force makes them anew.")
    return data


def videos_folder(folder: Path, card: DatasetCard, dials: Mapping[str, Value]) -> Path:
    """Where below ``folder`` the files are that this code renders for a version and its dials."""
    # The code belongs to the name: files that an older version rendered do not fit the labels of this one.
    key = content_hash(card.version, dict(dials), reader_fingerprint(__name__))
    return (folder / "videos" / f"{card.name}-{key}").resolve()


def script(
    part: str, videos: int, dials: Mapping[str, Value], generator: np.random.Generator
) -> dict[str, list[list[Behaviour]]]:
    """Video name to its shots, each a cast."""
    height, width = int(dials["height"]), int(dials["width"])
    speed, most = float(dials["speed"]), int(dials["shapes"])
    return {
        f"{part}-{video:04d}": [
            draw_cast(int(generator.integers(1, most + 1)), height, width, speed, generator)
            for _ in range(int(generator.integers(SHOTS[0], SHOTS[1] + 1)))
        ]
        for video in range(videos)
    }


def table(videos: Mapping[str, list[list[Behaviour]]], dials: Mapping[str, Value]) -> BoxTable:
    """The boxes of all shapes at the key frames, cut to the picture."""
    size = np.array([int(dials["width"]), int(dials["height"])], dtype=np.float64)
    rows = [
        (video, (shot * SHOT + SHOT // 2) / FPS, one)
        for video, shots in videos.items()
        for shot, cast in enumerate(shots)
        for one in cast
    ]
    low = np.array([(one.place - one.radius) / size for _, _, one in rows]).reshape(-1, 2)
    high = np.array([(one.place + one.radius) / size for _, _, one in rows]).reshape(-1, 2)
    labels = np.array([[name in one.labels for name in CLASSES] for _, _, one in rows]).reshape(-1, len(CLASSES))
    second = np.array([second for _, second, _ in rows], dtype=np.float64)
    boxes = np.clip(np.hstack([low, high]), 0, 1)
    return BoxTable(np.array([video for video, _, _ in rows], dtype=str), second, boxes, labels, np.ones(len(rows)))


def detected(truth: BoxTable, dials: Mapping[str, Value], generator: np.random.Generator) -> BoxTable:
    """What a person detector would make of the boxes: jitter in shares of their size, misses, false boxes, scores."""
    jitter, misses, false = (float(dials[f"detector_{name}"]) for name in ("jitter", "misses", "false"))
    if not (jitter or misses or false) or len(truth) == 0:
        return truth
    found = truth.take(generator.random(len(truth)) >= misses)
    size = np.tile(found.box[:, 2:] - found.box[:, :2], 2)
    moved = np.clip(found.box + generator.normal(0, jitter, size=size.shape) * size, 0, 1)
    found = replace(found, box=moved, score=generator.uniform(0.7, 1.0, size=len(found)))
    frames = generator.integers(len(truth), size=generator.poisson(false * len(truth)))
    low = generator.uniform(0, 0.8, size=(len(frames), 2))
    wrong = BoxTable(
        truth.video[frames],
        truth.second[frames],
        np.hstack([low, low + 0.2]),
        np.zeros((len(frames), truth.labels.shape[1]), dtype=bool),
        generator.uniform(0.3, 0.9, size=len(frames)),
    )
    return copy_labels(_joined(found, wrong), truth, overlap=0.5)


def _joined(one: BoxTable, other: BoxTable) -> BoxTable:
    fields = BoxTable.__dataclass_fields__
    return BoxTable(*(np.concatenate([getattr(one, name), getattr(other, name)]) for name in fields))


def _film(
    scripts: Mapping[str, Mapping[str, list[list[Behaviour]]]],
    place: Path,
    dials: Mapping[str, Value],
    seeds: Mapping[str, np.random.SeedSequence],
) -> None:
    """Render and encode every video, in a folder that gets its name when it is complete."""
    partial = place.with_name(f"{place.name}.{uuid.uuid4().hex}")
    partial.mkdir(parents=True)
    height, width = int(dials["height"]), int(dials["width"])
    for part, videos in scripts.items():
        generator = np.random.default_rng(seeds[part])
        for name, shots in videos.items():
            pictures = []
            for cast in shots:
                background = moving_background(SHOT, height, width, generator)
                shapes = [stage(one, SHOT, generator) for one in cast]
                pictures.append(render(shapes, background, height, width))
            write_video(partial / f"{name}.mp4", np.concatenate(pictures), codec=str(dials["codec"]))
    try:
        partial.rename(place)
    except OSError:  # another process was faster
        shutil.rmtree(partial)


def _source(actors: Actors, place: Path, dials: Mapping[str, Value]) -> ClipSource:
    owners = [name.rsplit(",", 1) for name in actors.clip_ids]
    files = np.array([str(place / f"{video}.mp4") for video, _ in owners], dtype=str)
    centres = np.array([key_frame(float(second)) for _, second in owners], dtype=np.int64)
    return ClipSource(
        files, centres, int(dials["frames"]), 32 // int(dials["frames"]), short_side=int(dials["short_side"])
    )


READER = Reader(read, on_open=require_videos)
