"""A digest of source that only code changes, the same in every Python."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from suite.identity import canonical, code
from suite.identity.source import closure, digest, parsed

GOLDEN = '''"""Docs."""
from __future__ import annotations
import logging
import json, logging
from collections.abc import Mapping, Sized
if TYPE_CHECKING:
    import suite
else:
    import sys
LOG = logging.getLogger(__name__)
limit: Sized = 3


@dataclass(frozen=True)
class A(B, key=1):
    """Docs."""
    x: int = 3
    y: ClassVar[int]


class C:
    z: str


async def f(a: int, *b: str, c: float = .5) -> str:
    ...
    n: int
    LOG.info("x %d", len(a))
    z: int = -a
    if not a:
        raise ValueError(f"no {a}") from None
    return f'{a!r:>{c}}' if isinstance(b, Mapping) else [] and {}
'''
WRITTEN = (
    "Module(body=[Import(names=[alias(name=str:'json')]),"
    "ImportFrom(module=str:'collections.abc',names=[alias(name=str:'Mapping')],level=int:0),"
    "Import(names=[alias(name=str:'sys')]),"
    "Assign(targets=[Name(id=str:'limit')],value=Constant(value=int:3)),"
    "ClassDef(name=str:'A',bases=[Name(id=str:'B')],keywords=[keyword(arg=str:'key',value=Constant(value=int:1))],"
    "body=[AnnAssign(target=Name(id=str:'x'),annotation=Tuple(),value=Constant(value=int:3),simple=int:1),"
    "AnnAssign(target=Name(id=str:'y'),annotation=Tuple(elts=[Name(id=str:'ClassVar')]),simple=int:1)],"
    "decorator_list=[Call(func=Name(id=str:'dataclass'),keywords=[keyword(arg=str:'frozen',"
    "value=Constant(value=bool:True))])]),"
    "ClassDef(name=str:'C',body=[AnnAssign(target=Name(id=str:'z'),annotation=Name(id=str:'str'),simple=int:1)]),"
    "AsyncFunctionDef(name=str:'f',args=arguments(args=[arg(arg=str:'a')],vararg=arg(arg=str:'b'),"
    "kwonlyargs=[arg(arg=str:'c')],kw_defaults=[Constant(value=float:0.5)]),"
    "body=[Assign(targets=[Name(id=str:'z')],value=UnaryOp(op=USub(),operand=Name(id=str:'a'))),"
    "If(test=UnaryOp(op=Not(),operand=Name(id=str:'a')),body=[Raise(exc=Call(func=Name(id=str:'ValueError')),"
    "cause=Constant())]),"
    "Return(value=IfExp(test=Call(func=Name(id=str:'isinstance'),args=[Name(id=str:'b'),Name(id=str:'Mapping')]),"
    "body=JoinedStr(values=[FormattedValue(value=Name(id=str:'a'),conversion=int:114,"
    "format_spec=JoinedStr(values=[Constant(value=str:'>'),FormattedValue(value=Name(id=str:'c'),conversion=int:-1)]))]),"
    "orelse=BoolOp(op=And(),values=[List(),Dict()])))])])"
)


def written(text: str) -> str:
    return canonical.text(canonical.meaning(ast.parse(text)))


def test_the_text_of_a_tree_by_letter() -> None:
    """Golden, so that no Python and no edit of the writer renames what was run before without anybody noticing."""
    assert written(GOLDEN) == WRITTEN


def _others() -> list[str]:
    """Other Pythons on this machine that can read this code."""
    named = [shutil.which(f"python3.{minor}") for minor in range(11, 16)]
    found = [*filter(None, named), *map(str, Path.home().glob(".pyenv/versions/3.1[1-9]*/bin/python"))]
    ask = "import sys; print(*sys.version_info[:2])"
    versions = {p: subprocess.run([p, "-c", ask], capture_output=True, text=True).stdout.strip() for p in found}
    own = f"{sys.version_info[0]} {sys.version_info[1]}"
    return sorted({version: p for p, version in versions.items() if version and version != own}.values())


@pytest.mark.parametrize("python", _others() or [pytest.param("", marks=pytest.mark.skip("no other Python is here"))])
def test_all_that_makes_numbers_reads_the_same_in_another_python(python: str) -> None:
    """The writer stands alone (it imports nothing of ours), so that any Python can run it on the sources."""
    program = (
        "import ast, hashlib, runpy, sys\n"
        "writer = runpy.run_path(sys.argv[1])\n"
        "read = (open(path, encoding='utf-8').read() for path in sys.argv[2:])\n"
        "texts = (writer['text'](writer['meaning'](ast.parse(text))) for text in read)\n"
        "print(hashlib.sha256(''.join(texts).encode()).hexdigest())\n"
    )
    root = Path(__file__).parents[2]
    paths = [
        str(p) for folder in ("suite/train", "suite/data", "methods") for p in sorted((root / folder).rglob("*.py"))
    ]
    here, there = (
        subprocess.run([one, "-c", program, canonical.__file__, *paths], capture_output=True, text=True, check=True)
        for one in (sys.executable, python)
    )
    assert here.stdout == there.stdout


SAME = {
    "docstrings and comments": ('"""A."""\ndef f():\n    """B."""\n    return 1\n', "# c\ndef f():\n    return (1)\n"),
    "async docstrings": ('async def f():\n    """B."""\n    return 1\n', "async def f():\n    return 1\n"),
    "annotations": ("def f(a: int) -> int:\n    b: int = a\n    return b\n", "def f(a):\n    b = a\n    return b\n"),
    "types of a dataclass": ("@dataclass\nclass A:\n    x: int\n", "@dataclass\nclass A:\n    x: float\n"),
    "imports of types": ("from collections.abc import Sized\ndef f(a: Sized): pass\n", "def f(a): pass\n"),
    "logging": (
        "import logging\nlog = logging.getLogger('a')\ndef f():\n    log.info(len(x))\n    logging.warning('b')\n",
        "def f():\n    pass\n",
    ),
    "words of errors": ("raise MyError(f'{a} is bad' + 'b', 3)\n", "raise MyError('bad', 3)\n"),
    "code for type checkers": ("if TYPE_CHECKING:\n    import a\n", ""),
}
OTHER = {
    "numbers": ("x = 1\n", "x = 2\n"),
    "types of numbers": ("x = 1\n", "x = 1.0\n"),
    "truth is not one": ("x = 1\n", "x = True\n"),
    "fields": ("class A:\n    x: int\n", "class A:\n    pass\n"),
    "kinds of fields": ("@dataclass\nclass A:\n    x: int\n", "@dataclass\nclass A:\n    x: ClassVar[int]\n"),
    "types that a class may read": ("class A(Model):\n    x: int\n", "class A(Model):\n    x: float\n"),
    "types that a decorator reads": ("@f.register\ndef _(a: int): pass\n", "@f.register\ndef _(a: str): pass\n"),
    "code that only runs": ("if not TYPE_CHECKING:\n    x = 1\n", "if not TYPE_CHECKING:\n    x = 2\n"),
    "what a log call does": ("import logging\nlogging.info(next(a))\n", "import logging\n"),
    "what calls itself a logger": ("logger.log('loss', 1)\n", "logger.log('loss', 2)\n"),
    "which error": ("raise MyError('a')\n", "raise OtherError('a')\n"),
    "what an error carries": ("raise MyError(1)\n", "raise MyError(2)\n"),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_what_cannot_change_a_number_does_not_count(one: str, other: str) -> None:
    assert written(one) == written(other)


@pytest.mark.parametrize(("one", "other"), OTHER.values(), ids=OTHER)
def test_what_may_change_a_number_counts(one: str, other: str) -> None:
    assert written(one) != written(other)


def test_what_is_imported_counts_as_far_as_it_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "reader.py"
    path.write_text("import json\nfrom suite import errors\nfrom suite.spec import base\n")
    followed = closure([path], lambda name: name.startswith("suite."))
    assert {"reader.py", "suite.errors", "suite.spec", "suite.spec.base"} == set(followed)
    assert set(closure([path], lambda name: False)) == {"reader.py"}


def test_what_only_type_checkers_import_does_not_count() -> None:
    text = (
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from suite import registry\nelse:\n    from suite import errors\n"
        "def read():\n    from suite.spec import base\n"
    )
    found = {name for name in parsed(text).imports if name.startswith("suite")}
    assert found == {"suite", "suite.errors", "suite.spec", "suite.spec.base"}


def test_relative_imports_and_lazy_packages_are_followed() -> None:
    assert {"suite.spec", "suite.spec.base"} <= set(parsed("from . import base\n", "suite.spec").imports)
    assert "suite.errors" in parsed("from ..errors import DataError\n", "suite.spec").imports
    lazy = closure(["suite.evaluate"], lambda name: name.startswith("suite.evaluate"))
    assert {"suite.evaluate.temporal", "suite.evaluate.kernels"} <= set(lazy)


def test_modules_beside_a_file_and_of_a_package_are_part_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's method or reader may lean on modules of its own."""
    package = tmp_path / "their_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "losses.py").write_text("SCALE = 1\n")
    (package / "method.py").write_text("import json\nfrom .losses import SCALE\n")
    (tmp_path / "mine.py").write_text("import json, numpy\nfrom their_package import method\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    parts = {"their_package", "their_package.losses", "their_package.method"}
    assert set(closure([tmp_path / "mine.py"], lambda name: False)) == {"mine.py", *parts}
    assert parts - {"their_package"} <= set(code.reader_sources("their_package.method"))


def test_a_function_is_known_by_the_module_that_defines_it() -> None:
    assert code.function_fingerprint(digest) == code.function_fingerprint(partial(closure, []))
    assert code.function_fingerprint(digest) != code.function_fingerprint(code.code_fingerprint)


def test_the_order_of_sources_does_not_matter() -> None:
    assert digest({"a": "1", "b": "2"}) == digest({"b": "2", "a": "1"}) != digest({"a": "2", "b": "1"})
