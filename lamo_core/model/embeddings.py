"""Embeddings of returns, states and actions, and the action head (paper §4.2, Appendix B).

Shape suffixes: B batch, K steps, T frames, N any number of rows, D width, H height, W breadth, P pixels, C stacked
frames.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

FRAME_STACK = 4
FRAME_SIDE = 84


class PixelStatistics(NamedTuple):
    """The data's mean frame (84, 84) and the spread of pixels around it."""

    mean_HW: Tensor
    scale: float


class ResidualMlp(nn.Module):
    """Add a non-linear branch to an embedding: `u + W1 gelu(u)`.

    The paper writes `W1 gelu(W0 x)`; its code keeps `W0 x` beside it, and so do we. `u` is `W0 x`, (…, D).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(width, width)

    def forward(self, u_ND: Tensor) -> Tensor:
        return u_ND + self.project(nn.functional.gelu(u_ND))  # type: ignore[no-any-return]


class VectorEmbedding(nn.Module):
    """Embed real vectors, (…, features) to (…, D)."""

    def __init__(self, features: int, width: int, *, mlp: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(features, width)
        self.residual = ResidualMlp(width) if mlp else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.residual(self.linear(x))  # type: ignore[no-any-return]


class ActionTable(nn.Module):
    """Embed discrete actions, (…) int64 to (…, D)."""

    def __init__(self, actions: int, width: int, *, mlp: bool) -> None:
        super().__init__()
        self.table = nn.Embedding(actions, width)
        self.residual = ResidualMlp(width) if mlp else nn.Identity()

    def forward(self, actions: Tensor) -> Tensor:
        return self.residual(self.table(actions))  # type: ignore[no-any-return]


class FrameEmbedding(nn.Module):
    """Embed stacks of four 84x84 frames with the DQN network (32-64-64), (N, 4, 84, 84) uint8 to (N, D).

    Pixels are centred by `mean` (84, 84) and divided by `scale`, which start as the usual 0 and 255. With `two` there
    are two linear layers in a row behind the convolutions, as in LaMo's Atari code, whose network ends in one and whose
    residual block begins with another.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int, *, mlp: bool, two: bool = False) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(FRAME_SIDE, FRAME_SIDE))
        self.register_buffer("scale", torch.tensor(255.0))
        self.convolutions = nn.Sequential(
            nn.Conv2d(FRAME_STACK, 32, 8, stride=4),
            nn.ReLU(),
            nn.Conv2d(32, 64, 4, stride=2),
            nn.ReLU(),
            nn.Conv2d(64, 64, 3, stride=1),
            nn.ReLU(),
        ).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.linear = nn.Linear(64 * 7 * 7, width)
        self.second = nn.Linear(width, width) if two else nn.Identity()
        self.residual = ResidualMlp(width) if mlp else nn.Identity()

    def centre(self, mean_HW: Tensor, scale: float) -> None:
        """Centre pixels on the data's mean frame and start anew with orthogonal weights and no biases.

        A game's picture hardly changes from step to step: with plain scaling and PyTorch's usual start, 0.3 % of the
        embedding's power tells states apart, so that what follows learns slowly; with both changes it is half.
        """
        self.mean.copy_(mean_HW)
        self.scale.fill_(scale)
        for layer in self.convolutions:
            if isinstance(layer, nn.Conv2d):
                _start_orthogonal(layer, 2**0.5)
        _start_orthogonal(self.linear, 1.0)
        if isinstance(self.second, nn.Linear):
            _start_orthogonal(self.second, 1.0)

    def forward(self, frames_NCHW: Tensor, shifts_N2: Tensor | None = None) -> Tensor:
        """Embed stacks; `shifts_N2` are the pixels by which they were moved, as `WindowBatch.shifts` has them."""
        centred_NCHW = self._centred(frames_NCHW, shifts_N2)
        # channels-last convolutions take 0.7 of the time on CPUs and use tensor cores on GPUs
        return self._embedded(centred_NCHW.contiguous(memory_format=torch.channels_last))

    def windows(self, frames_BTHW: Tensor, shifts_B2: Tensor | None = None) -> Tensor:
        """Embed every stack of four in runs of K + 3 frames, oldest first: uint8 (B, K+3, 84, 84) to (B, K, D).

        The same as `forward` of each stack, but a frame, which is in four of them, is centred once.
        """
        stacks_BKPC = stack_pixels(self._centred(frames_BTHW, shifts_B2).flatten(2))
        B, K = stacks_BKPC.shape[:2]
        # pixel by pixel is how channels-last memory holds them, so this is a view
        stacks_NHWC = stacks_BKPC.view(B * K, FRAME_SIDE, FRAME_SIDE, FRAME_STACK)
        return self._embedded(stacks_NHWC.permute(0, 3, 1, 2)).view(B, K, -1)

    def _centred(self, frames_NTHW: Tensor, shifts_N2: Tensor | None) -> Tensor:
        mean = self.mean if shifts_N2 is None else self._moved_mean(shifts_N2)
        return frames_NTHW.to(self.mean.dtype).sub_(mean).div_(self.scale)

    def _embedded(self, x_NCHW: Tensor) -> Tensor:
        u_ND = self.second(self.linear(self.convolutions(x_NCHW).flatten(1)))
        return self.residual(u_ND)  # type: ignore[no-any-return]

    def _moved_mean(self, shifts_N2: Tensor) -> Tensor:
        """Return the mean frame moved as the frames were, edges repeated: a moved picture less it is a moved,
        centred picture, so a random shift does not uncover what centring has removed."""
        at_S = torch.arange(FRAME_SIDE, device=shifts_N2.device)
        places_N2S = (shifts_N2.unsqueeze(-1) + at_S).clamp(0, FRAME_SIDE - 1)
        return self.mean[places_N2S[:, 0, :, None], places_N2S[:, 1, None, :]].unsqueeze(1)


