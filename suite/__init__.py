"""Weak Action Suite: train, sweep, score and compare methods that learn from weak, noisy or incomplete video labels."""

from __future__ import annotations

__version__ = "0.1.0"
