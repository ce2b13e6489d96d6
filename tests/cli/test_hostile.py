"""What users and files may do wrong: one sentence each, never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.errors import DataError, UsageError, redacted
from tests.cli.conftest import Typed, sentence

WORLD = "planted-verbs[train=60,validation=30,test=40]"
TRAIN = ("train", "assume-negative", WORLD, "--epochs", "1")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((*TRAIN, "--seed", "9" * 23), 2, "seed: input should be less than or equal to"),
        ((*TRAIN, "--set", "lr=0.1", "--set", "lr=0.2"), 2, "--set lr is given twice, as 0.1 and 0.2"),
        ((*TRAIN, "--workers", "999"), 2, "999 workers of 1 thread(s) need 999 cores and this machine has"),
        (("results", "list", "--status", "nope"), 2, "--status nope is not known; use finished, failed, pruned"),
        (("results", "list", "--out", "nowhere"), 2, "nowhere is not there; name the folder of results"),
        (("results", "list", "--out", "file"), 2, "file is not a folder; name the folder of results"),
    ],
)
def test_requests_that_cannot_be_meant(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], code: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    _, err = typed(*words, code=code)
    assert said in err.strip().splitlines()[-1] and "Traceback" not in err


def test_a_name_that_is_no_text_is_told_by_its_codes() -> None:
    assert str(DataError("caf\udce9 and \ud800 are missing")) == "caf\\udce9 and \\ud800 are missing"
    assert str(UsageError("é is text")) == "é is text"


def test_hours_beyond_all_centuries_are_a_usage_error(typed: Typed) -> None:
    _, err = typed("results", "compact", "--keep-hours", "1e300", code=2)
    assert "less than or equal to 1000000" in err


def test_the_default_folder_may_not_be_there_yet(typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SUITE_OUTPUTS", raising=False)
    assert typed("results", "list", "--json")[0].strip() == "[]"


CARD = """name = "mine"
title = "Mine"
tasks = ["recognition"]
reader = "{reader}"
folder = "{folder}"
source = "x"
licence = "x"
citation = "x"
{more}
"""
FILES = '[[files]]\npath = "a"\n[[files]]\npath = "b"\ninstead_of = "{}"\n'


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"folder": "/tmp/elsewhere"}, "folder: value error, must be a relative path inside the data folder"),
        ({"folder": "../elsewhere"}, "folder: value error, must be a relative path inside the data folder"),
        ({"reader": "../../x:read"}, "reader: value error, must be module, package.module:name or file.py:name"),
        ({"reader": "../x.py:read"}, "reader: value error, must be module, package.module:name or file.py:name"),
        ({"more": "[protocols.default]\ntiou = 5"}, "protocols: value error, protocol 'default': tiou must list"),
        ({"more": FILES.format("c")}, "b: instead_of must name another file of the card"),
        ({"more": "\udcff"}, "is not UTF-8 text (byte"),
    ],
)
def test_cards_that_cannot_be_meant(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: dict[str, str], said: str
) -> None:
    text = CARD.format(**{"reader": "mine.py:read", "folder": "mine", "more": "", **values})
    (tmp_path / "mine.toml").write_bytes(text.encode("utf-8", errors="surrogateescape"))
    monkeypatch.setenv("SUITE_DATASETS", str(tmp_path))
    for words in (("list", "datasets"), ("data", "show", "mine"), ("data", "get", "mine"), ("data", "prepare", "mine")):
        _, err = typed(*words, code=2)
        assert said in sentence(err), words


def test_an_error_that_nobody_foresaw_is_one_sentence_and_a_log(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> None:
        raise KeyError("a\x1b[31m hunter2 lost")

    monkeypatch.setattr("suite.cli.build", lambda first: lambda **_: fails())
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("MY_PASSWORD", "hunter2")
    _, err = typed("list", code=1)
    said = sentence(err)
    assert "a defect of the suite: KeyError" in said and "hunter2" not in said and "\x1b" not in said
    (log,) = tmp_path.glob("suite-error-*.log")
    assert str(log) in said and "Traceback" in log.read_text() and "hunter2" not in log.read_text()


def test_secrets_of_the_environment_are_not_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "abcdef")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "abcdefgh")
    monkeypatch.setenv("SOME_KEY", "1")
    assert redacted("no 1 with abcdefgh and abcdef") == "no 1 with [redacted] and [redacted]"


def test_a_terminal_without_a_sign_shows_its_code(tmp_path: Path) -> None:
    import os
    import subprocess
    import sys

    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    code = "from suite.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "list", "published"], capture_output=True, env=environment, cwd=tmp_path
    )
    assert done.returncode == 0 and not done.stderr and done.stdout.isascii()


def test_commands_name_what_is_damaged_and_the_remedy_works(typed: Typed, tmp_path: Path) -> None:
    from suite.results.ledger import Ledger
    from tests.results.ledgers import outcome

    Ledger(tmp_path / "ledger").record(outcome(seed=0))
    out = ("--out", str(tmp_path))
    assert "nothing is damaged" in typed("results", "repair", *out)[0]
    (damaged,) = (tmp_path / "ledger" / "runs").glob("*.parquet")
    damaged.write_bytes(b"PAR1")
    for words in (("results", "list"), ("report", "quick"), ("plan", "quick"), ("results", "compact"), TRAIN):
        assert "`suite results repair` sets damaged files aside" in sentence(typed(*words, *out, code=1)[1]), words
    assert str(damaged.name) in typed("results", "repair", *out)[0]
    assert typed("results", "list", "--json", *out)[0].strip() == "[]"
