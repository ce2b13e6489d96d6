"""BMN on the labelled videos alone."""

from __future__ import annotations

from methods.semi_localization.parts.base import SemiLocalization
from methods.semi_localization.parts.proposal_network import ProposalNetwork


class LabelledBMN(SemiLocalization):
    """Supervised BMN; with ``budget="matched"`` it takes as many steps as the methods that see unlabelled videos."""

    name = "bmn"
    title = "BMN (labelled only)"
    paper = "Lin et al., BMN: Boundary-Matching Network for Temporal Action Proposal Generation, ICCV 2019"
    presets = ProposalNetwork.presets
    detector = ProposalNetwork()
