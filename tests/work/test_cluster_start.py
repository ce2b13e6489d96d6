"""A Ray that does not start on a busy machine is one sentence."""

from __future__ import annotations

import pytest

from suite.errors import SuiteError
from suite.work.cluster import connected


def test_a_ray_that_does_not_start_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    def slow(**_: object) -> None:
        raise Exception("The current node timed out during startup. This could happen.")

    monkeypatch.setattr(ray, "init", slow)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with (
        pytest.raises(SuiteError, match=r"Ray could not start .*timed out during startup.*; the same command tries"),
        connected(None),
    ):
        pass
