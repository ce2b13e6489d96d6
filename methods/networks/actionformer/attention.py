"""Attention inside a band ``|i - j| <= reach``, computed block by block of queries in one fused call."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def global_attention(query: Tensor, key: Tensor, value: Tensor, valid: Tensor) -> Tensor:
    """Every query attends to every valid key: (B, T, H, d) and ``valid`` (B, T) -> (B, T, H, d).

    A sequence without a valid cell attends to itself, so that nothing becomes NaN; its outputs are masked later.
    """
    allowed = valid | ~valid.any(1, keepdim=True)
    q, k, v = (x.transpose(1, 2) for x in (query, key, value))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=allowed[:, None, None]).transpose(1, 2)


def banded_attention(query: Tensor, key: Tensor, value: Tensor, valid: Tensor, reach: int) -> Tensor:
    """Each query attends to the valid keys at most ``reach`` cells away: (B, T, H, d) -> (B, T, H, d).

    Queries are cut into blocks; a block sees its own keys and ``reach`` more on each side. The numbers are those of
    dense attention under a band mask, at a cost linear in T. Invalid queries attend to themselves (masked later).
    """
    batch, length, heads, width = query.shape
    # At least twice the reach, so that a block needs cells of its direct neighbours alone; at least 32, so that a
    # narrow band is not cut into very many small products.
    block = min(length, max(32, 2 * reach))
    extra = -length % block
    blocks = (length + extra) // block
    q = _pad_time(query, 0, extra).reshape(batch * blocks, block, heads, width).transpose(1, 2)
    k, v = (_with_halo(x, block, reach, extra).transpose(1, 2) for x in (key, value))
    allowed = _block_mask(valid, block, reach, extra)
    mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
    return mixed.transpose(1, 2).reshape(batch, blocks * block, heads, width)[:, :length]


def _pad_time(sequence: Tensor, before: int, after: int) -> Tensor:
    """Append zero cells to dimension 1 of (B, T, ...)."""
    if before == 0 and after == 0:
        return sequence
    return F.pad(sequence, (0, 0) * (sequence.dim() - 2) + (before, after))


def _with_halo(sequence: Tensor, block: int, reach: int, extra: int) -> Tensor:
    """(B, T, H, d) -> (B * blocks, block + 2 * reach, H, d): each block with its neighbours' nearest cells.

    Needs ``2 * reach <= block`` or a single block, which ``banded_attention`` provides.
    """
    padded = _pad_time(sequence, 0, extra)
    own = padded.unflatten(1, (-1, block))
    if own.shape[1] == 1:
        return _pad_time(padded, reach, reach)
    left = F.pad(own[:, :-1, block - reach :], (0, 0) * 3 + (1, 0))
    right = F.pad(own[:, 1:, :reach], (0, 0) * 3 + (0, 1))
    return torch.cat([left, own, right], dim=2).flatten(0, 1)


def _block_mask(valid: Tensor, block: int, reach: int, extra: int) -> Tensor:
    """(B, T) -> (B * blocks, 1, block, block + 2 * reach): inside the band and a valid key, or the query itself."""
    keys = F.pad(valid, (reach, extra + reach)).unfold(1, block + 2 * reach, block).flatten(0, 1)
    query = torch.arange(block, device=valid.device)[:, None]
    offset = torch.arange(block + 2 * reach, device=valid.device)[None, :] - reach - query
    # A query always sees itself: a softmax over no key at all would be NaN.
    return (((offset.abs() <= reach) & keys[:, None]) | (offset == 0))[:, None]
