"""Weights that do not fit where they belong wait elsewhere, and come home with the next command."""

from __future__ import annotations

import errno
import logging
from pathlib import Path
from typing import Any

import pytest

from suite.models import folder as models
from suite.models.folder import kept_models, model_of
from suite.places import Places
from suite.results.ledger import Ledger
from suite.runs import resolve_run
from suite.work.beside import set_aside_damaged
from suite.work.execute import execute
from suite.work.kept import ready
from suite.work.kept_models import waiting_models
from suite.work.machine import Machine
from suite.work.record import settle

WORLD = "planted-verbs[train=40,validation=30,test=30,verbs=8]"


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return Places(str(tmp_path / "outputs"))


def trained(places: Places, monkeypatch: pytest.MonkeyPatch, refused: str) -> str:
    """The id of a run whose weights could not be written below folders called ``refused``."""
    outcome = execute(resolve_run("assume-negative", WORLD, {}, epochs=1), places, machine=Machine(keep="all"))
    save = models.checkpoint.save

    def full(path: Path, *more: Any) -> None:
        if refused in path.parts:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(path, *more)

    with monkeypatch.context() as patch:
        patch.setattr(models.checkpoint, "save", full)
        settle(outcome, Ledger(places.ledger), places)
    return outcome.id


def test_weights_wait_and_come_home(
    places: Places, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        run = trained(places, monkeypatch, "models")
    assert f"the weights of run {run} wait in {places.local.absolute() / 'kept'}, the next command moves" in caplog.text
    assert Ledger(places.ledger).finished() == {run} and not kept_models(places)
    (waiting,) = waiting_models(places)
    wanted = {name: waiting.tensors(name) for name in waiting.config["selections"]}
    ready(places)
    found = model_of(run, places)
    assert {name: found.tensors(name).keys() for name in wanted} == {name: t.keys() for name, t in wanted.items()}
    assert all(bool((found.tensors(s)[n] == t).all()) for s, tensors in wanted.items() for n, t in tensors.items())
    assert not list(waiting_models(places)) and not list((places.local / "kept").iterdir())


def test_a_run_that_was_trained_again_keeps_its_newer_weights(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    run = trained(places, monkeypatch, "models")
    assert trained(places, monkeypatch, "nowhere") == run
    written = (model_of(run, places).path / "config.json").stat().st_mtime_ns
    ready(places)
    assert (model_of(run, places).path / "config.json").stat().st_mtime_ns == written
    assert not list(waiting_models(places))


def test_waiting_weights_that_are_damaged_stay_and_repair_finds_them(
    places: Places, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = trained(places, monkeypatch, "models")
    (waiting,) = waiting_models(places)
    file = waiting.file()
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        ready(places)
    assert f"the weights of run {run} still wait" in caplog.text and not kept_models(places)
    assert set_aside_damaged(places).weights == [run]
    assert not list(waiting_models(places))
