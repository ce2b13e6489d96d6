"""A page per task, and lists of everything: tasks, methods, datasets, commands."""

from __future__ import annotations

from docs.generate.datasets import cards
from docs.generate.ideas import about, ideas
from docs.generate.markdown import code, plain, table
from docs.generate.methods import TASKS
from suite import registry
from suite.tasks import Task
from suite.tasks import task as find_task


def pages() -> dict[str, str]:
    """The text of every task's page, by name."""
    return {name: page(find_task(name)) for name in TASKS}


def page(task: Task) -> str:
    """One page: what is learned from, what is measured, and who can do it on what."""
    parts = [
        f"# {task.title}",
        _facts(task),
        about(task.name).replace("](", "](../methods/").replace("](../methods/http", "](http"),
        "## Metrics\n\n" + _metrics(task),
        "## Methods\n\n" + methods_of(task.name, "../methods/"),
        _published(task),
        "## Datasets\n\n" + datasets_of(task.name, "../datasets/"),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _facts(task: Task) -> str:
    rows = [
        ("Name", code(task.name)),
        ("Learns from", task.learns_from),
        ("Predicts", task.predicts),
        ("Headline", task.headline),
        ("Epochs chosen by", f"{task.chosen_by}, on validation data"),
        ("Planted world", f"[{task.planted}](../datasets/{task.planted}.md)" if task.planted else ""),
        ("Several annotators", "yes: dials `annotator`, `test_annotator`" if task.annotated else "no"),
    ]
    return table(("", ""), [row for row in rows if row[1]])


def _metrics(task: Task) -> str:
    said = "[The maths of the tables](../maths.md#metrics) has the formulas."
    rows = [
        (plain(name), plain(text), "yes" if name in task.oracle_metrics else "")
        for name, text in task.explained.items()
    ]
    return "\n\n".join(filter(None, (said, table(("metric", "what it is", "upper bound"), rows))))


def methods_of(task: str, folder: str) -> str:
    """The methods of ``task`` with their papers, linked to their pages in ``folder``."""
    known = registry.methods()
    rows = [
        (
            f"[{plain(known[name].title)}]({folder}{name}.md)",
            code(name),
            plain(known[name].paper),
            "upper bound" if known[name].oracle else "",
        )
        for name in ideas(task)
    ]
    return table(("method", "name", "paper", ""), rows)


def _published(task: Task) -> str:
    own = [entry for entry in registry.published_only().values() if entry["task"] == task.name]
    rows = [(plain(one["title"]), plain(one["paper"]), plain(one["reason"])) for one in own]
    listed = table(("method", "paper", "why it cannot be run here"), rows)
    return f"### Known by printed numbers only\n\n{listed}" if listed else ""


def datasets_of(task: str, folder: str) -> str:
    """The datasets that serve ``task``, linked to their pages in ``folder``; all of them for an empty name."""
    rows = [
        (f"[{plain(card.title)}]({folder}{name}.md)", code(name), card.kind, plain(card.licence))
        for name, card in cards().items()
        if task in ("", *card.tasks)
    ]
    return table(("dataset", "name", "kind", "licence"), rows)


def all_methods() -> str:
    """The list of all methods, task by task."""
    parts = [
        "# Methods",
        "A page per method: idea, equations, presets, parameters, what differs from paper and released code.",
    ]
    for name in TASKS:
        parts += [f"## {find_task(name).title}", methods_of(name, "")]
    return "\n\n".join(parts) + "\n"


def all_datasets() -> str:
    """The list of all datasets."""
    return f"# Datasets\n\nMade of the cards in `datasets/`. Real data are never shipped.\n\n{datasets_of('', '')}"
