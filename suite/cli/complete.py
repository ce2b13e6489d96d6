"""Names for shell completion."""

from __future__ import annotations

from typer import Context


def methods(incomplete: str) -> list[str]:
    """Method names and aliases that start with ``incomplete``."""
    from suite import registry

    return [name for name in registry.names() if name.startswith(incomplete)]


def presets(ctx: Context, incomplete: str) -> list[str]:
    """Presets of the method on the command line that start with ``incomplete``."""
    from suite import registry

    found = registry.methods().get(registry.canonical_name(str(ctx.params.get("method"))))
    return [name for name in (found.presets if found else ()) if name.startswith(incomplete)]


def datasets(incomplete: str) -> list[str]:
    """Dataset names that start with ``incomplete``."""
    from suite.data import all_cards

    return [card.name for card in all_cards() if card.name.startswith(incomplete)]


def checkable(incomplete: str) -> list[str]:
    """Names of methods and of datasets that start with ``incomplete``."""
    return [*methods(incomplete), *datasets(incomplete)]


def leaderboards(incomplete: str) -> list[str]:
    """Leaderboard names that start with ``incomplete``."""
    return _stems("reports", "leaderboards", incomplete)


def claims(incomplete: str) -> list[str]:
    """Claims that start with ``incomplete``."""
    return _stems("reports", "claims", incomplete)


def sweeps(incomplete: str) -> list[str]:
    """Sweep names that start with ``incomplete``."""
    return _stems("sweeps", "", incomplete)


def runs_with_models(incomplete: str) -> list[str]:
    """Runs below the outputs whose weights are kept, that start with ``incomplete``."""
    from suite.environment import OUTPUTS
    from suite.places import Places

    folder = Places(OUTPUTS.value or "outputs").local / "models"
    found = sorted(path.name for path in folder.glob("*/")) if folder.is_dir() else []
    return [name for name in found if name.startswith(incomplete)]


def _stems(kind: str, folder: str, incomplete: str) -> list[str]:
    from suite.data.storage.cards import shipped

    return sorted(p.stem for p in (shipped(kind) / folder).glob("*.toml") if p.stem.startswith(incomplete))