def _start_orthogonal(layer: nn.Conv2d | nn.Linear, gain: float) -> None:
    weight = torch.empty(layer.weight.shape)  # orthogonal_ does not take channels-last memory
    nn.init.orthogonal_(weight, gain)
    with torch.no_grad():
        layer.weight.copy_(weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def stack_pixels(pixels_BTP: Tensor) -> Tensor:
    """Turn runs of K + 3 flat frames into K stacks of four, pixel by pixel: (B, K+3, P) to (B, K, P, 4)."""
    return pixels_BTP.unfold(1, FRAME_STACK, 1).contiguous()


class NewestReturn(nn.Module):
    """Scales and shifts what the trunk found by the return-to-go of the same step; at first it changes nothing.

    A sum alone would move every action alike behind a head of one layer (Perez et al. 2018, "FiLM").
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(1, width), nn.GELU(), nn.Linear(width, 2 * width))
        for parameter in self.layers[2].parameters():
            nn.init.zeros_(parameter)

    def forward(self, hidden_ND: Tensor, returns_N1: Tensor) -> Tensor:
        """Change hidden vectors (…, D) by scaled returns (…, 1)."""
        scale_ND, shift_ND = self.layers(returns_N1.to(hidden_ND.dtype)).chunk(2, dim=-1)
        return hidden_ND * (1 + scale_ND) + shift_ND  # type: ignore[no-any-return]


class ActionHead(nn.Module):
    """Read actions from state tokens, (N, D) to (N, A): logits, or means in [-1, 1] for linear continuous heads.

    `mlp` heads are Linear-GELU-Linear. `tanh` squashes the outputs, as the official code does on Atari logits and
    on linear continuous heads (Hopper).
    """

    def __init__(self, width: int, actions: int, *, mlp: bool, tanh: bool) -> None:
        super().__init__()
        hidden = [nn.Linear(width, width), nn.GELU()] if mlp else []
        self.layers = nn.Sequential(*hidden, nn.Linear(width, actions))
        self.tanh = tanh

    def forward(self, hidden_ND: Tensor) -> Tensor:
        out_NA = self.layers(hidden_ND)
        return torch.tanh(out_NA) if self.tanh else out_NA
