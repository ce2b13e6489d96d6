"""Whole methods on a device: their numbers beside the CPU's, and what the host waits for inside their steps."""

from __future__ import annotations

import tempfile
import warnings
from functools import partial
from pathlib import Path

import torch

from tests.gpu.report import Report

PART = "methods"
LOSS_GAP = 0.05  # share of the first loss: draws of dropout differ between devices


def methods(report: Report, device: str, names: list[str] | None = None) -> None:
    """Every method trained on its small world on both devices: the first loss, and test metrics side by side."""
    from suite.registry import methods as known

    for name in names or list(known()):
        report.part(f"{PART}: {name}", partial(_method, report, device, name))


def _method(report: Report, device: str, name: str) -> None:
    from suite.places import Places
    from tests.gpu.simulation import EXCUSED, trained

    with tempfile.TemporaryDirectory() as folder:
        here = trained(name, "cpu", Places(folder))
        with Noted() as found:
            there = trained(name, device, Places(folder))
    if here.steps:
        gap = abs(there.losses[0] - here.losses[0]) / max(abs(here.losses[0]), 1e-6)
        report.add(PART, name, "relative difference of the first loss", gap, LOSS_GAP)
    for metric in list(here.metrics)[:1]:
        report.add(PART, name, f"{metric.split(' ')[0]}: CPU", here.metrics[metric])
        report.add(PART, name, f"{metric.split(' ')[0]}: device", there.metrics[metric])
    waits = [text for text in found if not any(place in text for place in EXCUSED)]
    report.add(PART, name, "waits of the host inside steps", len(waits), 0)
    for text in waits[:3]:
        report.add(PART, name, "a wait", text)


class Noted:
    """Notes torch's warnings of synchronizations, with the line that asked for each."""

    def __enter__(self) -> list[str]:
        self.found: list[str] = []
        self.catching = warnings.catch_warnings()
        self.catching.__enter__()
        warnings.simplefilter("always")
        warnings.showwarning = self._note  # type: ignore[assignment]
        return self.found

    def __exit__(self, *error: object) -> None:
        self.catching.__exit__(*error)  # type: ignore[arg-type]

    def _note(self, message: Warning | str, category: object, filename: str, lineno: int, *rest: object) -> None:
        if "synchroniz" in str(message):
            self.found.append(f"{filename}:{lineno}")


def decoding(report: Report, device: str) -> None:
    """The share of a training on video files in which it waits for clips, by threads and by what decodes ahead; whether
    hardware gives the pixels that software does."""
    from suite.data.hardware import present
    from tests.benchmarks.bench_actors import CLIPS, filmed

    with tempfile.TemporaryDirectory() as folder:
        kept = min(filmed(Path(folder), CLIPS, device) for _ in range(2))  # the first one also warms up
        for way, threads in (*(("software", threads) for threads in (1, 2, 4, 8)), ("hardware", 2)):
            if way == "hardware" and not present():
                report.skip("decoding: hardware", "no hardware of this node decodes H.264")
                continue
            share = max(0.0, 1 - kept / filmed(Path(folder), 0, device, threads, way))
            report.add("decoding", f"{threads} threads decode by {way}", "share of the time spent waiting", share)
        if present():
            apart = _pixels_apart(Path(folder))
            report.add("decoding", present()[0], "pixels that differ from software's", apart, 0)


def _pixels_apart(folder: Path) -> int:
    from suite.data.video import read_video

    times, files = [index / 30 for index in range(40)], sorted(folder.glob("*.mp4"))[:4]
    return sum(int((read_video(file, times, hardware=True) != read_video(file, times)).sum()) for file in files)


def transfers(report: Report, device: str) -> None:
    """Bytes sent to the device by a training on features: each dataset once."""
    if not device.startswith("cuda"):
        report.skip("transfers", "they are counted by CUDA's profiler")
        return
    from torch.profiler import ProfilerActivity, profile

    from suite.places import Places
    from tests.gpu.simulation import trained

    with tempfile.TemporaryDirectory() as folder, profile(activities=[ProfilerActivity.CUDA]) as seen:
        trained("mask-bce", device, Places(folder))
    copies = [event for event in seen.events() if "HtoD" in event.name]
    report.add("transfers", "mask-bce", "copies to the device in a training", len(copies))
    torch.cuda.synchronize()
