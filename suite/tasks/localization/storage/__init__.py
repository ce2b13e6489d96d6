"""Predictions to and from rows of the ledger: modules that carry numbers and make none."""
