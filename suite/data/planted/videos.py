"""planted-videos: generated untrimmed videos with the three difficulties of weakly supervised localization.

A snippet's features are ``class_snr · Σ a_c v_c + actionness_snr · m · u + noise``: class directions v_c are present
inside instances (weakly in hard ones) and in scenes that hold no action; one actionness direction u, stronger in the
flow half, is shared by all classes and present inside instances only; evidence ramps over the boundaries, which are
annotated with jitter; noise is AR(1) in time with unit variance. Directions are sign vectors, so every mean is exact
in floating point and generation gives the same bytes on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from suite.data.planted.snippet_states import LEVELS, Looks, Snippets, StateLaw, VideoWorld
from suite.data.planted.timelines import Timeline, planted_instances, real_instances, with_scenes
from suite.data.reading import Reader
from suite.errors import UsageError
from suite.evaluate.segments import Segments
from suite.hyper import Value
from suite.spec.card import DatasetCard
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos

FPS, STRIDE = 25.0, 16.0  # of the published I3D features: 0.64 s a snippet
FLOW_SHARE = 0.8  # share of the actionness direction's energy in the flow half
SPLITS = ("train", "validation", "test")


def read(card: DatasetCard, folder: Path, dials: Mapping[str, Value], task: str) -> TaskData[Videos]:
    """Generate the three splits; oracle arrays: ``inside`` and ``posterior`` (ΣL, C), ``context``, ``ramp``, ``hard``.

    ``posterior`` is P(class c is under way | the snippet's features, the video's classes), exact given how often each
    state occurs in the world.
    """
    world = VideoWorld(dials)
    names, timelines = draw_timelines(dials, folder, dict(card.options))
    drawn = {split: [Snippets.of(t, STRIDE / FPS, world) for t in timelines[split]] for split in SPLITS}
    law = StateLaw.counted([video for split in SPLITS for video in drawn[split]], draw_looks(len(names), world), world)
    splits = {
        split: _videos(timelines[split], drawn[split], law, world, 1 + index) for index, split in enumerate(SPLITS)
    }
    facts = {"feature_halves": True, "unit": "video", "kind": "planted", "premises": premises(drawn["train"], law)}
    return TaskData.of(card.name, task, names, splits, facts)


def draw_timelines(
    dials: Mapping[str, Value], folder: Path, options: dict[str, Any]
) -> tuple[tuple[str, ...], dict[str, list[Timeline]]]:
    """Class names and the timelines of each split (half, a sixth and a third of ``videos``, or the real splits)."""
    world = VideoWorld(dials)
    if world.timelines != "planted":
        return _real_timelines(world, folder, options)
    count, classes = int(world.videos), int(world.classes)
    sizes = dict(zip(SPLITS, (count // 2, count // 6, count - count // 2 - count // 6)))
    nested = bool(world.nested) and classes >= 3
    timelines: dict[str, list[Timeline]] = {}
    for index, split in enumerate(SPLITS):
        timelines[split] = []
        for video in range(sizes[split]):
            generator = world.generator(0, index, video)
            instances = planted_instances(
                generator, video % classes, classes, world.video_seconds, world.co_occurrence, nested,
                world.instance_scale, world.action_share,
            )  # fmt: skip
            name = f"{split}_{video:05d}"
            timeline = with_scenes(generator, name, instances, world.context, world.hard_instances)
            timelines[split].append(_placed(timeline, world, index, video))
    return tuple(f"action_{c:02d}" for c in range(classes)), timelines


def _real_timelines(
    world: VideoWorld, folder: Path, options: dict[str, Any]
) -> tuple[tuple[str, ...], dict[str, list[Timeline]]]:
    """Real timelines with planted scenes; a quarter of the training videos (every fourth) is the validation split."""
    names, videos = real_instances(str(world.timelines), folder, options.get("sha256", {}))
    timelines: dict[str, list[Timeline]] = {split: [] for split in SPLITS}
    seen = 0
    for number, (split, name, instances) in enumerate(videos):
        if split == "train":
            seen += 1
            split = "validation" if seen % 4 == 0 else "train"
        if len(instances[1]) == 0:
            continue
        # By its number among all videos, those without instances included: leaving some out changes no other timeline.
        generator = world.generator(9, number)
        timeline = with_scenes(generator, name, instances, world.context, world.hard_instances)
        timelines[split].append(_placed(timeline, world, number))
    return names, timelines


def _placed(timeline: Timeline, world: VideoWorld, *stream: int) -> Timeline:
    """``timeline`` with each instance's ramp and the video's place; streams of their own leave other draws alone."""
    ramp = np.full(len(timeline.start), float(world.boundary_width))
    if world.ramp_spread:
        spread = world.ramp_spread * world.generator(10, *stream).standard_normal(len(ramp))
        ramp = np.round(ramp * np.exp(spread), 2)
    place = int(world.generator(12, *stream).integers(int(world.scenes)))
    return replace(timeline, ramp=ramp, place=place)


def draw_looks(classes: int, world: VideoWorld) -> Looks:
    """Directions of classes, actionness and scenes: signs scaled to unit length.

    Classes 2k and 2k + 1 are a pair: they share the signs of the first channels of each half (``confusable``), and the
    second one's evidence is ``pair_strength`` times as strong.
    """
    width = int(world.channels)
    if width % 2:
        raise UsageError(f"planted-videos: channels={width} is odd; give RGB and flow the same number of channels.")
    generator = world.generator(7)
    # Signs and no Gaussian draws: every channel then carries the same share of a class, and RGB and flow theirs
    # exactly.
    signs = generator.integers(0, 2, (classes + 1, width)) * 2.0 - 1.0
    scale = np.where(np.arange(width) < width // 2, np.sqrt(2 * (1 - FLOW_SHARE)), np.sqrt(2 * FLOW_SHARE))
    own, second = signs[:-1], np.arange(1, classes, 2)
    alike = np.arange(width) % (width // 2) < round(float(world.confusable) * (width // 2))
    own[second] = np.where(alike, own[second - 1], own[second]) * float(world.pair_strength)
    scenes = None
    if world.context_kind == "own":
        scenes = world.generator(11).integers(0, 2, (classes, int(world.scenes), width)) * 2.0 - 1.0
        scenes /= np.sqrt(width)
    return Looks(own / np.sqrt(width), signs[-1] * scale / np.sqrt(width), scenes)


def premises(videos: list[Snippets], law: StateLaw) -> dict[str, float]:
    """What methods' premises rest on, over the snippets of ``videos``: shares, and separations after ramps.

    A separation is how far action moves a snippet on average beyond where none is, in noise deviations.
    """
    rows = np.concatenate([law.rows(video) for video in videos])
    inside = law.inside[rows].any(axis=1)
    scene = np.concatenate([(video.scene > 0).any(axis=1) for video in videos])
    found = {"share of action": inside.mean(), "share of scenes": scene.mean()}
    if inside.any() and not inside.all():
        for name in ("actionness", "class"):
            moved = law.strength[name][rows]
            found[f"separation of {name}"] = moved[inside].mean() - moved[~inside].mean()
        # Snippets that are chosen for looking like their class: what share of that evidence lies in action.
        evidence = np.maximum(law.strength["class"], law.strength["scene"])[rows]
        found["class evidence inside"] = evidence[inside].sum() / max(float(evidence.sum()), 1e-12)
    return {name: round(float(value), 3) for name, value in found.items()}


def ar_noise(generator: np.random.Generator, length: int, width: int, correlation: float) -> np.ndarray:
    """(L, D) noise of unit variance, correlated from snippet to snippet."""
    noise = generator.standard_normal((length, width))
    fresh = np.sqrt(1 - correlation**2)
    for t in range(1, length):
        noise[t] = correlation * noise[t - 1] + fresh * noise[t]
    return noise


def annotate(timelines: list[Timeline], world: VideoWorld, stream: int) -> Segments:
    """The annotated segments of a split: true boundaries plus jitter, to a tenth of a second, inside the video.

    Where evidence comes slowly, annotators agree less: jitter grows by ``ramp_jitter`` times the ramp's length.
    """
    parts = []
    for video, timeline in enumerate(timelines):
        generator = world.generator(5, stream, video)
        ramp = world.ramp_jitter * timeline.ramp * (STRIDE / FPS)
        jitter = (world.annotation_jitter + ramp) * generator.standard_normal((2, len(timeline.start)))
        start = np.clip(np.round(timeline.start + jitter[0], 1), 0, timeline.duration - 0.1)
        end = np.clip(np.round(timeline.end + jitter[1], 1), start + 0.1, timeline.duration)
        instance, label = np.nonzero(timeline.classes)
        parts.append(Segments(np.full(len(label), video), label, start[instance], end[instance]))
    return Segments.concatenate(parts)


def _videos(timelines: list[Timeline], drawn: list[Snippets], law: StateLaw, world: VideoWorld, stream: int) -> Videos:
    width = law.mean.shape[1]
    rows, posterior = [], []
    for video, snippets in enumerate(drawn):
        noise = ar_noise(world.generator(6, stream, video), len(snippets.hard), width, world.noise_correlation)
        features = (law.mean[law.rows(snippets)] + noise).astype(np.float32)
        rows.append(features)
        posterior.append(law.posterior(features.astype(np.float64), snippets.video_classes).astype(np.float32))
    return Videos.annotated(
        np.array([t.name for t in timelines]),
        np.concatenate(rows),
        [len(r) for r in rows],
        annotate(timelines, world, stream),
        len(law.inside[0]),
        fps=FPS,
        stride=STRIDE,
        window=STRIDE,
        duration=[t.duration for t in timelines],
        oracle=_oracle(drawn, np.concatenate(posterior)),
    )


def _oracle(drawn: list[Snippets], posterior: np.ndarray) -> dict[str, np.ndarray]:
    level = np.concatenate([s.level for s in drawn])
    highest = level.max(axis=1)
    return {
        "inside": level >= LEVELS // 2,
        "posterior": posterior,
        "context": np.concatenate([(s.scene > 0).any(axis=1) for s in drawn]),
        "ramp": (highest > 0) & (highest < LEVELS),
        "hard": np.concatenate([s.hard for s in drawn]),
    }


READER = Reader(read)
