"""Claims of papers, run against their controls where their premises hold and where they do not."""
