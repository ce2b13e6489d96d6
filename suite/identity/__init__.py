"""What names a run: the code that computes it, the data it sees and what was asked of it.

Where a module lives says whether it makes numbers (:mod:`suite.identity.numbers`); the names of runs depend on the
source of those that a run uses, and on no other.
"""
