from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from suite.errors import TrainingError
from suite.tasks import task
from suite.train import loop
from suite.train.storage import reporter
from suite.train.storage.reporter import Calling, Doing
from suite.train.training import Settings, Training
from tests.train.world import Tiny, train, training, weights, world


def test_same_seed_same_bytes():
    first, second = train(), train()
    assert weights(first) == weights(second)
    assert first.curves == second.curves


def test_another_seed_gives_other_weights():
    assert weights(train()) != weights(train(Settings(seed=1)))


def test_every_phase_and_epoch_is_trained_and_evaluated():
    trained = train()
    points = [(p["phase"], p["epoch"]) for p in trained.curves if p["split"] == "test" and p["metric"] == "mAP"]
    assert points == [("first", e) for e in (1, 2, 3)] + [("second", e) for e in (1, 2, 3, 4)]
    losses = [p["value"] for p in trained.curves if p["metric"] == "cross-entropy"]
    assert losses[-1] < losses[0]


def test_selection_skips_phases_that_ask_for_it_and_keeps_three_points():
    trained = train()
    assert set(trained.points) == {"validation", "last", "oracle"}
    assert {point.phase for point in trained.points.values()} == {"second"}
    curve = [
        p["value"]
        for p in trained.curves
        if p["phase"] == "second" and p["split"] == "test" and p["metric"] == "top-set"
    ]
    oracle = next(m.value for m in trained.points["oracle"].metrics["test"] if m.metric == "top-set")
    assert oracle == max(curve)


def test_epochs_override_scales_the_phases():
    trained = train(Settings(epochs=14))
    assert max(p["epoch"] for p in trained.curves if p["phase"] == "first") == 6
    assert max(p["epoch"] for p in trained.curves if p["phase"] == "second") == 8


def test_within_an_epoch_steps_are_told_with_the_clock_and_change_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reporter, "TELL_EVERY", 0.0)
    told: list[Doing] = []
    trained = train(Settings(), Calling(lambda progress: True, told.append))
    assert weights(trained) == weights(train()) and trained.curves == train().curves
    steps = [one.done for one in told if one.what == "step"]
    assert steps[0] == 1 and len(steps) == 7 * max(steps), "each step of the 3 + 4 epochs"
    assert Doing("step", 3, 1200).in_words() == "step 3 of 1,200" and Doing("step", 3).in_words() == "step 3"
    monkeypatch.undo()
    silent: list[Doing] = []
    train(Settings(), Calling(lambda progress: True, silent.append))
    assert len(silent) < len(told), "once a second, not once a step"


def test_a_method_tells_how_far_its_own_long_work_is():
    run, told = Training(Tiny(), world(), task("recognition"), Settings()).run, []
    assert list(run.each("scoring: video", "ab")) == ["a", "b"], "outside a loop nobody listens"
    run.tell = lambda *words: told.append(words)
    assert list(run.each("scoring: video", "ab")) == ["a", "b"]
    assert told == [("scoring: video", 0, 2), ("scoring: video", 1, 2)]


@pytest.mark.parametrize("stop_after", range(1, 7))
def test_a_stopped_training_resumes_to_the_same_bytes(tmp_path: Path, stop_after: int):
    settings = Settings(checkpoint=tmp_path / "run.safetensors", checkpoint_seconds=1e9)
    stopped = train(settings, Calling(lambda progress: progress.done < stop_after))
    assert not stopped.complete
    resumed, whole = train(settings), train()
    assert resumed.complete
    assert weights(resumed) == weights(whole)
    assert resumed.curves == whole.curves
    for name, point in whole.points.items():
        assert resumed.points[name].metrics == point.metrics
        assert np.array_equal(resumed.points[name].predictions["test"].logits, point.predictions["test"].logits)


KILLED = """
import os, signal
from pathlib import Path
from suite.train.training import Settings
from suite.train.storage.reporter import Calling
from tests.train.world import train
settings = Settings(checkpoint=Path({path!r}), checkpoint_seconds=0.0)
train(settings, Calling(lambda progress: os.kill(os.getpid(), signal.SIGKILL) if progress.done == {epoch} else True))
"""


