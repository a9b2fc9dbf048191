"""One policy class: Decision Transformer, Wiki-RL and LaMo are the same parts recombined.

Shape suffixes: B batch, K steps (context), T steps so far, N rows, L tokens, D width, A actions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lamo_core.config import ModelConfig
from lamo_core.data.windows import WindowBatch
from lamo_core.model.backbone import Backbone
from lamo_core.model.embeddings import (
    ActionHead,
    ActionTable,
    FrameEmbedding,
    VectorEmbedding,
    stack_frames,
)
from lamo_core.tasks.registry import Task


@dataclass(frozen=True)
class PolicyStatistics:
    """What the policy needs to know of its data; it travels in the checkpoint."""

    return_scale: float
    """Returns are divided by this."""
    max_timestep: int
    """Largest timestep with an embedding; later ones share the last."""
    state_mean: tuple[float, ...] = ()
    state_std: tuple[float, ...] = ()


class Policy(nn.Module):
    """Map windows of (return-to-go, state, action) to the next action through a language-model trunk.

    Each step is three tokens in that order; the action is read from the state token's output, so it depends on
    nothing later (paper §3.2).
    """

    def __init__(
        self, task: Task, backbone: Backbone, config: ModelConfig, statistics: PolicyStatistics
    ) -> None:
        super().__init__()
        width, mlp = backbone.width, config.embedding == "mlp"
        self.task, self.backbone, self.statistics = task, backbone, statistics
        self.context, self.width, self.return_scale = config.context, width, statistics.return_scale
        self.timestep_mode, self.trunk_positions = config.timestep, config.trunk_positions
        self.trunk = backbone.model
        self.embed_return = VectorEmbedding(1, width, mlp=mlp)
        self.embed_state: nn.Module
        if task.observation == "frames":
            self.embed_state = FrameEmbedding(width, mlp=mlp)
        else:
            features = task.observation_shape[0]
            self.embed_state = VectorEmbedding(features, width, mlp=mlp)
            self.register_buffer("state_mean", torch.tensor(statistics.state_mean or [0.0] * features))
            self.register_buffer("state_std", torch.tensor(statistics.state_std or [1.0] * features))
        discrete = task.action_kind == "discrete"
        self.embed_action: nn.Module = (
            ActionTable(task.actions, width, mlp=mlp)
            if discrete
            else VectorEmbedding(task.actions, width, mlp=mlp)
        )
        self.embed_norm = nn.LayerNorm(width)
        self.embed_time = None
        if config.timestep != "none":
            self.embed_time = nn.Embedding(statistics.max_timestep + 1, width)
            nn.init.normal_(self.embed_time.weight, std=0.02)
        # a linear continuous head is squashed into the action range, as in Decision Transformer and Hopper's script
        tanh = config.logits == "tanh" if discrete else not mlp
        self.head = ActionHead(width, task.actions, mlp=mlp, tanh=tanh)

    def encode_observations(self, observations: Tensor) -> Tensor:
        """Embed observations: (N, 4, 84, 84) uint8 stacks or (N, features) float32 to (N, D)."""
        if self.task.observation == "frames":
            return self.embed_state(observations)  # type: ignore[no-any-return]
        mean, std = self.get_buffer("state_mean"), self.get_buffer("state_std")
        return self.embed_state((observations - mean) / std)  # type: ignore[no-any-return]

    def tokens(
        self, returns_NT: Tensor, states_NTD: Tensor, actions: Tensor | None, timesteps_NT: Tensor
    ) -> Tensor:
        """Interleave the embeddings of T steps in the order return, state, action.

        `returns_NT` is scaled. `actions` holds T or T - 1 entries a row (None for T = 1 without any): with one
        less, the last action token is left out. Returns (N, 3T, D) or (N, 3T - 1, D).
        """
        N, T = returns_NT.shape
        tokens_NTCD = states_NTD.new_zeros(N, T, 3, self.width)
        tokens_NTCD[:, :, 0] = self.embed_return(returns_NT.unsqueeze(-1).to(states_NTD.dtype))
        tokens_NTCD[:, :, 1] = states_NTD
        known = 0 if actions is None else actions.shape[1]
        if actions is not None and known:
            tokens_NTCD[:, :known, 2] = self.embed_action(actions)
        tokens_NLD = self._timed(tokens_NTCD, timesteps_NT).flatten(1, 2)
        return tokens_NLD if known == T else tokens_NLD[:, :-1]

    def action_tokens(self, actions_N: Tensor, timesteps_N: Tensor) -> Tensor:
        """Embed the actions of one step each, as `tokens` would: (N, 1, D)."""
        embedded_ND = self.embed_action(actions_N)
        return self._timed(embedded_ND[:, None, None], timesteps_N[:, None])[:, 0]

    def _timed(self, tokens_NTCD: Tensor, timesteps_NT: Tensor) -> Tensor:
        if self.embed_time is None:
            return self.embed_norm(tokens_NTCD)  # type: ignore[no-any-return]
        clipped_NT = timesteps_NT.clamp(max=self.statistics.max_timestep)
        time_NT1D = self.embed_time(clipped_NT).unsqueeze(2)
        if self.timestep_mode == "before-norm":
            return self.embed_norm(tokens_NTCD + time_NT1D)  # type: ignore[no-any-return]
        return self.embed_norm(tokens_NTCD) + time_NT1D  # type: ignore[no-any-return]

    def run_trunk(
        self, tokens_NLD: Tensor, position: int = 0, cache: Any = None, use_cache: bool = False
    ) -> tuple[Tensor, Any]:
        """Run tokens through the trunk, continuing `cache` at `position`; returns hidden (N, L, D) and the cache."""
        return self.backbone.run(
            tokens_NLD, position=position, cache=cache, use_cache=use_cache, add_positions=self.trunk_positions
        )

    def act_head(self, hidden_ND: Tensor) -> Tensor:
        """Read logits or action means from state tokens: (N, D) to (N, A)."""
        return self.head(hidden_ND)  # type: ignore[no-any-return]

    def forward(self, batch: WindowBatch) -> Tensor:
        """Predict the action of every step of every window: (B, K, A)."""
        states_BKD = self._encode_windows(batch)
        tokens_BLD = self.tokens(batch.returns_to_go, states_BKD, batch.actions[:, :-1], batch.timesteps)
        hidden_BLD, _ = self.run_trunk(tokens_BLD)
        return self.act_head(hidden_BLD[:, 1::3])

    def _encode_windows(self, batch: WindowBatch) -> Tensor:
        B, K = batch.mask.shape
        if not isinstance(self.embed_state, FrameEmbedding):
            return self.encode_observations(batch.observations.flatten(0, 1)).view(B, K, -1)
        stacks_NCHW = stack_frames(batch.observations).flatten(0, 1)
        shifts_N2 = None if batch.shifts is None else batch.shifts.repeat_interleave(K, dim=0)
        return self.embed_state(stacks_NCHW, shifts_N2).view(B, K, -1)  # type: ignore[no-any-return]
