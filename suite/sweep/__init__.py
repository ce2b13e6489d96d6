"""Sweeps: a space of configurations, searched by Optuna, run by Ray Tune, remembered by the ledger alone."""
