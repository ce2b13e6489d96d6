"""Carrying out runs: in this process, with Ray Train's workers, on a cluster."""
