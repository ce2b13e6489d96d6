"""The package stands alone: no training code behind it, every public name where it says, cheap to import."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import suite.evaluate

FOLDER = Path(suite.evaluate.__file__).parent
ALLOWED = {"suite.errors", "numpy", "numba", "scipy"}


def test_importing_every_module_needs_no_training_code():
    modules = [f"suite.evaluate.{path.stem}" for path in FOLDER.glob("*.py") if path.stem != "__init__"]
    heavy = "torch", "ray", "pydantic", "polars", "pandas", "typer"
    code = f"import sys, {', '.join(modules)}; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_the_package_loads_nothing():
    code = "import sys, suite.evaluate; print('numpy' in sys.modules, 'numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_modules_import_only_what_they_may():
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                root = name.split(".")[0]
                fine = root in sys.stdlib_module_names or root in ALLOWED or name in ALLOWED
                assert fine or name.startswith("suite.evaluate"), f"{path.name} imports {name}"


def test_public_names_resolve_and_match_what_type_checkers_see():
    tree = ast.parse((FOLDER / "__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    declared = {alias.name: node.module for node in block.body for alias in node.names}
    assert sorted(declared) == suite.evaluate.__all__
    for name, module in declared.items():
        value = getattr(suite.evaluate, name)
        assert getattr(value, "__module__", module) == module
        assert name in dir(suite.evaluate)
        assert not (FOLDER / f"{name}.py").exists(), f"the module {name} would hide the name {name}"


def test_compilation_needs_no_place_to_write():
    """numba cannot cache a function without a file; it is compiled all the same."""
    from suite.evaluate.compiling import compiled

    scope: dict = {}
    exec("def twice(x):\n    return 2 * x", scope)
    assert compiled(scope["twice"])(21) == 42
