"""The name of a run changes with every module that makes its numbers, and with nothing else.

All methods meet all datasets of their task; the lists of modules come from where files lie.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from suite.data.reading import reader_source
from suite.data.storage.cards import all_cards
from suite.identity import code, source
from suite.identity.numbers import ASIDE, makes_numbers
from suite.places import Places
from suite.registry import method_for, methods
from suite.runs import resolve_run, run_id
from suite.spec.base import content_hash
from suite.spec.run import RunSpec
from suite.tasks import task
from suite.train.storage.reporter import Silent
from suite.work.execute import execute
from suite.work.machine import Machine
from suite.work.packing import run_packed

ROOT = Path(__file__).parents[2]
Pair = tuple[str, str]  # method, dataset


def modules(makes: bool) -> list[tuple[str, Path]]:
    """The modules of the suite and the shipped methods that make numbers, or those that do not, with their files."""
    paths = (path for package in ("suite", "methods") for path in sorted((ROOT / package).rglob("*.py")))
    named = ((".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), p) for p in paths)
    return [(name, path) for name, path in named if makes_numbers(name) == makes]


def used_by_methods() -> dict[str, dict[str, str]]:
    return {name: code.method_sources(one, type(task(one.task))) for name, one in methods().items()}


def used_by_datasets() -> dict[str, dict[str, str]]:
    return {card.name: code.reader_sources(reader_source(card)) for card in cards()}


def from_weights(name: str) -> dict[str, str]:
    """What a run of the method uses that starts from weights."""
    one = method_for(name, {"weights": "a file"})
    return code.method_sources(one, type(task(one.task)))


cards = cache(all_cards)


def pairs() -> list[Pair]:
    return [(name, card.name) for name, one in methods().items() for card in cards() if one.task in card.tasks]


def names() -> dict[Pair, str]:
    """What names runs of every pair, but for the files of the dataset: they need not be here."""
    trained = {name: code.code_fingerprint(one, type(task(one.task))) for name, one in methods().items()}
    read = {card.name: code.reader_fingerprint(reader_source(card)) for card in cards()}
    split = {name: code.function_fingerprint(task(one.task).withhold) for name, one in methods().items()}
    return {(one, dataset): content_hash(trained[one], read[dataset], split[one]) for one, dataset in pairs()}


def forget() -> None:
    """What a process remembers of sources."""
    code._training_sources.cache_clear()
    code._of_modules.cache_clear()


class Edited:
    """The prints as they would be if the source of one module were another."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.module_source = source.module_source

    def __call__(self, module: str, text: str, look: Callable[[], Any] = names) -> Any:
        path = source.module_path(module)
        package = module if path is not None and path.stem == "__init__" else module.rpartition(".")[0]
        edited = source.parsed(text, package)
        with self.monkeypatch.context() as patch:
            patch.setattr(source, "module_source", lambda name: edited if name == module else self.module_source(name))
            forget()
            found = look()
        forget()
        return found


@pytest.fixture
def edited(monkeypatch: pytest.MonkeyPatch) -> Edited:
    return Edited(monkeypatch)


class _Mutation(ast.NodeTransformer):
    """Changes the first number, or inverts the first condition, whichever comes first."""

    def __init__(self) -> None:
        self.done = False

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if self.done or type(node.value) not in (int, float):
            return node
        self.done = True
        return ast.Constant(node.value + 1)

    def visit_If(self, node: ast.If) -> ast.AST:
        if self.done or ast.unparse(node.test).endswith("TYPE_CHECKING"):
            return self.generic_visit(node)
        self.done = True
        node.test = ast.UnaryOp(ast.Not(), node.test)
        return node


def mutated(path: Path) -> str:
    mutation = _Mutation()
    tree = mutation.visit(ast.parse(path.read_text(encoding="utf-8")))
    if not mutation.done:
        tree.body.append(ast.parse("ADDED = 1").body[0])
    return ast.unparse(ast.fix_missing_locations(tree))


def changed(before: dict[Pair, str], after: dict[Pair, str]) -> set[Pair]:
    return {pair for pair in before if before[pair] != after[pair]}


