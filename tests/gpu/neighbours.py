"""Neighbours on a device: distances by chunked products, candidates by top-k, exact distances of the candidates."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from tests.gpu.report import Report
from tests.gpu.speed import Clock

PART = "neighbours"
MORE = 17  # candidates beyond K, as the CPU's search takes


def search(source: Tensor, k: int, rows: Tensor, chunk: int = 4096) -> Tensor:
    """(Q, k) rows of ``source`` (N, D) nearest to its rows numbered ``rows`` (Q,), without themselves; ties downwards.

    Candidates come from float32 products of the centred rows; their distances are computed again in float64.
    """
    centred = source - source.mean(0)
    squares = centred.square().sum(1)
    found = []
    for part in rows.split(chunk):
        distance = squares - 2 * centred[part] @ centred.T
        distance.scatter_(1, part[:, None], torch.inf)
        candidates = distance.topk(min(k + MORE, len(source) - 1), largest=False).indices.sort(dim=1).values
        # (q - c)² in pieces of the queries, for the gathered candidates are (Q, K, D) in double precision
        exact = torch.cat(
            [
                (source[own].double()[:, None] - source[near].double()).square().sum(-1)
                for own, near in zip(part.split(64), candidates.split(64), strict=True)
            ]
        )
        order = exact.sort(dim=1, stable=True).indices[:, :k]
        found.append(candidates.gather(1, order))
    return torch.cat(found)


def neighbours(report: Report, device: str, full: bool) -> None:
    """EPIC size (67,217 × 4,096, K = 15), a sample of it against the CPU's search; ten times that, coarsely."""
    count, width, sample = (67_217, 4_096, 512) if full else (600, 32, 64)
    generator = torch.Generator(device).manual_seed(0)
    centres = torch.randn(97, width, device=device, generator=generator)
    kind = torch.randint(97, (count,), device=device, generator=generator)
    source = centres[kind] + torch.randn(count, width, device=device, generator=generator)
    clock, everything = Clock(device), torch.arange(count, device=device)
    start = clock.settle()
    found = search(source, 15, everything)
    report.add(PART, f"{count} x {width}, K = 15", "seconds for all rows", clock.settle() - start)
    asked = torch.linspace(0, count - 1, sample, device=device).long()
    report.part(f"{PART}: the CPU's search", partial(_beside_the_cpu, report, source, found, asked))
    if report.left > 60:
        _ten_times(report, device, count, width, clock, generator)


def _beside_the_cpu(report: Report, source: Tensor, found: Tensor, rows: Tensor) -> None:
    from methods.recognition.parts.neighbours import nearest

    wanted = nearest(source.cpu().numpy(), found.shape[1], rows=rows.cpu().numpy())
    differ = int((found[rows].cpu() != torch.from_numpy(wanted)).any(1).sum())
    report.add(PART, f"{len(rows)} rows against the CPU's search", "rows that differ", differ, 0)


def _ten_times(report: Report, device: str, count: int, width: int, clock: Clock, generator: torch.Generator) -> None:
    """Ten times as many rows: candidates in bfloat16 on 256 random projections, and their recall on a sample."""
    kept = min(width, 256)
    centres = torch.randn(97, width, device=device, generator=generator)
    kind = torch.randint(97, (10 * count,), device=device, generator=generator)
    half = torch.float32 if device == "cpu" else torch.bfloat16  # 10 × 67,217 × 4,096 rows take 5.5 GB in it
    pieces = kind.split(65536)
    drawn = (torch.randn(len(piece), width, device=device, generator=generator) for piece in pieces)
    source = torch.cat([(centres[piece] + noise).to(half) for piece, noise in zip(pieces, drawn, strict=True)])
    projection = torch.randn(width, kept, device=device, generator=generator, dtype=source.dtype) / kept**0.5
    short = source @ projection
    rows = torch.arange(0, 10 * count, max(1, 10 * count // 2048), device=device)
    exact = _nearest_by_products(source, rows, 15)
    for candidates in (30, 100, 300, 1000):
        start = clock.settle()
        near = _nearest_by_products(short, rows, min(candidates, len(source) - 1))
        seconds = (clock.settle() - start) * 10 * count / len(rows)
        hit = (exact[:, :, None] == near[:, None]).any(-1).float().mean()
        report.add(PART, f"{10 * count} rows, {candidates} candidates", "recall at 15", float(hit))
        report.add(PART, f"{10 * count} rows, {candidates} candidates", "seconds for all rows, estimated", seconds)


def _nearest_by_products(source: Tensor, rows: Tensor, k: int, chunk: int = 512) -> Tensor:
    # In pieces: the rows as float32 would not fit beside the rows themselves.
    squares = torch.cat([part.float().square().sum(1) for part in source.split(65536)])
    found = []
    for part in rows.split(chunk):
        distance = squares - 2 * (source[part] @ source.T).float()
        distance.scatter_(1, part[:, None], torch.inf)
        found.append(distance.topk(k, largest=False).indices)
    return torch.cat(found)
