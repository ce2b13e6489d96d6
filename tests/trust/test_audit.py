"""An audit fails for advisories alone."""

from __future__ import annotations

import json
import subprocess

from tests.trust.audit import audit


def answered(stdout: str, stderr: str = "", code: int = 0):
    return lambda command: subprocess.CompletedProcess(command, code, stdout, stderr)


def test_an_advisory_fails_and_is_named() -> None:
    bug = {"id": "PYSEC-1", "fix_versions": ["2.0"]}
    found = [{"name": "a", "version": "1", "vulns": [bug]}, {"name": "b", "version": "1", "vulns": []},
             {"name": "c", "skip_reason": "no such release"}]  # fmt: skip
    code, text = audit(answered(json.dumps({"dependencies": found}), code=1))
    assert code == 1 and "a 1: PYSEC-1, fixed in 2.0" in text
    assert "2 dependencies audited, 1 advisories known; not on the index: c." in text


def test_nothing_known_passes() -> None:
    found = [{"name": "b", "version": "1", "vulns": []}]
    assert audit(answered(json.dumps({"dependencies": found}))) == (0, "1 dependencies audited, 0 advisories known.")


def test_an_index_that_cannot_be_reached_is_a_sentence() -> None:
    code, text = audit(answered("", "Traceback\nConnectionError: no route", 1))
    assert code == 0 and text == "not audited: the advisories cannot be reached (ConnectionError: no route)."


def test_an_index_without_advisories_has_audited_nothing() -> None:
    found = [{"name": name, "skip_reason": "no such release"} for name in "ab"]
    code, text = audit(answered(json.dumps({"dependencies": found})))
    assert code == 0 and text == "not audited: the index knows none of 2 dependencies (no such release)."
