"""Ctrl-C and SIGTERM in the middle of compiled code end a command as anywhere else; no run is recorded as failed."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import suite.cli
from suite.errors import interrupted
from suite.evaluate.compiling import compiled
from suite.places import Places
from suite.runs import resolve_run
from suite.work import execute as executing
from suite.work import packing
from suite.work.machine import Machine

WORLD = "planted-verbs[train=40,validation=30,test=30,verbs=8]"


def total(values: np.ndarray) -> tuple[float, np.ndarray]:
    """Something for numba to compile; arrays that it gives back are made by calls into the interpreter."""
    found = 0.0
    for one in values:
        found += one
    return found, values[:2]


def hidden(*_: Any, **__: Any) -> Any:
    """As a signal during a compiled function leaves it."""
    raise SystemError("CPUDispatcher(...) returned a result with an exception set") from KeyboardInterrupt()


def test_signals_in_compiled_code_are_known_for_what_they_are() -> None:
    fast, values, kinds = compiled(total), np.ones(20), set()
    fast(values)
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    until = time.monotonic() + 60
    try:
        while "SystemError" not in kinds and time.monotonic() < until:
            try:
                signal.setitimer(signal.ITIMER_REAL, 2e-4)
                while True:
                    fast(values)
            except (KeyboardInterrupt, SystemError) as error:
                kinds.add(type(error).__name__)
                assert interrupted(error)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert "SystemError" in kinds, "numba has changed: is suite.errors.interrupted still needed?"
    assert not interrupted(SystemError("of its own")) and not interrupted(ValueError())


def test_a_run_that_is_interrupted_so_has_not_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, places = resolve_run("assume-negative", WORLD, {}, epochs=1), Places(str(tmp_path))
    monkeypatch.setattr(executing, "prepare", hidden)
    monkeypatch.setattr(packing, "prepare", hidden)
    with pytest.raises(KeyboardInterrupt):
        executing.execute(spec, places)
    with pytest.raises(KeyboardInterrupt):
        packing.run_packed([spec, spec], places, Machine(), "", None)


def test_the_command_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(suite.cli, "build", lambda _: hidden)
    monkeypatch.setattr(sys, "argv", ["suite", "list"])
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as end:
            suite.cli.main()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert end.value.code == 130 and "interrupted; what was finished is kept" in capsys.readouterr().err
