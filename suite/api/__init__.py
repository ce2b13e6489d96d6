"""The library: what ``import suite`` offers. The command line asks for the same runs, records and errors."""

from __future__ import annotations

from suite.api.boards import leaderboard
from suite.api.looking import evaluate, load, results
from suite.api.searching import sweep
from suite.api.training import train

__all__ = ["evaluate", "leaderboard", "load", "results", "sweep", "train"]
