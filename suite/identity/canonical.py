"""A text for each piece of Python that stays as it is when only comments, docstrings, annotations or logging change.

``ast.dump`` prints differently from one Python to the next, so the tree is written out here: names of nodes, and those
of their fields that are set. Fields that newer versions add are empty for code that older ones can parse.
"""

from __future__ import annotations

import ast
from typing import Any

# Fields that say nothing about what is computed.
_SILENT = {"ctx", "kind", "type_comment", "type_ignores", "returns", "annotation"}
_LOGGERS = {"logging", "logger"}
# Annotations of class bodies that dataclasses read; all others are for type checkers.
_MEANT = ("ClassVar", "InitVar", "KW_ONLY")


def canonical(node: Any) -> str:
    """The text of a tree of nodes, or of a value inside one."""
    if isinstance(node, list):
        return "[" + ",".join(canonical(one) for one in node if not _is_silent(one)) + "]"
    if not isinstance(node, ast.AST):
        return f"{type(node).__name__}:{node!r}"
    found = (f"{name}={canonical(value)}" for name, value in _fields(node) if value is not None and value != [])
    return f"{type(node).__name__}({','.join(found)})"


def without_typing(tree: ast.Module) -> ast.Module:
    """``tree`` without what is imported or defined for type checkers alone."""
    return _Untyped().visit(tree)


class _Untyped(ast.NodeTransformer):
    def visit_If(self, node: ast.If) -> Any:
        """Replace ``if TYPE_CHECKING`` by its other branch."""
        self.generic_visit(node)
        return node.orelse if ast.unparse(node.test).endswith("TYPE_CHECKING") else node


def _fields(node: ast.AST) -> list[tuple[str, Any]]:
    """The fields that count, annotations of variables taken out."""
    fields = [(name, value) for name, value in ast.iter_fields(node) if name not in _SILENT]
    if isinstance(node, ast.ClassDef):
        return [(name, _members(value) if name == "body" else value) for name, value in fields]
    if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef):
        return [(name, _statements(value) if name == "body" else value) for name, value in fields]
    return fields


def _statements(body: list[ast.stmt]) -> list[ast.AST]:
    """A body with annotated assignments as plain ones."""
    return [_plain(one) for one in body if not _is_bare_annotation(one)]


def _members(body: list[ast.stmt]) -> list[ast.AST | list[Any]]:
    """The body of a class; a name that is only annotated may be a field, so it counts."""
    return [[_meaning(one), _plain(one)] if isinstance(one, ast.AnnAssign) else one for one in body]


def _plain(statement: ast.stmt) -> ast.AST:
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        return ast.Assign(targets=[statement.target], value=statement.value)
    return statement


def _meaning(statement: ast.AnnAssign) -> list[str]:
    text = ast.unparse(statement.annotation)
    return [name for name in _MEANT if name in text]


def _is_bare_annotation(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.AnnAssign) and statement.value is None


def _is_silent(node: Any) -> bool:
    """Whether a statement does nothing, as docstrings do, or only logs or prepares for it."""
    if isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
        return True
    if isinstance(node, ast.Import):
        return all(alias.name == "logging" for alias in node.names)
    call = node.value if isinstance(node, ast.Expr | ast.Assign) else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return False
    owner = call.func.value
    return isinstance(owner, ast.Name) and owner.id.lower().strip("_") in _LOGGERS
