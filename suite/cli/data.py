"""``suite data``: look at dataset cards, fetch what they name, check it, and pack it for training."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suite.cli.complete import datasets
from suite.cli.console import DataOption, JsonOption, OutOption, complain, emit, emit_json, say
from suite.environment import CARDS
from suite.errors import DataError

if TYPE_CHECKING:
    from suite.data.storage.fetch import ShowProgress
    from suite.places import Places
    from suite.rehearsal import Draft, Request
    from suite.spec.card import DatasetCard

commands = typer.Typer(no_args_is_help=True, help="Dataset cards: list, show, verify, check, get, rehearse, prepare.")


Name = Annotated[str, typer.Argument(help="A dataset, e.g. hapt.", autocompletion=datasets)]
Dialled = Annotated[str, typer.Argument(help="A dataset, e.g. planted-verbs[snr=3].", autocompletion=datasets)]
ServedTask = Annotated[str, typer.Option("--task", help="One of the dataset's tasks.")]


def register(app: typer.Typer) -> None:
    """Add ``suite data``."""
    app.add_typer(commands, name="data")


@commands.callback()
def own_cards(
    folder: Annotated[Path | None, typer.Option("--datasets", help="A folder of your own dataset cards.")] = None,
) -> None:
    """Dataset cards: list, show, verify, check, get, rehearse, prepare."""
    if folder is not None:
        CARDS.add([folder])


@commands.command("list")
def list_datasets(task: ServedTask = "", data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the datasets that there are cards for."""
    from suite.data import all_cards

    rows = [_row(card, data) for card in all_cards() if not task or task in card.tasks]
    emit(rows, ["name", "title", "tasks", "kind", "on disk"], as_json)


def _row(card: DatasetCard, data: str | None) -> dict[str, Any]:
    from suite.data import is_available
    from suite.data.storage.files import dataset_folder
    from suite.data.storage.generated import find_mark
    from suite.places import Places
    from suite.spec.card import GENERATED

    root = Places(data=data).root
    available = "yes" if is_available(card, root) else "no"
    rehearsed = find_mark(card, dataset_folder(card, root)) is not None
    there = "rehearsal" if rehearsed else available if card.files else "generated"
    kind = GENERATED if rehearsed else card.kind
    return {"name": card.name, "title": card.title, "tasks": list(card.tasks), "kind": kind, "on disk": there}


