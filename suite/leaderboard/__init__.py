"""Carrying out a plan of runs: in this process, or in parallel on a Ray cluster, with nothing lost at any death."""
