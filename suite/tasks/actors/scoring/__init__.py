"""Scoring predictions that exist: from files and for searches. No name of a run depends on it."""