def test_a_module_that_makes_numbers_renames_the_runs_that_use_it(edited: Edited) -> None:
    before, trains, reads = names(), used_by_methods(), used_by_datasets()
    for name, path in modules(makes=True):
        uses = {(method, dataset) for method, dataset in before if name in trains[method] or name in reads[dataset]}
        assert changed(before, edited(name, mutated(path))) == uses, name
    assert names() == before


def test_modules_that_make_no_numbers_rename_nothing(edited: Edited) -> None:
    before = names()
    for name, path in modules(makes=False):
        assert edited(name, mutated(path)) == before, name


def test_a_change_of_one_task_or_reader_leaves_the_others_alone() -> None:
    for method, used in used_by_methods().items():
        own = methods()[method].task.replace("-", "_")
        foreign = {name for name in used if name.startswith("methods.") and not name.startswith("methods.networks")}
        assert all(name.split(".")[1] == own for name in foreign), method
        assert families(used) == families([type(task(methods()[method].task)).__module__]), method
        assert not {name for name in used if name.startswith(("suite.data.readers.", "suite.data.planted."))}, method
    for card, used in used_by_datasets().items():
        assert not {name for name in used if name.startswith(("methods.", "suite.train."))}, card
        assert len(families(used)) == 1, card


def families(modules: Iterable[str]) -> set[str]:
    """The folders of ``suite/tasks`` that modules lie in."""
    parts = (name.split(".") for name in modules if name.startswith("suite.tasks."))
    return {part[2] for part in parts if len(part) > 3}


def test_every_module_that_makes_numbers_is_used_by_some_run() -> None:
    """What no run uses does not belong among what makes numbers, but for the library of evaluators."""
    used = set().union(*used_by_methods().values(), *used_by_datasets().values(), from_weights("mask-bce"))
    idle = [name for name, path in modules(makes=True) if name not in used and not _only_imports(path)]
    assert [name for name in idle if name.split(".")[:2] != ["suite", "evaluate"]] == []


def test_a_start_from_weights_is_code_of_its_own() -> None:
    plain, started = used_by_methods()["mask-bce"], from_weights("mask-bce")
    assert plain.items() < started.items()
    assert {"suite.weights.continued", "suite.weights.kept"} <= set(started) - set(plain)


def _only_imports(path: Path) -> bool:
    """Whether a package imports what lies in it, at once or when it is first used, and does nothing else."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    listed = (ast.Expr, ast.Import, ast.ImportFrom)
    lazily = ("__all__", "_LAZY", "if TYPE_CHECKING", "def __getattr__")
    return all(isinstance(one, listed) or ast.unparse(one).startswith(lazily) for one in body)


def test_what_makes_numbers_leans_on_nothing_else_that_could() -> None:
    """So that a new room that computes is not forgotten: the others are those that speak, name, look up and store."""
    spoken = ("suite.errors", "suite.telling")
    allowed = (*spoken, "suite.spec", "suite.identity", "suite.environment", "suite.plugins")
    for name, path in modules(makes=True):
        package = name if path.stem == "__init__" else name.rpartition(".")[0]
        imports = source.parsed(path.read_text(encoding="utf-8"), package).imports
        known = {one for one in imports if one.startswith(("suite.", "methods.")) and source.module_path(one)}
        assert all(makes_numbers(one) or ASIDE & set(one.split(".")) or one.startswith(allowed) for one in known), name


class _Neutral(ast.NodeTransformer):
    """Other docstrings, annotations and words of errors, and a log call in every function."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        body = node.body[1:] if ast.get_docstring(node) is not None else node.body
        logged = ast.parse("logger.info('%s values', len(__name__))").body[0]
        node.body = [ast.Expr(ast.Constant("Something else.")), logged, *(body or [ast.Pass()])]
        node.returns = ast.Constant("Anything")
        for argument in (*node.args.args, *node.args.kwonlyargs):
            argument.annotation = ast.parse("Sized[int]", mode="eval").body
        return node

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if isinstance(node.exc, ast.Call) and ast.unparse(node.exc.func).endswith("Error"):
            node.exc.args = [
                ast.Constant("in other words") if isinstance(a, ast.JoinedStr) else a for a in node.exc.args
            ]
        return node


