"""A hash of source that only code changes."""

from __future__ import annotations

import os
from pathlib import Path

from suite.source import closure, digest


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
        "if TYPE_CHECKING:\n    from suite import registry\nelse:\n    from suite import source\n"
        "def read():\n    from suite.spec import base\n"
    )
    assert set(closure([path], lambda name: name.startswith("suite."))) == {
        "reader.py",
        "suite.source",
        "suite.spec",
        "suite.spec.base",
        "suite.errors",  # by suite.spec.base
    }


def test_the_order_of_sources_does_not_matter() -> None:
    assert digest({"a": "1", "b": "2"}) == digest({"b": "2", "a": "1"}) != digest({"a": "2", "b": "1"})
