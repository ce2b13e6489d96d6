"""``suite new``: a commented skeleton to start from, which can be checked and run as it is."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from string import Template
from typing import Annotated

import typer

from suite.cli.console import say
from suite.errors import UsageError, did_you_mean

SKELETONS = Path(__file__).parent / "skeletons"
KINDS = ("method", "dataset", "sweep", "board", "task")
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
FAMILIES = {"weak-localization": "localization", "semi-localization": "localization"}  # tasks with one kind of samples


def register(app: typer.Typer) -> None:
    """Add ``suite new``."""
    app.command()(new)


def new(
    kind: Annotated[str, typer.Argument(help=f"{', '.join(KINDS)}.", autocompletion=lambda: list(KINDS))],
    name: Annotated[str, typer.Argument(help="Its name: small letters, digits and hyphens, e.g. my-method.")],
    folder: Annotated[Path, typer.Option("--in", help="Folder to write into; it may be any.")] = Path(),
    task: Annotated[
        str, typer.Option(help="The task that a method or a dataset is for.", show_default="recognition")
    ] = "",
) -> None:
    """Write a commented skeleton of a KIND called NAME and say how to go on. Files that exist are left alone.

    Examples: suite new method my-loss --task recognition; suite new dataset kitchen --in mine; suite new board mine

    suite new dataset gym --task semi-localization --in mine
    """
    if kind not in KINDS:
        raise UsageError(f"there is no skeleton of a '{kind}'{did_you_mean(kind, KINDS)}")
    if not NAME.fullmatch(name):
        raise UsageError(f"'{name}' is no name for a {kind}; use small letters, digits and hyphens, e.g. my-{kind}.")
    files = dict(_files(kind, name, folder, task))
    if there := [path for path in files if path.exists()]:
        raise UsageError(f"{there[0]} exists already; choose another name, or another folder with --in.")
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        say(f"wrote {path}")
    for command in _next(kind, name, folder):
        say(f"next: {command}")


def _files(kind: str, name: str, folder: Path, task: str) -> Iterator[tuple[Path, str]]:
    """The files of a skeleton and their texts."""
    if task and kind not in ("method", "dataset"):
        raise UsageError(f"a {kind} has no --task; leave it out.")
    module = name.replace("-", "_")
    words = {"name": name, "module": module, "title": name.replace("-", " ").capitalize()}
    words["class_"] = "".join(part.capitalize() for part in name.split("-"))
    if kind == "method":
        yield folder / f"{module}.py", _filled(f"method.{_with_skeleton(kind, task)}.py", words)
    elif kind == "dataset":
        yield from _dataset(folder, _with_skeleton(kind, FAMILIES.get(task, task)), words)
    else:
        yield folder / f"{name if kind != 'task' else f'{name}-planted'}.toml", _filled(f"{kind}.toml", words)
    if kind == "task":
        yield folder / f"{module}.py", _filled(f"{kind}.py", words)


def _dataset(folder: Path, family: str, words: dict[str, str]) -> Iterator[tuple[Path, str]]:
    """Card, reader and example files of a dataset for one family of tasks."""
    yield folder / f"{words['name']}.toml", _filled(f"dataset.{family}.toml", words)
    yield folder / f"{words['module']}.py", _filled(f"dataset.{family}.py", words)
    for file, text in EXAMPLES[family]().items():
        yield folder / "data" / words["name"] / file, text


def _with_skeleton(kind: str, task: str) -> str:
    """``task`` (recognition by default), for which there must be a skeleton of the ``kind``."""
    task = task or "recognition"
    known = {path.name.split(".")[1] for path in SKELETONS.glob(f"{kind}.*.txt")}
    if task not in known:
        names = sorted(known | {name for name, family in FAMILIES.items() if family in known})
        raise UsageError(f"there is no skeleton of a {kind} for '{task}'{did_you_mean(task, names)}")
    return task


def _filled(skeleton: str, words: dict[str, str]) -> str:
    return Template((SKELETONS / f"{skeleton}.txt").read_text(encoding="utf-8")).substitute(words)


def example_clips() -> dict[str, str]:
    """A CSV file of 48 clips, three of each video, whose four features lean towards their class."""
    draw, lines = random.Random(0), ["id,video,split,annotated,valid,features"]
    for video in range(16):
        split = "train" if video < 8 else "validation" if video < 12 else "test"
        for place, (shown, valid) in enumerate((("cut", "cut|slice"), ("slice", "cut|slice"), ("wash", "wash"))):
            centre = (1.0, 1.0, -1.0, 0.0) if place < 2 else (-1.0, 0.0, 1.0, 1.0)
            features = " ".join(f"{value + draw.gauss(0, 0.3):.3f}" for value in centre)
            lines.append(f"v{video:02}{'abc'[place]},v{video:02},{split},{shown},{valid},{features}")
    return {"clips.csv": "\n".join(lines) + "\n"}


def example_videos() -> dict[str, str]:
    """CSV files of 16 videos of 40 seconds, two of each person, with a segment of each of two classes.

    In a class's segment two of four features are high.
    """
    draw = random.Random(0)
    videos, segments = ["video,person,split,seconds"], ["video,label,start,end"]
    snippets = ["video,features"]
    for number in range(16):
        split = "train" if number < 8 else "validation" if number < 12 else "test"
        name, starts = f"v{number:02}", (draw.randrange(2, 8), draw.randrange(20, 28))
        spans = dict(zip(draw.sample(("cut", "mix"), 2), ((start, start + 10) for start in starts)))
        videos.append(f"{name},p{number // 2},{split},40")
        segments += [f"{name},{label},{start},{end}" for label, (start, end) in spans.items()]
        for second in range(40):
            high = [start <= second < end for start, end in (spans["cut"], spans["mix"])]
            features = " ".join(f"{high[place // 2] + draw.gauss(0, 0.2):.2f}" for place in range(4))
            snippets.append(f"{name},{features}")
    tables = {"videos.csv": videos, "segments.csv": segments, "snippets.csv": snippets}
    return {name: "\n".join(lines) + "\n" for name, lines in tables.items()}


EXAMPLES: dict[str, Callable[[], dict[str, str]]] = {"recognition": example_clips, "localization": example_videos}


def _next(kind: str, name: str, folder: Path) -> list[str]:
    """The commands that go on from here."""
    module = folder / f"{name.replace('-', '_')}.py"
    return {
        "method": [f"suite check {name} --methods {module}"],
        "dataset": [
            f"suite check {name} --datasets {folder} --data {folder / 'data'}",
            f"SUITE_DATASETS={folder} suite train METHOD {name} --data {folder / 'data'}",
        ],
        "sweep": [f"suite plan sweep {folder / name}.toml", f"suite sweep {folder / name}.toml"],
        "board": [f"suite plan {folder / name}.toml", f"suite leaderboard {folder / name}.toml"],
        "task": [f"suite check {name}-baseline --methods {module} --datasets {folder}"],
    }[kind]