@commands.command()
def show(name: Name, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show a card: source, licence, files, counts, splits, dials, protocols."""
    from suite.data import find_card
    from suite.data.storage.files import dataset_folder, is_available
    from suite.places import Places

    card = find_card(name)
    whole = card.model_dump(mode="json") | {
        "card": str(card.path),
        "data": str(dataset_folder(card, Places(data=data).root)),
        "on_disk": is_available(card, Places(data=data).root),
    }
    stated = {key: value for key, value in whole.items() if value not in (None, "", {}, [])}
    if as_json:
        emit_json(whole)
    else:
        emit([{"field": key, "value": _words(value)} for key, value in stated.items()], ["field", "value"], False)


def _words(value: Any) -> str:
    """A nested value as lines a person reads: one ``key: value`` per line, lists joined by commas."""
    if isinstance(value, dict):
        lines = {key: _words(part) for key, part in value.items() if part not in (None, "", {}, [])}
        return "\n".join(f"{key}: " + text.replace("\n", ", ") for key, text in lines.items())
    if isinstance(value, list):
        nested = any(isinstance(part, dict) for part in value)
        return ("\n\n" if nested else ", ").join(_words(part) for part in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


@commands.command()
def verify(
    name: Dialled,
    task: ServedTask = "",
    data: DataOption = None,
    out: OutOption = "outputs",
    as_json: JsonOption = False,
) -> None:
    """Compare files and every count with the card; exit code 1 when something differs."""
    from suite.data.request import dataset_request
    from suite.data.storage.verify import summary, verify
    from suite.places import Places

    places = Places(out, data)
    asked = dataset_request(name, task, places.root, places.cache)
    findings = verify(asked)
    emit([asdict(finding) for finding in findings], ["what", "stated", "found", "agrees"], as_json)
    if differs := summary(asked, findings):
        raise DataError(differs)


@commands.command()
def check(
    name: Dialled,
    task: ServedTask = "",
    data: DataOption = None,
    out: OutOption = "outputs",
    as_json: JsonOption = False,
) -> None:
    """Say what is odd about a dataset's files and contents; exit code 1 when something is wrong.

    Of packs of untrimmed videos: videos that are missing or not annotated, values that are no numbers, other types and
    widths, another stride than the card's, lengths that do not fit durations, RGB and flow exchanged (as far as
    statistics can tell). Of pickled features of clips: the same, without lengths. Of clips of people: videos without
    frames, frames that cannot be decoded. Then all that suite check DATASET looks at.
    """
    from suite.cli.check import check_dataset
    from suite.places import Places

    check_dataset(name, task, Places(out, data), as_json)


@commands.command()
def get(
    name: Name,
    data: DataOption = None,
    out: OutOption = "outputs",
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there and wrong.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Download a dataset's files, resuming broken transfers, and check size and SHA-256."""
    from suite.data import find_card
    from suite.data.storage.fetch import fetch
    from suite.data.storage.files import dataset_folder
    from suite.places import Places

    card = find_card(name)
    folder = dataset_folder(card, Places(data=data).root)
    with _progress() as progress:
        done = fetch(card, folder, Places(out).cache, progress, force)
    emit(
        [{"file": path, "folder": str(folder), "state": state} for path, state in done.items()],
        ["file", "state", "folder"],
        as_json,
    )


