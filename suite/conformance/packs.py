"""What may be odd about a feature pack on disk, file by file, before anything is packed: for packs of untrimmed videos.

Readers stop at the first fault that they meet; here all videos are looked at, so that a user learns what kind of pack
this is: features of other videos, of another stride or width, or with RGB and flow exchanged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from suite.conformance.finding import Doubt, Finding, tried
from suite.data import find_card
from suite.data.readers import activitynet, i3d
from suite.data.storage.files import dataset_folder, missing
from suite.data.storage.generated import find_mark
from suite.errors import DataError
from suite.spec.card import DatasetCard, parse_dataset_name

Said = tuple[str, Mapping[str, Any]]
NAMED = 3  # names in a sentence
LOOSE = 0.1  # share by which a length may differ from what the duration gives, beside two windows
SAMPLED = 200  # videos whose values are looked at for what tells modalities apart
PLAIN = 1.1  # ratio from which one modality keeps more of a video than the other
APART = 4.0  # deviations from which a video is unlike the others


@dataclass(frozen=True)
class Listed:
    """An annotated video: seconds, and frames per second of its features (0 where nothing states them)."""

    name: str
    seconds: float
    fps: float


@dataclass(frozen=True)
class Pack:
    """Annotated videos and their feature files, as they lie in ``folder``."""

    card: DatasetCard
    folder: Path

    @cached_property
    def listed(self) -> list[Listed]:
        """The videos that are trained or tested on, by name."""
        if self.card.reader == "activitynet":
            entries = [e for e in activitynet.read_entries(self.card, self.folder) if e.rows and e.subset != "testing"]
            rates = self.card.options.get("feature_rates", {})
            own = {entry.name: entry.frames / entry.seconds for entry in entries}
            width = 0 if self.cells or not entries else next((w for _, w in self.shapes.values()), 0)
            fps = float(rates.get(str(width), 0.0))
            return [Listed(e.name, e.seconds, fps or own[e.name]) for e in entries]
        subsets = {*self.card.options["train_subsets"], *self.card.options["test_subsets"]}
        videos = [v for v in i3d.read_annotations(self.card, self.folder) if v.subset in subsets]
        return [Listed(v.name, v.duration, float(self.card.layout.fps or v.fps)) for v in videos]

    @property
    def cells(self) -> bool:
        """Whether features are a fixed number of cells a video, in CSV files."""
        return self.card.reader == "activitynet" and (self.folder / activitynet.CELLS).is_dir()

    @cached_property
    def names(self) -> list[str]:
        """The videos that there are features of, annotated or not."""
        if self.cells:
            return sorted(path.stem for path in (self.folder / activitynet.CELLS).glob("*.csv"))
        source = i3d.find_features(self.card, self.folder)
        if isinstance(source, i3d.OneFile):
            return sorted(source.index)
        known = (path for place in i3d.PLACES if place for path in (self.folder / place).rglob("*.npy"))
        return sorted({path.stem for path in known})

    @cached_property
    def shapes(self) -> dict[str, tuple[int, int]]:
        """(L, D) of every video whose file can be opened."""
        return {name: rows.shape for name in self.names if isinstance(rows := self.open(name), np.ndarray)}

    def open(self, name: str) -> np.ndarray | DataError:
        """The features (L, D) of a video, or why there are none."""
        try:
            if self.cells:
                return activitynet.read_cells(self.folder, name)
            return i3d.find_features(self.card, self.folder).rows(name)
        except DataError as error:
            return error


def examine_pack(name: str, root: Path | None = None) -> Iterator[Finding]:
    """Look into the feature files of the dataset called ``name``; nothing for cards of other readers.

    The first finding says whether there are files at all; without, the others are not tried.
    """
    card = find_card(parse_dataset_name(name)[0])
    if card.reader not in ("i3d", "activitynet"):
        return
    pack = Pack(card, dataset_folder(card, root))
    opening = tried(_present, pack)
    yield opening
    if opening.holds:
        for check in (_videos, _files, _channels, _lengths, _modalities, _exchanged):
            yield tried(check, pack)


def _present(pack: Pack) -> Said:
    """the pack's files are there"""
    absent = missing(pack.card, pack.folder)
    assert not absent, f"{pack.folder} lacks {', '.join(file.path for file in absent)}; {pack.card.obtain}"
    mark = find_mark(pack.card, pack.folder)
    found = f"{len(pack.listed)} annotated videos, features of {len(pack.names)}"
    return (f"a rehearsal pack (generated features): {found}" if mark else found), {"videos": len(pack.names)}


