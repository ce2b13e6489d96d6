"""Weights released for ActionFormer (actionformer_release): our names are theirs.

Norms are (1, C, 1) and maps of single cells (C, C, 1) there, which hold the same numbers as our (C,) and (C, C).
"""

from __future__ import annotations

from suite.weights import Release

RELEASE = Release(heads=("cls_head.cls_head.",))
