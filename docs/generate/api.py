"""The pages of what can be imported: every public name with its signature, from its docstring."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import suite
import suite.evaluate
from docs.generate.markdown import code, plain, table

WIDTH = 100  # of a signature on one line
LISTS = ("Raises:", "Attributes:", "Args:", "Returns:")
LONGEST = 60  # of a default
INTRODUCTION = {
    "index": (
        "In Python",
        "What `import suite` gives. Each name is loaded on first use, over the same runs, ledger and errors as the "
        "command line; these names stay, and the changelog says so where one has to change. Everywhere `out` is the "
        "folder or address of results, `data` the folder of real datasets, `methods` files with methods of your own.",
    ),
    "evaluate": (
        "The evaluator",
        "What `import suite.evaluate` gives: metrics as functions of arrays, which need neither torch nor Ray and "
        "import in hundredths of a second. Files of predictions are scored by `suite.evaluate(...)` "
        "([in Python](index.md#suite-evaluate)) and by [`suite evaluate`](../commands/evaluate.md).",
    ),
}


def pages() -> dict[str, str]:
    """The text of each page by its name."""
    return {"index": page("index", public()), "evaluate": page("evaluate", evaluators())}


def public() -> dict[str, Any]:
    """What ``import suite`` announces: functions first, then what they return."""
    named = {f"suite.{name}": getattr(suite, name) for name in sorted(suite.__all__) if not name.startswith("__")}
    return dict(sorted(named.items(), key=lambda item: isinstance(item[1], type)))


def evaluators() -> dict[str, Any]:
    """What ``import suite.evaluate`` announces: functions, then types, then named protocols."""
    named = {name: getattr(suite.evaluate, name) for name in suite.evaluate.__all__}
    return dict(sorted(named.items(), key=lambda item: 2 - bool(callable(item[1])) - inspect.isfunction(item[1])))


def page(name: str, things: dict[str, Any]) -> str:
    """One page: what each thing is in a table, then each in full."""
    title, about = INTRODUCTION[name]
    rows = [(f"[{code(one)}](#{anchor(one)})", first_sentence(thing)) for one, thing in things.items()]
    parts = [f"# {title}", about, table(("name", "what it is"), rows)]
    for one, thing in things.items():
        parts += [f"## {one} {{ #{anchor(one)} }}", *described(one, thing)]
    return "\n\n".join(part for part in parts if part) + "\n"


def anchor(name: str) -> str:
    """The place of a name on its page; ``suite.sweep`` and ``suite.Sweep`` are two."""
    return name.replace(".", "-")


def described(name: str, thing: Any) -> Iterator[str]:
    """Signature, text and members of a function or type; a constant by its value."""
    if not callable(thing):
        yield block(f"{name} = {thing!r}")
        return
    function = _function(thing)
    if not isinstance(thing, type) or name in suite.evaluate.__all__:  # what functions return is not made by hand
        yield block(signature(name, function))
    yield prose(inspect.getdoc(function) or "")
    held = dict(members(thing)) if isinstance(thing, type) else {}
    attributes = [(code(own), first_sentence(one)) for own, one in held.items() if not callable(one)]
    yield table(("attribute", "what it is"), attributes)
    for own, member in held.items():
        if callable(member):
            yield f"### {name.rpartition('.')[2]}.{own}"
            yield block(signature(own, member))
            yield prose(inspect.getdoc(member) or "")


def members(kind: type) -> Iterator[tuple[str, Any]]:
    """The public properties and methods that a type of the suite defines, in the order of their names."""
    for name in sorted(dir(kind)):
        owner = next((vars(base)[name] for base in kind.__mro__ if name in vars(base)), None)
        if name.startswith("_") or issubclass(kind, BaseException):
            continue
        if isinstance(owner, property):
            yield name, owner
        elif isinstance(owner, staticmethod | classmethod) or inspect.isfunction(owner):
            yield name, getattr(kind, name)


def signature(name: str, thing: Any) -> str:
    """``name(...)`` with types and defaults, a parameter a line where one line is too long."""
    found = inspect.signature(thing)
    parts, starred = [], False
    for one in found.parameters.values():
        if one.name == "self":
            continue
        if one.kind is one.KEYWORD_ONLY and not starred:
            parts.append("*")
        starred |= one.kind in (one.KEYWORD_ONLY, one.VAR_POSITIONAL)
        parts.append(_parameter(one))
    result = found.return_annotation
    back = "" if result in (found.empty, None, "None") else f" -> {_written(result)}"
    line = f"{name}({', '.join(parts)}){back}"
    return line if len(line) <= WIDTH else f"{name}(\n{''.join(f'    {part},{chr(10)}' for part in parts)}){back}"


def _parameter(one: inspect.Parameter) -> str:
    stars = "*" * ((one.kind is one.VAR_POSITIONAL) + 2 * (one.kind is one.VAR_KEYWORD))
    kind = "" if one.annotation is one.empty else f": {_written(one.annotation)}"
    default = "" if one.default is one.empty else f" = {_default(one.default)}"
    return f"{stars}{one.name}{kind}{default}"


def _default(value: Any) -> str:
    text = repr(value)
    return "..." if text.startswith("<") or len(text) > LONGEST else text


def _written(annotation: Any) -> str:
    """A type as it stands in the source."""
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))


def _function(thing: Any) -> Any:
    """A package that can be called stands for its function."""
    return getattr(thing, "_function", thing) if isinstance(thing, ModuleType) else thing


def block(text: str) -> str:
    """Python to read."""
    return f"```python\n{text}\n```"


def first_sentence(thing: Any) -> str:
    """What a docstring begins with, as Markdown; the kind of a constant."""
    text = inspect.getdoc(_function(thing)) if callable(thing) or isinstance(thing, property) else ""
    start = " ".join((text or "").split("\n\n")[0].split())
    found = re.match(r"(.+?[.:])(?= [A-Z]|$)", start)
    return _marked(found[1] if found else start) if start else code(type(thing).__name__)


def prose(text: str) -> str:
    """A docstring as Markdown: names as code, examples as blocks, errors as a list."""
    parts = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        lines = paragraph.splitlines()
        if lines and lines[0].startswith(">>> "):
            parts.append("```pycon\n" + paragraph + "\n```")
        elif lines and lines[0].strip() in LISTS:
            parts.append(f"{lines[0].strip()}\n\n" + "\n".join(f"- {_marked(one)}" for one in _entries(lines[1:])))
        elif any(re.match(r" +\S", line) for line in lines):  # columns that stand below each other
            parts.append("```text\n" + paragraph + "\n```")
        else:
            parts.append(_marked(" ".join(paragraph.split())))
    return "\n\n".join(parts)


def _entries(lines: list[str]) -> list[str]:
    """The entries of a list ``name: text``, each on one line; what stands further in goes on with the one before."""
    found: list[str] = []
    for line in lines:
        begins = re.match(r"    (\w+): ", line)
        text = line.strip()
        if begins or not found:
            found.append(re.sub(r"^(\w+): ", r"``\1``: ", text))
        else:
            found[-1] += f" {text}"
    return found


def _marked(text: str) -> str:
    """``text`` whose signs stand for themselves, but for code; references become code."""
    text = re.sub(r":\w+:`~?([^`]+)`", lambda found: f"`{found[1]}`", text).replace("``", "`")
    pieces = re.split(r"(`[^`]+`)", text)
    return "".join(piece if piece.startswith("`") and len(piece) > 1 else plain(piece) for piece in pieces)
