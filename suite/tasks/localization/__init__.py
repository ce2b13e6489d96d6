"""Temporal localization, weakly or semi-supervised: untrimmed videos in which scored segments are predicted."""
