"""Provenance: what is said of libraries, machine and commit."""

from __future__ import annotations

import json
import subprocess

import numpy as np

from suite.results.provenance import commit, hardware, provenance, versions


def test_versions_and_hardware_name_what_computes():
    assert versions()["numpy"] == np.__version__
    assert hardware()["cores"] >= 1 and hardware()["memory_gib"] > 0
    row = provenance()
    assert json.loads(row["versions"]) == versions() and json.loads(row["hardware"]) == hardware()


def test_commit_of_a_clean_a_dirty_and_a_foreign_folder(tmp_path):
    def git(*arguments):
        identity = ("-c", "user.name=a", "-c", "user.email=a@b")
        return subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True)

    git("init", "-q")
    (tmp_path / "file").write_text("1")
    (tmp_path / "inner").mkdir()
    git("add", "file")
    git("commit", "-q", "-m", "one")
    head = git("rev-parse", "HEAD").stdout.strip()
    assert commit(tmp_path) == head
    assert commit(tmp_path / "inner") == ""
    commit.cache_clear()
    (tmp_path / "file").write_text("2")
    assert commit(tmp_path) == f"{head}-dirty"