def _videos(pack: Pack) -> Said:
    """features and annotations are of the same videos"""
    listed, there = {video.name for video in pack.listed}, set(pack.names)
    absent, more = sorted(listed - there), sorted(there - listed)
    facts = {"missing": absent, "not annotated": more}
    if listed and not listed & there:
        raise AssertionError(
            f"no annotated video has features: annotations name {some(absent)}, features {some(more)}; put the "
            "annotations of these videos there"
        )
    assert not absent, f"{len(absent)} annotated videos have no features: {some(absent)}; get them, or the whole pack"
    if more:
        raise Doubt(f"{len(more)} videos with features are not annotated and will not be used: {some(more)}", facts)
    return f"{len(listed)} videos", facts


def _files(pack: Pack) -> Said:
    """every file holds finite floating-point numbers"""
    wrong: list[str] = []
    broken: list[str] = []
    kinds: dict[str, list[str]] = {}
    for name in pack.names:
        rows = pack.open(name)
        if isinstance(rows, DataError):
            broken.append(f"{name} ({rows})")
            continue
        kinds.setdefault(str(rows.dtype), []).append(name)
        if not np.isfinite(rows).all():
            wrong.append(name)
    assert not broken, f"{len(broken)} files cannot be used: {broken[0].rstrip('.')}"
    assert not wrong, f"{len(wrong)} videos hold values that are not finite: {some(wrong)}; get these files again"
    facts = {"types": {kind: len(names) for kind, names in kinds.items()}}
    if set(kinds) - {"float32"}:
        kind = next(kind for kind in kinds if kind != "float32")
        raise Doubt(f"{len(kinds[kind])} videos are stored as {kind} instead of float32: {some(kinds[kind])}", facts)
    return f"{len(pack.names)} files of float32", facts


def _channels(pack: Pack) -> Said:
    """features are as wide as the card states"""
    widths: dict[int, list[str]] = {}
    for name, (_, width) in pack.shapes.items():
        widths.setdefault(width, []).append(name)
    common = max(widths, key=lambda width: len(widths[width]))
    facts = {"widths": {width: len(names) for width, names in widths.items()}}
    rows = {length for length, _ in pack.shapes.values()}
    assert len(widths) == 1 or len(rows) > 1, (
        f"all files have {min(rows)} rows and {len(widths)} numbers of columns: they look like (channels, snippets); "
        "write them as (snippets, channels)"
    )
    others = [name for width, names in widths.items() if width != common for name in names]
    assert not others, f"{len(others)} videos are not {common} channels wide as the others: {some(others)}"
    stated = pack.card.layout.channels
    if find_mark(pack.card, pack.folder) is None and stated not in (None, common):
        half = "; this is one modality alone" if common * 2 == stated else ""
        raise AssertionError(f"features are {common} channels wide, the card states {stated}{half}")
    return f"{common} channels", facts


