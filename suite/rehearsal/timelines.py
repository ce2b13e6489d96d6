"""The videos of a localization pack: real annotations where they are at hand, shortened if asked, else generated."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from suite.data.planted.timelines import Instances, instances_of, planted_instances
from suite.data.readers import activitynet, i3d
from suite.errors import DataError
from suite.rehearsal.request import Request, at_hand
from suite.spec.card import Size

TRAIN, TEST = "train", "test"
SECONDS = {"thumos": 144.0, "activitynet": 82.0}  # median length of a generated video; means are the published ones
CO_OCCURRENCE = {"thumos": 0.15, "activitynet": 0.0}
LIKE_THUMOS = Size(train=200, test=212, classes=20)  # of a card that states no published size
SMALL = 60  # videos of a pack when nothing is said: half a minute to write, a minute to train on
RATE = {"thumos": 30.0, "activitynet": 25.0}  # frames per second of generated videos


@dataclass(frozen=True)
class Video:
    """A video of ``seconds``, at ``fps`` frames per second of its own, of which features cover ``covered`` seconds."""

    name: str
    part: str
    seconds: float
    fps: float
    covered: float
    instances: Instances


@dataclass(frozen=True)
class Annotations:
    """The annotated videos of a pack, and the files that state them: relative path to content."""

    origin: str
    classes: tuple[str, ...]
    videos: tuple[Video, ...]
    files: Mapping[str, bytes]


def annotated_videos(asked: Request) -> Annotations:
    """The annotations of the pack, ``origin`` real, shortened or generated."""
    form: Callable[..., Annotations] = _activitynet if asked.card.reader == "activitynet" else _json
    return form(asked)


def chosen(rows: Sequence[tuple[str, str, str]], count: int) -> set[str]:
    """``count`` names of (name, part, class): both parts in proportion, the classes of each in turn."""
    if count >= len(rows):
        return {name for name, _, _ in rows}
    kept: set[str] = set()
    test = sum(part == TEST for _, part, _ in rows)
    wanted = {TEST: max(1, round(count * test / len(rows)))}
    wanted[TRAIN] = count - wanted[TEST]
    for part, number in wanted.items():
        seen: dict[str, int] = {}
        turns = []
        for name, own, label in rows:
            if own == part:
                seen[label] = seen.get(label, 0) + 1
                turns.append((seen[label], name))
        kept |= {name for _, name in sorted(turns)[:number]}
    return kept


# THUMOS-14, ActivityNet-1.2: one JSON file ----------------------------------------------------------------------


def _json(asked: Request) -> Annotations:
    card = asked.card
    known = [str(name) for name in card.options["annotations"]]
    path = at_hand(asked, *known)
    content = json.loads(path.read_text(encoding="utf-8")) if path else None
    published = path.read_bytes() if path else b""
    if content is None:
        content = _generated_json(asked)
    database = content.get("database", content)
    subset = dict.fromkeys(card.options["train_subsets"], TRAIN)
    subset |= dict.fromkeys(card.options["test_subsets"], TEST)
    rows = [
        (name, subset[entry["subset"].lower()], entry["annotations"][0]["label"])
        for name, entry in sorted(database.items())
        if entry["annotations"] and entry["subset"].lower() in subset
    ]
    kept = chosen(rows, asked.amount(len(rows), SMALL))
    cut = {name: database[name] for name, _, _ in rows if name in kept}
    whole = path is not None and len(kept) == len(rows)
    text = published if whole else json.dumps({**content, "database": cut} if "database" in content else cut).encode()
    origin = "real" if whole else "shortened real" if path else "generated"
    name = path.name if path else known[0]
    return Annotations(origin, *_videos(asked, cut, subset), {name: text})


def _videos(
    asked: Request, entries: Mapping[str, Any], subset: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[Video, ...]]:
    """Classes and videos of a JSON database, by name."""
    classes = sorted({row["label"] for entry in entries.values() for row in entry["annotations"]})
    found = []
    for name, entry in sorted(entries.items()):
        one = i3d.annotated(name, entry)
        seconds = one.duration or max(end for _, _, end in one.rows) + 10.0
        fps = float(asked.card.layout.fps or one.fps)
        if fps <= 0:
            raise DataError(
                f"{asked.card.name}: {name} states no frames; put {asked.card.options['annotations'][0]} in place."
            )
        rows = [{"label": label, "segment": [start, end]} for label, start, end in one.rows]
        found.append(Video(name, subset[one.subset], seconds, fps, seconds, instances_of(seconds, rows, classes)))
    return tuple(classes), tuple(found)


def _generated_json(asked: Request) -> dict[str, Any]:
    """A database like the published one, of planted timelines, as large as it is asked for."""
    train, test = (asked.card.options[f"{part}_subsets"][0] for part in (TRAIN, TEST))
    family = _family(asked)
    database = {
        name: {"duration": seconds, "frames": round(seconds * RATE[family]), "subset": train if part == TRAIN else test,
               "annotations": rows}
        for name, part, seconds, rows in _generated(asked)
    }  # fmt: skip
    return database if asked.card.options["annotations"][0] == "thumos14_412.json" else {"database": database}


def _family(asked: Request) -> str:
    return "activitynet" if asked.card.name.startswith("activitynet") else "thumos"


def _generated(asked: Request) -> list[tuple[str, str, float, list[dict[str, Any]]]]:
    """Name, part, seconds and annotations of planted videos: those that are wanted of as many as were published."""
    size = asked.card.size or LIKE_THUMOS
    classes, train, test = size.classes, size.train, size.test
    # Class scores are found by the names of classes: where the card has names, they are taken.
    known = sorted(asked.card.options.get("class_columns", ())) or [f"action_{n:03d}" for n in range(classes)]
    family = _family(asked)
    form = "video_{}_{:07d}" if family == "thumos" else "v_{}_{:06d}"
    names = [form.format("validation", place + 1) for place in range(train)]
    names += [form.format("test", place + 1) for place in range(test)]
    turns = [(TRAIN, place) for place in range(train)] + [(TEST, place) for place in range(test)]
    listed = [(name, part, f"{place % classes:03d}") for name, (part, place) in zip(names, turns, strict=True)]
    kept = chosen(listed, asked.amount(len(listed), SMALL))
    found = []
    for number, (name, part, label) in enumerate(listed):
        if name in kept:
            seconds, start, end, which = planted_instances(
                asked.generator(1, number), int(label), classes, SECONDS[family], CO_OCCURRENCE[family], False
            )
            shown = [known[row.argmax()] for row in which]
            spans = np.round(np.stack([start, end], axis=1), 2).tolist()
            rows = [{"label": one, "segment": span} for one, span in zip(shown, spans)]
            found.append((name, part, seconds, rows))
    return found


# ActivityNet-1.3: a JSON file and a list --------------------------------------------------------------------------


def _activitynet(asked: Request) -> Annotations:
    names = (activitynet.ANNOTATIONS, activitynet.INFO)
    paths = {name: path for name in names if (path := at_hand(asked, name)) is not None}
    there = len(paths) == len(names)
    content = {name: path.read_bytes() for name, path in paths.items()} if there else _generated_list(asked)
    database = json.loads(content[names[0]])
    reader = csv.DictReader(io.StringIO(content[names[1]].decode("utf-8")))
    listed, columns = list(reader), reader.fieldnames or ()
    part = {"training": TRAIN, "validation": TEST}
    rows = [
        (row["video"], part[row["subset"]], database[row["video"]]["annotations"][0]["label"])
        for row in sorted(listed, key=lambda row: row["video"])
        if row["subset"] in part and database[row["video"]]["annotations"]
    ]
    kept = chosen(rows, asked.amount(len(rows), SMALL))
    whole = there and len(kept) == len(rows)
    if not whole:
        database = {name: database[name] for name, _, _ in rows if name in kept}
        content = {names[0]: json.dumps(database).encode(), names[1]: _csv(columns, listed, kept)}
    origin = "real" if whole else "shortened real" if there else "generated"
    classes = sorted({row["label"] for name in kept for row in database[name]["annotations"]})
    videos = []
    for name, own, _ in rows:
        if name in kept:
            entry = database[name]
            seconds, fps = float(entry["duration_second"]), entry["duration_frame"] / float(entry["duration_second"])
            instances = instances_of(seconds, entry["annotations"], classes)
            videos.append(Video(name, own, seconds, fps, entry["feature_frame"] / fps, instances))
    return Annotations(origin, tuple(classes), tuple(videos), content)


def _csv(columns: Sequence[str], rows: Sequence[Mapping[str, str]], kept: set[str]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(row for row in rows if row["video"] in kept)
    return text.getvalue().encode("utf-8")


def _generated_list(asked: Request) -> dict[str, bytes]:
    rate = RATE[_family(asked)]
    database, lines = {}, ["video,numFrame,seconds,fps,rfps,subset,featureFrame"]
    for name, part, seconds, rows in _generated(asked):
        frames = round(seconds * rate)
        covered = frames // 16 * 16
        database[name] = {
            "duration_second": seconds, "duration_frame": frames, "annotations": rows, "feature_frame": covered
        }  # fmt: skip
        subset = "training" if part == TRAIN else "validation"
        lines.append(f"{name},{frames},{seconds},{rate},{rate},{subset},{covered}")
    return {
        activitynet.ANNOTATIONS: json.dumps(database).encode(),
        activitynet.INFO: ("\n".join(lines) + "\n").encode(),
    }
