"""Every block of code in the documentation is run, or parsed where running it takes a cluster or data."""

from __future__ import annotations

import io
import re
import runpy
import shlex
import subprocess
import tomllib
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from docs.generate import commands, datasets, methods
from docs.generate.included import ROOT, expanded
from tests.cli.conftest import Typed, typed
from tests.docs.blocks import Block, blocks, problem, written

__all__ = ["typed"]  # a fixture

PAGES = written()
BLOCKS = [block for page, text in PAGES.items() for block in blocks(page, text)]
FOLLOWED = ("cookbook/features.md", "cookbook/metric.md", "cookbook/models.md", "cookbook/fine-tune.md")
# Their Python needs nothing else; matching compiles when it is first asked for.
ALONE = ("install.md", pytest.param("cookbook/predictions.md", marks=pytest.mark.slow))
INLINE = re.compile(r"`(suite [a-z][^`]*)`")


def test_there_are_blocks_of_each_kind_and_none_of_another():
    assert {block.kind for block in BLOCKS} == {"python", "console", "bash", "toml"}
    assert {block.page for block in BLOCKS if block.kind == "python"} == {
        *FOLLOWED,
        "install.md",
        "cookbook/predictions.md",
    }


def test_a_command_that_cannot_be_typed_is_found():
    assert not problem("suite train mask-bce planted-verbs --set tau=0.2")
    assert not problem("suite sweep neighbours --jobs 4") and not problem("suite data")
    assert problem("suite train mask-bce planted-verbs --sett tau=0.2").endswith("no option --sett")
    assert problem("suite data gett hapt").endswith("no command 'gett'")


@pytest.mark.parametrize("page", PAGES)
def test_commands_of_a_page_can_be_typed(page: str):
    typed_lines = [line for block in blocks(page, PAGES[page]) for line in commands_of(block)]
    assert not [wrong for line in typed_lines + INLINE.findall(PAGES[page]) if (wrong := problem(line))]


def commands_of(block: Block) -> list[str]:
    """The lines ``suite ...`` of a block; other lines of a console are exports and files of the page."""
    if block.kind == "bash":
        lines = [line.strip().removeprefix("exec ").removeprefix(".venv/bin/") for line in block.text.splitlines()]
        return [line for line in lines if line.startswith("suite ")]
    if block.kind != "console":
        return []
    lines = block.text.splitlines()
    assert all(line.startswith("$ ") for line in lines), block
    return [line[2:] for line in lines if line[2:].startswith("suite ")]


@pytest.mark.parametrize("kind", ["commands", "datasets", "methods"])
def test_commands_of_generated_pages_can_be_typed(kind: str):
    pages = {"commands": commands.pages, "datasets": datasets.pages, "methods": methods.pages}[kind]()
    lines = {line for page, text in pages.items() for block in blocks(page, text) for line in commands_of(block)}
    assert len(lines) > 20
    assert not [wrong for line in lines if (wrong := problem(line))]


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.kind == "bash"], ids=lambda b: b.title or b.page)
def test_shell_parses(block: Block):
    done = subprocess.run(["bash", "-n"], input=block.text, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.kind == "toml"], ids=lambda b: b.title)
def test_toml_parses(block: Block):
    assert tomllib.loads(block.text)


@pytest.mark.parametrize("page", ALONE)
def test_python_that_stands_alone_runs(page: str, tmp_path: Path):
    (block,) = [block for block in BLOCKS if block.page == page and block.kind == "python"]
    assert float(run(tmp_path / "block.py", block.text).split()[-1]) > 0


def run(path: Path, text: str) -> str:
    """What a file of Python prints."""
    path.write_text(text, encoding="utf-8")
    printed = io.StringIO()
    with redirect_stdout(printed):
        runpy.run_path(str(path), run_name="__main__")
    return printed.getvalue()


@pytest.fixture
def followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to follow a recipe in, with nothing set that a newcomer would not have set."""
    for name in ("SUITE_DATASETS", "SUITE_DATA", "SUITE_METHODS"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("SUITE_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def follow(page: str, folder: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Do what a page of the cookbook says; what each command printed."""
    own = [block for block in BLOCKS if block.page == page]
    for block in own:
        if block.title:
            (folder / block.title).write_text(block.text, encoding="utf-8")
    printed = {}
    for line in [line[2:] for block in own if block.kind == "console" for line in block.text.splitlines()]:
        words = shlex.split(line)
        if words[0] == "export":
            monkeypatch.setenv(*words[1].split("="))
        elif words[0] == "python":
            printed[line] = run(folder / words[1], (folder / words[1]).read_text(encoding="utf-8"))
        else:
            printed[line] = typed(*(word.replace("RUN", newest(folder)) for word in words[1:]))[0]
    return printed


def newest(folder: Path) -> str:
    """The run whose weights were kept last; pages call it RUN."""
    kept = [path for path in (folder / "outputs" / "models").glob("*") if not path.name.startswith(".")]
    return max(kept, key=lambda path: path.stat().st_mtime).name if kept else ""


@pytest.mark.slow
def test_features_of_ones_own(followed: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch):
    run(followed / "made.py", next(b.text for b in BLOCKS if b.title == "make_features.py"))
    verified, looked, trained = follow(FOLLOWED[0], followed, typed, monkeypatch).values()
    assert "NO" not in verified and "60" in verified
    assert "what can be had without looking" in looked
    assert "top-set" in trained


@pytest.mark.slow
def test_a_metric_of_ones_own(followed: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch):
    trained, printed, scored = follow(FOLLOWED[1], followed, typed, monkeypatch).values()
    name, value = printed.split()
    assert name in trained and 0 <= float(value) <= 1
    assert "\n0 of " in scored  # nothing changed, since no metric was added


@pytest.mark.slow
def test_models_that_are_kept(followed: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch):
    printed = follow(FOLLOWED[2], followed, typed, monkeypatch)
    assert (followed / "found.csv").read_text() == (followed / "again.csv").read_text()
    assert "(5, 40)" in printed["python use_model.py"]
    assert (followed / "my-model" / "README.md").is_file() and (followed / "test.parquet").is_file()


@pytest.mark.slow
def test_starting_from_a_model(followed: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch):
    printed = follow(FOLLOWED[3], followed, typed, monkeypatch)
    assert "weights=" in list(printed.values())[1]
    assert len(printed["python go_on.py"].split()) == 2


def test_sections_of_other_files_are_included_and_their_links_lead_to_pages():
    start = expanded(PAGES["index.md"], "index.md")
    assert "make leaderboard" in start and "<!-- include" not in start
    recipe = expanded(PAGES["cookbook/method.md"], "cookbook/method.md")
    assert '```python title="squared_error.py"' in recipe
    steps = expanded(PAGES["first-steps.md"], "first-steps.md")
    assert "](papers.md)" in steps and "](survival.md)" in steps
    assert "[SECURITY](project/security.md)" in steps
    assert "| `h5` | `h5py>=3.11` | suite.data.readers:" in expanded(PAGES["install.md"], "install.md")
    with pytest.raises(LookupError, match=r"docs/x.md: README.md has no section 'Nowhere'"):
        expanded('<!-- include README.md "Nowhere" -->', "x.md")


def test_every_recipe_of_contributing_is_in_the_cookbook():
    held = " ".join(text for page, text in PAGES.items() if page.startswith("cookbook/"))
    named = re.findall(r"^## (.+)$", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.M)
    assert named and not [title for title in named if f'CONTRIBUTING.md "{title}"' not in held]
