"""Planted worlds: generated data whose truth and ceilings are known."""
