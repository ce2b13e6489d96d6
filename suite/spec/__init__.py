"""What can be asked for, as validated values: runs, sweeps, leaderboards, dataset cards."""
