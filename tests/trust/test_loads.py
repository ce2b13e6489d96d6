"""Loads are held, in bounded memory."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.trust.loads import LOADS, in_own_process

MEMORY = {"runs": 3.0, "cells": 2.0, "trials": 2.0, "appends": 1.0, "video": 8.0, "predictions": 3.0}  # GiB


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", LOADS)
def test_a_load(name: str) -> None:
    found = in_own_process(name)
    if folder := os.environ.get("SURVIVAL_RECORDS"):
        with Path(folder, "loads.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(found) + "\n")
    assert found["gib"] < MEMORY[name]
