"""What is logged while training equals the ledger's curves."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from suite.errors import UsageError
from suite.places import Places
from suite.results.ledger import Ledger
from suite.runs import resolve_run
from suite.tracking import watching
from suite.tracking.base import Steps
from suite.train.storage.reporter import Calling, Silent
from suite.work.execute import execute
from suite.work.machine import Machine
from suite.work.packing import run_packed
from suite.work.record import settle

CLIPS = "planted-verbs[train=200,validation=60,test=60,channels=8]"
PEOPLE = "planted-actors[train_videos=20,validation_videos=5,test_videos=5,labelled=0.5]"
Curve = list[tuple[str, float]]


def run(places: Places, *log: str) -> str:
    """A run of two phases, of which each begins at step 0."""
    spec = resolve_run("fixmatch", PEOPLE, {"steps": 4, "semi_steps": 4, "evaluate_steps": 2})
    outcome = execute(spec, places, machine=Machine(log=log), group="a board")
    settle(outcome, Ledger(places.ledger), places)
    return outcome.id


def held(places: Places, name: str) -> Curve:
    rows = Ledger(places.ledger).curves([name]).select("split", "metric", "value").iter_rows()
    return sorted((f"{split}/{metric}", value) for split, metric, value in rows)


def test_csv_holds_the_very_rows(tmp_path: Path):
    places = Places(str(tmp_path))
    name = run(places, "csv")
    with (tmp_path / "tracking" / "csv" / f"{name}.csv").open() as file:
        found = [
            (r["phase"], int(r["epoch"]), int(r["step"]), r["split"], r["metric"], float(r["value"]))
            for r in csv.DictReader(file)
        ]
    rows = Ledger(places.ledger).curves([name]).select("phase", "epoch", "step", "split", "metric", "value").rows()
    assert found == rows


def from_tensorboard(folder: Path) -> Curve:
    from tensorboardX.proto import event_pb2
    from tensorboardX.record_writer import RecordWriter  # noqa: F401  # the format that is read below

    found = []
    for path in folder.rglob("events.out.tfevents.*"):
        data, place = path.read_bytes(), 0
        while place < len(data):
            length = int.from_bytes(data[place : place + 8], "little")
            event = event_pb2.Event.FromString(data[place + 12 : place + 12 + length])
            found += [(v.tag, v.simple_value, event.step) for v in event.summary.value if v.HasField("simple_value")]
            place += 16 + length
    assert len({(tag, step) for tag, _, step in found}) == len(found)  # phases do not lie on each other
    return sorted((tag, value) for tag, value, _ in found)


def from_wandb(folder: Path) -> Curve:
    """The histories in files of offline runs: records of protocol buffers in blocks of 32 KiB, as LevelDB's log."""
    from wandb.proto import wandb_internal_pb2

    found = []
    for path in folder.rglob("*.wandb"):
        for data in records(path.read_bytes()):
            record = wandb_internal_pb2.Record.FromString(data)
            items = record.history.item if record.WhichOneof("record_type") == "history" else []
            named = [(one.key or "/".join(one.nested_key), json.loads(one.value_json)) for one in items]
            found += [(key, value) for key, value in named if "/" in key]
    return sorted(found)


def records(data: bytes, block: int = 32768, header: int = 7) -> Iterator[bytes]:
    """A record has a checksum (4), a length (2) and a kind (1: whole, 2 to 4: first, middle and last part)."""
    place, parts = 7, []  # behind the name of the format
    while place + header <= len(data):
        if block - place % block < header:  # the rest of a block is blank
            place += block - place % block
            continue
        length, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        parts.append(data[place + header : place + header + length])
        place += header + length
        if kind in (1, 4):
            yield b"".join(parts)
            parts = []


def from_mlflow(folder: Path) -> Curve:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(folder.absolute().as_uri())
    (experiment,) = [one for one in client.search_experiments() if one.name.endswith("a board")]
    (one,) = client.search_runs([experiment.experiment_id])
    assert one.data.params["params.steps"] == "4" and one.info.status == "FINISHED"
    return sorted((key, m.value) for key in one.data.metrics for m in client.get_metric_history(one.info.run_id, key))


READERS: dict[str, tuple[str, Callable[[Path], Curve]]] = {
    "tensorboard": ("tensorboardX", from_tensorboard),
    "wandb": ("wandb", from_wandb),
    "mlflow": ("mlflow", from_mlflow),
}


@pytest.mark.parametrize("name", READERS)
def test_what_is_logged_equals_the_ledger(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    library, read = READERS[name]
    if find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    places = Places(str(tmp_path))
    recorded = held(places, run(places, name))
    found = read(tmp_path / "tracking" / name)
    if name == "tensorboard":  # its library writes a blank as _
        recorded = sorted((re.sub(r"[^-/\w.]", "_", key), value) for key, value in recorded)
    assert [key for key, _ in found] == [key for key, _ in recorded]
    assert [value for _, value in found] == pytest.approx([value for _, value in recorded], rel=1e-6, nan_ok=True)


def test_each_run_of_a_stack_is_logged_by_itself(tmp_path: Path):
    places = Places(str(tmp_path))
    specs = [resolve_run("mask-bce", CLIPS, {"hidden": 16, "lr": lr}, epochs=4) for lr in (0.001, 0.03)]
    for outcome in run_packed(specs, places, Machine(log=("csv",)), "", Silent()):
        assert outcome is not None and outcome.run["carried"] == "packed"
        with (tmp_path / "tracking" / "csv" / f"{outcome.id}.csv").open() as file:
            assert [float(row["value"]) for row in csv.DictReader(file)] == [one["value"] for one in outcome.curves]


def test_a_training_that_goes_on_is_logged_from_its_beginning(tmp_path: Path):
    places = Places(str(tmp_path))
    spec = resolve_run("mask-bce", CLIPS, {"hidden": 16}, epochs=4)
    execute(spec, places, Calling(lambda progress: progress.epoch < 2), Machine(log=("csv",)))
    outcome = execute(spec, places, machine=Machine(log=("csv",)))
    with (tmp_path / "tracking" / "csv" / f"{outcome.id}.csv").open() as file:
        assert [float(row["value"]) for row in csv.DictReader(file)] == [one["value"] for one in outcome.curves]


def test_a_tracker_that_fails_costs_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    class Broken:
        def __init__(self, tracked: object) -> None:
            pass

        def log(self, points: object) -> None:
            raise ConnectionError("no route to host")

    monkeypatch.setitem(watching.TRACKERS, "broken", (Broken, ""))  # type: ignore[arg-type]
    with caplog.at_level("WARNING", logger="suite"):
        name = run(Places(str(tmp_path)), "broken", "csv")
    assert "broken logs this run no further: ConnectionError" in caplog.text
    assert (tmp_path / "tracking" / "csv" / f"{name}.csv").stat().st_size > 100


def test_trackers_are_asked_for_before_anything_trains(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(UsageError, match="did you mean 'tensorboard'"):
        watching.require(["tensorbord"])
    monkeypatch.setattr(watching, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"install weak-action-suite\[wandb\]"):
        watching.require(["wandb"])


def test_steps_go_on_over_phases():
    steps = Steps()
    points = [(0, 2), (0, 4), (1, 2), (1, 4), (2, 1)]
    assert [steps.at({"phase_index": phase, "step": step}) for phase, step in points] == [2, 4, 6, 8, 9]
