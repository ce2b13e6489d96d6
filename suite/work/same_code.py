"""Whether the nodes of a cluster have the driver's code: another version may compute other numbers."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

from suite.data.storage.cards import shipped
from suite.environment import CARDS, PLUGINS
from suite.errors import UsageError

ANSWER = 120.0  # seconds within which a node must start a process and answer
SHOWN = 4  # names of nodes in a sentence

Node = tuple[str, str]  # a node's name and the print of its code; empty where it has none to speak of


def code_print() -> str:
    """16 hexadecimal digits of all that a node needs: the suite, its methods, cards, and a user's own files.

    Files count as bytes, since to parse all of them (as a run's name does with those of its method) takes seconds.
    """
    return _print_with(PLUGINS.value, CARDS.value)


@cache
def _print_with(plugins: str, cards: str) -> str:
    """The print while a user's own files are these: a process may name others later."""
    found = hashlib.sha256()
    for kind, path, inside in sorted(_files()):
        found.update(f"{kind}/{inside}\0".encode())
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:16]


def here() -> Node:
    """This machine and its code."""
    return socket.gethostname(), code_print()


def require_same_code(title: str) -> None:
    """Ask every node of the cluster that this process is connected to, before any work starts.

    Nodes that join later are asked by their workers. Raises :class:`UsageError` naming those with other code.
    """
    others = [name for name, found in _asked() if found != code_print()]
    if others:
        raise UsageError(complaint(title, others))


def complaint(title: str, nodes: Iterable[str]) -> str:
    """The sentence about ``nodes`` with other code than the driver's."""
    names = sorted(nodes)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return (
        f"{title}: the suite on {', '.join(names[:SHOWN])}{more} is not the driver's code; update the nodes, or submit "
        "the job with its code: ray job submit --working-dir"
    )


def _files() -> Iterable[tuple[str, Path, str]]:
    """Kind, path and place within its kind of every file that counts."""
    import methods
    import suite

    roots = [("suite", Path(suite.__file__).parent, "*.py"), ("methods", Path(methods.__file__).parent, "*.py")]
    roots += [("cards", shipped("datasets"), "*.toml"), *(("own", Path(path), "*.toml") for path in CARDS.paths())]
    for kind, root, names in roots:
        for path in root.rglob(names):
            if "shipped" not in path.relative_to(root).parts:
                yield kind, path, path.relative_to(root).as_posix()
    for path in map(Path, PLUGINS.paths()):
        if path.is_file():
            yield "plugins", path, path.name


def _asked() -> list[Node]:
    """Every node that answers, with its print; those that do not have nothing to compute with."""
    import ray
    from ray.exceptions import RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    from suite.work.environment import environment

    inherited = environment()

    def look() -> str:  # defined here, so that Ray sends its code: the other suite may know nothing of it
        os.environ.update(inherited)
        from suite.work.same_code import code_print as print_there

        return print_there()

    nodes = {one["NodeID"]: f"{one['NodeManagerHostname']} ({one['NodeManagerAddress']})" for one in _alive()}
    asked = {}
    for number, node in nodes.items():
        there = NodeAffinitySchedulingStrategy(number, soft=False)
        call = ray.remote(look).options(num_cpus=0, max_retries=0, scheduling_strategy=there, name="suite: same code?")
        asked[call.remote()] = node
    answered, _ = ray.wait(list(asked), num_returns=len(asked), timeout=ANSWER)
    found = []
    for reference in answered:
        said = ""
        with suppress(RayError):  # its suite is too old to be asked, or is not there
            said = ray.get(reference)
        found.append((asked[reference], said))
    return found


def _alive() -> Iterable[Mapping[str, str]]:
    import ray

    return [node for node in ray.nodes() if node["Alive"]]
