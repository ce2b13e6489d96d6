"""Installed as a user does it: ``python -m tests.trust.matrix [--linked] [FOLDER]``.

The wheel is built and installed outside the checkout, in a folder with blanks and signs in its name, for every Python
from 3.11 to 3.13 on PATH, without extras and with all of them, and beside Hugging Face's ``datasets``. Each time the
commands below have to work. ``--linked`` takes dependencies from this environment instead of a registry: that tries
this Python alone, and a stand-in for Hugging Face's package.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = ("3.11", "3.12", "3.13")
EXTRAS = ("", "h5,s3,tensorboard,dashboard")
ODD = "Überall [x] %20"
TRAIN = ("train", "assume-negative", "planted-verbs[train=40,validation=30,test=30,verbs=8]", "--epochs", "1", "--json")
BESIDE = """
import datasets, suite
from suite.data import find_card
assert hasattr(datasets, "load_dataset"), datasets
assert find_card("thumos-14").title
print(suite.__file__)
"""
STAND_IN = 'def load_dataset(*_): raise NotImplementedError("a stand-in")\n'


class FailedError(Exception):
    """A command that did not end well."""


@dataclass(frozen=True)
class Place:
    """An environment in a folder of its own, and where commands are typed."""

    folder: Path

    @property
    def bin(self) -> Path:
        """Its programs."""
        return self.folder / "environment" / "bin"

    def run(self, *words: str | Path) -> str:
        """What a command says, typed in the folder, with nothing of the checkout or of its settings at hand."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SUITE_", "PYTHON"))}
        done = subprocess.run(list(map(str, words)), cwd=self.folder, env=kept, capture_output=True, text=True)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [done.stdout])[-1]
            raise FailedError(f"{' '.join(map(str, words[:4]))} ended with {done.returncode}: {last[:300]}")
        return done.stdout


def interpreter(version: str) -> str | None:
    """A Python of this version on PATH that runs, and can make environments."""
    for found in (shutil.which(f"python{version}"), shutil.which("python3")):
        said = "import sys, venv; print('%d.%d' % sys.version_info[:2])"
        done = found and subprocess.run([found, "-c", said], capture_output=True, text=True)
        if done and done.returncode == 0 and done.stdout.strip() == version:
            return found
    return None


def wheel(folder: Path, isolated: bool = True) -> Path:
    """The wheel, built from a copy of the checkout."""
    source = folder / "source"
    left_out = shutil.ignore_patterns(".git", ".venv", "outputs", "build", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, source, ignore=left_out, symlinks=True)
    words = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(source)]
    done = subprocess.run([*words, *([] if isolated else ["--no-build-isolation"])], capture_output=True, text=True)
    shutil.rmtree(source)
    if done.returncode:
        raise FailedError(f"no wheel: {done.stderr.strip().splitlines()[-1]}")
    return next(folder.glob("*.whl"))


def try_commands(place: Place) -> None:
    """The commands that have to work in every place."""
    suite = place.bin / "suite"
    assert json.loads(place.run(suite, "list", "datasets", "--json"))
    assert json.loads(place.run(suite, "list", "methods", "--json"))
    assert json.loads(place.run(suite, *TRAIN))
    place.run(suite, "report", "--help")
    assert place.run(suite, "results", "list", "--json").count('"finished"') == 1


def try_beside(place: Place) -> None:
    """The same with another package called ``datasets`` there: each finds its own."""
    where = place.run(place.bin / "python", "-c", BESIDE).strip()
    assert Path(where).is_relative_to(place.folder), where
    assert json.loads(place.run(place.bin / "suite", "list", "datasets", "--json"))


def linked(folder: Path) -> Iterator[str]:
    """This Python, its dependencies taken from the environment at hand."""
    place, built = Place(folder / ODD), wheel(folder, isolated=False)
    place.folder.mkdir()
    place.run(sys.executable, "-m", "venv", "--without-pip", place.folder / "environment")
    site = Path(place.run(place.bin / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    pip = [sys.executable, "-m", "pip", "--python", place.bin / "python"]
    place.run(*pip, "install", "--quiet", "--no-deps", built)
    (site / "linked.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    try_commands(place)
    (site / "datasets").mkdir()
    (site / "datasets" / "__init__.py").write_text(STAND_IN, encoding="utf-8")
    try_beside(place)
    yield f"Python {sys.version.split()[0]}, dependencies of this environment: works, also beside `datasets`"


def registry(folder: Path) -> Iterator[str]:
    """Every Python there is, with dependencies from the registry that pip uses."""
    built = wheel(folder)
    for version in VERSIONS:
        python = interpreter(version)
        if python is None:
            yield f"Python {version} is not on PATH: not tried"
            continue
        for extras in EXTRAS:
            place = Place(folder / f"{ODD} {version}{' extras' if extras else ''}")
            place.folder.mkdir()
            what = f"Python {version} {'with ' + extras if extras else 'without extras'}"
            try:
                _install(place, python, f"{built}[{extras}]" if extras else str(built))
            except FailedError as error:
                yield f"{what} could not be installed: {error}"
                continue
            try_commands(place)
            place.run(place.bin / "python", "-m", "pip", "install", "--quiet", "datasets")
            try_beside(place)
            yield f"{what}: works, also beside `datasets`"
            shutil.rmtree(place.folder)


def _install(place: Place, python: str, requirement: str) -> None:
    place.run(python, "-m", "venv", place.folder / "environment")
    pinned = ("--constraint", ROOT / "constraints.txt")
    place.run(place.bin / "python", "-m", "pip", "install", "--quiet", *pinned, requirement)


def main(words: Sequence[str]) -> None:
    """See the module."""
    found = [word for word in words if word != "--linked"]
    with tempfile.TemporaryDirectory(dir=found[0] if found else None) as folder:
        for line in (linked if "--linked" in words else registry)(Path(folder)):
            print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
