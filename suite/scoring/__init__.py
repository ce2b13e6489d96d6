"""Scoring what others predicted: their files read, joined with a dataset's truth and evaluated."""
