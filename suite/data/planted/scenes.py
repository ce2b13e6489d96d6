"""What shapes do in a shot, and which labels that gives: locomotion, changes of the shape itself, and company."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suite.data.planted.shapes import KINDS, Shape

CLASSES = (
    "rest",
    "move left",
    "move right",
    "move up",
    "move down",
    "fall",
    "turn",
    "pulse",
    "approach",
    "touch",
    "follow",
    "blink",
    "carry",
)
LABEL = {name: index for index, name in enumerate(CLASSES)}
MIRROR = [LABEL[{"move left": "move right", "move right": "move left"}.get(name, name)] for name in CLASSES]
POSES = 6  # rest, four directions, fall: everyone does exactly one of them
WAYS = {  # direction in the picture, y downwards
    "move left": (-1.0, 0.0),
    "move right": (1.0, 0.0),
    "move up": (0.0, -1.0),
    "move down": (0.0, 1.0),
}
POSE_ODDS = {"rest": 0.34, "move left": 0.22, "move right": 0.18, "move up": 0.12, "move down": 0.09, "fall": 0.05}
CHANGE_ODDS = {"turn": 0.30, "pulse": 0.16, "blink": 0.06}
COMPANY_ODDS = {"none": 0.60, "approach": 0.16, "touch": 0.12, "follow": 0.08, "carry": 0.04}
DIM = 0.4  # opacity between blinks; a fifth of the shapes that do not blink are as dim
FPS = 30


@dataclass
class Behaviour:
    """One shape's part in a shot: ``place`` (2,) at the key frame, ``velocity`` (2,) pixels per second, ``labels``."""

    place: np.ndarray
    velocity: np.ndarray
    radius: float
    labels: set[str]


def draw_cast(count: int, height: int, width: int, speed: float, generator: np.random.Generator) -> list[Behaviour]:
    """Behaviours of ``count`` shapes; places at the key frame are uniform and apart, whatever the shapes do."""
    cast: list[Behaviour] = []
    for _ in range(count):
        radius = generator.uniform(0.09, 0.15) * height
        place = _free_place(cast, radius, height, width, generator)
        if place is None:
            break
        pose = str(generator.choice(list(POSE_ODDS), p=list(POSE_ODDS.values())))
        velocity = np.array(WAYS.get(pose, (0.0, 0.0))) * speed * generator.uniform(0.7, 1.3)
        changes = {name for name, odds in CHANGE_ODDS.items() if generator.random() < odds}
        cast.append(Behaviour(place, velocity, radius, {pose} | changes))
    for index in range(1, len(cast)):
        kind = str(generator.choice(list(COMPANY_ODDS), p=list(COMPANY_ODDS.values())))
        _join(kind, cast[index], cast[index - 1], speed, (width, height), generator)
    _note_touches(cast)
    return cast


def stage(one: Behaviour, frames: int, generator: np.random.Generator) -> Shape:
    """The shape's course through a shot of ``frames`` frames with the key frame in the middle."""
    time = (np.arange(frames) - frames // 2) / FPS
    path = one.place + time[:, None] * one.velocity
    if "fall" in one.labels:  # from rest about half a second before the key frame, ever faster
        start = -0.5
        fall = np.maximum(time - start, 0) ** 2 - start**2
        path[:, 1] += 4.0 * one.radius * fall
    angle, radius = np.full(frames, generator.uniform(0, 2 * np.pi)), np.full(frames, one.radius)
    if "turn" in one.labels:
        angle = angle + time * generator.choice([-1, 1]) * generator.uniform(2.5, 5.0)
    if "pulse" in one.labels:
        phase, rate = generator.uniform(0, 2 * np.pi), generator.uniform(1.5, 2.5)
        swing = 1 + 0.3 * np.sin(2 * np.pi * rate * time + phase)
        radius = radius * swing / swing[frames // 2]  # of the same size at the key frame as if it did not pulse
    opacity = np.full(frames, DIM if generator.random() < 0.2 else 1.0)
    if "blink" in one.labels:
        opacity = _blinking(time, generator)
    colours = generator.uniform(0, 1, size=(2, 3))
    return Shape(
        path, radius, angle, opacity, str(generator.choice(KINDS)), colours, float(generator.uniform(1.5, 3.5))
    )


def _blinking(time: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """On and off two to four times per second; dim at the key frame in a fifth of the cases, like everybody."""
    rate, dim_now = generator.uniform(2.0, 4.0), generator.random() < 0.2
    phase = generator.uniform(0.1, 0.4) + (0.5 if dim_now else 0.0)
    return np.where((time * rate + phase) % 1 < 0.5, 1.0, DIM)


def _join(
    kind: str,
    one: Behaviour,
    other: Behaviour,
    speed: float,
    size: tuple[int, int],
    generator: np.random.Generator,
) -> None:
    """Let ``one`` do something with ``other``, if the picture has room: its motion and, but for approach, its place."""
    reach, moves = one.radius + other.radius, float(np.hypot(*other.velocity))
    away = one.place - other.place
    away = away / max(float(np.hypot(*away)), 1.0)
    if kind == "approach" and np.hypot(*(one.place - other.place)) > reach + 0.4 * speed:
        _head(one, other.velocity - away * speed)
        one.labels.add(kind)
    elif kind == "follow" and moves > 0:
        behind = other.place - other.velocity / moves * generator.uniform(1.2, 2.2) * reach
        if _inside(behind, size):
            one.place = behind
            _head(one, other.velocity)
            one.labels.add(kind)
    elif kind == "carry" and moves > 0 and _inside(other.place - [0.0, 0.95 * reach], size):
        one.place = other.place - [0.0, 0.95 * reach]
        _head(one, other.velocity)
        other.labels.add(kind)
    elif kind == "touch" and "fall" not in other.labels and _inside(other.place + away * 0.95 * reach, size):
        one.place = other.place + away * 0.95 * reach
        _head(one, other.velocity)


def _inside(place: np.ndarray, size: tuple[int, int]) -> bool:
    return bool((place > 0).all() and (place < size).all())


def _note_touches(cast: list[Behaviour]) -> None:
    """Shapes that meet at the key frame touch, intended or not."""
    for index, one in enumerate(cast):
        for other in cast[:index]:
            if np.hypot(*(one.place - other.place)) <= one.radius + other.radius:
                one.labels.add("touch")
                other.labels.add("touch")


def _head(one: Behaviour, velocity: np.ndarray) -> None:
    """Give ``one`` a velocity and the label of the direction nearest to it."""
    one.velocity = velocity
    one.labels -= {*WAYS, "rest", "fall"}
    if np.hypot(*velocity) < 1e-6:
        one.labels.add("rest")
        return
    one.labels.add(max(WAYS, key=lambda way: float(np.dot(WAYS[way], velocity))))


def _free_place(
    cast: list[Behaviour], radius: float, height: int, width: int, generator: np.random.Generator
) -> np.ndarray | None:
    """A place inside the picture that keeps clear of the others, or None where there is hardly room."""
    for _ in range(50):
        place = generator.uniform([radius, radius], [width - radius, height - radius])
        if all(np.hypot(*(place - one.place)) > 1.25 * (radius + one.radius) for one in cast):
            return np.asarray(place)
    return None
