"""What a pool asks of a cluster."""

from __future__ import annotations

from typing import Any

import pytest

from suite.errors import UsageError
from suite.spec.resources import Resources
from suite.work.pool import Work, concurrency


def work(at_once: int = 0, **resources: Any) -> Work:
    return Work("sweep toys", lambda _: None, lambda _: None, Resources(**resources), at_once)


def test_more_than_the_cluster_has_is_one_sentence() -> None:
    with pytest.raises(UsageError, match="sweep toys needs 8 GPUs for 4 runs at once, but the cluster has 1"):
        concurrency(work(4, gpu=2.0), {"CPU": 64.0, "GPU": 1.0})
    assert concurrency(work(cpu=2), {"CPU": 7.0}) == 3
    assert concurrency(work(workers=2), {"CPU": 4.0}) == 2
