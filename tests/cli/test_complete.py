"""Completion as a shell asks for it: what is offered, and nothing loaded that a shell would wait for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from suite import index, registry
from suite.identity.code import code_fingerprint
from suite.tasks import task
from tests.cli.conftest import Typed

HEAVY = {"torch", "ray", "polars", "numpy", "optuna", "pyarrow", "scipy"}


def complete(words: str, tmp_path: Path, **more: str) -> tuple[list[str], set[str]]:
    """What is offered for the last of ``words``, and the heavy packages that the process loaded for it."""
    told = {
        "_SUITE_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
        "SUITE_OUTPUTS": str(tmp_path / "outputs"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        **more,
    }
    loaded = "atexit.register(lambda: print(*sys.modules, file=sys.stderr))"
    code = f"import atexit, sys; sys.argv = ['suite']; {loaded}; from suite.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **told}, capture_output=True, text=True, check=False
    )
    return done.stdout.split(), HEAVY & set(done.stderr.split())


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an index and some outputs."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    index.declared_methods()
    (tmp_path / "outputs" / "models" / "3f2a000000000000").mkdir(parents=True)
    (tmp_path / "outputs" / "models" / "3f2a000000000000" / "config.json").write_text("{}")
    (tmp_path / "outputs" / "sweeps" / "my-own").mkdir(parents=True)
    (tmp_path / "outputs" / "sweeps" / "my-own" / "sweep.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("suite train mask-b", "mask-bce"),
        ("suite train mask-bce planted-ver", "planted-verbs"),
        ("suite train mask-bce planted-verbs --set ta", "tau="),
        ("suite train mask-bce planted-verbs --preset pub", "published"),
        ("suite train asl thumos-14 --protocol 21", "210"),
        ("suite train mask-bce planted-verbs --precision b", "bfloat16"),
        ("suite results show 3f", "3f2a000000000000"),
        ("suite predict 3f", "3f2a000000000000"),
        ("suite sweep show my", "my-own"),
        ("suite plan neigh", "neighbours"),
        ("suite train mask-bce planted-verbs --set wei", "weights="),
        ("suite train mask-bce planted-verbs --set weights=3f", "weights=3f2a000000000000"),
    ],
)
def test_names_are_offered(words: str, offered: str, made: Path):
    assert offered in complete(words, made)[0]


def test_a_shell_need_not_wait(made: Path):
    """Importing one of these takes longer than a shell should; ``tests.benchmarks.bench_start`` measures seconds."""
    offered, loaded = complete("suite train mask-bce planted-verbs --set tau_", made)
    assert offered == ["tau_by_class="] and not loaded


def test_values_of_a_parameter_are_offered():
    from types import SimpleNamespace

    from suite.cli import complete as offers

    ctx = SimpleNamespace(params={}, args=["mask-bce", "planted-verbs"])
    assert offers.settings(ctx, "select_by=") == ["select_by=accuracy", "select_by=recall"]
    assert offers.settings(ctx, "nothing=") == []
    assert offers.settings(SimpleNamespace(params={}, args=["unknown"]), "") == []


def test_the_index_is_what_the_methods_declare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = index.declared_methods()
    assert [row["name"] for row in first] == list(registry.methods())
    assert len(list((tmp_path / "weak-action-suite").iterdir())) == 1
    monkeypatch.setattr(registry, "methods", lambda: pytest.fail("the index should have answered"))
    assert index.declared_methods() == first


def test_the_index_follows_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("SUITE_METHODS", str(tmp_path / "own.py"))
    kept = tmp_path / "cache" / "weak-action-suite"
    names = []
    for count, name in enumerate(("own-first", "own-second")):
        own(tmp_path / "own.py", name, changed=count + 1)
        registry._registered.cache_clear()
        names.append({row["name"] for row in index.declared_methods()})
        assert len(list(kept.iterdir())) == count + 1
    registry._registered.cache_clear()
    assert "own-first" in names[0] - names[1] and "own-second" in names[1] - names[0]
    own(tmp_path / "own.py", "own-third", changed=time.time())  # this process may have imported what was there before
    assert "own-third" in {row["name"] for row in index.declared_methods()}
    assert len(list(kept.iterdir())) == 2
    registry._registered.cache_clear()


def own(file: Path, name: str, changed: float) -> None:
    """A file with a method, last changed at a time."""
    file.write_text(
        "from methods.recognition.assume_negative import AssumeNegative\n\n\n"
        f"class Own(AssumeNegative):\n    name, title = {name!r}, 'Own'\n"
    )
    os.utime(file, (changed, changed))


def test_a_damaged_index_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    whole = index.declared_methods()
    (file,) = (tmp_path / "weak-action-suite").iterdir()
    file.write_text("[{")
    assert index.declared_methods() == whole
    assert json.loads(file.read_text()) == whole


def test_the_version(typed: Typed):
    from suite import __version__

    assert typed("--version")[0].strip() == f"weak-action-suite {__version__}"


def test_one_word_for_all_kinds(typed: Typed):
    assert typed("show", "dataset", "planted-verbs")[0] == typed("data", "show", "planted-verbs")[0]
    assert "neighbours" in typed("list", "sweeps")[0]
    assert "actors-balancing" in typed("list", "claims")[0]


def test_a_sweep_is_planned_by_its_name(typed: Typed, tmp_path: Path):
    assert typed("plan", "neighbours", "--out", tmp_path) == typed("plan", "sweep", "neighbours", "--out", tmp_path)


def loaded_by(*words: str) -> set[str]:
    """The heavy packages that a command loads."""
    start = f"import atexit, sys; sys.argv = ['suite', *{words!r}]; from suite.cli import main; "
    code = start + "atexit.register(lambda: print(*sys.modules, file=sys.stderr)); main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {"torch", "ray", "optuna", "plotly", "scipy.stats"} & set(done.stderr.split())


def test_a_plan_waits_for_no_torch(tmp_path: Path):
    index.declared_methods()
    assert not loaded_by("plan", "quick", "--out", str(tmp_path))


def test_a_page_is_built_without_torch_and_ray(tmp_path: Path):
    index.declared_methods()
    assert loaded_by("report", "quick", "--out", str(tmp_path)) <= {"plotly", "scipy.stats"}


def test_a_plan_by_declarations_is_the_plan_by_methods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The classes that stand for methods say all that a run's name depends on."""
    known = registry.methods()
    monkeypatch.delitem(sys.modules, "torch")
    with index.declarations():
        declared = registry.methods()
        assert declared is not known and registry.method("asl").name == "action-selection"
        for name, one in known.items():
            own = declared[name]
            served = type(task(one.task))
            assert (own.hypers, list(own.hypers), own.presets) == (one.hypers, list(one.hypers), one.presets), name
            assert code_fingerprint(own, served) == code_fingerprint(one, served), name
            for fact in (
                "aliases",
                "task",
                "title",
                "paper",
                "__doc__",
                "oracle",
                "published_selection",
                "soft_labels",
            ):
                assert getattr(own, fact) == getattr(one, fact), (name, fact)
    assert registry.methods() is known