def _lengths(pack: Pack) -> Said:
    """lengths fit durations and the card's stride"""
    stride, window = float(pack.card.layout.stride or 16), float(pack.card.layout.window or 16)
    known = [v for v in pack.listed if v.name in pack.shapes and v.seconds > 0 and v.fps > 0]
    if pack.cells:
        lengths = sorted({pack.shapes[video.name][0] for video in known})
        assert len(lengths) == 1, f"videos have {lengths[0]} to {lengths[-1]} cells; they should all have as many"
        return f"{lengths[0]} cells a video", {"cells": lengths[0]}
    if not known:
        return "no duration is stated", {}
    frames = np.array([video.seconds * video.fps for video in known])
    count = np.array([pack.shapes[video.name][0] for video in known])
    found = float(np.median((frames - window + stride) / count))
    facts = {"stride": found}
    assert abs(found / stride - 1) <= LOOSE, (
        f"snippets lie {found:.2g} frames apart at the median, the card states {stride:g}: these features have another "
        "stride or frame rate; use the card that fits them, or a copy with this stride"
    )
    expected = (frames - window + stride) / stride
    off = np.abs(count - expected) > np.maximum(LOOSE * expected, 1 + 2 * window / stride)
    if off.any():
        worst = int(np.argmax(np.where(off, np.abs(np.log(count / np.maximum(expected, 1))), -1)))
        one, wanted = known[worst], f"{expected[worst]:.0f}"
        example = f"{one.name} has {count[worst]} snippets where {one.seconds:.1f} s give {wanted}"
        raise AssertionError(f"{int(off.sum())} of {len(known)} videos have lengths that do not fit: {example}")
    return f"a snippet every {found:.2f} frames at the median, the card states {stride:g}", facts


def _modalities(pack: Pack) -> Said:
    """RGB comes before flow"""
    if tuple(pack.card.layout.modalities) != ("rgb", "flow"):
        return "the card names no RGB and flow", {}
    within, between, _ = _halves(pack)
    if len(within) < 4:
        return "too few videos to say", {}
    kept = between / (between + within.mean(axis=0))
    facts = {"kept by the first half": float(kept[0]), "kept by the second half": float(kept[1])}
    shares = f"{kept[0]:.0%} in the first half of the channels and {kept[1]:.0%} in the second"
    said = f"of the variance {shares} is the video's"
    if kept[1] > PLAIN * kept[0]:
        raise Doubt(
            f"{said} own: scenes stay and motion changes, so that RGB keeps more; look whether flow comes first here",
            facts,
        )
    sure = "RGB keeps more, as it should" if kept[0] > PLAIN * kept[1] else "this does not tell RGB from flow"
    return f"{said} own: {sure}", facts


def _exchanged(pack: Pack) -> Said:
    """all videos have their modalities in the same order"""
    within, _, names = _halves(pack)
    if len(within) < 8 or not (within > 0).all():
        return "too few videos to say", {}
    ratio = np.log(within[:, 0] / within[:, 1])
    middle = float(np.median(ratio))
    spread = max(1.4826 * float(np.median(np.abs(ratio - middle))), 1e-3)
    if abs(middle) < APART / 2 * spread:
        return "the halves of the channels are too much alike to say", {"ratio": middle, "spread": spread}
    odd = (np.abs(ratio - middle) > APART * spread) & (np.abs(ratio + middle) < np.abs(ratio - middle))
    found = [name for name, one in zip(names, odd, strict=True) if one]
    if found:
        raise Doubt(f"the halves of the channels look exchanged in {len(found)} videos: {some(found)}", {"odd": found})
    return f"as far as their variances say, in {len(names)} videos", {"ratio": middle, "spread": spread}


def _halves(pack: Pack) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Of both halves of the channels: (V, 2) variance within each video, (2,) between videos; and the names (V,)."""
    names = [name for name, (length, width) in pack.shapes.items() if length > 1 and width % 2 == 0]
    names = names[:: max(1, len(names) // SAMPLED)]
    within, means, kept = [], [], []
    for name in names:
        rows = np.asarray(pack.open(name), dtype=np.float64)
        if np.isfinite(rows).all():
            within.append(rows.var(axis=0).reshape(2, -1).mean(axis=1))
            means.append(rows.mean(axis=0))
            kept.append(name)
    if len({len(mean) for mean in means}) != 1:
        return np.zeros((0, 2)), np.zeros(2), []
    return np.array(within), np.array(means).var(axis=0).reshape(2, -1).mean(axis=1), kept


def some(names: Sequence[str]) -> str:
    """The first few of ``names``, and how many there are beside them."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
