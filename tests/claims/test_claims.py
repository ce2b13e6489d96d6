"""``suite claims`` end to end on methods that need seconds, and the shipped claims."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from suite.claims.plan import board_of, find_claims
from suite.data import find_card
from suite.errors import UsageError
from suite.leaderboard.plan import make_plan
from suite.places import Places
from suite.results.ledger import Ledger
from suite.spec.claim import load_claim
from tests.cli.conftest import typed  # noqa: F401

CLAIM = """
name = "ceiling"
paper = "A <paper>"
place = "Table 1"
sentence = "Who knows the truth beats who guesses"
method = { method = "planted-posterior" }
control = { method = "assume-negative", label = "AN", params = { hidden = 8 } }
metric = "top-set"
dial = "snr"
points = [
  { at = 0.5, dataset = "planted-verbs[train=80,validation=60,test=80,verbs=8,snr=0.5]", expect = "none" },
  { at = 8, dataset = "planted-verbs[train=80,validation=60,test=80,verbs=8,snr=8]", expect = "gain" },
]
seeds = 2
epochs = 1
trials = [{ lr = 1e-6 }, { lr = 0.01 }]
"""
MORE = """
reference = { method = "full-label", label = "all labels", params = { hidden = 8 } }
measures = ["pseudo-label precision"]
"""


@pytest.fixture
def claim(tmp_path: Path) -> Path:
    (tmp_path / "ceiling.toml").write_text(CLAIM)
    return tmp_path / "ceiling.toml"


def test_a_claim_is_run_judged_and_shown(typed, claim: Path, tmp_path: Path) -> None:  # noqa: F811
    words = ("claims", claim, "--jobs", "1", "--out", tmp_path / "out", "--json")
    (found,) = json.loads(typed(*words)[0])["claims"]
    assert [point["at"] for point in found["points"]] == [0.5, 8]
    assert all(len(point["method"]) == len(point["control"]) == 2 for point in found["points"])
    assert found["points"][1]["gain"]["mean"] > 0.1 and found["points"][1]["gain"]["count"] == 2
    assert found["kind"] in ("reproduced", "undecided")
    folder = tmp_path / "out" / "reports" / "claims"
    page, text = (folder / "index.html").read_text(), (folder / "claims.md").read_text()
    assert "A &lt;paper&gt;" in page and "Who knows the truth" in page and found["kind"] in text
    runs = Ledger(Places(str(tmp_path / "out")).ledger).runs()
    again = json.loads(typed(*words)[0])
    assert again["claims"][0] == found
    assert len(Ledger(Places(str(tmp_path / "out")).ledger).runs(all_attempts=True)) == len(runs)


def test_each_arm_chooses_its_trial_by_its_own_validation(typed, claim: Path, tmp_path: Path) -> None:  # noqa: F811
    words = ("claims", claim, "--jobs", "1", "--out", tmp_path / "out", "--json")
    (found,) = json.loads(typed(*words)[0])["claims"]
    ledger = Ledger(Places(str(tmp_path / "out")).ledger)
    runs = ledger.runs().filter(method="assume-negative")
    metrics = ledger.metrics().filter(metric="recall at label count", split="validation", selection="validation")
    known = runs.join(metrics, on="run")
    means = {}
    for dataset, params, value in known.select("dataset", "params", "value").iter_rows():
        means.setdefault(("snr=8" in dataset, json.loads(params)["lr"]), []).append(value)
    for place, strong in enumerate((False, True)):
        slow, fast = (sum(means[strong, lr]) for lr in (1e-6, 0.01))
        assert found["points"][place]["chosen_trial"]["control"] == int(fast > slow)


def test_a_reference_and_measures_are_shown_and_never_judged(typed, claim: Path, tmp_path: Path) -> None:  # noqa: F811
    text = CLAIM.replace("planted-posterior", "mask-bce").replace(
        'snr=8]", expect', 'snr=8]", params = { hidden = 4 }, expect'
    )
    claim.write_text(text + MORE)
    words = ("claims", claim, "--jobs", "1", "--out", tmp_path / "out", "--json")
    (found,) = json.loads(typed(*words)[0])["claims"]
    assert all(len(point["reference"]) == 2 for point in found["points"])
    low, high = (sum(point["measures"]["pseudo-label precision"]) for point in found["points"])
    assert low < high
    written = (tmp_path / "out" / "reports" / "claims" / "claims.md").read_text()
    assert "| all labels | gain" in written and "| pseudo-label precision | notes |" in written
    runs = Ledger(Places(str(tmp_path / "out")).ledger).runs()
    widths = {("snr=8" in d, json.loads(p).get("hidden")) for d, p in runs.select("dataset", "params").iter_rows()}
    assert (True, 4) in widths and (False, 4) not in widths  # the point's own settings, which arms may still override


def test_every_shipped_claim_resolves(tmp_path: Path) -> None:
    claims = find_claims([])
    assert {"asl-actionness", "mask-bce", "npl", "actors-learnable"} <= {claim.name for claim in claims}
    board, tables = board_of(claims)
    places = Places(str(tmp_path))
    plan = make_plan(board, places, Ledger(places.ledger))
    assert len(tables) == len(board.tables)
    # Files of real data need not be here; what is generated whole always is.
    assert all(find_card(one.spec.dataset).files for one in plan.blocked)
    assert len(find_claims([], quick=True)) < len(claims)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "ceiling"', 'name = "other"', "rename the file to other.toml"),
        ('expect = "gain"', 'expect = "none"', "at least one must expect a gain"),
        ("seeds = 2", "seeds = 1", "seeds: input should be greater than or equal to 2"),
        ('metric = "top-set"', 'metric = "top-set"\nmetrik = 1', "metrik: extra inputs are not permitted"),
    ],
)
def test_a_wrong_claim_is_one_sentence(claim: Path, old: str, new: str, said: str) -> None:
    claim.write_text(CLAIM.replace(old, new))
    with pytest.raises(UsageError, match=said):
        load_claim(claim)


def test_an_unknown_claim_suggests_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"no claim 'mask'.*mask-bce"):
        find_claims(["mask"])