@pytest.mark.parametrize("epoch", [2, 5])
def test_a_killed_process_resumes_to_the_same_bytes(tmp_path: Path, epoch: int):
    path = tmp_path / "run.safetensors"
    script = KILLED.format(path=str(path), epoch=epoch)
    # Bytes are the same for the same number of threads, and another test may have set this process's.
    threads = {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    done = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2], env={**os.environ, **threads})
    assert done.returncode == -signal.SIGKILL
    assert path.exists()
    assert weights(train(Settings(checkpoint=path))) == weights(train())


def test_memory_survives_a_resume(tmp_path: Path):
    settings = Settings(checkpoint=tmp_path / "run.safetensors")
    train(settings, Calling(lambda progress: progress.done < 2))
    resumed, whole = training(settings), training()
    for one in (resumed, whole):
        loop.train(one)
    assert torch.equal(resumed.run.memory["seen"], whole.run.memory["seen"])
    assert whole.run.memory["seen"].min() == 4  # begun anew for the second phase


def test_a_lost_loss_is_told_in_one_sentence():
    data = world()
    features = np.array(data.train.features)
    features[3] = np.nan
    broken = replace(data, train=replace(data.train, features=features))
    with pytest.raises(TrainingError, match=r"tiny on tiny: the loss 'cross-entropy' is nan in phase 'first', epoch 1"):
        train(data=broken)


def test_a_training_set_without_a_batch_is_an_error():
    class Lazy(Tiny):
        name = "lazy"

        def batches(self, run, generator):
            return iter(())

        def steps_per_epoch(self, run, generator):
            return 1

    broken = training()
    broken.method = Lazy()
    with pytest.raises(TrainingError, match="drew no batch"):
        loop.train(broken)


def test_bfloat16_trains_and_stays_near_float32():
    whole, half = train(Settings(epochs=20)), train(Settings(epochs=20, precision="bfloat16"))
    last = [next(p["value"] for p in reversed(t.curves) if p["metric"] == "cross-entropy") for t in (whole, half)]
    assert last[0] != last[1]
    assert abs(last[0] - last[1]) < 0.1


def test_a_training_with_a_checkpoint_leaves_its_end_there(tmp_path: Path):
    path = tmp_path / "run.safetensors"
    train(Settings(checkpoint=path), Calling(lambda progress: progress.done < 3))
    resumed = train(Settings(checkpoint=path))
    told = []
    again = train(Settings(checkpoint=path), Calling(told.append))
    assert not told  # nothing was left to train
    assert weights(again) == weights(resumed)
    assert again.points["validation"].metrics == resumed.points["validation"].metrics
    for scores in ("scores", "selected"):  # a search of post-processing needs them
        one, other = getattr(again, scores), getattr(resumed, scores)
        assert all(np.array_equal(one[split]["logits"], other[split]["logits"]) for split in ("validation", "test"))


def test_what_a_point_shares_is_computed_once_and_never_kept():
    """Outputs for the scores and the loss of one evaluation point; the next one has other weights."""
    seen: list[float] = []

    class Sharing(Tiny):
        name = "sharing"

        def _once(self, network, samples, run):
            def make():
                seen.append(float(next(network.parameters()).sum()))
                return seen[-1]

            return run.once("sum", (network, samples), make)

        def score(self, network, samples, run):
            self._once(network, samples, run)
            return super().score(network, samples, run)

        def validation_loss(self, network, samples, run):
            assert self._once(network, samples, run) == float(next(network.parameters()).sum())
            return 0.0

    own = Training(Sharing(), world(), task("recognition"), Settings())
    loop.train(own)
    points = sum(phase.epochs for phase in own.phases)
    assert len(seen) == 2 * points and len(set(seen)) == points, "one for each of two splits at each point"
    assert own.run.point is None and own.run.once("x", (), lambda: 1) + own.run.once("x", (), lambda: 2) == 3
