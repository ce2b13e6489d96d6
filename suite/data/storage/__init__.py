"""Files, packed arrays, locks and cards: modules that move bytes and make no numbers.

No name of a run depends on their source.
"""
