"""Packed against separate trials: trials an hour with and without, CPU time of one thread, or wall time on a GPU.

``python -m tests.benchmarks.bench_sweep_packed [MEMBERS] [HIDDEN] [EPOCHS]``.
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings

import numpy as np

from suite.places import Places
from suite.runs import resolve_run
from suite.train.storage.reporter import Silent
from suite.work.execute import execute
from suite.work.machine import Machine
from suite.work.packing import run_packed
from tests.benchmarks.ceilings import PRODUCTS, operations, products
from tests.benchmarks.rows import Row, record

TURNS = 5  # of both ways, whose medians count


def main() -> None:
    """Measure and print."""
    warnings.simplefilter("ignore")
    import torch

    members, hidden, epochs = (
        (int(a) for a in [*sys.argv[1:], "16", "64", "5"][:3]) if len(sys.argv) > 3 else (16, 64, 5)
    )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    clock = time.perf_counter if device == "cuda" else time.process_time
    machine = Machine(device, checkpoints=False)
    with tempfile.TemporaryDirectory() as folder:
        places = Places(folder)
        common = {"hidden": hidden, "lr": 1e-3, "evaluate_every": epochs}
        shares = [0.5 * i / members for i in range(members)]
        specs = [
            resolve_run("label-smoothing", "planted-verbs", {**common, "epsilon": s}, epochs=epochs) for s in shares
        ]
        execute(specs[0].model_copy(update={"epochs": 1}), places, machine=machine)  # imports, data
        run_packed([s.model_copy(update={"epochs": 1}) for s in specs[:2]], places, machine, "", Silent())
        times = []
        for _ in range(TURNS):
            start = clock()
            together = run_packed(specs, places, machine, "", Silent())
            between = clock()
            alone = [execute(spec, places, machine=machine) for spec in specs]
            times.append((between - start, clock() - between))
        packed, separate = np.median(times, axis=0).tolist()
        work = members * operations(lambda: execute(specs[0], places, machine=machine))
    assert all(one is not None for one in together)
    apart = max(
        float(np.abs(a.extra["scores"]["test"]["logits"] - b.extra["scores"]["test"]["logits"]).max())
        for a, b in zip(alone, together)
        if b is not None
    )
    print(
        f"{members} networks of {hidden} units, {epochs} epochs, {device}; greatest difference of a logit {apart:.1g}"
    )
    print(f"separate: {3600 * members / separate:.0f} trials an hour; packed: {3600 * members / packed:.0f}")
    what = f"{members} networks of {hidden} units trained as one stack, {epochs} epochs"
    share = products(work) / packed
    record(Row("sweep_packed", what, "one after the other", separate / packed, packed, share, 3.0, bound=PRODUCTS))


if __name__ == "__main__":
    main()
