"""Packs of UCF101-24: real tubes where they are at hand, a detector's boxes, and frames of small pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np

from suite.data.planted.clips import detected
from suite.data.readers.ucf101 import HEIGHT, WIDTH
from suite.rehearsal.pictures import Camera, Scene
from suite.rehearsal.request import Request, Step, at_hand
from suite.rehearsal.timelines import TEST, TRAIN, chosen
from suite.tasks.actors.tables import BoxTable
from suite.tasks.actors.ucf_files import AnnotatedTubes, read_test_list, read_tubes

CLASSES, GROUPS = 24, 25  # groups of each class
TEST_GROUPS = 7  # the first groups test, as in split 1
PUBLISHED = {TRAIN: 2284, TEST: 910}  # videos
TUBES, BOXES = 4458, 573862
LATE = 60  # frames at most before a generated tube begins
FEW, SHORT = 144, 12  # videos when nothing is said (six a class), and frames of each: all of the test count
MARGIN = 16  # frames of a clip after its key frame
NAMING = "{index:05d}.jpg"
SIZES = {False: (96, 128), True: (HEIGHT, WIDTH)}
Tube = tuple[int, int, np.ndarray]  # label from 1, first frame from 1, (L, 4) x y width height in pixels


@dataclass(frozen=True)
class Sports:
    """Videos with their tubes, which of them test, and the published files where all of them are taken."""

    asked: Request
    origin: str
    videos: Mapping[str, list[Tube]]
    test: frozenset[str]
    files: Mapping[str, bytes]
    camera: Camera

    @property
    def frames(self) -> int:
        """How many pictures there will be."""
        return sum(_length(tubes) for tubes in self.videos.values())

    @property
    def size(self) -> int:
        """About how many bytes the files take."""
        return self.camera.size(self.frames)

    @property
    def packed(self) -> int:
        """None: clips are decoded from their frames while training."""
        return 0

    @property
    def holds(self) -> str:
        """Videos, pictures, and whose tubes."""
        size = f"{self.camera.width}×{self.camera.height}"
        return f"{len(self.videos)} videos, {self.frames} frames of {size}, {self.origin} tubes"

    def write(self, folder: Path, step: Step) -> None:
        """Tubes, the list of test videos, a detector's boxes, and frames."""
        for name, content in self.files.items():
            (folder / name).write_bytes(content)
        if not self.files:
            write_tubes(folder / "finalAnnots.mat", self.videos)
            listed = sorted(name for name in self.videos if name in self.test)
            (folder / "testlist01.txt").write_text("".join(f"{name}.avi\n" for name in listed), encoding="utf-8")
        with (folder / "detections.csv").open("w", encoding="utf-8") as file:
            for name, tubes in self.videos.items():
                file.write(self._detections(name, tubes))
        for name, tubes in self.videos.items():
            stream = crc32(name.encode())
            step(self.camera.film(folder / "rgb-images" / name, NAMING, stream, self._scenes(tubes)))

    def _detections(self, name: str, tubes: list[Tube]) -> str:
        frame = np.concatenate([first + np.arange(len(boxes)) for _, first, boxes in tubes])
        corners = np.concatenate([_corners(boxes) for _, _, boxes in tubes]) / [WIDTH, HEIGHT, WIDTH, HEIGHT]
        count = len(frame)
        table = BoxTable(
            np.full(count, name), frame, np.clip(corners, 0, 1), np.zeros((count, 1), bool), np.ones(count)
        )
        found = detected(table, self.asked.dials, self.asked.generator(13, crc32(name.encode())))
        pixels = found.box * [WIDTH, HEIGHT, WIDTH, HEIGHT]
        rows = zip(found.second, pixels, found.score, strict=True)
        return "".join(f"{name},{int(f)},{','.join(f'{side:.1f}' for side in box)},{s:.4f}\n" for f, box, s in rows)

    def _scenes(self, tubes: list[Tube]) -> Iterator[tuple[int, Scene]]:
        for frame in range(_length(tubes)):
            shown = [
                (label, boxes[frame + 1 - first])
                for label, first, boxes in tubes
                if 0 <= frame + 1 - first < len(boxes)
            ]
            box = _corners(np.array([box for _, box in shown]).reshape(-1, 4)) / [WIDTH, HEIGHT, WIDTH, HEIGHT]
            labels = np.array([label for label, _ in shown], dtype=np.int64)[:, None] == np.arange(1, CLASSES + 1)
            yield frame, Scene(np.clip(box, 0, 1), labels)


def _length(tubes: list[Tube]) -> int:
    return max(first + len(boxes) - 1 for _, first, boxes in tubes) + MARGIN


