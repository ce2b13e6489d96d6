"""Scoring many predictions of the same samples by what they share. No name of a run depends on it."""
