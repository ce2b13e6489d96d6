"""Every method's kept weights predict what its run recorded, from the folder alone."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
import torch

from suite.models.folder import kept_models
from suite.models.model import load_model
from suite.places import Places
from suite.registry import methods
from suite.results.ledger import Ledger
from tests.models.worlds import WORLDS, small_of, trained

KNOWN = [name for name, one in methods().items() if one.task in WORLDS]


@pytest.mark.slow
@pytest.mark.parametrize("name", KNOWN)
def test_kept_weights_predict_what_was_recorded(name: str, tmp_path: Path):
    torch.set_num_threads(1)
    places = Places(str(tmp_path))
    run = trained(small_of(name), places).id
    if run not in kept_models(places):
        return  # nothing is trained: an oracle without weights
    for selection in kept_models(places)[run].config["selections"]:
        found = pl.from_arrow(load_model(run, places, selection).predict_dataset(places=places).rows())
        held = Ledger(places.ledger).predictions(run, "test", selection).select(found.columns)
        assert found.equals(held.cast(found.schema)), selection
