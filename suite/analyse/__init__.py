"""Analyses of recorded runs: where predictions go wrong, and by how much one method's errors differ from another's."""
