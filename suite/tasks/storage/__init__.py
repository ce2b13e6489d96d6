"""Predictions to and from rows of the ledger: what several tasks share."""
