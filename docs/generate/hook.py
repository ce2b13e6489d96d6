"""What mkdocs calls (``hooks`` in mkdocs.yml): generated pages, their place in the navigation, sections, equations."""

from __future__ import annotations

from typing import Any

from mkdocs.structure.files import File, Files, InclusionLevel

from docs.generate import api, commands, datasets, methods, notebooks, tasks
from docs.generate.formulas import drawn
from docs.generate.included import expanded


def on_config(config: Any) -> Any:
    """Fill in the navigation: an entry ``generated:NAME`` becomes the list of that name's pages."""
    config.nav = [_filled(entry) for entry in config.nav]
    return config


def _filled(entry: Any) -> Any:
    if isinstance(entry, dict):
        return {title: _below(held) for title, held in entry.items()}
    return entry


def _below(held: Any) -> Any:
    if isinstance(held, str):
        return _listed(held.partition(":")[2]) if held.startswith("generated:") else held
    filled: list[Any] = []
    for entry in held:
        if isinstance(entry, str) and entry.startswith("generated:"):
            filled += _listed(entry.partition(":")[2])
        else:
            filled.append(_filled(entry))
    return filled


def _listed(what: str) -> list[Any]:
    """Pages of one kind as entries of the navigation."""
    if what == "commands":
        return [{f"suite {name}": f"commands/{name}.md"} for name in commands.pages()]
    if what == "datasets":
        return [{name: f"datasets/{name}.md"} for name in datasets.cards()]
    if what == "notebooks":
        return [f"notebooks/{name}.md" for name in notebooks.pages()]
    return [{methods.title(name): f"methods/{name}.md"} for name in methods.of_task(what)]


def made() -> dict[str, str]:
    """Every page that no file in ``docs`` holds, by its path."""
    kinds = {
        "methods": {**methods.pages(), "index": tasks.all_methods()},
        "tasks": tasks.pages(),
        "datasets": {**datasets.pages(), "index": tasks.all_datasets()},
        "commands": commands.pages(),
        "api": api.pages(),
        "notebooks": notebooks.pages(),
    }
    return {f"{folder}/{name}.md": text for folder, pages in kinds.items() for name, text in pages.items()}


def on_files(files: Files, config: Any) -> Files:
    """Add the generated pages; take out what they are made of."""
    for file in list(files):
        if file.src_uri.startswith("methods/") or file.src_uri.endswith((".py", ".pyc")):
            files.remove(file)
    for path, text in made().items():
        files.append(File.generated(config, path, content=text, inclusion=InclusionLevel.INCLUDED))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Sections of files outside of ``docs``, and links that lead to where files are on the site."""
    return expanded(markdown, page.file.src_uri)


def on_page_content(html: str, page: Any, config: Any, files: Files) -> str:
    """Equations."""
    return drawn(html)
