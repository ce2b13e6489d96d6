"""Expected times of runs."""

from __future__ import annotations

from suite.data import find_card
from suite.results.brief import in_brief
from suite.results.ledger import Ledger
from suite.runs import resolve_run
from suite.work.timings import Timings
from tests.results.ledgers import outcome


def test_expected_time_is_that_of_the_nearest_runs(tmp_path):
    ledger = Ledger(tmp_path / "ledger")
    for seed, seconds in enumerate((2.0, 4.0, 9.0)):
        ledger.record(outcome("mask-bce", seed, seconds=seconds))
    ledger.record(outcome("ce", 0, seconds=100.0, epochs=5))
    timings = Timings.of(in_brief(ledger.runs()))
    same, other, focal = (resolve_run(method, "planted-verbs") for method in ("mask-bce", "ce", "focal"))
    assert timings.expected(same) == 4.0 and timings.expected(other) == 100.0
    assert timings.expected(focal) == 6.5  # the dataset's median
    assert timings.known(focal) and not Timings({(): 3.0}).known(focal)
    assert timings.total([same, other]) == 104.0 and Timings({}).total([same]) is None


def test_runs_on_another_dataset_count_by_its_training_samples():
    spec = resolve_run("action-selection", "activitynet-12")
    there, here = (find_card(name).size.train for name in ("thumos-14", "activitynet-12"))
    labels = ("thumos-14[validation=test]", "nobody-knows-it")
    seen = {("method", "dataset", "action-selection", label): 10.0 for label in labels}
    assert Timings({**seen, ("method", "action-selection"): 10.0}).expected(spec) == 10.0 * here / there > 200.0
    assert Timings({("method", "action-selection"): 10.0}).expected(spec) == 10.0
