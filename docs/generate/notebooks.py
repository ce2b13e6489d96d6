"""Notebooks as pages: their text and code; outputs are made by running them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "notebooks"


def pages() -> dict[str, str]:
    """The text of every notebook's page, by name."""
    return {path.stem: page(path) for path in sorted(FOLDER.glob("*.ipynb"))}


def page(path: Path) -> str:
    """One notebook."""
    parts = []
    for cell in cells(path):
        text = "".join(cell["source"]).strip()
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    heading, *rest = parts
    return (
        "\n\n".join([heading, f"[Download this notebook]({path.name}) and run it, or paste its cells.", *rest]) + "\n"
    )


def cells(path: Path) -> list[dict[str, Any]]:
    """The cells of a notebook."""
    held: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return held


def code_of(path: Path) -> list[str]:
    """The code of a notebook, cell by cell."""
    return ["".join(cell["source"]) for cell in cells(path) if cell["cell_type"] == "code"]
