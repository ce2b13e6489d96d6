"""Commands of the suite under a file system that fails at its n-th call; run with ``failing.c`` preloaded.

``python -m tests.trust.faults FOLDER MODE STEP[@FIRST] [KIND ...]`` prints a line of JSON per command and mode: calls
FIRST, FIRST + STEP, ... are tried, so that a long range can be run in pieces. Each trial is a fork of this process,
which has imported what the commands import and starts no threads of its own: a second or two instead of ten.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import importlib
import json
import os
import re
import shutil
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

TIME = re.compile(rb'\d{4}-\d\d-\d\d|\b\d\d:\d\d\b|"check": "[0-9a-f]{64}"')  # and what is taken of it
MODES = {"once": 1, "full": 2, "kill": 3}
WORLD = "planted-verbs[train=40,validation=30,test=30,verbs=8]"
TRAIN = ("train", "assume-negative", WORLD, "--epochs", "2", "--json")
BOARD = f"""
name = "tiny"
title = "Tiny"
[[tables]]
title = "T"
task = "recognition"
datasets = ["{WORLD}"]
methods = [{{ method = "assume-negative", params = {{ preset = "recommended", epochs = 2 }} }}]
seeds = 1
"""


@dataclass
class Record:
    """What became of a command with a fault at each of its ``calls``."""

    kind: str
    mode: str
    calls: int = 0
    tried: int = 0
    went_on: int = 0  # the command succeeded all the same
    sentence: int = 0  # it ended with one sentence
    killed: int = 0
    lost: list[str] = field(default_factory=list)  # the same command did not end well afterwards, or numbers differ
    repeated: list[str] = field(default_factory=list)
    tracebacks: list[str] = field(default_factory=list)


class Machine:
    """A folder of results, and commands on it in forks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out, self.said = folder / "outputs", folder / "said.txt"
        self.faults = ctypes.CDLL(None)
        self.faults.fault_arm.argtypes = [ctypes.c_char_p, ctypes.c_long, ctypes.c_long]
        self.faults.fault_count.restype = ctypes.c_long

    def run(self, words: Sequence[str], at: int = 0, mode: str = "once") -> tuple[int, int]:
        """The exit status of a command (negative: the signal that ended it) and how often it changed files."""
        count_read, count_write = os.pipe()
        child = os.fork()
        if child == 0:
            self._child(words, at, mode, count_write)
        os.close(count_write)
        _, status = os.waitpid(child, 0)
        with os.fdopen(count_read) as pipe:
            counted = pipe.read()
        return os.waitstatus_to_exitcode(status), int(counted or 0)

    def _child(self, words: Sequence[str], at: int, mode: str, counts: int) -> None:
        code = 70
        try:
            file = os.open(self.said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(file, 1)
            os.dup2(file, 2)
            sys.argv = ["suite", *words, "--out", str(self.out)]
            self.faults.fault_arm(str(self.out).encode(), at, MODES[mode])
            from suite.cli import main

            main()
        except SystemExit as end:
            code = int(end.code or 0)
        except BaseException:
            traceback.print_exc()
        finally:
            done = self.faults.fault_count()
            self.faults.fault_arm(b"", 0, 0)
            sys.stdout.flush()
            (self.folder / "modules").write_text("\n".join(sys.modules), encoding="utf-8")
            os.write(counts, str(done).encode())
            os._exit(code)

    def learn(self, words: Sequence[str]) -> None:
        """Run a command once, and import here what it imported, so that later forks need not."""
        code, _ = self.run(words)
        assert code == 0, self.said.read_text()
        for name in (self.folder / "modules").read_text(encoding="utf-8").split():
            with contextlib.suppress(Exception):
                importlib.import_module(name)

    def fresh(self, template: Path | None) -> None:
        """Start from a copy of ``template``, or from nothing."""
        shutil.rmtree(self.out, ignore_errors=True)
        shutil.rmtree(self.folder / "home", ignore_errors=True)
        if template is not None:
            shutil.copytree(template, self.out, symlinks=True)

    def ask(self, question: Callable[[Path], Any]) -> Any:
        """The answer to a question about the outputs, asked in a fork: this process must start no threads."""
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            answer: Any = "?"
            try:
                answer = question(self.out)
            except BaseException as error:
                answer = f"{type(error).__name__}: {error}"
            os.write(write, json.dumps(answer).encode())
            os._exit(0)
        os.close(write)
        with os.fdopen(read) as pipe:
            text = pipe.read()
        os.waitpid(child, 0)
        return json.loads(text)


def numbers(out: Path) -> Any:
    """How many finished attempts there are, and a fingerprint of all live numbers."""
    from suite.results.ledger import Ledger

    ledger = Ledger.of(out)
    runs = ledger.runs(all_attempts=True)
    rows = [ledger.metrics(), ledger.curves(), ledger.all_predictions()]
    marks = [frame.drop("run", "attempt").hash_rows(seed=1).sort().to_list() for frame in rows]
    finished = int((runs["status"] == "finished").sum())
    return {"finished": finished, "rows": [*map(len, rows)], "hash": marks, "pages": pages(out / "reports")}


def pages(folder: Path) -> dict[str, str]:
    """A fingerprint of each page below ``folder`` and of what lies beside it, whenever it was made."""
    files = [file for file in folder.rglob("*") if file.is_file() and not file.name.startswith(".")]
    held = {str(file.relative_to(folder)): file.read_bytes() for file in files}
    return {name: hashlib.sha256(TIME.sub(b"", data)).hexdigest() for name, data in held.items()}


def try_command(
    machine: Machine, kind: str, words: Sequence[str], template: Path | None, mode: str, step: int, first: int
) -> Record:
    """The command with a fault at every ``step``-th call from ``first`` on, each time followed by it without one."""
    record = Record(kind, mode)
    machine.fresh(template)
    code, record.calls = machine.run(words)
    assert code == 0, machine.said.read_text()
    wanted = machine.ask(numbers)
    assert isinstance(wanted, dict), wanted
    for at in range(first, record.calls + 1, step):
        machine.fresh(template)
        code, _ = machine.run(words, at, mode)
        said = machine.said.read_text(errors="replace")
        record.tried += 1
        record.killed += code < 0
        record.went_on += code == 0
        record.sentence += code in (1, 2) and said.count("suite: ") >= 1
        if "Traceback" in said or "panicked" in said or "a defect of the suite" in said or code == 70:
            record.tracebacks.append(f"{at}: {said[-700:]}")
        code, _ = machine.run(words)
        found = machine.ask(numbers)
        if isinstance(found, dict) and found["finished"] > wanted["finished"]:
            record.repeated.append(str(at))
        elif code != 0 or found != wanted:
            told = differing(found, wanted) if isinstance(found, dict) else found
            record.lost.append(
                f"{at}: {code}, {said[-300:]} | {machine.said.read_text(errors='replace')[-300:]} {told}"
            )
    return record


def differing(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What differs, in few words."""
    told = {key: found[key] for key in found if key != "pages" and found[key] != wanted[key]}
    names = sorted({*found["pages"], *wanted["pages"]})
    return told | {"pages": [name for name in names if found["pages"].get(name) != wanted["pages"].get(name)]}


def main() -> None:
    """See the module."""
    folder, modes = Path(sys.argv[1]), sys.argv[2].split(",")
    step, _, begin = sys.argv[3].partition("@")
    pace = (int(step), int(begin or 1))
    kinds = sys.argv[4:] or ["train", "compact", "page"]
    os.environ["XDG_DATA_HOME"] = str(folder / "home")
    os.environ["SUITE_METHODS"] = ""
    _import_everything()
    machine = Machine(folder)
    board = folder / "tiny.toml"
    board.write_text(BOARD)
    trained, paged = folder / "trained", folder / "paged"
    for seed in ("0", "1", "2"):
        machine.learn((*TRAIN, "--seed", seed))
    shutil.copytree(machine.out, trained, symlinks=True)
    machine.learn(("leaderboard", str(board), "--jobs", "1", "--json"))
    shutil.copytree(machine.out, paged, symlinks=True)
    shutil.rmtree(paged / "reports")
    commands: dict[str, tuple[Sequence[str], Path | None]] = {
        "train": (TRAIN, None),
        "compact": (("results", "compact", "--keep-hours", "0"), trained),
        "page": (("report", str(board)), paged),
    }
    for kind in kinds:
        for mode in modes:
            print(json.dumps(asdict(try_command(machine, kind, *commands[kind], mode, *pace))), flush=True)


def _import_everything() -> None:
    """All that commands import, so that forks need not; and a checkpoint after every epoch."""
    import ray.train.torch  # noqa: F401
    import scipy.stats  # noqa: F401

    import suite.cli
    import suite.places
    from suite.train.storage.saving import Checkpoints

    suite.cli.build()
    suite.places.ROOM = 0
    save = Checkpoints.save

    def always(self: Checkpoints, epoch: int, over: bool, now: bool, done: bool) -> None:
        save(self, epoch, over, True, done)

    Checkpoints.save = always  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