@commands.command()
def rehearse(
    name: Name,
    to: Annotated[Path, typer.Option("--to", help="Folder that the pack is written below.")] = Path("rehearsal"),
    full: Annotated[
        bool, typer.Option("--full", help="As large as published: all videos, all channels (gigabytes: --dry).")
    ] = False,
    videos: Annotated[
        int | None, typer.Option(help="How many videos or clips.", show_default="60; --full: all")
    ] = None,
    channels: Annotated[int | None, typer.Option(help="Feature width.", show_default="64; --full: published")] = None,
    seed: Annotated[int, typer.Option(help="Another seed is another world of the same kind.", min=0)] = 0,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A dial of the world, name=value; --dials lists them.")
    ] = None,
    dials: Annotated[bool, typer.Option("--dials", help="List the dials of the world, and write nothing.")] = False,
    dry: Annotated[bool, typer.Option("--dry", help="Say how large the pack would be, and write nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write a rehearsal pack anew that is there.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a dataset's files with generated features, to try everything before the real ones are there.

    The pack has the published layout: readers, windows, protocols and memory are those of the real data. Annotations
    are the real ones where --data has them, else generated. It is marked: the dataset is then called
    NAME[features=generated] in every row, page and file, and no printed number is compared with it.

    Example: suite data rehearse thumos-14 --to rehearsal, then suite train asl thumos-14 --data rehearsal
    """
    from suite.cli.train import parse_settings
    from suite.data.storage.files import data_root
    from suite.places import Places
    from suite.rehearsal import bytes_in, draft, request

    root = data_root(Places(data=data).root)
    asked = request(
        name, root, to, full=full, videos=videos, channels=channels, seed=seed, dials=parse_settings(settings or [])
    )
    if dials:
        _list_dials(asked.card.reader, as_json)
        return
    made = draft(asked)
    if dry:
        _tell_size(asked, made, as_json)
        return
    folder = _write_pack(asked, made, force)
    written = bytes_in(folder)
    row = {"dataset": f"{name}[features=generated]", "folder": str(folder), "holds": made.holds}
    emit([{**row, "bytes": written, "size": _amount(written)}], ["dataset", "holds", "size", "folder"], as_json)
    if not as_json:
        say(f"train on it with --data {to}; look at it with suite data check {name} --data {to}")


def _write_pack(asked: Request, made: Draft, force: bool) -> Path:
    """Write a pack behind a progress bar, after saying how large it will be; returns its folder."""
    from suite.rehearsal import rehearse as write

    name = asked.card.name
    packed = f" ({_amount(made.packed)} more when it is packed for training)" if made.packed else ""
    complain(f"{name}: {made.holds}; about {_amount(made.size)}{packed} in {asked.folder}")
    with _progress() as progress:
        done = 0

        def step(written: int) -> None:
            nonlocal done
            done += written
            progress(name, done, max(done, made.size))

        return write(asked, made, step, force)


def _tell_size(asked: Request, made: Draft, as_json: bool) -> None:
    """What a pack would hold and take, and whether the disk has room for it."""
    from suite.rehearsal import no_room, room

    free, enough = room(asked, made)
    row = {"dataset": asked.card.name, "holds": made.holds, "bytes": made.size, "packed": made.packed, "free": free}
    words = {"files": _amount(made.size), "packed for training": _amount(made.packed) if made.packed else "none"}
    row |= {**words, "free here": _amount(free), "fits": enough, "folder": str(asked.folder)}
    emit([row], ["dataset", "holds", *words, "free here", "fits", "folder"], as_json)
    if not enough and not as_json:
        say(no_room(asked, made, free))


def _list_dials(reader: str, as_json: bool) -> None:
    from suite.rehearsal.dials import DIALS

    rows = [{"dial": name, **dial.model_dump(exclude={"choices", "stage"})} for name, dial in DIALS[reader].items()]
    emit(rows, ["dial", "default", "low", "high", "unit", "help"], as_json)


def _amount(size: int) -> str:
    """Bytes as people say them."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"


@contextmanager
def _progress() -> Iterator[ShowProgress]:
    """A bar per file on the error stream (nothing where that is not a terminal)."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=console, disable=not console.is_terminal) as bars:
        rows: dict[str, Any] = {}

        def update(name: str, done: int, total: int | None) -> None:
            if name not in rows:
                rows[name] = bars.add_task(name, total=total)
            bars.update(rows[name], completed=done, total=total)

        yield update


@commands.command()
def prepare(
    names: Annotated[list[str], typer.Argument(help="Datasets, with or without dials.", autocompletion=datasets)],
    task: ServedTask = "",
    data: DataOption = None,
    out: OutOption = "outputs",
    force: Annotated[bool, typer.Option("--force", help="Pack again what is packed already.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Pack datasets into memory-mapped files, so that the first run does not have to."""
    from suite.places import Places

    rows = [row for name in names for row in _prepare(name, task, Places(out, data), force)]
    emit(rows, ["dataset", "task", "train", "validation", "test", "MiB", "seconds", "folder"], as_json)


def _prepare(name: str, task: str, places: Places, force: bool) -> Iterator[dict[str, Any]]:
    from suite.data.loading import open_dataset
    from suite.data.request import dataset_request

    for each in [task] if task else dataset_request(name).card.tasks:
        asked, started = dataset_request(name, each, places.root, places.cache), time.perf_counter()
        with _progress() as progress:  # counts bytes, where packing tells MiB
            packed = open_dataset(asked, 0, force, lambda what, done, total: progress(name, done << 20, total << 20))
        size = sum(path.stat().st_size for path in asked.store_folder().iterdir())
        lengths = {split: len(packed.split(split)) for split in ("train", "validation", "test")}
        spent = {"MiB": round(size / 2**20, 2), "seconds": round(time.perf_counter() - started, 2)}
        yield {"dataset": packed.name, "task": each, **lengths, **spent, "folder": str(asked.store_folder())}
