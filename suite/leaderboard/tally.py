"""How far a board is, and how long the rest will take."""

from __future__ import annotations

import time

from suite.leaderboard.perform import in_words
from suite.leaderboard.plan import Plan
from suite.leaderboard.source import BoardSnapshot
from suite.work.progress import Pace, Running, Standing


class Tally:
    """Counts the runs of ``plan`` that end; each weighs what the ledger expects it to take."""

    def __init__(self, plan: Plan) -> None:
        self.title = f"leaderboard {plan.board.name}"
        self.weights = {asked.run: plan.timings.expected(asked.spec) or 1.0 for asked in plan.todo}
        self.lengths = {in_words(asked): self.weights[asked.run] for asked in plan.todo}
        self.pace = Pace(sum(self.weights.values()))
        self.begun = time.monotonic()
        self.done = self.failed = 0

    def standing(self, snapshot: BoardSnapshot) -> Standing:
        """Where the board stands after ``snapshot``."""
        for end in snapshot.ended:
            if end.status != "stopped":
                self.done += 1
                self.pace.done += self.weights.get(end.asked.run, 0.0)
            self.failed += end.status == "failed"
        seconds = time.monotonic() - self.begun
        left = self.pace.left(sum(map(self._spent, snapshot.running)), seconds)
        count = len(self.weights)
        return Standing(self.title, self.done, count, self.failed, tuple(snapshot.running), "", seconds, left)

    def _spent(self, one: Running) -> float:
        return one.share * self.lengths.get(one.what.partition(" and ")[0], 1.0)
