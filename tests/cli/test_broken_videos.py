"""Videos that are lost or damaged: the training goes on without their clips and the run says how many there were."""

from __future__ import annotations

import json
from pathlib import Path

from suite.data import load
from suite.places import Places
from tests.cli.conftest import Typed

DIALS = "train_videos=4,unlabelled_videos=2,validation_videos=1,test_videos=2"
TINY = {"steps": 2, "semi_steps": 2, "evaluate_steps": 2, "batch": 2, "width": 4, "beta_inverse": 2, "blocks": "1-1"}


def test_lost_and_damaged_videos_are_counted_in_the_run(typed: Typed, tmp_path: Path) -> None:
    out, world = tmp_path / "outputs", f"planted-clips[{DIALS},labelled=1]"
    data = load(world, cache=Places(str(out)).cache)
    folder = Path(str(data.test.frames.files[0])).parent
    (folder / "test-0000.mp4").unlink()
    for name in ("test-0001.mp4", "train-0001.mp4"):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: len(whole) // 3])
    settings = [word for name, value in TINY.items() for word in ("--set", f"{name}={value}")]
    typed("train", "fixmatch-actors", world, *settings, "--out", out)
    (run,) = json.loads(typed("results", "list", "--out", out, "--json")[0])
    assert run["status"] == "finished"
    text, _ = typed("results", "show", run["run"], "--out", out)
    (line,) = (line for line in text.splitlines() if line.startswith("clips that do not decode"))
    assert int(line.split()[-1]) >= len(data.test.clip_ids), "those of the test and of training"
    metrics = json.loads(typed("results", "show", run["run"], "--out", out, "--json")[0])["metrics"]
    silent = {m["value"] for m in metrics if m["metric"] == "boxes without score" and m["split"] == "test"}
    assert silent == {float(len(data.test))}
