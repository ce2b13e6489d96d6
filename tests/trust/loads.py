"""Heavy loads, each in a process of its own: ``python -m tests.trust.loads [NAME ...]`` prints seconds and memory.

Seconds hold for the machine at hand; CPU is the time that the process itself computed, whoever else was at work.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]


def runs_and_page(folder: Path, count: int = 10_000) -> str:
    """10,000 runs in a ledger, recorded 100 at a time, and a page over 10 methods and 1,000 seeds of them."""
    from suite.registry import method
    from suite.report.build import build
    from suite.results.ledger import Ledger
    from suite.spec.board import BoardRun
    from suite.spec.run import RunSpec
    from tests.report.synthetic import BOARD, made

    names = ["mask-bce", "ce", "focal", "label-smoothing", "full-label", "role", "epr", "assume-negative", "em-apl",
             "weak-assume-negative"]  # fmt: skip
    ledger, asked = Ledger(folder / "ledger"), []
    draw = np.random.default_rng(0)
    cells = [(name, seed) for name in names for seed in range(count // 10)]
    outcomes = [made(name, seed, "planted-verbs", float(draw.random())) for name, seed in cells]
    for first in range(0, count, 100):
        ledger.record_all(outcomes[first : first + 100])
    params = {name: method(name).resolve({}) for name in names}
    for place, one in enumerate(outcomes):
        name, seed = names[place // (count // 10)], place % (count // 10)
        spec = RunSpec(method=name, dataset="planted-verbs", params=params[name], seed=seed, epochs=7)
        asked.append(BoardRun(spec, one.id, 0, method(name).title, "planted-verbs"))
    page = build(BOARD, asked, ledger, folder / "page")
    assert len(ledger.finished()) == count
    return f"page of {page.stat().st_size / 2**20:.1f} MiB"


def board_of_cells(folder: Path, count: int = 1000) -> str:
    """A board of 1,000 cells: 10 methods on 100 datasets, and its page."""
    from suite.registry import method
    from suite.report.build import build
    from suite.results.ledger import Ledger
    from suite.spec.board import BoardRun
    from suite.spec.run import RunSpec
    from tests.report.synthetic import BOARD, made

    names = ["mask-bce", "ce", "focal", "label-smoothing", "full-label", "role", "epr", "assume-negative", "em-apl",
             "weak-assume-negative"]  # fmt: skip
    ledger, asked, outcomes = Ledger(folder / "ledger"), [], []
    for name in names:
        params = method(name).resolve({})
        for place in range(count // 10):
            dials = {"snr": 1.0 + place / 20}
            dataset = f"planted-verbs[snr={dials['snr']:g}]"
            one = made(name, 0, dataset, 0.5 + place / 1000)
            outcomes.append(one)
            spec = RunSpec(method=name, dataset="planted-verbs", dials=dials, params=params, seed=0, epochs=7)
            asked.append(BoardRun(spec, one.id, 0, method(name).title, dataset))
    ledger.record_all(outcomes)
    page = build(BOARD, asked, ledger, folder / "page")
    return f"page of {page.stat().st_size / 2**20:.1f} MiB"


def trials(folder: Path, count: int = 500) -> str:
    """A sweep of 500 trials, each found in the ledger once."""
    from suite.places import Places
    from suite.results.ledger import Ledger
    from suite.sweep.source import SweepSource
    from suite.sweep.trials import TrialPerformer
    from suite.work.worker import Worker
    from tests.sweep.conftest import TOY, sweep

    os.environ["SUITE_METHODS"] = str(TOY)
    spec = sweep(budget={"trials": count}, sampler="random", params={"epochs": 1}, default=False)
    places = Places(str(folder / "outputs"))
    source = SweepSource(spec, places)
    worker = Worker("w", source, TrialPerformer(spec, places, source))
    while worker.step():
        pass
    rows = Ledger(places.ledger).runs(all_attempts=True)
    assert len(rows) == rows["run"].n_unique() == count
    begun = time.monotonic()
    assert SweepSource(spec, places).settled()
    return f"taken up again in {time.monotonic() - begun:.1f} s"


def _append(folder: str, worker: int, count: int) -> None:
    from suite.results.ledger import Ledger
    from tests.results.ledgers import outcome

    ledger = Ledger(folder)
    for seed in range(count):
        ledger.record(outcome(method=f"m{worker}", seed=seed))


def appends(folder: Path, count: int = 100) -> str:
    """100 runs appended to one ledger by 10 processes at once."""
    from suite.results.ledger import Ledger

    context = multiprocessing.get_context("spawn")
    ledger = str(folder / "ledger")
    writers = [context.Process(target=_append, args=(ledger, place, 10)) for place in range(count // 10)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    rows = Ledger(folder / "ledger").runs(all_attempts=True)
    assert len(rows) == rows["run"].n_unique() == count
    return f"{len(rows)} runs, none twice"


def long_video(folder: Path, snippets: int = 100_000) -> str:
    """A video of 100,000 snippets: trained on and scored after an epoch, decoded, suppressed, evaluated."""
    from suite.data.planted.videos import read
    from suite.data.storage.cards import find_card
    from suite.registry import method
    from suite.tasks import task
    from suite.train.loop import train
    from suite.train.training import Settings, Training

    card = find_card("planted-videos")
    dials = card.resolve_dials({"videos": 12, "video_seconds": 60.0, "classes": 3, "channels": 64})
    data = read(card, card.path.parent, dials, "weak-localization")
    long = _repeated(data.test, snippets)
    data = replace(data, train=long, validation=long, test=long)
    chosen = method("topk-mil")
    training = Training(chosen(**chosen.resolve({})), data, task("weak-localization"), Settings(epochs=1))
    found = train(training).points["validation"].predictions["test"]
    assert int(long.lengths.max()) >= snippets
    return f"{len(found):,} segments predicted"


def _repeated(videos: Any, snippets: int) -> Any:
    """Two videos of at least ``snippets``: the first ones of ``videos`` one after the other, again and again."""
    from suite.evaluate.segments import Segments
    from suite.tasks.localization.samples import Videos

    rows, step = videos.features(0), float(videos.snippet_seconds[0])
    times = -(-snippets // len(rows))
    own = videos.segments.take(videos.segments.video == 0)
    shift = np.repeat(np.arange(times) * len(rows) * step, len(own))
    start, end = (np.tile(column, times) + shift for column in (own.start, own.end))
    one = Segments(np.zeros(len(start), int), np.tile(own.label, times), start, end)
    both = Segments.concatenate([one, replace(one, video=one.video + 1)])
    length = len(rows) * times
    return Videos.annotated(
        np.array(["a", "b"]),
        np.tile(rows, (2 * times, 1)),
        [length, length],
        both,
        videos.video_labels.shape[1],
        fps=videos.fps[0],
        stride=videos.stride[0],
        window=videos.window[0],
        duration=[length * step] * 2,
    )


def predictions(folder: Path, count: int = 2_000_000) -> str:
    """2,000,000 predicted segments in ActivityNet's JSON against 20,000 of 2,000 videos, with 1,000 resamples."""
    from tests.benchmarks.bench_predictions import written

    written(folder, count, ("json",))
    plain = [sys.executable, "-m", "tests.trust.loads", "--score", str(folder)]
    told = subprocess.run(plain, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return told.strip()


def _score(folder: Path) -> None:
    """What :func:`predictions` measures, in a process that has nothing else in memory."""
    from suite.places import Places
    from suite.scoring import Against, score_file

    said = []
    for resamples in (0, 1000):
        wall, cpu = time.monotonic(), time.process_time()
        against = Against(truth=folder / "truth.json", resamples=resamples)
        _, report = score_file(folder / "found.json", against, Places())
        assert report.counts["predictions"] == 2_000_000
        wall, cpu = time.monotonic() - wall, time.process_time() - cpu
        said.append(f"{resamples} resamples: {wall:.0f} s, {cpu:.0f} s of CPU")
    print("; ".join(said))


LOADS: dict[str, Callable[[Path], str]] = {
    "runs": runs_and_page,
    "cells": board_of_cells,
    "trials": trials,
    "appends": appends,
    "video": long_video,
    "predictions": predictions,
}


def measured(name: str) -> dict[str, Any]:
    """One load in this process: wall and CPU seconds, and the most memory that it ever had."""
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.monotonic(), time.process_time()
        told = LOADS[name](Path(folder))
        wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    peak = max(one.ru_maxrss for one in used) / 2**20
    what = " ".join((LOADS[name].__doc__ or "").split()).rstrip(".")
    return {"load": name, "what": what, "wall": wall, "cpu": cpu, "gib": peak, "told": told}


def in_own_process(name: str) -> dict[str, Any]:
    """:func:`measured` of a fresh process."""
    command = [sys.executable, "-m", "tests.trust.loads", "--one", name]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """See the module."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measured(sys.argv[2])))
    elif sys.argv[1:2] == ["--score"]:
        _score(Path(sys.argv[2]))
    else:
        for name in sys.argv[1:] or LOADS:
            found = in_own_process(name)
            seconds = f"{found['wall']:.0f} s ({found['cpu']:.0f} s of CPU)"
            print(f"{found['what']}: {seconds}, {found['gib']:.1f} GiB; {found['told']}")


if __name__ == "__main__":
    main()
