"""What the suite expects of methods and of datasets, tried one by one and reported in plain words."""

from __future__ import annotations

from suite.conformance.finding import Finding
from suite.conformance.methods import Trial, examine, planned

__all__ = ["Finding", "Trial", "examine", "planned"]
