"""``suite check``: does a method keep the contract, is a dataset what it seems?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suite.cli.complete import checkable
from suite.cli.console import DataOption, JsonOption, MethodsOption, OutOption, emit_json
from suite.errors import SuiteError, UsageError, did_you_mean

if TYPE_CHECKING:
    from suite.conformance import Finding, Trial
    from suite.places import Places
    from suite.train.storage.reporter import Progress

SHOWN = {"yes": "yes ", "no": "NO  ", "look": "look"}


def register(app: typer.Typer) -> None:
    """Add ``suite check``."""
    app.command()(check)


def check(
    name: Annotated[
        str,
        typer.Argument(
            help="A method, shipped or from --methods; or a dataset, with or without dials.", autocompletion=checkable
        ),
    ],
    dataset: Annotated[
        str, typer.Option(help="Dataset to try a method on.", show_default="the small planted world of its task")
    ] = "",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="A hyper-parameter of a method, name=value.", show_default="preset=small where there is one"
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(help="Epochs of each trial training.", min=2, show_default="3, and up to 48 for it to learn"),
    ] = None,
    task: Annotated[str, typer.Option(help="The task that a dataset is checked for.", show_default="its first")] = "",
    methods_files: MethodsOption = None,
    cards: Annotated[Path | None, typer.Option("--datasets", help="A folder of your own dataset cards.")] = None,
    data: DataOption = None,
    out: OutOption = "outputs",
    json: JsonOption = False,
) -> None:
    """Try a METHOD on a small planted world, or look into a DATASET, and say in plain words what is missing.

    Of a method: declarations, training, determinism, resume, empty splits, moving parameters, learning; within minutes.
    Of a dataset: shapes, values that are no numbers, classes, samples that two splits share, whether the labels say
    anything, what a random and a majority predictor get, and how far annotators agree where there are several.

    Examples: suite check my-method --methods my_method.py

    suite check my-data --datasets . --data data
    """
    from suite.environment import CARDS, PLUGINS
    from suite.places import Places

    PLUGINS.add(methods_files or [])
    CARDS.add([cards] if cards else [])
    if _is_dataset(name):
        check_dataset(name, task, Places(out, data), json)
        return
    from suite.cli.train import parse_settings
    from suite.conformance import planned

    _check_method(planned(name, dataset, parse_settings(settings or []), epochs), Places(out, data).cache, json)


def _is_dataset(name: str) -> bool:
    """Whether ``name`` is a dataset's; raises :class:`UsageError` where it is no method's either."""
    from suite import registry
    from suite.data.storage.cards import card_paths
    from suite.spec.card import parse_dataset_name

    plain, _ = parse_dataset_name(name)
    methods, datasets = registry.names(), card_paths()
    if registry.canonical_name(plain) in methods or plain in registry.published_only():
        return False
    if plain not in datasets:
        raise UsageError(f"no method and no dataset is called '{plain}'{did_you_mean(plain, [*methods, *datasets])}")
    return True


class Display:
    """Lines as they come on standard output, and a bar on standard error, where that is a terminal."""

    def __init__(self, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self.quiet, console = quiet, Console(stderr=True)
        phase, unit = TextColumn("{task.description}", markup=False), TextColumn("epochs")
        shown = console.is_terminal and not quiet
        settings: dict[str, Any] = {"console": console, "disable": not shown, "transient": True}
        self.bar = Progress(phase, BarColumn(), MofNCompleteColumn(), unit, **settings)
        self.row = self.bar.add_task("", total=None)

    def draw(self, progress: Progress) -> None:
        """How far a training is."""
        self.bar.update(self.row, completed=progress.done, total=progress.total, description=progress.phase)

    def say(self, line: str) -> None:
        """A line of its own; the bar, which would break it, is taken away meanwhile."""
        if not self.quiet:
            self.bar.stop()
            print(line, flush=True)
            self.bar.start()

    def each(self, findings: Iterable[Finding]) -> list[Finding]:
        """All of ``findings``, each said when it is known."""
        kept = []
        try:
            for finding in findings:
                kept.append(finding)
                took = f" ({finding.seconds:.0f} s)" if finding.seconds >= 1 else ""
                self.say(f"{SHOWN[finding.state]}  {finding.check}: {finding.said}{took}")
        finally:  # whatever ended the check, the terminal gets its cursor back
            self.bar.stop()
        return kept


def _check_method(trial: Trial, cache: Path, as_json: bool) -> None:
    from suite.conformance import examine
    from suite.train.storage.reporter import Calling

    display = Display(quiet=as_json)
    display.say(trial.in_words())
    findings = display.each(examine(trial, cache, Calling(display.draw)))
    about = {"method": trial.method.name, "trial": trial.in_words(), "dataset": trial.dataset}
    _conclude(about, trial.method.name, findings, as_json)


def check_dataset(name: str, task: str, places: Places, as_json: bool) -> None:
    """Look into a dataset's files, then into what its reader makes of them; :class:`SuiteError` where one is wrong."""
    from suite.conformance.clip_frames import examine_frames
    from suite.conformance.clip_packs import examine_clips
    from suite.conformance.datasets import inspect
    from suite.conformance.packs import examine_pack

    files = chain(examine_pack(name, places.root), examine_clips(name, places.root))
    pixels = examine_frames(name, places.root, places.cache)
    looked = chain(files, pixels, inspect(name, task, places.root, places.cache))
    findings = Display(quiet=as_json).each(looked)
    _conclude({"dataset": name}, name, findings, as_json)


def _conclude(about: Mapping[str, Any], name: str, findings: Sequence[Finding], as_json: bool) -> None:
    """Print JSON if asked for; raise :class:`SuiteError` where expectations are not kept."""
    if as_json:
        emit_json({**about, "findings": [vars(finding) for finding in findings]})
    failed = [finding.check for finding in findings if not finding.holds]
    if failed:
        raise SuiteError(f"{name} does not keep {len(failed)} of {len(findings)} expectations: {'; '.join(failed)}.")
