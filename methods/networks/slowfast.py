"""SlowFast (Feichtenhofer et al., ICCV 2019), the detection variant: R50 8x8 by default, any width and depth."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

R50 = (3, 4, 6, 3)
SLOW_KERNELS = (1, 1, 3, 3)  # temporal kernel of convolution a in res2 ... res5; the fast pathway has 3 everywhere


def slow_indices(frames: int, alpha: int) -> Tensor:
    """Frames of the fast pathway that the slow one takes: evenly from the first to the LAST, not every alpha-th."""
    return torch.linspace(0, frames - 1, frames // alpha).long()


class ClipConvolution(nn.Conv3d):
    """A convolution over time; over no more frames than its kernel takes, on a CPU, one window of frames at a time.

    There oneDNN's gradients of the weights hold uninitialized memory (torch 2.13: in bfloat16 with 2 to kernel - 1
    frames, in float32 as well with kernel 7, stride 2 and 5 to 7 frames, where it also writes beyond its own memory).
    """

    def forward(self, clip: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, C', T', H', W')."""
        (kernel, *_), (step, *steps), (beyond, *sides) = self.kernel_size, self.stride, map(int, self.padding)
        if clip.device.type != "cpu" or not 1 < clip.shape[2] <= kernel:
            return super().forward(clip)
        windows = F.pad(clip, (0, 0, 0, 0, beyond, beyond)).unfold(2, kernel, step).permute(0, 2, 1, 5, 3, 4)
        # The frames of a window as channels of one picture: (B * T', C * kernel, H, W).
        out = F.conv2d(windows.flatten(0, 1).flatten(1, 2), self.weight.flatten(1, 2), self.bias, steps, sides)
        return out.unflatten(0, windows.shape[:2]).transpose(1, 2).contiguous()


