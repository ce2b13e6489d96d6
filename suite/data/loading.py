"""From a dataset's name to memory-mapped arrays: pack once, open."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from suite.data.checks import check_kinds, check_task_data, features_keys, finite_features, with_progress
from suite.data.known import with_known_posterior
from suite.data.reading import find_reader
from suite.data.request import DatasetRequest, dataset_request
from suite.data.storage.store import OutdatedStoreError, build_once, open_store, write_store
from suite.errors import DataError
from suite.tasks import task
from suite.tasks.data import TaskData
from suite.telling import Tell, nobody

SEEDED = ("split_seed", "label_seed", "noise_seed")  # dials which are the run's seed where they are -1


def load(
    name: str,
    task: str = "",
    root: Path | None = None,
    cache: Path | None = None,
    *,
    protocol: str = "default",
    dials: Mapping[str, Any] | None = None,
    seed: int = 0,
    tell: Tell = nobody,
) -> TaskData[Any]:
    """The dataset called ``name`` as ``task`` sees it, its arrays read-only memory maps.

    ``name`` may carry dials: ``planted-verbs[ambiguity=2.5,snr=3]``. The first call packs the arrays under ``cache``;
    later calls, in any process, open the same pages. ``seed`` stands in for each dial of :data:`SEEDED` that is -1;
    ``tell`` hears how far the packing is.
    Raises :class:`UsageError` for a wrong request and :class:`DataError` for missing or damaged data.
    """
    asked = dataset_request(name, task, root, cache, protocol, dials)
    return open_dataset(asked, seed, tell=tell)


def open_dataset(asked: DatasetRequest, seed: int = 0, force: bool = False, tell: Tell = nobody) -> TaskData[Any]:
    """Pack ``asked`` if it is not packed yet (or ``force``), open it and apply the dials that act on loading."""
    data, reader = _opened(asked, force, tell), find_reader(asked.card)
    dials = {**asked.dials, **{name: seed for name in SEEDED if asked.dials.get(name, -1) == -1}}
    if reader.on_open is not None:
        data = reader.on_open(data, dials)
    if who := asked.card.annotators:
        data = replace(data, facts={**data.facts, "annotators": {"names": list(who.names), "reference": who.reference}})
    data = task(asked.task).withhold(data, dials)
    settings = asked.card.protocol(asked.protocol)
    kind, protocol = asked.card.kind_of(asked.dials), {**data.facts.get("protocol", {}), **settings}
    facts = {**data.facts, "kind": kind, "protocol": protocol}
    label = asked.card.label(asked.dials)
    return replace(data, name=label, protocol=asked.protocol, fingerprint=asked.fingerprint(), facts=facts)


def _opened(asked: DatasetRequest, force: bool, tell: Tell) -> TaskData[Any]:
    folder = build_once(asked.store_folder(), lambda place: _pack(asked, place, tell), force)
    try:
        data: TaskData[Any] = open_store(folder, (task(asked.task).samples,))
    except OutdatedStoreError:
        if force:
            raise
        return _opened(asked, True, tell)
    return data


def _pack(asked: DatasetRequest, place: Path, tell: Tell) -> None:
    dtype, served = asked.card.layout.dtype, task(asked.task)
    features = features_keys(served)
    with _in_one_sentence(asked):
        data = read(asked)
        checks, kinds = with_progress(finite_features(data), data, dtype, tell), (served.samples,)
        write_store(place, data, lambda key: dtype if key in features else None, checks, kinds)


@contextmanager
def _in_one_sentence(asked: DatasetRequest) -> Iterator[None]:
    """A damaged file that a reader did not foresee, as one sentence (the cause stays attached for developers)."""
    try:
        yield
    except (OSError, EOFError, ValueError, BadZipFile) as error:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            raise DataError(f"no room to pack {asked.card.name} in {asked.cache}; make room or set --out.") from error
        what = " ".join(str(error).split()) or type(error).__name__
        where = asked.folder if asked.card.files else asked.card.reader
        check = f"suite data verify {asked.card.name} names files that differ from the card"
        raise DataError(f"{asked.card.name}: cannot be read from {where} ({what}); {check}.") from error


def read(asked: DatasetRequest) -> TaskData[Any]:
    """What the reader yields, checked but not packed."""
    data = find_reader(asked.card).read(asked.card, asked.folder, asked.read_dials(), asked.task)
    if not isinstance(data, TaskData):
        said = f"reader '{asked.card.reader}' returned {type(data).__name__}"
        raise DataError(f"{asked.card.name}: {said}; return TaskData.")
    check_kinds(data)
    data = with_known_posterior(data, asked.folder, asked.dials)
    data = task(asked.task).settle(data, asked.read_dials())
    check_task_data(data)
    return data
