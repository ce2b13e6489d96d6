"""Initial weights: reading files of tensors, and giving a network the weights that others released for it."""

from suite.weights.initial import InitialWeights
from suite.weights.taking import Release, Taken, take

__all__ = ["InitialWeights", "Release", "Taken", "take"]
