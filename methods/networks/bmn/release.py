"""Weights released for BMN by the names of :class:`~methods.networks.bmn.model.BMN`: JJBOY's code and OpenTAD."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from suite.weights import Release

# Beginnings of released names, and of ours. JJBOY's code (ActivityNet):
COMMUNITY = {
    "x_1d_b.": "base.",
    "x_1d_s.": "starts.",
    "x_1d_e.": "ends.",
    "x_1d_p.": "proposal.",
    "x_3d_p.0.": "sampled.",
    "x_2d_p.0.": "reduce.",
    "x_2d_p.2.": "near.",
    "x_2d_p.4.": "far.",
    "x_2d_p.6.": "confidence.",
}
OPENTAD = {
    "projection.convs.0.conv.": "base.0.",
    "projection.convs.1.conv.": "base.2.",
    "rpn_head.tem.0.0.conv.": "starts.0.",
    "rpn_head.tem.0.1.conv.": "starts.2.",
    "rpn_head.tem.1.0.conv.": "ends.0.",
    "rpn_head.tem.1.1.conv.": "ends.2.",
    "roi_head.proposal_roi_extractor.reduce_dim.": "proposal.",
    "roi_head.proposal_roi_extractor.conv3d.0.": "sampled.",
    "roi_head.proposal_roi_extractor.conv2d.0.": "reduce.",
    "roi_head.proposal_head.head.0.0.": "near.",
    "roi_head.proposal_head.head.1.0.": "far.",
}
OPENTAD_CONFIDENCE = "roi_head.proposal_head.head.2."  # classification first; the paper's code has regression first
COMPUTED = ("sample_mask", "roi_head.proposal_roi_extractor.sample_mask")  # the interpolation table


def our_names(released: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Released tensors by our names."""
    return dict(_ours(name, tensor) for name, tensor in released.items() if name not in COMPUTED)


RELEASE = Release(our_names)


def _ours(name: str, tensor: Tensor) -> tuple[str, Tensor]:
    if name.startswith(OPENTAD_CONFIDENCE):
        return f"confidence.{name.removeprefix(OPENTAD_CONFIDENCE)}", tensor.flip(0)
    for theirs, ours in (COMMUNITY | OPENTAD).items():
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs), tensor
    return name, tensor