class Stem(nn.Module):
    """Convolution (kt x 7 x 7, spatial stride 2), BN, ReLU, spatial max-pool of stride 2."""

    def __init__(self, channels: int, temporal_kernel: int) -> None:
        super().__init__()
        padding = (temporal_kernel // 2, 3, 3)
        self.conv = ClipConvolution(3, channels, (temporal_kernel, 7, 7), (1, 2, 2), padding, bias=False)
        self.bn = nn.BatchNorm3d(channels)

    def forward(self, clip: Tensor) -> Tensor:
        return F.max_pool3d(F.relu(self.bn(self.conv(clip))), (1, 3, 3), (1, 2, 2), (0, 1, 1))


class Bottleneck(nn.Module):
    """The three convolutions of a residual block: a (kt x 1 x 1), b (1 x 3 x 3, strided or dilated), c (1 x 1 x 1)."""

    def __init__(self, before: int, inner: int, after: int, temporal_kernel: int, stride: int, dilation: int) -> None:
        super().__init__()
        self.a = ClipConvolution(
            before, inner, (temporal_kernel, 1, 1), padding=(temporal_kernel // 2, 0, 0), bias=False
        )
        self.a_bn = nn.BatchNorm3d(inner)
        self.b = nn.Conv3d(
            inner, inner, (1, 3, 3), (1, stride, stride), (0, dilation, dilation), (1, dilation, dilation), bias=False
        )
        self.b_bn = nn.BatchNorm3d(inner)
        self.c = nn.Conv3d(inner, after, 1, bias=False)
        self.c_bn = nn.BatchNorm3d(after)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.a_bn(self.a(x)))
        x = F.relu(self.b_bn(self.b(x)))
        return self.c_bn(self.c(x))


class ResidualBlock(nn.Module):
    """Bottleneck plus shortcut; the shortcut is a strided 1 x 1 x 1 convolution where the shape changes."""

    def __init__(self, before: int, inner: int, after: int, temporal_kernel: int, stride: int, dilation: int) -> None:
        super().__init__()
        if before != after or stride != 1:
            self.branch1 = nn.Conv3d(before, after, 1, (1, stride, stride), bias=False)
            self.branch1_bn = nn.BatchNorm3d(after)
        self.branch2 = Bottleneck(before, inner, after, temporal_kernel, stride, dilation)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.branch1_bn(self.branch1(x)) if hasattr(self, "branch1") else x
        return F.relu(shortcut + self.branch2(x))


class Stems(nn.Module):
    """Both stems; slow kernel 1, fast kernel 5 in time."""

    def __init__(self, slow: int, fast: int) -> None:
        super().__init__()
        self.pathway0_stem = Stem(slow, 1)
        self.pathway1_stem = Stem(fast, 5)

    def forward(self, slow: Tensor, fast: Tensor) -> tuple[Tensor, Tensor]:
        return self.pathway0_stem(slow), self.pathway1_stem(fast)


class Stage(nn.Module):
    """The residual blocks of one resolution on both pathways (res2 ... res5)."""

    def __init__(
        self, before: tuple[int, int], after: tuple[int, int], blocks: int, slow_kernel: int, stride: int, dilation: int
    ) -> None:
        super().__init__()
        self.blocks = blocks
        for pathway, kernel in enumerate((slow_kernel, 3)):
            channels = before[pathway]
            for index in range(blocks):
                block = ResidualBlock(
                    channels, after[pathway] // 4, after[pathway], kernel, stride if index == 0 else 1, dilation
                )
                self.add_module(f"pathway{pathway}_res{index}", block)
                channels = after[pathway]

    def forward(self, slow: Tensor, fast: Tensor) -> tuple[Tensor, Tensor]:
        for index in range(self.blocks):
            slow = self.get_submodule(f"pathway0_res{index}")(slow)
            fast = self.get_submodule(f"pathway1_res{index}")(fast)
        return slow, fast


class Lateral(nn.Module):
    """Fast to slow: a time-strided convolution (C to 2C), BN, ReLU, concatenated to the slow pathway."""

    def __init__(self, fast: int, alpha: int, kernel: int) -> None:
        super().__init__()
        self.conv_f2s = ClipConvolution(fast, 2 * fast, (kernel, 1, 1), (alpha, 1, 1), (kernel // 2, 0, 0), bias=False)
        self.bn = nn.BatchNorm3d(2 * fast)

    def forward(self, slow: Tensor, fast: Tensor) -> tuple[Tensor, Tensor]:
        return torch.cat([slow, F.relu(self.bn(self.conv_f2s(fast)))], dim=1), fast


class SlowFast(nn.Module):
    """Backbone from a clip to the last maps of the slow and the fast pathway, ``stride`` pixels per cell (R50: 16).

    Parameter names are those of the published checkpoints (``s1`` ... ``s5``, ``pathway0`` slow, ``pathway1`` fast),
    so that Kinetics weights load by name. res5 keeps its resolution and dilates instead (detection variant).

    Args:
        width: channels of the slow stem (64 in R50); everything scales with it.
        blocks: residual blocks of res2 ... res5.
        alpha: frame ratio fast : slow. beta_inverse: channel ratio slow : fast.
        fusion_kernel: temporal kernel of the lateral connections (7 in the published 8x8 models, 5 is the other form).
        frozen_bn: batch norms stay in evaluation mode, as in the published detection fine-tuning.
    """

    def __init__(
        self,
        width: int = 64,
        blocks: Sequence[int] = R50,
        alpha: int = 4,
        beta_inverse: int = 8,
        fusion_kernel: int = 7,
        frozen_bn: bool = False,
    ) -> None:
        super().__init__()
        self.alpha, self.frozen_bn, self.stages = alpha, frozen_bn, len(blocks)
        slow, fast = width, max(width // beta_inverse, 1)
        self.s1 = Stems(slow, fast)
        self.s1_fuse = Lateral(fast, alpha, fusion_kernel)
        before, self.stride = (slow + 2 * fast, fast), 4  # the stems'
        for index, count in enumerate(blocks):
            after = (width * 4 * 2**index, max(width // beta_inverse, 1) * 4 * 2**index)
            last = index == len(blocks) - 1
            stride = 1 if index == 0 or last else 2
            self.stride *= stride
            stage = Stage(before, after, count, SLOW_KERNELS[index], stride, 2 if last else 1)
            self.add_module(f"s{index + 2}", stage)
            if not last:
                self.add_module(f"s{index + 2}_fuse", Lateral(after[1], alpha, fusion_kernel))
                before = (after[0] + 2 * after[1], after[1])
        self.channels = after
        self._initialize()

    def forward(self, clip: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised RGB (B, 3, T, H, W), T fast frames; gives (B, C, T/alpha, h, w) and (B, C', T, h, w)."""
        chosen = slow_indices(clip.shape[2], self.alpha).to(clip.device, non_blocking=True)
        slow, fast = self.s1(clip[:, :, chosen], clip)
        slow, fast = self.s1_fuse(slow, fast)
        for index in range(self.stages):
            slow, fast = self.get_submodule(f"s{index + 2}")(slow, fast)
            if index < self.stages - 1:
                slow, fast = self.get_submodule(f"s{index + 2}_fuse")(slow, fast)
        return slow, fast

    def train(self, mode: bool = True) -> SlowFast:
        """Training mode for everything but the batch norms where ``frozen_bn`` is set."""
        super().train(mode)
        if self.frozen_bn:
            for module in self.modules():
                if isinstance(module, nn.BatchNorm3d):
                    module.eval()
        return self

    def _initialize(self) -> None:
        """He initialisation by fan-out; the last BN of each block starts at 0 so that blocks start as identities."""
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        for module in self.modules():
            if isinstance(module, Bottleneck):
                nn.init.zeros_(module.c_bn.weight)
