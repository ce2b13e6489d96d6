"""Names for shell completion: read from files alone, without importing what they name, for a shell waits for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from typer import Context

PRECISIONS = ("float32", "bfloat16", "float16")
MOST = 200  # runs that are offered


def methods(incomplete: str) -> list[str]:
    """Method names and aliases that start with ``incomplete``."""
    from suite.index import declared_methods

    return _starting(incomplete, sorted(name for row in declared_methods() for name in (row["name"], *row["aliases"])))


def presets(ctx: Context, incomplete: str) -> list[str]:
    """Presets of the method on the command line that start with ``incomplete``."""
    found = _method(ctx)
    return _starting(incomplete, found["presets"] if found else ())


def settings(ctx: Context, incomplete: str) -> list[str]:
    """``name=`` of the method's hyper-parameters; behind that, the choices a parameter has, or its default."""
    found = _method(ctx)
    if found is None:
        return []
    name, equals, value = incomplete.partition("=")
    # Every method starts from weights, whether it declares so or not.
    hypers = {**found["hyper_parameters"], "weights": {"choices": runs_with_models(""), "default": ""}}
    if not equals:
        return [f"{one}=" for one in _starting(incomplete, hypers)]
    declared = hypers.get(name)
    if declared is None:
        return []
    values = declared["choices"] or [declared["default"]]
    if isinstance(declared["default"], bool):
        values = ["true", "false"]
    return [f"{name}={one}" for one in _starting(value, map(str, values))]


def _method(ctx: Context) -> dict[str, Any] | None:
    from suite.index import declared_methods

    known = {name: row for row in declared_methods() for name in (row["name"], *row["aliases"])}
    return next((known[word] for word in _words(ctx) if word in known), None)


def _words(ctx: Context) -> list[str]:
    """The arguments on the command line so far; while a shell completes, they are not parsed into parameters."""
    parsed = [str(value) for name, value in ctx.params.items() if name in ("method", "dataset") and value]
    return [*parsed, *map(str, ctx.args)]


def datasets(incomplete: str) -> list[str]:
    """Dataset names that start with ``incomplete``."""
    return _starting(incomplete, sorted({file.stem for folder in _card_folders() for file in folder.glob("*.toml")}))


def protocols(ctx: Context, incomplete: str) -> list[str]:
    """Protocols of the dataset on the command line that start with ``incomplete``."""
    import tomllib

    names = [word.partition("[")[0] for word in _words(ctx)]
    files = [folder / f"{name}.toml" for name in names for folder in _card_folders() if name]
    card = next((file for file in files if file.is_file()), None)
    if card is None:
        return []
    return _starting(incomplete, tomllib.loads(card.read_text(encoding="utf-8")).get("protocols", {"default": {}}))


def _card_folders() -> list[Path]:
    from suite.declarations import shipped
    from suite.environment import CARDS

    return [*map(Path, CARDS.paths()), shipped("datasets")]


def precisions(incomplete: str) -> list[str]:
    """Precisions that start with ``incomplete``."""
    return _starting(incomplete, PRECISIONS)


def checkable(incomplete: str) -> list[str]:
    """Names of methods and of datasets that start with ``incomplete``."""
    return [*methods(incomplete), *datasets(incomplete)]


def leaderboards(incomplete: str) -> list[str]:
    """Leaderboard names that start with ``incomplete``; those of papers also as ``paper:asl``."""
    found = _stems("reports", "leaderboards", "")
    papers = [name.replace("-", ":", 1) for name in found if name.startswith("paper-")]
    return _starting(incomplete, [*found, *papers])


def claims(incomplete: str) -> list[str]:
    """Claims that start with ``incomplete``."""
    return _stems("reports", "claims", incomplete)


def sweeps(incomplete: str) -> list[str]:
    """Sweeps that start with ``incomplete``: those that are shipped, and those that were run into the outputs."""
    run = [file.parent.name for file in _outputs().glob("sweeps/*/sweep.json")]
    return _starting(incomplete, sorted({*_stems("sweeps", "", ""), *run}))


def searchable(ctx: Context, incomplete: str) -> list[str]:
    """Sweeps and methods; behind a method, datasets."""
    return datasets(incomplete) if _words(ctx) else [*sweeps(incomplete), *methods(incomplete)]


def plannable(incomplete: str) -> list[str]:
    """Leaderboards and sweeps that start with ``incomplete``."""
    return [*leaderboards(incomplete), *sweeps(incomplete)]


def runs(incomplete: str) -> list[str]:
    """Runs below the outputs that have a page or kept weights, the newest first."""
    found = [*_outputs().glob("reports/runs/*.html"), *_outputs().glob("models/*/config.json")]
    order = sorted(found, key=lambda file: file.stat().st_mtime, reverse=True)
    names = dict.fromkeys(file.stem if file.suffix == ".html" else file.parent.name for file in order)
    return _starting(incomplete, names)[:MOST]


def runs_with_models(incomplete: str) -> list[str]:
    """Runs below the outputs whose weights are kept."""
    return _starting(incomplete, sorted(file.parent.name for file in _outputs().glob("models/[!.]*/config.json")))


def comparable(incomplete: str) -> list[str]:
    """Methods, leaderboards, runs and folders of results here; behind ``NAME@`` the folders alone."""
    folders = sorted(str(folder.parent) for folder in Path().glob("*/ledger") if folder.is_dir())
    name, at, _ = incomplete.rpartition("@")
    if at:
        return _starting(incomplete, [f"{name}@{folder}" for folder in folders])
    return [*methods(incomplete), *leaderboards(incomplete), *_starting(incomplete, folders), *runs(incomplete)]


def _outputs() -> Path:
    from suite.environment import OUTPUTS

    return Path("outputs" if "://" in OUTPUTS.value else OUTPUTS.value or "outputs")


def _stems(kind: str, folder: str, incomplete: str) -> list[str]:
    from suite.declarations import shipped

    return _starting(incomplete, sorted(path.stem for path in (shipped(kind) / folder).glob("*.toml")))


def _starting(incomplete: str, names: Any) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
