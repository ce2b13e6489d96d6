"""A page per method: its idea and equations by hand, everything else from its declaration."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from docs.generate.faithful import differences
from docs.generate.ideas import Idea, about, ideas
from docs.generate.markdown import code, collapsed, plain, table
from suite import registry
from suite.hyper import Hyper
from suite.method import Method
from suite.presets import NOTES, value_text
from suite.spec.base import load_toml
from suite.spec.claim import Claim
from suite.tasks import task as find_task

ROOT = Path(__file__).parents[2]
CLAIMS = ROOT / "reports" / "claims"
TASKS = ("recognition", "weak-localization", "semi-localization", "actor-detection")


def pages() -> dict[str, str]:
    """The text of every method's page, by name; methods in the order of their task's file."""
    known = registry.methods()
    return {name: page(known[name], idea) for task in TASKS for name, idea in ideas(task).items()}


def page(method: type[Method], idea: Idea) -> str:
    """One page."""
    parts = [
        f"# {plain(method.title)}",
        _facts(method),
        f"## Idea\n\n{idea.idea}",
        f"## Equations\n\n{idea.equations}",
        collapsed("Symbols that the methods of this task share", about(method.task)),
        _running(method),
        _presets(method),
        _parameters(method),
        _differences(method),
        _claims(method),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _facts(method: type[Method]) -> str:
    task = find_task(method.task)
    rows = [
        ("Name", code(method.name) + "".join(f", {code(alias)}" for alias in method.aliases)),
        ("Paper", plain(method.paper)),
        ("Task", f"[{task.title}](../tasks/{task.name}.md): learns from {task.learns_from}, predicts {task.predicts}"),
        ("Source", code(method.__module__.replace(".", "/") + ".py")),
        ("Looks at hidden truth", "yes: an upper bound, no rival" if method.oracle else ""),
        ("Unknown labels", plain(method.unknown_labels)),
        ("Soft labels", "learns from shares of several annotators" if method.soft_labels else ""),
        ("Epoch", f"preset published: {NOTES[method.published_selection]}" if _reported(method) else ""),
    ]
    return table(("", ""), [row for row in rows if row[1]])


def _reported(method: type[Method]) -> bool:
    return "published" in method.presets and method.published_selection in NOTES


def _running(method: type[Method]) -> str:
    planted = find_task(method.task).planted
    small = " --preset small" if "small" in method.presets else ""
    lines = [f"$ suite train {method.name} {planted}{small}"]
    if "published" in method.presets:
        lines.append(f"$ suite train {method.name} DATASET --preset published")
    lines.append(f"$ suite results method {method.name}")
    return "## Run it\n\n```console\n" + "\n".join(lines) + "\n```"


def _presets(method: type[Method]) -> str:
    if not method.presets:
        return ""
    names = list(method.presets)
    changed = [name for name in method.hypers if any(_of_preset(method, preset, name) for preset in names)]
    rows = [
        [code(name), code(value_text(method.hypers[name].default)), *(_of_preset(method, one, name) for one in names)]
        for name in changed
    ]
    heading = ["parameter", "declared", *(f"{one} ★" if one == names[0] else one for one in names)]
    said = "An empty cell is the declared value. ★ is the default; [what presets mean](../faithful/README.md#presets)."
    listed = table(heading, rows) or f"All presets ({', '.join(map(code, names))}) are the declared values.\n"
    return f"## Presets\n\n{listed}\n{said}"


def _of_preset(method: type[Method], preset: str, name: str) -> str:
    """What a preset changes a parameter to; nothing where that is the declared value."""
    declared, settings = method.hypers[name].default, method.presets[preset]
    return code(value_text(settings[name])) if settings.get(name, declared) != declared else ""


def _parameters(method: type[Method]) -> str:
    if not method.hypers:
        return "## Parameters\n\nNone: nothing is trained."
    own = {name: declared for name, declared in method.hypers.items() if _is_own(method, name)}
    shared = {name: declared for name, declared in method.hypers.items() if name not in own and name != "preset"}
    parts = [
        "## Parameters",
        "Set with `--set NAME=VALUE`. *After training* marks those that sweeps search without training.",
    ]
    parts += [_table(own)] if own else []
    if shared:
        title = (
            f"{len(shared)} more that it shares with other methods"
            if own
            else "Those that it shares with other methods"
        )
        parts.append(collapsed(title, _table(shared)))
    return "\n\n".join(parts)


def _is_own(method: type[Method], name: str) -> bool:
    """Whether a parameter is declared by the method's own file, or by another method that it is built on."""
    owner = (
        next(base for base in method.__mro__ if isinstance(vars(base).get(name), Hyper)) if name != "preset" else None
    )
    return owner is not None and ".parts." not in owner.__module__


def _table(hypers: dict[str, Hyper]) -> str:
    heading = ("parameter", "symbol", "default", "range", "source", "meaning")
    return table(heading, [_row(name, declared) for name, declared in hypers.items()])


def _row(name: str, declared: Hyper) -> list[str]:
    span = ", ".join(code(value_text(one)) for one in declared.choices)
    if not span and (declared.low is not None or declared.high is not None):
        span = declared.span.replace("[", "\\[").replace("]", "\\]") + (", log" if declared.log else "")
    if not span and isinstance(declared.default, bool):
        span = "`true`, `false`"
    notes = [plain(declared.help), "*after training*" if declared.post else "", "a file" if declared.file else ""]
    about = "; ".join(note for note in notes if note)
    return [code(name), plain(declared.symbol), code(value_text(declared.default)), span, plain(declared.source), about]


def _differences(method: type[Method]) -> str:
    rows = [(row.who, row.source, row.what) for row in differences(method)]
    if not rows:
        return ""
    listed = table(("rows about", "source", "what differs, and why"), rows)
    return f"## What differs from paper and released code\n\n{listed}"


def _claims(method: type[Method]) -> str:
    own = [one for one in _all_claims() if registry.canonical_name(one.method.method) == method.name]
    rows = [(code(f"suite claims {one.name}"), plain(f"{one.sentence} ({one.place})")) for one in own]
    listed = table(("command", "sentence of the paper that it tries"), rows)
    return f"## Claims\n\n{listed}" if listed else ""


@cache
def _all_claims() -> tuple[Claim, ...]:
    return tuple(load_toml(path, Claim) for path in sorted(CLAIMS.glob("*.toml")))


def of_task(task: str) -> list[str]:
    """The names of a task's methods, in the order of its file."""
    return list(ideas(task))


def title(name: str) -> str:
    """How tables print a method."""
    return registry.methods()[name].title
