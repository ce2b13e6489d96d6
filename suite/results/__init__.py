"""The ledger: every run, finished or failed, with its metrics, curves and predictions, in Delta tables."""
