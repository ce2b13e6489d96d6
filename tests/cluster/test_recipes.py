"""Recipes say what works: shell that parses, commands that exist with the options they are given."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

FOLDER = Path(__file__).resolve().parents[2] / "cluster"
SCRIPTS = sorted([*FOLDER.glob("*.sh"), *FOLDER.glob("*.sbatch")])
# What stands for the variables and the placeholders of a recipe.
VALUES = {"HEAD": "10.0.0.1", "BUCKET": "bucket", "NAME": "neighbours", "board": "quick"}


def commands(program: str) -> list[str]:
    """The words after ``program`` wherever the recipes call it: scripts, entry points, code of the README."""
    found: dict[str, None] = {}
    for path in sorted(FOLDER.iterdir()):
        text = path.read_text(encoding="utf-8").replace("\\\n", " ")
        if path.suffix == ".md":
            lines = [*re.findall(r"`([^`\n]+)`", text), *(one for one in text.splitlines() if one.startswith("    "))]
        else:
            lines = [line.removeprefix("#   ") for line in text.splitlines()]
            lines = [line for line in lines if not line.startswith("#")]
        for call in filter(None, (_call(line, program) for line in lines)):
            found[call] = None
    return list(found)


def _call(line: str, program: str) -> str:
    """What ``program`` is called with, each variable and placeholder with a value; empty where it is not called."""
    line = line.replace('"$@"', "sweep neighbours").replace('"${within[@]}"', "").replace('"', "")
    line = re.sub(r"\$\(\(.*?\)\)", "8", line)
    line = re.sub(r"\$\{?(\w+)(?:%[^}]*)?\}?", lambda one: VALUES.get(one[1], "8"), line)
    line = re.sub(r"\b(HEAD|BUCKET|NAME)\b", lambda one: VALUES[one[1]], line)
    found = re.search(rf"(?:^|[\s;]|suite-venv/bin/){program} ([a-z][a-z-]* ?.*)", line)
    call = re.split(r" #| >| 2>| &|;| \|| <|'", found[1])[0].strip() if found else ""
    return "" if call in ("sweep", "leaderboard", "claims") else call  # a sentence names the command


def parse(command: Any, given: list[str]) -> None:
    """Let click parse ``given`` down to the last command; what it does not know is an error."""
    context = command.make_context(command.name or "suite", list(given))
    while hasattr(context.command, "resolve_command"):
        rest = [*context._protected_args, *context.args]
        _, inner, rest = context.command.resolve_command(context, rest)
        context = inner.make_context(inner.name, rest, parent=context)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_every_script_is_shell(path: Path) -> None:
    shell = "sh" if path.read_text(encoding="utf-8").startswith("#!/bin/sh") else "bash"
    subprocess.run([shell, "-n", str(path)], check=True)
    if checker := shutil.which("shellcheck"):
        subprocess.run([checker, "--shell", shell, str(path)], check=True)


@pytest.mark.parametrize("line", commands("suite"))
def test_every_command_of_the_suite_exists(line: str) -> None:
    from suite.cli import build

    parse(typer.main.get_command(build()), shlex.split(line))


@pytest.mark.parametrize("line", commands("ray"))
def test_every_command_of_ray_exists(line: str) -> None:
    from ray.scripts.scripts import cli

    parse(cli, shlex.split(line))


def test_a_sweep_of_the_manifest_is_shipped() -> None:
    from suite.sweep.files import find_sweep

    manifest = yaml.safe_load((FOLDER / "kuberay-job.yaml").read_text(encoding="utf-8"))
    name = shlex.split(manifest["spec"]["entrypoint"])[2]
    assert find_sweep(name).name == name


def run(script: str, folder: Path, given: list[str], **programs: str) -> subprocess.CompletedProcess[str]:
    """Run a recipe with stand-ins for the programs of a cluster, each a line of shell."""
    for name, body in programs.items():
        place = folder / "bin" / name
        place.parent.mkdir(exist_ok=True)
        place.write_text(f"#!/bin/bash\n{body}\n")
        place.chmod(0o755)
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    slurm = {"SLURM_CPUS_PER_TASK": "8", "SLURM_JOB_NUM_NODES": "2", "SLURM_JOB_NODELIST": "n[1-2]"}
    environment = {**os.environ, **slurm, "PATH": path, "HOME": str(folder), "LOG": str(folder / "log")}
    for name in ("SUITE_OUTPUTS", "SUITE_IMAGE", "RAY_AUTH_TOKEN"):
        environment.pop(name, None)
    command = ["bash", str(FOLDER / script), *given]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_machines_get_code_token_and_ray_in_this_order(tmp_path: Path) -> None:
    """``ssh`` stands in: it notes each command, and keeps what comes by standard input."""
    ssh = 'echo "$@" >> "$LOG"; cat >> "$LOG.stdin"'
    done = run("machines.sh", tmp_path, ["start", "head", "one"], ssh=ssh)
    assert done.returncode == 0, done.stderr
    log = (tmp_path / "log").read_text(encoding="utf-8")
    token = (tmp_path / ".ray" / "auth_token").read_text(encoding="utf-8")
    assert len(token) == 64 and token not in log, "a command is seen by everybody on a machine"
    assert token.encode() in (tmp_path / "log.stdin").read_bytes()
    assert (tmp_path / ".ray" / "auth_token").stat().st_mode & 0o077 == 0
    starts = [line for line in log.splitlines() if " start " in line]
    assert "start --head" in starts[0] and "start --address=head:6379" in starts[1] and len(starts) == 2
    assert run("machines.sh", tmp_path, ["start", "head"], ssh=ssh).returncode == 0
    assert (tmp_path / ".ray" / "auth_token").read_text(encoding="utf-8") == token, "one token for all machines"
    assert run("machines.sh", tmp_path, ["fly", "head"], ssh=ssh).returncode == 2


def test_a_task_of_an_array_is_a_driver_that_gets_the_signal(tmp_path: Path) -> None:
    (tmp_path / "suite-venv" / "bin").mkdir(parents=True)
    done = run("slurm-array.sbatch", tmp_path, ["quick"], suite='echo "$@ into $SUITE_OUTPUTS"')
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"leaderboard quick --jobs 8 into {tmp_path}/suite-outputs"


def test_a_slurm_job_is_one_cluster_with_a_token_of_its_own(tmp_path: Path) -> None:
    """``srun`` and ``ray`` stand in; SIGTERM to the script reaches the driver, whose exit code is the job's."""
    srun = 'while [[ $1 == --* ]]; do shift; done; exec "$@"'
    ray = 'echo "ray $@ ${#RAY_AUTH_TOKEN} $RAY_AUTH_MODE" >> "$LOG"'
    suite = (
        'trap \'echo stopped >> "$LOG"; exit 130\' TERM; echo "suite $@" >> "$LOG"; '
        "sleep 1; kill -TERM $PPID; sleep 4 & wait"
    )
    done = run(
        "slurm-ray.sbatch", tmp_path, ["sweep", "neighbours"], srun=srun, ray=ray, suite=suite,
        scontrol="echo n1; echo n2", python=f"echo {64 * 'a'}", hostname="echo 10.0.0.1 10.0.0.2",
    )  # fmt: skip
    assert done.returncode == 130, done.stderr
    log = (tmp_path / "log").read_text(encoding="utf-8")
    assert "stopped" in log and "--max-cpus 16" in log and "suite sweep neighbours --address " in log
    starts = [line for line in log.splitlines() if line.startswith("ray start")]
    assert len(starts) == 2 and all(line.endswith(" 64 token") for line in starts), log
