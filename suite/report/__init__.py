"""From the ledger to a page: aggregated numbers, tables, figures. Knows nothing of running."""
