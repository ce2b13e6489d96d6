"""Giving a network the tensors of a file: which fit, which are missing, which are left over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from suite.errors import DataError

NAMED = 5  # names in a message
COUNTERS = "num_batches_tracked"  # of batch norms; they weigh nothing

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Release:
    """How the weights released for a network become ours.

    ``ours``: from the released tensors to ours by name; names that it does not know stay as they are.
    ``heads``: beginnings of our names of the layers whose first axis counts the classes of the data.
    """

    ours: Callable[[Mapping[str, Tensor]], Tensors] = dict
    heads: tuple[str, ...] = ()


@dataclass(frozen=True)
class Taken:
    """What became of the tensors of a file: names of those taken, those that the file lacks and those left over;
    ``heads`` are layers for another number of classes, which stay as they were initialized."""

    source: str
    taken: tuple[str, ...]
    missing: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether the network has every tensor from the file, and the file no other."""
        return not (self.missing or self.surplus or self.heads)

    def in_words(self) -> str:
        """All of it in one line."""
        parts = [f"{len(self.taken)} tensors taken from {self.source}"]
        for names, said in (
            (self.heads, "for another number of classes, left at their own initialization"),
            (self.missing, "not in the file, left at their own initialization"),
            (self.surplus, "in the file and not in the network"),
        ):
            if names:
                parts.append(f"{len(names)} {said}: {listed(names)}")
        return "; ".join(parts)


def take(network: nn.Module, released: Mapping[str, Tensor], release: Release, source: str = "the file") -> Taken:
    """Copy the tensors of a release into ``network`` where name and shape agree (axes of length one do not count).

    Raises :class:`DataError` when most of the network is not there, or a tensor has another shape; then nothing is
    copied. Layers whose number of classes differs are left alone.
    """
    own, found = network.state_dict(), release.ours(released)
    wanted = [name for name in own if not name.endswith(COUNTERS)]
    common = [name for name in wanted if name in found]
    heads = [name for name in common if _other_classes(name, found[name], own[name], release)]
    body = [name for name in wanted if not name.startswith(release.heads)]
    # Heads do not count here: for another number of classes a release rightly lacks them.
    if 2 * sum(name in found for name in body) < len(body):
        raise DataError(_unlike(network, released, sum(name in found for name in body), len(body), source))
    wrong = [name for name in common if name not in heads and _bare(found[name]) != _bare(own[name])]
    if wrong:
        raise DataError(_misshaped(wrong, found, own, source))
    taken = {name: found[name].reshape(own[name].shape) for name in own if name in found and name not in heads}
    with torch.no_grad():
        network.load_state_dict(taken, strict=False)
    missing = [name for name in wanted if name not in found]
    surplus = [name for name in found if name not in own and not name.endswith(COUNTERS)]
    counted = [name for name in taken if not name.endswith(COUNTERS)]
    return Taken(source, tuple(counted), tuple(missing), tuple(surplus), tuple(heads))


def listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _bare(tensor: Tensor) -> list[int]:
    """The shape without axes of length one: a 1 x 1 convolution and a linear map hold the same numbers."""
    return [size for size in tensor.shape if size != 1]


def _other_classes(name: str, theirs: Tensor, ours: Tensor, release: Release) -> bool:
    """Whether a layer differs in its number of classes alone."""
    same_inputs = _bare(theirs[:1]) == _bare(ours[:1]) if theirs.dim() and ours.dim() else False
    return name.startswith(release.heads) and same_inputs and len(theirs) != len(ours)


def _unlike(network: nn.Module, released: Mapping[str, Tensor], there: int, wanted: int, source: str) -> str:
    return (
        f"{source} holds {there} of the {wanted} tensors of {type(network).__name__}; it is of another network (it has "
        f"{listed(list(released))})."
    )


def _misshaped(wrong: Sequence[str], found: Tensors, own: Mapping[str, Tensor], source: str) -> str:
    name = wrong[0]
    more = f" ({len(wrong) - 1} more differ)" if len(wrong) > 1 else ""
    return (
        f"{source}: {name} is {tuple(found[name].shape)} there and {tuple(own[name].shape)} in the network{more}; "
        "give the network the sizes of the release, or take weights of its size."
    )
