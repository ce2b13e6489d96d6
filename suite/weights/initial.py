"""The parameter ``weights`` of methods whose network may start from a file."""

from __future__ import annotations

import logging
from typing import TypeVar

from torch import nn

from suite.hyper import hyper
from suite.spec.pinned import PinnedFile
from suite.weights.reading import read_tensors
from suite.weights.taking import Release, take

logger = logging.getLogger(__name__)

NetworkT = TypeVar("NetworkT", bound=nn.Module)


class InitialWeights:
    """A method that declares this among its bases has the parameter ``weights``.

    Its ``network`` passes what it builds through :meth:`initialized`. Another source of weights (a run whose network
    was kept) need only be resolved to a file before a run is named: :func:`suite.runs.resolve_run` does so.
    """

    weights: str = hyper(
        "",
        file=True,
        help="file of initial weights (.pth, .pyth, Caffe2 .pkl, .safetensors), or its name on the dataset's card",
    )

    def initialized(self, network: NetworkT, release: Release) -> NetworkT:
        """``network`` with the weights of the file, in place; as it is where the run names no file.

        Raises :class:`DataError` for a file that is gone, damaged, or of another network.
        """
        if self.weights:
            file = PinnedFile.parse(self.weights)
            taken = take(network, read_tensors(file.require()), release, file.label)
            # Partly fitting weights are allowed (another head is the rule), but must not go unnoticed.
            logger.log(logging.INFO if taken.whole else logging.WARNING, "%s", taken.in_words())
        return network
