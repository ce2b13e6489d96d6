"""Pages of methods: every method is described in few words, and nothing else is; the rest says what is declared."""

from __future__ import annotations

import pytest

from docs.generate import faithful, methods
from docs.generate.ideas import FOLDER, MOST, ideas
from docs.generate.markdown import sections
from suite import registry
from suite.tasks import tasks

DESCRIBED = {(task, name): idea for task in methods.TASKS for name, idea in ideas(task).items()}


def test_every_method_is_described_in_the_file_of_its_task_and_nothing_else_is():
    shipped = {(one.task, name) for name, one in registry.methods().items() if one.__module__.startswith("methods.")}
    assert DESCRIBED.keys() == shipped
    assert {path.stem for path in FOLDER.glob("*.md")} == set(methods.TASKS) == set(tasks())


@pytest.mark.parametrize(("task", "name"), DESCRIBED)
def test_an_idea_has_at_most_three_sentences_and_an_equation(task: str, name: str):
    idea = DESCRIBED[task, name]
    assert 1 <= idea.sentences <= MOST
    assert "$" in idea.equations and "$" not in idea.idea


def test_sections_are_not_cut_at_headings_inside_of_code():
    assert sections("a\n## b\n```\n## c\n```\n## d\ne") == {"": "a", "b": "```\n## c\n```", "d": "e"}


@pytest.mark.parametrize("task", methods.TASKS)
def test_every_row_of_what_differs_is_about_a_method(task: str):
    rows = faithful.rows(task)
    assert len(rows) > 10
    assert all(row.about <= registry.methods().keys() and row.about and row.what for row in rows)


def test_what_differs_is_found_through_parents_and_words():
    of = {name: [row.source for row in faithful.differences(registry.methods()[name])] for name in registry.methods()}
    assert "CVPR 2021 code (Cole et al.)" in of["label-smoothing"]
    assert "BMVC 2022 code (`kiyoon/verb_ambiguity`)" in of["focal"] and "eq. 1 and 2" in of["focal"]
    assert "eq. 4" in of["npl"] and "eq. 4" in of["top-n"]  # built on NPL
    assert not of["planted-posterior"]


def test_a_page_says_what_is_declared():
    page = methods.pages()["action-selection"]
    for said in ("`action-selection`, `asl`", "Ma et al., CVPR 2021", "methods/weak_localization/action_selection.py"):
        assert said in page
    assert "| `q` | q | `0.7` | \\[0.01, 1\\] | §4: 0.7 | noise tolerance of L\\_ASL |" in page
    assert "the authors report the epoch best on test data" in page
    assert "| `beta` | `0.666667` |  |  | `0.5` |" in page  # what presets change
    assert (
        "| `warm_epochs` | `10` |  | `0` | `0` |" in page
        and "| `nms_sigma` | `0.35`" not in page.split("## Parameters")[0]
    )
    assert "`suite claims asl-context`" in page
    assert "layer6ai-labs/ASL" in page
