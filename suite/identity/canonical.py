"""A text for each piece of Python that only a change of what it computes can change.

Left out, where that cannot change a number: comments, docstrings, annotations, logging, the words of errors, and what
is for type checkers alone. ``ast.dump`` prints differently from one Python to the next, so the tree is written out
here: names of nodes, and those of their fields that are set. Fields that newer versions add are empty for code that
older ones can parse.
"""

from __future__ import annotations

import ast
from typing import Any, cast

_CONTEXT = {"ctx", "kind"}  # fields that follow from the place of a node, or from how a text is quoted
_TYPING = ("typing", "collections.abc", "numpy.typing", "__future__")  # importing from them does nothing else
_READ_BY_DATACLASSES = ("ClassVar", "InitVar", "KW_ONLY")
_READ_ANNOTATIONS = {"register", "validate_call"}  # decorators (of functools, pydantic) that do
_LOGGING = {"debug", "info", "warning", "error", "exception", "critical", "log"}
_PURE = {"float", "int", "len", "round", "str"}  # what a log call may call and still do nothing but log


def meaning(tree: ast.Module) -> ast.Module:
    """``tree`` without what cannot change a number; it is changed in place."""
    tree = _Meaning(tree).visit(tree)
    return cast(ast.Module, _UsedImports(tree).visit(tree))


def text(node: Any) -> str:
    """A tree of nodes, or a value inside one, written out."""
    if isinstance(node, list):
        return f"[{','.join(map(text, node))}]"
    if not isinstance(node, ast.AST):
        # In ASCII: which other characters ``repr`` prints as they are depends on the Unicode tables of the Python
        # version.
        return f"{type(node).__name__}:{node!a}"
    fields = ((name, value) for name, value in ast.iter_fields(node) if name not in _CONTEXT)
    found = (f"{name}={text(value)}" for name, value in fields if value is not None and value != [])
    return f"{type(node).__name__}({','.join(found)})"


class _Meaning(ast.NodeTransformer):
    """Removes what computes nothing; a node replaced by None leaves its list."""

    def __init__(self, tree: ast.Module) -> None:
        self.loggers = {"logging", *(name for node in tree.body for name in _logger_names(node))}
        self.fields = False  # whether annotated names are fields of a class
        self.types_count = False  # whether somebody may read their types

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """In a class, an annotated name is a field; only a dataclass is known not to look at its type."""
        before = self.fields, self.types_count
        self.fields, self.types_count = True, "dataclass" not in map(_last_name, node.decorator_list)
        self.generic_visit(node)
        self.fields, self.types_count = before
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        """Without its annotations, unless a decorator reads them."""
        if not _READ_ANNOTATIONS & set(map(_last_name, node.decorator_list)):
            node.returns = None
            for argument in ast.walk(node.args):
                if isinstance(argument, ast.arg):
                    argument.annotation = None
        before, self.fields = self.fields, False
        self.generic_visit(node)
        self.fields = before
        return node

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        """A plain assignment or nothing; in a class, a field with as much of its type as counts."""
        self.generic_visit(node)
        if not self.fields:
            return ast.Assign([node.target], node.value) if node.value is not None else None
        if not self.types_count:
            written = ast.unparse(node.annotation)
            node.annotation = ast.Tuple([ast.Name(name) for name in _READ_BY_DATACLASSES if name in written])
        return node

    def visit_If(self, node: ast.If) -> Any:
        """Of a condition on ``TYPE_CHECKING``, what runs."""
        self.generic_visit(node)
        checking = isinstance(node.test, ast.Name | ast.Attribute) and _last_name(node.test) == "TYPE_CHECKING"
        return node.orelse if checking else node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        """Nothing for a docstring, an ellipsis or a log call."""
        self.generic_visit(node)
        return None if isinstance(node.value, ast.Constant) or self._logs(node.value) else node

    def visit_Pass(self, node: ast.Pass) -> None:
        """Nothing."""

    def visit_Import(self, node: ast.Import) -> ast.AST | None:
        """Without ``logging``, whose uses count where they do more than log."""
        node.names = [alias for alias in node.names if alias.name != "logging"]
        return node if node.names else None

    def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
        """Nothing for a logger that gets its name."""
        self.generic_visit(node)
        return None if _logger_names(node) else node

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        """Without the words of an error: they end a run and are no number of it."""
        self.generic_visit(node)
        if isinstance(node.exc, ast.Call) and _last_name(node.exc.func).endswith("Error"):
            node.exc.args = [argument for argument in node.exc.args if not _is_text(argument)]
        return node

    def _logs(self, node: ast.AST) -> bool:
        """Whether ``node`` is a call of a logger whose arguments do nothing on their way."""
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _LOGGING):
            return False
        inside = [inner for argument in (*node.args, *node.keywords) for inner in ast.walk(argument)]
        return _last_name(node.func.value) in self.loggers and all(map(_is_harmless, inside))


class _UsedImports(ast.NodeTransformer):
    """Removes imports that only annotations needed."""

    def __init__(self, tree: ast.Module) -> None:
        self.used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        """Without those names from modules of types that nothing mentions."""
        if node.module in _TYPING:
            node.names = [alias for alias in node.names if (alias.asname or alias.name) in self.used]
        return node if node.names else None


def _logger_names(node: ast.AST) -> list[str]:
    """The names that ``node`` gives to a logger of the standard library, if that is what it does."""
    if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)):
        return []
    made = ast.unparse(node.value.func) == "logging.getLogger"
    return [target.id for target in node.targets if isinstance(target, ast.Name)] if made else []


def _last_name(node: ast.AST) -> str:
    """``c`` of ``c``, ``b.c`` and ``b.c(...)``; empty for anything else."""
    if isinstance(node, ast.Call):
        return _last_name(node.func)
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _is_text(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp):
        return _is_text(node.left) and _is_text(node.right)
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _is_harmless(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in _PURE
    return not isinstance(node, ast.NamedExpr | ast.Await | ast.Yield | ast.YieldFrom)
