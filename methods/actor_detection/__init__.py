"""Methods for multi-label actor detection with part of the clips labelled."""
