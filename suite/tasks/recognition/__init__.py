"""Recognition: clips with one annotated class each, for which sets of classes are predicted."""
