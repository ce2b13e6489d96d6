"""The shape of the house: a room imports from those below it, and methods know next to nothing of the suite."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# From the ground up. A room may import from those before it in this list, so there can be no circle.
FLOORS = (
    ("errors", "evaluate"),  # 1: pure functions
    (
        "sealing",
        "telling",
        "hyper",
        "phases",
        "method",
        "spec",
        "presets",
        "environment",
        "writing",
        "identity",
        "plugins",
        "places",
        "declarations",
    ),  # 2: what a method is, what can be asked, what names it
    ("tasks", "data", "weights", "results", "registry", "index"),  # 3: tasks, data, the ledger
    (
        "runs",
        "rehearsal",
        "train",
        "models",
        "tracking",
        "work",
        "report",
        "scoring",
    ),  # 4: doing what is asked, what came out
    (
        "sweep",
        "leaderboard",
        "claims",
        "conformance",
        "analyse",
        "doctor",
        "rescore",
        "merge",
        "outside",
    ),  # 5: many runs, and what they say
    ("api",),  # 6: the library
    ("cli", "__main__"),  # 7: the only place that prints
)
ROOMS = [room for floor in FLOORS for room in floor]
FOR_METHODS = ("suite.method", "suite.errors", "suite.evaluate", "suite.tasks.data", "suite.weights")


def _sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def _imports(path: Path) -> set[str]:
    """Modules imported anywhere in ``path`` at run time (not those for type checkers alone)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for child in ast.walk(node)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            if node.module == "suite":
                found |= {f"suite.{alias.name}" for alias in node.names}
    return found


def _room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


@pytest.mark.parametrize("path", _sources("suite"), ids=lambda p: str(p.relative_to(ROOT)))
def test_rooms_import_from_below_only(path: Path):
    own = path.relative_to(ROOT / "suite").parts[0].removesuffix(".py")
    if own == "__init__":
        return
    below = set(ROOMS[: ROOMS.index(own) + 1]) | {"__version__", ""}
    above = {m for m in _imports(path) if m.split(".")[0] == "suite" and _room(m) not in below}
    assert not above, f"{path.name} in '{own}' imports {sorted(above)}"


def test_every_room_is_on_a_floor():
    rooms = {p.relative_to(ROOT / "suite").parts[0].removesuffix(".py") for p in _sources("suite")} - {"__init__"}
    assert rooms <= set(ROOMS)


@pytest.mark.parametrize("path", _sources("methods"), ids=lambda p: str(p.relative_to(ROOT)))
def test_methods_know_only_the_contract(path: Path):
    imports = _imports(path)
    assert not [m for m in imports if m.split(".")[0] == "ray"]
    samples = {m for m in imports if m.startswith("suite.tasks.") and m.endswith(".samples")}
    foreign = {m for m in imports - samples if m.split(".")[0] == "suite" and not m.startswith(FOR_METHODS)}
    assert not foreign, f"{path.name} imports {sorted(foreign)}"


@pytest.mark.parametrize("path", _sources("suite"), ids=lambda p: str(p.relative_to(ROOT)))
def test_the_suite_names_no_method(path: Path):
    modules = {m for m in _imports(path) if m.split(".")[0] == "methods"} - {"methods"}
    assert not modules


def test_one_reader_alone_opens_pickles():
    """Checkpoints and caches are never pickles; features published as such pass an allow-list of array builders."""
    for path in [*_sources("suite"), *_sources("methods")]:
        text = path.read_text(encoding="utf-8")
        writes_only = path == ROOT / "suite/rehearsal/pickles.py" and "pickle.load" not in text
        assert "pickle" not in _imports(path) or path.name == "array_pickles.py" or writes_only, path
        assert "allow_pickle=True" not in text, path
        assert "torch.load(" not in text or path == ROOT / "suite/weights/reading.py", path


def test_released_weights_are_read_as_tensors_alone():
    calls = (ROOT / "suite/weights/reading.py").read_text(encoding="utf-8").split("torch.load(")[1:]
    assert calls and all("weights_only=True" in call.partition(")")[0] for call in calls)


def test_no_module_imports_itself_by_way_of_others():
    """Imports for type checkers count, too; packages that only list what their modules hold do not."""
    paths = {_dotted(path): path for path in [*_sources("suite"), *_sources("methods")] if path.stem != "__init__"}
    imports = {name: _mentioned(path) & paths.keys() - {name} for name, path in paths.items()}
    reached = {name: set(found) for name, found in imports.items()}
    while grown := {
        name: more for name, found in reached.items() if (more := set().union(*(imports[one] for one in found)) - found)
    }:
        for name, more in grown.items():
            reached[name] |= more
    assert not sorted(name for name, found in reached.items() if name in found)


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def _mentioned(path: Path) -> set[str]:
    """Every module that is imported anywhere in ``path``."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    froms = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {f"{node.module}.{alias.name}" for node in froms for alias in node.names} | {n.module for n in froms}
