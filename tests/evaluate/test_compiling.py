"""What numba keeps on disk follows the code: nothing that is compiled depends on another file of the suite."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import suite

PACKAGE = Path(suite.__file__).parent
COMPILED = sorted(path for path in PACKAGE.rglob("*.py") if "@compiled" in path.read_text(encoding="utf-8"))


def uses(path: Path) -> dict[str, set[str]]:
    """Compiled function to the names that it takes from other modules of the suite, types aside."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("suite", "methods"))
        for alias in node.names
    }
    functions = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and {"compiled", "inlined"} & set(map(ast.unparse, node.decorator_list))
    ]
    read = {f.name: {n.id for line in f.body for n in ast.walk(line) if isinstance(n, ast.Name)} for f in functions}
    return {name: names & imported for name, names in read.items()}


@pytest.mark.parametrize("path", COMPILED, ids=lambda path: path.stem)
def test_a_compiled_function_depends_on_its_own_file_alone(path: Path) -> None:
    found = uses(path)
    assert found, "the file compiles nothing"
    assert not {name: names for name, names in found.items() if names}


def test_the_check_sees_a_constant_of_another_file(tmp_path: Path) -> None:
    text = "from suite.x import LIMIT\n\n@compiled\ndef f(value: int) -> bool:\n    return value < LIMIT\n"
    (tmp_path / "one.py").write_text(text)
    assert uses(tmp_path / "one.py") == {"f": {"LIMIT"}}
