"""Textured shapes that move over a moving background, drawn to frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

KINDS = ("disc", "square", "triangle", "ring")


@dataclass(frozen=True)
class Shape:
    """One shape in a shot. Appearance is drawn apart from behaviour, and every behaviour passes the key frame in a
    state that shapes without it may be in as well, so that a single frame does not show what a shape does.

    ``path`` (T, 2) centre in pixels, ``radius`` (T,) pixels, ``angle`` (T,) radians, ``opacity`` (T,) in (0, 1];
    ``kind`` of KINDS, ``colours`` (2, 3) in [0, 1] of the stripes, ``stripes`` how many.
    """

    path: np.ndarray
    radius: np.ndarray
    angle: np.ndarray
    opacity: np.ndarray
    kind: str
    colours: np.ndarray
    stripes: float


def render(shapes: list[Shape], background: np.ndarray, height: int, width: int) -> np.ndarray:
    """Frames (T, H, W, 3) uint8 of shapes, later ones in front, over ``background`` (T, H, W, 3) in [0, 1]."""
    frames = background.copy()
    for shape in shapes:
        for moment in range(len(frames)):
            _draw(frames[moment], shape, moment, height, width)
    return np.asarray(frames * np.float32(255) + np.float32(0.5), dtype=np.uint8)


def moving_background(frames: int, height: int, width: int, generator: np.random.Generator) -> np.ndarray:
    """(T, H, W, 3) smooth waves of colour that drift in a direction of their own."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    waves, courses = [np.ones((height, width, 1)) * generator.uniform(0.3, 0.7, size=3)], [np.ones(frames)]
    for _ in range(3):
        fx, fy = generator.normal(0, 0.05, size=2)
        speed, phase = generator.normal(0, 0.1), generator.uniform(0, 2 * np.pi)
        colour = generator.uniform(-0.08, 0.08, size=3)
        for wave, course in ((np.sin, np.cos), (np.cos, np.sin)):  # sin(a + b) = sin a cos b + cos a sin b
            waves.append(wave(fx * x + fy * y + phase)[..., None] * colour)
            courses.append(course(speed * np.arange(frames)))
    flat = np.stack(waves).reshape(len(waves), -1).astype(np.float32)
    return np.asarray(np.clip(np.stack(courses, axis=1).astype(np.float32) @ flat, 0, 1)).reshape(
        frames, height, width, 3
    )


def _draw(frame: np.ndarray, shape: Shape, moment: int, height: int, width: int) -> None:
    """Blend one shape into one frame (H, W, 3), in place, with edges smoothed over about a pixel."""
    (x, y), radius = shape.path[moment], shape.radius[moment]
    left, right = max(0, int(x - radius - 1)), min(width, int(x + radius + 3))
    top, bottom = max(0, int(y - radius - 1)), min(height, int(y + radius + 3))
    if left >= right or top >= bottom:
        return
    dy, dx = np.mgrid[top:bottom, left:right].astype(np.float64)
    cosine, sine = np.cos(shape.angle[moment]), np.sin(shape.angle[moment])
    u = (cosine * (dx - x) + sine * (dy - y)) / radius
    v = (-sine * (dx - x) + cosine * (dy - y)) / radius
    cover = np.clip(0.5 - _distance(shape.kind, u, v) * radius, 0, 1) * shape.opacity[moment]
    band = (np.floor((u + 1) * shape.stripes) % 2)[..., None]
    paint = shape.colours[0] * (1 - band) + shape.colours[1] * band
    part = frame[top:bottom, left:right]
    part += cover[..., None] * (paint - part)


def _distance(kind: str, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Signed distance to the outline, in radii, negative inside; every kind fits into the unit circle."""
    if kind == "disc":
        return np.asarray(np.hypot(u, v) - 1)
    if kind == "ring":
        return np.asarray(np.abs(np.hypot(u, v) - 0.7) - 0.3)
    if kind == "square":
        return np.asarray(np.maximum(np.abs(u), np.abs(v)) - np.sqrt(0.5))
    return np.asarray(np.maximum(-v - 0.5, 0.5 * v + np.sqrt(0.75) * np.abs(u) - 0.5))
