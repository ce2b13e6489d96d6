"""The name of a run changes with every module that makes its numbers, and with nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from suite.data import find_card
from suite.data.reading import reader_source
from suite.identity import code, source
from suite.identity.numbers import makes_numbers, modules
from suite.registry import methods
from suite.tasks import MODULES

ROOT = Path(__file__).parents[2]
# One method and one dataset for each reader family of every task; the prints of these name their runs.
METHODS = ("mask-bce", "role", "action-selection", "em-mil", "npl", "spot", "multi-label", "flexmatch")
DATASETS = ("planted-verbs", "hapt-confusing-24", "planted-videos", "hapt", "thumos-14", "planted-clips", "ava-v2.2")

Prints = dict[str, str]


def _known(names: tuple[str, ...]) -> list[str]:
    return [name for name in names if name in methods()]


def closures() -> dict[str, dict[str, str]]:
    """What each method and dataset depends on: module to digest."""
    found = {name: code.method_sources(methods()[name], MODULES[methods()[name].task]) for name in _known(METHODS)}
    return found | {name: code.reader_sources(reader_source(find_card(name))) for name in DATASETS}


def prints() -> Prints:
    return {name: source.digest(sources) for name, sources in closures().items()}


class Overlay:
    """Shows the fingerprints another text of single files, as if they had been edited."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.texts: dict[Path, str] = {}
        parsed = source._parsed
        edited = parsed.__wrapped__
        monkeypatch.setattr(source, "_parsed", lambda p, t: (edited if p in self.texts else parsed)(p, t))
        read = source.read_text
        monkeypatch.setattr(source, "read_text", lambda path: self.texts.get(path) or read(path))

    def prints(self, path: Path, text: str) -> Prints:
        self.texts = {path: text}
        found = prints()
        self.texts = {}
        return found


@pytest.fixture
def overlay(monkeypatch: pytest.MonkeyPatch) -> Overlay:
    return Overlay(monkeypatch)


class _Mutation(ast.NodeTransformer):
    """Changes the first number, or inverts the first condition, inside a function or an assignment."""

    def __init__(self) -> None:
        self.done = False

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if not self.done and type(node.value) in (int, float):
            self.done = True
            return ast.copy_location(ast.Constant(node.value + 1), node)
        return node

    def visit_If(self, node: ast.If) -> ast.AST:
        if not self.done and not ast.unparse(node.test).endswith("TYPE_CHECKING"):
            self.done = True
            node.test = ast.UnaryOp(ast.Not(), node.test)
            return node
        return self.generic_visit(node)


def mutated(text: str) -> str:
    tree, mutation = ast.parse(text), _Mutation()
    tree = mutation.visit(tree)
    if not mutation.done:
        tree.body.append(ast.parse("ADDED = 1").body[0])
    return ast.unparse(ast.fix_missing_locations(tree))


def _paths(names: list[str]) -> Iterator[tuple[str, Path]]:
    for name in names:
        path = source.module_path(name)
        assert path is not None, name
        yield name, path


def test_a_change_in_a_module_that_makes_numbers_renames_those_runs_that_use_it(overlay: Overlay) -> None:
    before, uses = prints(), closures()
    for name, path in _paths(modules()):
        after = overlay.prints(path, mutated(path.read_text(encoding="utf-8")))
        renamed = {pair for pair in before if before[pair] != after[pair]}
        assert renamed == {pair for pair, sources in uses.items() if name in sources}, name
        assert all(_may_use(pair, name) for pair in renamed), name
    assert prints() == before


def _may_use(pair: str, module: str) -> bool:
    """Whether a change in ``module`` has any business with ``pair``: code of one task says nothing of another's."""
    parts = module.split(".")
    if parts[0] != "methods" or parts[1] == "networks":
        return pair not in DATASETS or not module.startswith(("methods", "suite.train"))
    return pair in methods() and methods()[pair].task.replace("-", "_") == parts[1]


def test_who_is_labelled_is_in_the_name(overlay: Overlay) -> None:
    path = source.module_path("suite.data.samples")
    assert path is not None
    text = path.read_text(encoding="utf-8")
    inside = text[text.index("def known_segments") :]
    assert "known" in inside
    before, after = prints(), overlay.prints(path, text.replace(inside, mutated_function(inside)))
    assert all(before[name] != after[name] for name in _known(METHODS))


def mutated_function(text: str) -> str:
    """``text`` with what its first function returns negated."""
    start = text.index("return ") + len("return ")
    return f"{text[:start]}not {text[start:]}"


def test_every_module_that_makes_numbers_of_runs_is_reached() -> None:
    """What no run uses does not belong among what makes numbers, but for the library of evaluators."""
    reached = set().union(
        *(code.method_sources(method, MODULES[method.task]) for method in methods().values()),
        *(code.reader_sources(reader_source(find_card(path.stem))) for path in (ROOT / "datasets").glob("*.toml")),
    )
    idle = [name for name, path in _paths(modules()) if name not in reached and _has_code(path)]
    assert [name for name in idle if not name.startswith("suite.evaluate.")] == []


def _has_code(path: Path) -> bool:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return (
        any(not isinstance(node, ast.Expr | ast.Import | ast.ImportFrom) for node in body) and path.stem != "__init__"
    )


class _Neutral(ast.NodeTransformer):
    """Other docstrings, other annotations, a log call in every function."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        body = node.body[1:] if ast.get_docstring(node) is not None else node.body
        documented = ast.Expr(ast.Constant("Something else."))
        logged = ast.parse("logger.info('here')").body[0]
        node.body = [documented, logged, *(body or [ast.Pass()])]
        node.returns = None
        for argument in [*node.args.args, *node.args.kwonlyargs]:
            argument.annotation = ast.Constant("whatever")
        return node


def test_comments_docstrings_annotations_and_logging_rename_nothing(overlay: Overlay) -> None:
    before = prints()
    for name, path in _paths(modules()):
        text = path.read_text(encoding="utf-8")
        tree = _Neutral().visit(ast.parse(text))
        logged = "import logging\nlogger = logging.getLogger(__name__)\n"
        future = "from __future__ import annotations\n"
        other = ast.unparse(ast.fix_missing_locations(tree)).replace(future, future + logged) + "\n# a comment\n"
        assert overlay.prints(path, other) == before, name


def test_modules_that_make_no_numbers_rename_nothing(overlay: Overlay) -> None:
    before = prints()
    for path in sorted((ROOT / "suite").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if not makes_numbers(name):
            assert overlay.prints(path, mutated(path.read_text(encoding="utf-8"))) == before, name
