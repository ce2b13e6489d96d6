"""Checkpoints, curves and progress reports: modules that carry numbers and make none.

No name of a run depends on their source.
"""
