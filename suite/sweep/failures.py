"""Rows of the ledger for configurations that did not come to their end."""

from __future__ import annotations

from suite.request import Places, run_id
from suite.results.ledger import Ledger
from suite.sweep.problem import Problem
from suite.sweep.proposals import Proposal
from suite.train.execute import Machine
from suite.train.outcomes import run_row


def record_failure(problem: Problem, proposal: Proposal, places: Places, error: str) -> None:
    """Record the first unfinished run of ``proposal`` as failed, as often as makes the ledger call it final."""
    from suite.results.schema import Outcome

    ledger = Ledger(places.ledger)
    finished = ledger.finished()
    for spec in problem.runs(proposal.values):
        if run_id(spec, places) not in finished:
            row = {**run_row(spec, places, Machine(), problem.sweep.name), "seconds": 0.0}
            for _ in range(problem.sweep.retries + 1):
                ledger.record(Outcome(run=row).failed(error))
            return
