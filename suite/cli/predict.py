"""``suite predict`` and ``suite export``: kept models on new features, and as folders to give away."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suite.cli.complete import runs_with_models
from suite.cli.console import DataOption, JsonOption, MethodsOption, OutOption, emit_json, say
from suite.errors import UsageError

if TYPE_CHECKING:
    from suite.models.model import Model
    from suite.models.predicted import Predicted
    from suite.places import Places

ModelArgument = Annotated[
    str,
    typer.Argument(help="A run's id or its beginning, or a folder of a model.", autocompletion=runs_with_models),
]


def predict(
    model: ModelArgument,
    features: Annotated[
        str,
        typer.Argument(
            help="What to predict for: a .npy or .npz file of features, a folder of .npy files (one per video or "
            "clip) or of video files with a boxes.csv (video,second,x1,y1,x2,y2,label,score), or a dataset's name; "
            "without it the dataset the model was trained on."
        ),
    ] = "",
    to: Annotated[
        Path | None,
        typer.Option("--to", help="File to write: .json (ActivityNet), .csv or .parquet.", show_default="printed"),
    ] = None,
    split: Annotated[str, typer.Option(help="Of a dataset: train, validation or test.")] = "test",
    selection: Annotated[
        str, typer.Option(help="Which kept weights: validation, last or oracle.", show_default="the first kept")
    ] = "",
    fps: Annotated[float, typer.Option(help="Frames per second of new videos; 0: as in training.", min=0)] = 0.0,
    stride: Annotated[float, typer.Option(help="Frames between their snippets; 0: as in training.", min=0)] = 0.0,
    window: Annotated[float, typer.Option(help="Frames that a snippet sees; 0: as in training.", min=0)] = 0.0,
    gpu: Annotated[bool, typer.Option("--gpu", help="Predict on CUDA.")] = False,
    threads: Annotated[int, typer.Option(help="CPU threads; 0 uses all cores.", min=0)] = 1,
    methods_files: MethodsOption = None,
    out: OutOption = "outputs",
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Predict with the weights of a run: for features of your own, or for a split of a dataset.

    Features are those that the model learned from: (samples, channels), or (snippets, channels) for each video.
    Without --to, what is predicted is printed.

    Examples: suite predict 3f2a features/ --to found.json; suite predict exported-model thumos-14 --to found.csv
    """
    from suite.environment import PLUGINS
    from suite.models.model import load_model
    from suite.places import Places
    from suite.work.preparation import require_device
    from suite.work.preparation import threads as with_threads

    PLUGINS.add(methods_files or [])
    if to is not None and to.suffix not in (".json", ".csv", ".parquet"):
        raise UsageError(f"--to {to} names no form of file; end it with .json, .csv or .parquet.")
    places, device = Places(out, data), "cuda" if gpu else "cpu"
    require_device(device)
    loaded = load_model(model, places, selection, device)
    with with_threads(threads):
        found = _predicted(loaded, features, split, (fps, stride, window), places)
    _hand_over(found, str(loaded.folder.path), to, json)


def _hand_over(found: Predicted, model: str, to: Path | None, json: bool) -> None:
    """Write what was predicted to the file ``to``, or print it."""
    if to is not None:
        written = found.write(to)
        if json:
            emit_json({"model": model, "items": len(found), "file": str(written)})
        else:
            say(f"{len(found)} items; {written}")
        return
    frame = found.to_frame()
    if json:
        emit_json({"model": model, "items": len(found), "rows": frame.to_dicts()})
    else:
        say(str(frame))


def _predicted(
    model: Model, features: str, split: str, timing: tuple[float, float, float], places: Places
) -> Predicted:
    from suite.models.clips import BOXES
    from suite.models.inputs import read_features

    path = Path(features)
    if features and (path.exists() or path.suffix in (".npy", ".npz")):
        if not path.exists():
            raise UsageError(f"there is no file {path}; correct its path.")
        if (path / BOXES).is_file():
            return model.predict_clips(path)
        fps, stride, window = timing
        return model.predict(read_features(path), fps=fps, stride=stride, window=window)
    return model.predict_dataset(features, split, places)


def export(
    run: ModelArgument,
    folder: Annotated[Path, typer.Argument(help="Where the model goes; made if need be.")],
    out: OutOption = "outputs",
    json: JsonOption = False,
) -> None:
    """Write the kept model of RUN to FOLDER: README.md (its card), config.json and model.safetensors.

    Hugging Face's hub takes the folder as it is: hf upload NAME FOLDER. The card says what the model is, where its
    parameters come from, what it scores with how many seeds, and under which licence its data are.

    Example: suite export 3f2a my-model
    """
    from suite.models.export import export_model, files_of
    from suite.models.model import find_model
    from suite.places import Places
    from suite.results.ledger import Ledger

    places = Places(out)
    written = export_model(find_model(run, places), Ledger(places.ledger), folder)
    files = files_of(written)
    if json:
        emit_json({"folder": str(written), "files": [str(file) for file in files]})
        return
    for file in files:
        say(str(file))


def register(app: typer.Typer) -> None:
    """Add ``suite predict`` and ``suite export``."""
    app.command()(predict)
    app.command()(export)