def test_comments_docstrings_annotations_logging_and_words_of_errors_rename_nothing(edited: Edited) -> None:
    before = names()
    future, added = "from __future__ import annotations\n", "import logging\nfrom collections.abc import Sized\n"
    for name, path in modules(makes=True):
        tree = ast.fix_missing_locations(_Neutral().visit(ast.parse(path.read_text(encoding="utf-8"))))
        other = f"{ast.unparse(tree)}\nlogger = logging.getLogger(__name__)  # a comment\n"
        other = other.replace(future, future + added) if future in other else added + other
        assert edited(name, other) == before, name


# A small run of every task: what it executes must be in its name.
SHORT = {"steps": 3, "semi_steps": 3, "evaluate_steps": 3}
RUNS: dict[str, tuple[str, dict[str, Any], int | None]] = {
    "mask-bce": ("planted-verbs[train=200,validation=40,test=40]", {"hidden": 8}, 1),
    "action-selection": ("planted-videos[videos=12,video_seconds=30]", {"hidden": 8}, 1),
    "npl": ("planted-videos[videos=12,video_seconds=30,labelled=0.5]", {"preset": "small", **SHORT}, None),
    "multi-label-semi": ("planted-actors[train_videos=4,validation_videos=2,test_videos=2]", SHORT, None),
}


def asked(name: str, **more: Any) -> RunSpec:
    dataset, params, epochs = RUNS[name]
    return resolve_run(name, dataset, {**params, **more}, epochs=epochs)


def ids(tmp_path: Path) -> dict[str, str]:
    return {name: run_id(asked(name), Places(str(tmp_path))) for name in RUNS}


def test_who_is_labelled_is_in_the_name(edited: Edited, tmp_path: Path) -> None:
    """Labels known taken for labels unknown once left every name as it was."""
    path = ROOT / "suite/tasks/localization/samples.py"
    text = path.read_text(encoding="utf-8")
    inverted = text.replace("self.labelled[shown.video]", "~self.labelled[shown.video]")
    before, after = ids(tmp_path), edited("suite.tasks.localization.samples", inverted, lambda: ids(tmp_path))
    assert inverted != text
    assert {name for name in RUNS if before[name] != after[name]} == {"action-selection", "npl"}


def test_ids_follow_the_code_of_method_reader_and_loop_alone(edited: Edited, tmp_path: Path) -> None:
    before = ids(tmp_path)
    for module, renamed in {
        "suite.train.loop": set(RUNS),
        "suite.data.planted.videos": {"action-selection", "npl"},
        methods()["npl"].__module__: {"npl"},
        "suite.report.tables": set(),
    }.items():
        path = source.module_path(module)
        assert path is not None
        after = edited(module, mutated(path), lambda: ids(tmp_path))
        assert {name for name in RUNS if before[name] != after[name]} == renamed, module


def executed(act: Callable[[], Any]) -> set[str]:
    """The modules of the suite and the methods of which some function is called during ``act``."""
    files: set[str] = set()

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_name != "<module>":
            files.add(frame.f_code.co_filename)

    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(None)
    return {name for makes in (True, False) for name, path in modules(makes) if str(path) in files}


@pytest.mark.parametrize("name", RUNS)
def test_what_a_run_executes_is_in_its_name(name: str, tmp_path: Path) -> None:
    spec, places, outcomes = asked(name), Places(str(tmp_path)), []
    # Looked up first, which imports all tasks: bodies of classes would count as what the run executes.
    named = {*used_by_methods()[name], *used_by_datasets()[spec.dataset]}
    found = executed(lambda: outcomes.append(execute(spec, places)))
    assert outcomes[0].run["status"] == "finished", outcomes[0].run["error"]
    assert {module for module in found if makes_numbers(module)} <= named
    assert {"suite.train.loop", "suite.tasks.data"} <= found and any(one.startswith("methods.") for one in found)


def test_what_a_packed_run_executes_is_in_its_name(tmp_path: Path) -> None:
    specs = [asked("mask-bce", neighbours=k) for k in (3, 5)]
    found = executed(lambda: run_packed(specs, Places(str(tmp_path)), Machine(checkpoints=False), "", Silent()))
    named = {*used_by_methods()["mask-bce"], *used_by_datasets()["planted-verbs"]}
    assert code.STACK in found and {module for module in found if makes_numbers(module)} <= named
