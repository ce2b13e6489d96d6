"""Names for shell completion."""

from __future__ import annotations


def methods(incomplete: str) -> list[str]:
    """Method names that start with ``incomplete``."""
    from suite import registry

    return [name for name in registry.methods() if name.startswith(incomplete)]


def datasets(incomplete: str) -> list[str]:
    """Dataset names that start with ``incomplete``."""
    from suite.data import all_cards

    return [card.name for card in all_cards() if card.name.startswith(incomplete)]


def leaderboards(incomplete: str) -> list[str]:
    """Leaderboard names that start with ``incomplete``."""
    return _stems("reports", "leaderboards", incomplete)


def sweeps(incomplete: str) -> list[str]:
    """Sweep names that start with ``incomplete``."""
    return _stems("sweeps", "", incomplete)


def _stems(kind: str, folder: str, incomplete: str) -> list[str]:
    from suite.data.storage.cards import shipped

    return sorted(p.stem for p in (shipped(kind) / folder).glob("*.toml") if p.stem.startswith(incomplete))
