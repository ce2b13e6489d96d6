"""Steps a second of every network at the sizes of the papers, their memory, and the least time that a step could take.

The floor is the larger of two times: the operations of the matrix products and convolutions of a step at the rate of
one large product on this device, and the bytes that a step must move at least (weights, their gradients and the state
of Adam once each, inputs once) at the rate of one large copy.
"""

from __future__ import annotations

import copy
import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch

from tests.benchmarks.ceilings import operations
from tests.gpu.agreement import precision, tf32
from tests.gpu.cases import CASES, Case, made
from tests.gpu.report import Report

PART = "speed"
MOVED = 9  # of each weight: read, gradient written and read, two states and the weight read and written by Adam
SECONDS = 3.0  # for the repetitions of one measurement


class Clock:
    """Seconds between two points of a device's work."""

    def __init__(self, device: str) -> None:
        self.cuda = device.startswith("cuda")

    def settle(self) -> float:
        """The time, once the device has done all it was asked for."""
        if self.cuda:
            torch.cuda.synchronize()
        return time.perf_counter()

    def median(self, work: Callable[[], object], seconds: float = SECONDS, warm: int = 3) -> float:
        """Median seconds of ``work``, repeated for ``seconds`` after ``warm`` runs."""
        for _ in range(warm):
            work()
        began, taken = self.settle(), []
        while not taken or (time.perf_counter() - began < seconds and len(taken) < 200):
            start = self.settle()
            work()
            taken.append(self.settle() - start)
        return statistics.median(taken)


def rates(report: Report, device: str, size: int) -> tuple[dict[str, float], float]:
    """Operations a second of one large product by precision, and bytes a second of one large copy."""
    clock, found = Clock(device), {}
    for kind in ("float32", "TF32", "bfloat16"):
        factor = torch.randn(size, size, device=device, dtype=torch.bfloat16 if kind == "bfloat16" else torch.float32)
        with tf32(kind == "TF32"):
            found[kind] = 2 * size**3 / clock.median(partial(torch.matmul, factor, factor), 1.0)
        report.add(PART, "one large product", f"TFLOP/s, {kind}", found[kind] / 1e12)
    source = torch.empty(size * size * 4, device=device)
    target = torch.empty_like(source)
    copied = 2 * source.numel() * 4 / clock.median(lambda: target.copy_(source), 1.0)
    report.add(PART, "one large copy", "GB/s", copied / 1e9)
    return found, copied


def training_step(case: Case) -> Callable[[], None]:
    """A step of Adam as the suite takes it, on inputs that lie on the device."""
    fused = next(case.network.parameters()).device.type == "cuda"
    optimizer = torch.optim.Adam(case.network.parameters(), lr=1e-4, fused=fused)

    def step() -> None:
        loss = case.loss(case.network, case.inputs)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


def floor_of(case: Case, rate: float, copied: float) -> float:
    """Seconds that a step takes at least, see the module."""
    work = operations(lambda: case.loss(case.network, case.inputs).backward())
    case.network.zero_grad(set_to_none=True)
    weights = sum(p.numel() * p.element_size() for p in case.network.parameters())
    inputs = sum(v.numel() * v.element_size() for v in case.inputs.values() if isinstance(v, torch.Tensor))
    return max(work / rate, (MOVED * weights + inputs) / copied)


def steps(report: Report, device: str, full: bool, names: list[str] | None = None) -> None:
    """Every network in float32, TF32 and bfloat16, compiled in bfloat16, and with channels last where it is a video."""
    product, copied = rates(report, device, 8192 if full else 256)
    for name in names or list(CASES):
        report.part(f"{PART}: {name}", partial(_case_steps, report, device, full, name, product, copied))
        gc.collect()
        if device.startswith("cuda"):
            torch.cuda.empty_cache()


def _case_steps(report: Report, device: str, full: bool, name: str, product: dict[str, float], copied: float) -> None:
    clock, kind = Clock(device), torch.device(device).type
    case = made(name, full).to(device)
    for accuracy in ("float32", "TF32", "bfloat16") if kind == "cuda" else ("float32", "bfloat16"):
        if clock.cuda:
            torch.cuda.reset_peak_memory_stats()
        with precision(accuracy, case) as changed:
            seconds = clock.median(training_step(changed))
            least = floor_of(changed, product[accuracy], copied)
        report.add(PART, name, f"{case.unit} a second, {accuracy}", case.samples / seconds)
        report.add(PART, name, f"utilization, {accuracy}: floor / step", least / seconds)
        if case.schedule:
            report.add(PART, name, f"hours of the schedule, {accuracy}", case.schedule * seconds / 3600)
        if clock.cuda:
            report.add(PART, name, f"GiB of memory, {accuracy}", torch.cuda.max_memory_allocated() / 2**30)
    if "clips" in case.inputs:
        _channels_last(report, case, name, clock)
    if report.left > 60 and clock.cuda:
        _compiled(report, case, name, clock)
        _captured(report, case, name, clock)


def _channels_last(report: Report, case: Case, name: str, clock: Clock) -> None:
    network = case.network.backbone.to(memory_format=torch.channels_last_3d)  # type: ignore[union-attr, operator]
    assert network is case.network.backbone
    inputs = {**case.inputs, "clips": case.inputs["clips"].to(memory_format=torch.channels_last_3d)}
    with precision("bfloat16", replace(case, inputs=inputs)) as changed:
        seconds = clock.median(training_step(changed))
    report.add(PART, name, f"{case.unit} a second, bfloat16, channels last", case.samples / seconds)


def _compiled(report: Report, case: Case, name: str, clock: Clock) -> None:
    """With ``torch.compile``: what it gains, and what it costs once."""
    began = time.perf_counter()
    try:
        with precision("bfloat16", replace(case, network=torch.compile(case.network))) as changed:  # type: ignore[arg-type]
            seconds = clock.median(training_step(changed))
    except Exception as error:  # whatever the compiler cannot do is a finding
        report.add(PART, name, "compiled: fails", type(error).__name__)
        return
    report.add(PART, name, f"{case.unit} a second, bfloat16, compiled", case.samples / seconds)
    report.add(PART, name, "seconds to compile", time.perf_counter() - began)


def _captured(report: Report, case: Case, name: str, clock: Clock) -> None:
    """With a CUDA graph of forward and backward: the same numbers, and the time beside that of single launches."""
    eager = copy.deepcopy(case.network)

    def work(network: torch.nn.Module) -> torch.Tensor:
        network.zero_grad(set_to_none=False)
        loss = case.loss(network, case.inputs)
        loss.backward()
        return loss.detach()

    plain = clock.median(lambda: work(eager))
    stream, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
    try:
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                work(case.network)
        torch.cuda.current_stream().wait_stream(stream)
        with torch.cuda.graph(graph):
            captured = work(case.network)
    except RuntimeError as error:  # a host synchronization inside the step, which capture does not allow
        report.add(PART, name, "CUDA graph: not possible", str(error).splitlines()[0][:80])
        return
    seconds = clock.median(graph.replay)
    report.add(PART, name, "times as fast with a CUDA graph", plain / seconds)
    evaluated = (float(captured), float(work(eager)))
    gap = abs(evaluated[0] - evaluated[1]) / max(abs(evaluated[1]), 1e-9)
    # Dropout draws other numbers in each, so only networks without it can be told to agree closely.
    report.add(PART, name, "CUDA graph: relative difference of the loss", gap)