def _corners(boxes: np.ndarray) -> np.ndarray:
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def write_tubes(path: Path, videos: Mapping[str, list[Tube]]) -> None:
    """``finalAnnots.mat`` in the published layout."""
    from scipy.io import savemat

    fields = [("ef", "O"), ("sf", "O"), ("class", "O"), ("boxes", "O")]
    entries = np.zeros((1, len(videos)), dtype=[("num_imgs", "O"), ("name", "O"), ("tubes", "O")])
    for place, (name, tubes) in enumerate(videos.items()):
        rows = np.zeros((1, len(tubes)), dtype=fields)
        for index, (label, first, boxes) in enumerate(tubes):
            last = first + len(boxes) - 1
            rows[0, index] = (np.array([[last]]), np.array([[first]]), np.array([[label]]), boxes.astype(np.int64))
        entries[0, place] = (np.array([[_length(tubes)]]), name, rows)
    savemat(path, {"annot": entries}, do_compression=True)


def sports(asked: Request) -> Sports:
    """The tubes that are at hand, or generated ones, of as many videos as are asked for, shortened unless of all."""
    annotation, listed = at_hand(asked, "finalAnnots.mat"), at_hand(asked, "testlist01.txt")
    there = annotation is not None and listed is not None
    if annotation is not None and listed is not None:
        videos, test = _tubes(read_tubes(annotation)), frozenset(read_test_list(listed))
    else:
        videos = _generated(asked)
        test = frozenset(name for name in videos if int(name.rpartition("_g")[2][:2]) <= TEST_GROUPS)
    # Groups in turn: the last two of the training ones validate, and must be there.
    listed_names = sorted(videos, key=_turn)
    rows = [(n, TEST if n in test else TRAIN, n.partition("/")[0]) for n in listed_names]
    whole = asked.videos is None
    kept = chosen(rows, asked.amount(len(rows), FEW))
    short = {name: tubes if whole else _first(tubes) for name, tubes in videos.items() if name in kept}
    files = {path.name: path.read_bytes() for path in (annotation, listed) if path and whole and there}
    origin = ("real" if whole else "shortened real") if there else "generated"
    return Sports(asked, origin, short, test, files, Camera(asked, *SIZES[whole], CLASSES))


def _turn(name: str) -> tuple[int, float, str]:
    """Clips by their number, then groups from the last to the first; those that validate (24, 25) after one and two."""
    group, _, clip = name.rpartition("_g")[2].partition("_c")
    after = {25: 22.5, 24: 21.5}.get(int(group), float(group))
    return int(clip), -after, name


def _first(tubes: list[Tube]) -> list[Tube]:
    """The tubes' first frames, moved so that the earliest begins with the video."""
    start = min(first for _, first, _ in tubes)
    moved = [(label, first - start + 1, boxes) for label, first, boxes in tubes]
    return [(label, first, boxes[: SHORT + 1 - first]) for label, first, boxes in moved if first <= SHORT]


def _tubes(found: AnnotatedTubes) -> dict[str, list[Tube]]:
    videos: dict[str, list[Tube]] = {}
    for start, stop in zip(found.offsets[:-1].tolist(), found.offsets[1:].tolist(), strict=True):
        corners = found.box[start:stop]
        boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
        tube = (int(found.label[start]) + 1, int(found.frame[start]) + 1, boxes)
        videos.setdefault(str(found.videos[found.video[start]]), []).append(tube)
    return videos


def _generated(asked: Request) -> dict[str, list[Tube]]:
    """As many videos, tubes and boxes as were published: people who drift through the picture."""
    count = sum(PUBLISHED.values())
    tubes, lengths = _spread(TUBES, count), iter(_spread(BOXES, TUBES).tolist())
    return {
        name: [_drifting(asked.generator(15, place, number), label, next(lengths)) for number in range(tubes[place])]
        for place, (name, label) in enumerate(_listed())
    }


def _listed() -> list[tuple[str, int]]:
    """Name and label of each generated video: the groups of each part hold about equally many clips."""
    parts = {TEST: range(1, TEST_GROUPS + 1), TRAIN: range(TEST_GROUPS + 1, GROUPS + 1)}
    clips: dict[tuple[int, int], int] = {}
    for part, groups in parts.items():
        cells = [(label, group) for label in range(1, CLASSES + 1) for group in groups]
        clips |= dict(zip(cells, _spread(PUBLISHED[part], len(cells)).tolist(), strict=True))
    return [
        (f"Sport{label:02d}/v_Sport{label:02d}_g{group:02d}_c{clip:02d}", label)
        for (label, group), number in sorted(clips.items())
        for clip in range(1, number + 1)
    ]


def _spread(total: int, parts: int) -> np.ndarray:
    """(parts,) int that add up to ``total`` and differ by one at most."""
    return np.diff(np.arange(parts + 1) * total // parts)


def _drifting(generator: np.random.Generator, label: int, length: int) -> Tube:
    """A person who is there for ``length`` frames, and moves by at most half a pixel a frame."""
    size, speed = generator.integers(60, 140, 2), generator.integers(-1, 2, 2)
    room = np.array([WIDTH, HEIGHT]) - size
    path = generator.integers(0, room + 1) + np.arange(length)[:, None] * speed // 2
    boxes = np.concatenate([np.clip(path, 0, room), np.tile(size, (length, 1))], axis=1)
    return label, 1 + int(generator.integers(0, LATE + 1)), boxes
