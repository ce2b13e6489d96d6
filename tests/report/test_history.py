"""A board over commits: rows whose request older code answered, too, show how their numbers moved."""

from __future__ import annotations

import pytest

from suite.report.build import gather, write
from suite.report.history import history
from tests.analyse.test_method_page import versions
from tests.report import synthetic


@pytest.fixture(scope="module")
def past(tmp_path_factory):
    """The synthetic ledger, with three versions of the one row of its second table before it."""
    folder = tmp_path_factory.mktemp("history")
    asked, ledger = synthetic.fill(folder / "ledger")
    versions(folder, epochs=7)
    return asked, ledger


def test_rows_with_a_past_show_every_version_and_what_moved(past):
    asked, ledger = past
    found = history(asked, ledger.runs(), ledger)
    assert list(found) == [(1, "planted-verbs[snr=3]")]
    (row,) = found[1, "planted-verbs[snr=3]"]
    assert row.label == "Mask BCE"
    # The board asks for one seed: others of old versions are not compared with it. A version that failed has no number.
    numbers = [dict(version.values) for version in row.versions]
    assert numbers == [{0: 0.5}, {0: 0.5}, {0: 0.52}, {}]
    assert [None if one.change is None else round(one.change.mean, 6) for one in row.versions] == [None, 0, 0.02, None]


def test_the_page_says_so(past, tmp_path):
    asked, ledger = past
    text = write(gather(synthetic.BOARD, asked, ledger), tmp_path / "reports" / "board").read_text(encoding="utf-8")
    assert "Over commits" in text and "+2.0" in text and "1 failed" in text


def test_without_a_past_nothing_is_said(tmp_path):
    asked, ledger = synthetic.fill(tmp_path / "ledger")
    assert history(asked, ledger.runs(), ledger) == {}
    # Runs with other settings are other requests.
    versions(tmp_path, params="{}")
    assert history(asked, ledger.runs(), ledger) == {}
