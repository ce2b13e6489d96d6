"""A source of work in a Ray actor, for workers of other processes."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from suite.train.storage.reporter import Doing, Progress
from suite.work.cluster import START, answer
from suite.work.environment import environment
from suite.work.progress import brief
from suite.work.source import HERE, Source

REPORTS = 500.0  # of all workers together in a second, a tenth of what an actor can take


class _SourceActor:
    """What lives in the actor."""

    def __init__(self, title: str, make: Callable[[], Source], inherited: dict[str, str]) -> None:
        os.environ.update(inherited)
        self.title, self.source = title, make()

    def __repr__(self) -> str:  # what Ray's dashboard shows
        return f"suite {self.title}: hands out work"

    def call(self, name: str, *arguments: Any) -> Any:
        """What the method ``name`` of the source returns."""
        return getattr(self.source, name)(*arguments)


class RemoteSource:
    """The methods of the source that lives in ``actor``, as ``worker`` calls them, one of ``workers``."""

    def __init__(self, actor: Any, worker: str = HERE, workers: int = 1) -> None:
        self.actor, self.worker = actor, worker
        self.every = max(1.0, workers / REPORTS)

    def report(self, progress: Progress) -> bool:
        """See :class:`suite.work.source.Supply`."""
        going: bool = self.call("report", brief(progress), self.worker)
        return going

    def tell(self, doing: Doing) -> bool:
        """See :class:`suite.work.source.Supply`."""
        going: bool = self.call("tell", doing, self.worker)
        return going

    def call(self, name: str, *arguments: Any) -> Any:
        """What the source's method ``name`` returns."""
        return answer(self.actor.call.remote(name, *arguments))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *arguments: self.call(name, *arguments)


def start_source(title: str, make: Callable[[], Source]) -> RemoteSource:
    """A source of the work called ``title`` on the driver's node, ready to answer."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor: Any = ray.remote(_SourceActor).options(num_cpus=0, scheduling_strategy=here)
    source = RemoteSource(actor.remote(title, make, environment()))
    # An answer means that it was made: what goes wrong there is reported here and not by the first worker.
    answer(source.actor.call.remote("going"), START)
    return source
