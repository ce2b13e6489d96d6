"""Clips of pixels as input: decoding ahead of the training step, weak and strong views, scoring a split."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from methods.actor_detection.parts.augment_clips import RandAugment, flipped, jittered
from methods.actor_detection.parts.feature_inputs import View
from methods.networks.slowfast_detector import boxes_with_owner
from suite.errors import DataError
from suite.method import Batch, Run
from suite.tasks.actors.samples import Actors
from suite.tasks.data import TaskData

Decoding = Literal["software", "hardware"]
SCORED = 8  # clips scored at a time
AHEAD = 2  # batches decoded ahead of the one in training


@dataclass(frozen=True)
class ClipAugmentation:
    """``flip``: probability of the mirror image in either view; ``jitter`` of boxes in training; RandAugment for the
    strong view. Boxes follow every geometric change, so that row i of teacher and student is the same actor."""

    flip: float = 0.5
    jitter: float = 0.0
    strong: RandAugment = field(default_factory=RandAugment)


class Decoder:
    """Decodes clips, in threads, and keeps up to ``keep`` of them; records which cannot be decoded."""

    def __init__(self, source: Any, keep: int, threads: int) -> None:
        self.source, self.keep, self.threads = source, keep, threads
        self.known: dict[int, np.ndarray] = {}
        self.broken: dict[int, str] = {}

    def clip(self, index: int) -> np.ndarray | None:
        """Frames (T, H, W, 3) uint8 of clip ``index``, or None where it cannot be decoded."""
        if index in self.known:
            return self.known[index]
        if index in self.broken:
            return None
        try:
            frames = self.source.clip(index)
        except DataError as error:
            self.broken[index] = str(error)
            return None
        return self._kept(index, frames)

    def ahead(self, groups: Iterable[np.ndarray]) -> Iterator[list[np.ndarray | None]]:
        """The clips of each group, in order, while the next groups are being decoded."""
        with ThreadPoolExecutor(self.threads) as pool:
            waiting: list[list[Future[list[np.ndarray | None]]]] = []
            for group in groups:
                waiting.append([pool.submit(self.clips, run) for run in self.runs(group)])
                if len(waiting) > AHEAD:
                    yield [clip for future in waiting.pop(0) for clip in future.result()]
            for futures in waiting:
                yield [clip for future in futures for clip in future.result()]

    def runs(self, group: np.ndarray) -> list[list[int]]:
        """The clips of a group in runs that are decoded at once, where the source knows of any."""
        indices = [int(index) for index in group]
        if not hasattr(self.source, "neighbours"):
            return [[index] for index in indices]
        runs: list[list[int]] = self.source.neighbours(indices)
        return runs

    def clips(self, run: list[int]) -> list[np.ndarray | None]:
        """:meth:`clip` of each; neighbours in a video are decoded in one pass."""
        if len(run) > 1 and not any(index in self.known or index in self.broken for index in run):
            with suppress(DataError):  # then one by one, to know which it is
                return [self._kept(index, frames) for index, frames in zip(run, self.source.together(run), strict=True)]
        return [self.clip(index) for index in run]

    def _kept(self, index: int, frames: np.ndarray) -> np.ndarray:
        if len(self.known) < self.keep:
            self.known[index] = frames
        return np.asarray(frames)


class ClipInputs:
    """Batches of clips padded to one size: ``frames`` (B, T, H, W, 3) uint8, ``boxes`` (B, A, 4), ``rows`` (B, A).

    Of the A places of a clip the first ones are its people, whose number is in the list ``people``; lists stay with the
    host, which needs their values. Boxes are cut to the picture and in [0, 1] of the padded batch. ``mirror``: the
    class that each class becomes in the mirror image. ``still`` shows the key frame instead of every frame: what can be
    recognized without motion. ``threads`` decode, 0: as many as the run has CPUs; with ``hardware`` a device does,
    where the node has one that can.
    """

    def __init__(
        self,
        data: TaskData[Actors],
        augmentation: ClipAugmentation,
        keep: int = 0,
        threads: int = 0,
        still: bool = False,
        hardware: bool = False,
    ) -> None:
        self.train, self.augmentation, self.classes = data.train, augmentation, len(data.classes)
        self.mirror = np.array(data.facts.get("mirror") or range(self.classes))
        self.starts = {id(data.train): _starts(data.train)}
        self.keep, self.threads, self.still = keep, threads or torch.get_num_threads(), still
        self.hardware = hardware
        self.decoders = {id(data.train): self._decoder_of(data.train.frames)}

    def decoder(self, samples: Actors) -> Decoder:
        """The decoder of a split."""
        return self.decoders.setdefault(id(samples), self._decoder_of(samples.frames))

    def batches(self, groups: list[np.ndarray], generator: np.random.Generator) -> Iterator[Batch]:
        """One batch per group of training clips; clips that cannot be decoded are left out of theirs."""
        for group, clips in zip(groups, self.decoder(self.train).ahead(groups), strict=True):
            yield self.collate(self.train, group, clips, generator)

    def collate(
        self,
        samples: Actors,
        group: np.ndarray,
        clips: list[np.ndarray | None],
        generator: np.random.Generator | None = None,
    ) -> Batch:
        """Clips of one or several sizes as one batch, padded at the right and the bottom with black."""
        starts = self.starts.setdefault(id(samples), _starts(samples))
        found = [(int(index), clip) for index, clip in zip(group, clips, strict=True) if clip is not None]
        sizes = np.array([clip.shape[:3] for _, clip in found], dtype=np.int64).reshape(-1, 3)
        height, width = (int(sizes[:, axis].max(initial=16)) for axis in (1, 2))
        counts = [int(starts[index + 1] - starts[index]) for index, _ in found]
        frames = np.zeros((len(found), int(sizes[:, 0].max(initial=1)), height, width, 3), dtype=np.uint8)
        rows = np.full((len(found), max([1, *counts])), -1, dtype=np.int64)
        for place, (index, clip) in enumerate(found):
            shown = clip[len(clip) // 2] if self.still else clip
            frames[place, : clip.shape[0], : clip.shape[1], : clip.shape[2]] = shown
            rows[place, : counts[place]] = np.arange(starts[index], starts[index + 1])
        share = np.stack([sizes[:, 2] / width, sizes[:, 1] / height], axis=1).astype(np.float32)
        boxes = np.clip(samples.box[np.maximum(rows, 0)], 0, 1) if len(samples) else np.zeros((*rows.shape, 4))
        draws = generator or np.random.default_rng(0)
        return {
            "frames": torch.from_numpy(frames),
            "share": share.tolist(),
            "boxes": torch.from_numpy(np.asarray(boxes * np.tile(share, 2)[:, None], dtype=np.float32)),
            "people": counts,
            "rows": torch.from_numpy(rows),
            "uniform": torch.from_numpy(draws.random(rows.shape)),
            # A seed for each clip goes with the batch: views are made later, on the device, and depend on no other
            # clip.
            "seed": draws.integers(2**62, size=len(found)).tolist(),
        }

    def logits(self, network: nn.Module, part: Batch, view: View, run: Run) -> Tensor:
        """(n, C) logits of the actors of a batch, clip by clip, with classes as in the picture that is not mirrored."""
        clips = part["frames"].permute(0, 4, 1, 2, 3).float() / 255
        boxes, people, mirrored = part["boxes"], part["people"], [False] * len(clips)
        if view != "plain":
            clips, boxes, mirrored = self._augmented(clips, part, view)
        owned = boxes_with_owner(boxes, places_of(part))
        logits = network(clips, owned, torch.tensor(part["share"]), people).float()
        turned = torch.from_numpy(np.repeat(mirrored, people)).to(logits.device, non_blocking=True)
        return torch.where(turned[:, None], logits[:, run.resident("mirror", self.mirror)], logits)

    @torch.no_grad()
    def score(self, network: nn.Module, samples: Actors, run: Run, rows: np.ndarray | None = None) -> np.ndarray:
        """(N, C) logits of the instances of ``samples`` or of some ``rows``; -inf where the clip cannot be decoded."""
        wanted = np.unique(samples.clip if rows is None else samples.clip[rows])
        scores = np.full((len(samples), self.classes), -np.inf, dtype=np.float32)
        groups, done = [wanted[start : start + SCORED] for start in range(0, len(wanted), SCORED)], 0
        for group, clips in zip(groups, self.decoder(samples).ahead(groups), strict=True):
            run.tell("scoring: clip", done, len(wanted))
            done += len(group)
            part = self.collate(samples, group, clips)
            if len(part["frames"]):
                moved = {name: v.to(run.device) if isinstance(v, Tensor) else v for name, v in part.items()}
                found = self.logits(network, moved, "plain", run).float().cpu().numpy()
                scores[part["rows"].flatten()[places_of(part)].numpy()] = found
        return scores if rows is None else scores[rows]

    def broken(self) -> int:
        """Clips met so far that cannot be decoded."""
        return sum(len(decoder.broken) for decoder in self.decoders.values())

    def _decoder_of(self, source: Any) -> Decoder:
        known = self.hardware and hasattr(source, "on_hardware")  # sources of generated pictures decode nothing
        return Decoder(source.on_hardware() if known else source, self.keep, self.threads)

    def _augmented(self, clips: Tensor, part: Batch, view: View) -> tuple[Tensor, Tensor, list[bool]]:
        """Each clip under its own seed; the weak and the strong view of a clip use different draws."""
        settings, seen, places, turned = self.augmentation, [], [], []
        for clip, given, (share, _), seed in zip(clips, part["boxes"], part["share"], part["seed"], strict=True):
            generator = np.random.default_rng([seed, view == "strong"])
            frames, boxes = clip.transpose(0, 1), given
            if view == "strong":
                frames, boxes = settings.strong(frames, boxes, generator)
            if settings.jitter:
                boxes = jittered(boxes, settings.jitter, generator)
            turned.append(bool(generator.random() < settings.flip))
            if turned[-1]:
                frames, boxes = flipped(frames, boxes, share)
            seen.append(frames.transpose(0, 1))
            places.append(boxes)
        return torch.stack(seen), torch.stack(places), turned


def places_of(part: Batch) -> Tensor:
    """(n,) places of the people of ``part`` among the B x A of its padded tensors, on the device of these."""
    rows: Tensor = part["rows"]
    held = np.arange(rows.shape[1]) < np.array(part["people"], dtype=np.int64)[:, None]
    return torch.from_numpy(np.flatnonzero(held)).to(rows.device, non_blocking=True)


def _starts(samples: Actors) -> np.ndarray:
    return np.searchsorted(samples.clip, np.arange(len(samples.clip_ids) + 1))
