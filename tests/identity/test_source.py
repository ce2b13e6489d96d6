"""A hash of source that only code changes."""

from __future__ import annotations

import ast
import os
from pathlib import Path

from suite.identity.canonical import canonical
from suite.identity.source import closure, digest


def fingerprint(path: Path) -> str:
    return digest(closure([path], lambda name: name.startswith("suite.")))


def test_only_code_counts(tmp_path: Path) -> None:
    path = tmp_path / "reader.py"
    seen = []
    for place, text in enumerate(
        (
            '"""Docs."""\n\ndef read():\n    """More."""\n    return 1\n',
            "# a comment\ndef read():\n    return (1)\n",
            "def read():\n    return 2\n",
        )
    ):
        path.write_text(text)
        os.utime(path, (place, place))
        seen.append(fingerprint(path))
    assert seen[0] == seen[1] != seen[2]


def test_what_is_imported_counts_as_far_as_it_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "reader.py"
    path.write_text("import json\nfrom suite import errors\nfrom suite.spec import base\n")
    followed = closure([path], lambda name: name.startswith("suite."))
    assert {"reader.py", "suite.errors", "suite.spec", "suite.spec.base"} == set(followed)
    assert set(closure([path], lambda name: False)) == {"reader.py"}


def test_what_only_type_checkers_import_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "reader.py"
    path.write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from suite import registry\nelse:\n    from suite.identity import source\n"
        "def read():\n    from suite.spec import base\n"
    )
    assert set(closure([path], lambda name: name.startswith("suite."))) == {
        "reader.py",
        "suite.identity",
        "suite.identity.source",
        "suite.identity.canonical",  # by suite.identity.source
        "suite.spec",
        "suite.spec.base",
        "suite.errors",  # by suite.spec.base
    }


def test_the_text_of_a_tree_is_the_same_in_every_python() -> None:
    """By letter: ``ast.dump`` changed in Python 3.13, which must not rename what was run before."""
    text = (
        '"""Docs."""\nimport logging\nimport json\n'
        'class A(B, key=1):\n    """Docs."""\n    x: int = 3\n    y: ClassVar[int]\n'
        "async def f(a: int, *b: str, c: float = .5) -> str:\n    ...\n    n: int\n    logging.info('x')\n"
        "    z: int = -a\n    return f'{a!r:>{c}}' if not b else [] and {}\n"
    )
    assert canonical(ast.parse(text)) == (
        "Module(body=[Import(names=[alias(name=str:'json')]),"
        "ClassDef(name=str:'A',bases=[Name(id=str:'B')],keywords=[keyword(arg=str:'key',value=Constant(value=int:1))],"
        "body=[[[],Assign(targets=[Name(id=str:'x')],value=Constant(value=int:3))],"
        "[[str:'ClassVar'],AnnAssign(target=Name(id=str:'y'),simple=int:1)]]),"
        "AsyncFunctionDef(name=str:'f',args=arguments(args=[arg(arg=str:'a')],vararg=arg(arg=str:'b'),"
        "kwonlyargs=[arg(arg=str:'c')],kw_defaults=[Constant(value=float:0.5)]),"
        "body=[Assign(targets=[Name(id=str:'z')],value=UnaryOp(op=USub(),operand=Name(id=str:'a'))),"
        "Return(value=IfExp(test=UnaryOp(op=Not(),operand=Name(id=str:'b')),"
        "body=JoinedStr(values=[FormattedValue(value=Name(id=str:'a'),conversion=int:114,"
        "format_spec=JoinedStr(values=[Constant(value=str:'>'),FormattedValue(value=Name(id=str:'c'),conversion=int:-1)]))]),"
        "orelse=BoolOp(op=And(),values=[List(),Dict()])))])])"
    )


def test_the_order_of_sources_does_not_matter() -> None:
    assert digest({"a": "1", "b": "2"}) == digest({"b": "2", "a": "1"}) != digest({"a": "2", "b": "1"})
