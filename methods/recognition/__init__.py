"""Single-positive multi-label recognition: one annotated class per clip, a set of classes to predict."""
