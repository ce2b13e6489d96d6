"""The small parts of training: averages, stopping, budgets, checkpoints, shares, the code's fingerprint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from torch import nn

from suite.environment import PLUGINS
from suite.errors import DataError, UsageError
from suite.identity.code import code_fingerprint
from suite.method import Average, Phase, Schedule, Stopping
from suite.tasks.recognition.task import RecognitionTask
from suite.train.averaging import averaged_copy, update_average
from suite.train.budget import budgeted
from suite.train.derived import Derived
from suite.train.distributed import Workers
from suite.train.schedules import rate
from suite.train.stopping import should_stop
from suite.train.storage import checkpoint
from tests.train.world import Tiny


def _two_networks() -> tuple[nn.Module, nn.Module]:
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    average = averaged_copy(network)
    with torch.no_grad():
        for tensor in network.state_dict().values():
            tensor.add_(1)
    return network, average


def test_average_moves_by_one_minus_decay():
    network, average = _two_networks()
    before = average.state_dict()["0.weight"].clone()
    update_average(average, network, Average(0.9), 1)
    assert torch.allclose(average.state_dict()["0.weight"], before + 0.1)
    assert average.state_dict()["1.num_batches_tracked"] == 1


def test_average_warms_up():
    network, average = _two_networks()
    before = average.state_dict()["0.weight"].clone()
    update_average(average, network, Average(0.999, warmup=True), 1)
    assert torch.allclose(average.state_dict()["0.weight"], before + 1 - 2 / 11)


def test_frozen_average_stays_and_excluded_parameters_are_copied():
    network, average = _two_networks()
    before = average.state_dict()["0.weight"].clone()
    update_average(average, network, Average(1.0), 1)
    assert torch.equal(average.state_dict()["0.weight"], before)
    update_average(average, network, Average(0.5, exclude=("0.weight",)), 1)
    assert torch.equal(average.state_dict()["0.weight"], network.state_dict()["0.weight"])
    assert torch.allclose(average.state_dict()["0.bias"], network.state_dict()["0.bias"] - 0.5)


@pytest.mark.parametrize(
    ("loss", "score", "stop"),
    [
        ([3, 2, 1, 2, 2], [1, 2, 3, 2, 2], True),  # both two evaluations old
        ([3, 2, 1, 1, 2], [1, 2, 3, 2, 2], False),  # a tie refreshes the best
        ([3, 2, 1, 2, 2], [1, 2, 3, 2, 4], False),
        ([1], [1], False),
    ],
)
def test_stopping_needs_every_watched_curve_to_be_stale(loss, score, stop):
    assert should_stop(Stopping(2), {"loss": loss, "selection": score}) is stop


def test_stopping_without_a_loss_watches_what_chooses_epochs_as_something_to_raise():
    assert not should_stop(Stopping(2), {"selection": [1.0, 2.0, 3.0, 4.0]})
    assert should_stop(Stopping(2), {"selection": [4.0, 3.0, 2.0, 1.0]})


def test_budget_keeps_proportions_and_scales_the_schedule():
    phases = [Phase("a", epochs=10), Phase("b", epochs=30, schedule=Schedule("step", milestones=(15,)))]
    short = budgeted(phases, 8)
    assert [p.epochs for p in short] == [2, 6]
    assert short[1].schedule.milestones == (3.0,)
    assert [p.epochs for p in budgeted(phases, 2)] == [1, 1]
    assert [p.epochs for p in budgeted([Phase(str(i), epochs=1) for i in range(10)], 5)] == [1] * 5
    assert budgeted(phases, None) == phases
    early = [Phase("a", epochs=90, select=False), Phase("b", epochs=5), Phase("c", epochs=5)]
    for many, names in ((1, "c"), (2, "ac"), (3, "abc")):
        assert "".join(p.name for p in budgeted(early, many)) == names
        assert sum(p.epochs for p in budgeted(early, many)) == many
    # a share that rounds to nothing between two others keeps an epoch where there are enough
    assert [p.epochs for p in budgeted([Phase("a", epochs=60), Phase("b", epochs=1), Phase("c", epochs=139)], 10)] == [
        3,
        1,
        6,
    ]
    for many in range(3, 40):
        assert min(p.epochs for p in budgeted([Phase(n, epochs=e) for n, e in zip("abc", (50, 1, 1))], many)) >= 1


def test_a_phase_without_a_length_is_refused():
    with pytest.raises(UsageError, match="phase 'a' needs either epochs or steps"):
        budgeted([Phase("a")], None)


def test_one_cycle_matches_torch():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.1)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.02, total_steps=37)
    for step in range(37):
        assert rate(Schedule("one-cycle"), 0.02, step, 37, 5) == pytest.approx(theirs.get_last_lr()[0], rel=1e-12)
        optimizer.step()
        if step < 36:
            theirs.step()


def test_a_damaged_checkpoint_is_told(tmp_path: Path):
    path = tmp_path / "x.safetensors"
    checkpoint.save(path, {"a": torch.arange(1000)}, {"epoch": 1})
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError, match="cannot be read"):
        checkpoint.load(path)


def test_tensors_that_share_memory_are_saved_apart_and_the_same_one_once(tmp_path: Path):
    path, stack, alone = tmp_path / "x.safetensors", torch.arange(12).reshape(3, 4), torch.ones(5)
    tensors = {"first": stack[0], "turned": stack.T, "alone": alone, "again": alone, "view": alone[:3]}
    own, same = checkpoint.distinct(tensors)
    assert same == {"again": "alone"} and list(own) == ["first", "turned", "alone", "view"]
    checkpoint.save(path, own, {})
    loaded = checkpoint.load(path)[0]
    assert all(loaded[name].equal(tensor) for name, tensor in own.items())


def test_an_unwritable_folder_is_told(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="choose another --out"):
        checkpoint.save(tmp_path / "file" / "x.safetensors", {}, {})


def test_a_disk_that_fills_up_while_tensors_are_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object, **__: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(DataError, match=r"cannot write .*x\.safetensors: .*No space left .*; choose another --out"):
        checkpoint.save(tmp_path / "x.safetensors", {"a": torch.arange(4)}, {})


def test_derived_arrays_are_made_once(tmp_path: Path):
    made = []

    def make():
        made.append(1)
        return {"numbers": torch.arange(3).numpy()}

    for _ in range(2):
        assert Derived(tmp_path, "data").cached({"k": 1}, make)["numbers"].tolist() == [0, 1, 2]
    Derived(tmp_path, "other data").cached({"k": 1}, make)
    assert len(made) == 2


def test_derived_arrays_are_made_anew_by_other_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An edit of the search for neighbours, say, must not be answered with the neighbours found before."""
    from suite.train import derived

    def make() -> dict[str, np.ndarray]:
        return {"numbers": np.arange(len(list(tmp_path.iterdir())))}

    assert len(Derived(tmp_path, "data").cached({}, make)["numbers"]) == 0
    monkeypatch.setattr(derived, "function_fingerprint", lambda function: f"edited {function.__name__}")
    assert len(Derived(tmp_path, "data").cached({}, make)["numbers"]) == 1


@pytest.mark.parametrize("rows", [7, 8, 1])
def test_shares_add_up_to_the_batch(rows: int):
    batch = {"x": torch.arange(float(rows))}
    shares = [Workers(rank, 3).share(batch) for rank in range(3)]
    mean = sum(float(part["x"].mean()) * weight for part, weight in shares) / 3
    assert mean == pytest.approx(float(batch["x"].mean()))


def test_code_fingerprint_ignores_comments_but_not_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from suite import registry

    source = (Path(__file__).parent / "world.py").read_text().replace('name = "tiny"', 'name = "tiny-file"')
    prints = []
    for number, text in enumerate(
        [source, source + "\n# a comment\n", source.replace("nn.Linear(CHANNELS, 8)", "nn.Linear(CHANNELS, 9)")]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "mine.py").write_text(text)
        monkeypatch.setenv(PLUGINS.name, str(folder / "mine.py"))
        prints.append(code_fingerprint(registry.method("tiny-file"), RecognitionTask))
    assert prints[0] == prints[1] != prints[2]
    assert code_fingerprint(Tiny, RecognitionTask)
