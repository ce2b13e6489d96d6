"""Single-positive multi-label recognition: one annotated class a clip, a set of classes to predict."""
