"""Scoring predictions that exist, from files: what several tasks share. No name of a run depends on it."""
