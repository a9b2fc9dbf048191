"""One policy class: Decision Transformer, Wiki-RL and LaMo are the same parts recombined.

Shape suffixes: B batch, K steps (context), T steps so far, N rows, L tokens, D width, A actions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lamo_core.config import ModelConfig, ValueConfig
from lamo_core.data.windows import WindowBatch
from lamo_core.model.backbone import Backbone
from lamo_core.model.embeddings import (
    ActionHead,
    ActionTable,
    FrameEmbedding,
    NewestReturn,
    VectorEmbedding,
)
from lamo_core.model.extras.alignment import Alignment
from lamo_core.model.extras.value_heads import MaximumReturn, QTerm
from lamo_core.model.extras.word_actions import WordActions, mean_of_bins
from lamo_core.model.losses import decision_loss
from lamo_core.tasks.task import Task


@dataclass(frozen=True)
class PolicyStatistics:
    """What the policy needs to know of its data; it travels in the checkpoint."""

    return_scale: float
    """Returns are divided by this."""
    max_timestep: int
    """Steps of the data's longest episode. It has none with this timestep: it and later ones share the embedding of the
    last that the data do have."""
    state_mean: tuple[float, ...] = ()
    state_std: tuple[float, ...] = ()


NEWEST_TOKEN = slice(-1, None)


class Policy(nn.Module):
    """Map windows of (return-to-go, state, action) to the next action through a language-model trunk.

    Each step is three tokens in that order, or a state and an action where returns are no tokens (`return_tokens`); the
    action is read from the state token's output, so it depends on nothing later (paper §3.2).
    """

    def __init__(
        self,
        task: Task,
        backbone: Backbone,
        config: ModelConfig,
        statistics: PolicyStatistics,
        *,
        value: ValueConfig | None = None,
        learned_maximum: bool = False,
        clusters: int = 0,
    ) -> None:
        """`value` adds a Q term, `learned_maximum` a head for the largest return, `clusters` the alignment to words."""
        super().__init__()
        width, mlp = backbone.width, config.embedding == "mlp"
        self.task, self.backbone, self.statistics = task, backbone, statistics
        self.context, self.width, self.return_scale = config.context, width, statistics.return_scale
        self.timestep_mode, self.trunk_positions = config.timestep, config.trunk_positions
        self.told_returns = config.return_to_go != "none"
        self.trunk = backbone.model
        self.step_tokens = config.step_tokens
        """How many tokens a step is."""
        self.state_places = slice(self.step_tokens - 2, None, self.step_tokens)
        """Where a window's states are among its tokens."""
        self._injected = config.return_tokens == "injected"
        latest = config.return_tokens == "latest"
        self.embed_return = None if latest else VectorEmbedding(1, width, mlp=mlp)
        self.newest_return = NewestReturn(width) if latest else None
        self.embed_state: nn.Module
        if task.observation == "frames":
            self.embed_state = FrameEmbedding(width, mlp=mlp, two=mlp and config.frame_layers == "two")
        else:
            features = task.observation_shape[0]
            self.embed_state = VectorEmbedding(features, width, mlp=mlp)
            self.register_buffer("state_mean", torch.tensor(statistics.state_mean or [0.0] * features))
            self.register_buffer("state_std", torch.tensor(statistics.state_std or [1.0] * features))
        self.embed_action = _action_embedding(task, backbone, config)
        self.embed_norm = nn.LayerNorm(width)
        self.embed_time = None
        if config.timestep != "none":
            self.embed_time = nn.Embedding(statistics.max_timestep + 1, width)
            nn.init.normal_(self.embed_time.weight, std=config.timestep_std)
        self.embed_dropout = nn.Dropout(config.embedding_dropout)
        self.action_dropout = config.action_dropout
        # a linear continuous head is squashed into the action range, as in Decision Transformer and Hopper's script
        deep = mlp and config.head == "as-embedding"
        tanh = config.logits == "tanh" if task.action_kind == "discrete" else not deep
        words = isinstance(self.embed_action, WordActions)
        self.head = None if words else ActionHead(width, task.actions, mlp=deep, tanh=tanh)
        self.q_term = QTerm(task, width, value) if value is not None else None
        self.maximum = MaximumReturn(width, config.maximum_expectile) if learned_maximum else None
        self.alignment = Alignment(backbone, clusters) if clusters else None

    @property
    def follows_targets(self) -> bool:
        """Whether what is asked for decides what it does."""
        return self.told_returns and self.maximum is None

    def asked_returns(self, returns_NT: Tensor, states_NTD: Tensor) -> Tensor:
        """Return the scaled returns to ask for at embedded states: those given, or the largest that were learned."""
        return returns_NT if self.maximum is None else self.maximum(states_NTD).to(returns_NT.dtype)

    @property
    def value_kind(self) -> str:
        """What `predict_value` returns, in a few words; empty for a policy that learns nothing of the kind."""
        return "value" if self.q_term is not None else "largest return" if self.maximum is not None else ""

    def predict_value(self, observations: Tensor) -> Tensor | None:
        """Return what is learned (N,) of the rewards to come after observations, in the unit of returns.

        That is the discounted value of the Q term, else the largest return that the data support.
        """
        head = self.q_term.v if self.q_term is not None else self.maximum
        if head is None:
            return None
        states_ND = self.encode_observations(observations).float()
        return head(states_ND).reshape(-1) * self.return_scale  # type: ignore[no-any-return]

    def encode_observations(self, observations: Tensor) -> Tensor:
        """Embed observations: (N, 4, 84, 84) uint8 stacks or (…, features) float32 to (…, D)."""
        if self.task.observation == "frames":
            return self.embed_state(observations)  # type: ignore[no-any-return]
        mean, std = self.get_buffer("state_mean"), self.get_buffer("state_std")
        return self.embed_state((observations - mean) / std)  # type: ignore[no-any-return]

    def tokens(self, returns_NT: Tensor, states_NTD: Tensor, actions: Tensor | None, timesteps_NT: Tensor) -> Tensor:
        """Interleave the embeddings of T steps in the order return, state, action.

        `returns_NT` is scaled. `actions` holds T or T - 1 entries a row (None for T = 1 without any): with one
        less, the last action token is left out. Returns (N, L, D), L being `step_tokens` T or one less.
        """
        T = returns_NT.shape[1]
        known = 0 if actions is None else actions.shape[1]
        tokens_NTCD = self._embedded(returns_NT, states_NTD, actions)
        tokens_NLD = self._timed(tokens_NTCD, timesteps_NT).flatten(1, 2)
        return tokens_NLD if known == T else tokens_NLD[:, :-1]

    def action_tokens(self, actions_N: Tensor, timesteps_N: Tensor) -> Tensor:
        """Embed the actions of one step each, as `tokens` would: (N, 1, D)."""
        embedded_ND = self.embed_action(actions_N)
        return self._timed(embedded_ND[:, None, None], timesteps_N[:, None])[:, 0]

    def _embedded(self, returns_NT: Tensor, states_NTD: Tensor, actions: Tensor | None) -> Tensor:
        """Embed steps, (N, T, C, D); an action that is not known yet, or hidden in training, is zero."""
        tokens = [states_NTD, self._embedded_actions(actions, states_NTD)]
        if self.embed_return is not None:
            returns_NTD = self.embed_return(self._told(returns_NT).to(states_NTD.dtype)).to(states_NTD.dtype)
            tokens = [states_NTD + returns_NTD, tokens[1]] if self._injected else [returns_NTD, *tokens]
        return torch.stack(tokens, dim=2)

    def _told(self, returns: Tensor) -> Tensor:
        """Return the returns (…) that the policy may see, (…, 1)."""
        return (returns if self.told_returns else torch.zeros_like(returns)).unsqueeze(-1)

    def _embedded_actions(self, actions: Tensor | None, states_NTD: Tensor) -> Tensor:
        N, T, D = states_NTD.shape
        known = 0 if actions is None else actions.shape[1]
        if actions is None or not known:
            return torch.zeros_like(states_NTD)
        actions_NTD = self.embed_action(actions).to(states_NTD.dtype)
        if self.training and self.action_dropout:
            shown_N = torch.rand(N, device=states_NTD.device) >= self.action_dropout
            actions_NTD = actions_NTD * shown_N[:, None, None]
        if known < T:
            actions_NTD = torch.cat([actions_NTD, actions_NTD.new_zeros(N, T - known, D)], dim=1)
        return actions_NTD  # type: ignore[no-any-return]

    def _normed(self, tokens_NTCD: Tensor, timesteps_NT: Tensor) -> Tensor:
        """Normalise tokens, with their timesteps in them where these join before the norm."""
        if self.timestep_mode == "before-norm":
            tokens_NTCD = tokens_NTCD + self._time(timesteps_NT)
        return self.embed_norm(tokens_NTCD)  # type: ignore[no-any-return]

    def _timed(self, tokens_NTCD: Tensor, timesteps_NT: Tensor) -> Tensor:
        normed_NTCD = self._normed(tokens_NTCD, timesteps_NT)
        if self.timestep_mode == "after-norm":
            normed_NTCD = normed_NTCD + self._time(timesteps_NT)
        return self.embed_dropout(normed_NTCD)  # type: ignore[no-any-return]

    def _time(self, timesteps_NT: Tensor) -> Tensor:
        """Embed timesteps, (N, T, 1, D)."""
        assert self.embed_time is not None
        # the row after the last step is never trained, and the policy may outlive every episode of its data
        clipped_NT = timesteps_NT.clamp(max=max(0, self.statistics.max_timestep - 1))
        return self.embed_time(clipped_NT).unsqueeze(2)  # type: ignore[no-any-return]

    def run_trunk(
        self,
        tokens_NLD: Tensor,
        position: int = 0,
        cache: Any = None,
        use_cache: bool = False,
        places: slice | None = None,
    ) -> tuple[Tensor, Any]:
        """Run tokens through the trunk, continuing `cache` at `position`; returns hidden (N, R, D) and the cache.

        `places` are the tokens that are read, None all of them.
        """
        return self.backbone.run(
            tokens_NLD,
            position=position,
            cache=cache,
            use_cache=use_cache,
            add_positions=self.trunk_positions,
            places=places,
        )

    def act_head(self, hidden_ND: Tensor, returns_N: Tensor) -> Tensor:
        """Read logits or action means (N, A) from state tokens (N, D), where scaled returns (N,) were asked for."""
        return self._actions(self._read(hidden_ND, returns_N))

    def forward(self, batch: WindowBatch) -> Tensor:
        """Predict the action of every step of every window: (B, K, A), or bins of words (B, K, A, 256)."""
        return self._predict(batch)[0]

    def losses(self, batch: WindowBatch) -> dict[str, Tensor]:
        """Return the sum over real steps of every loss that this policy has, by name; `decision` is always there."""
        batch = batch.without_padding()
        read, states_BKD = self._predict(batch)
        losses = {"decision": decision_loss(read, batch.actions, batch.mask).total}
        if self.q_term is not None:
            losses |= self.q_term.losses(states_BKD, self._actions(read), batch)
        if self.maximum is not None:
            losses["maximum"] = self.maximum.loss(states_BKD, batch)
        if self.alignment is not None:
            # as published: what the norm gives, before timesteps join after it
            embedded_BKCD = self._embedded(batch.returns_to_go, states_BKD, batch.actions)
            tokens_BLD = self._normed(embedded_BKCD, batch.timesteps).flatten(1, 2)
            losses["alignment"] = self.alignment.loss(tokens_BLD, batch.mask.repeat_interleave(self.step_tokens, dim=1))
        return losses

    def imitation_loss(self, batch: WindowBatch) -> Tensor:
        """Return the sum over real steps of the decision loss alone."""
        batch = batch.without_padding()
        return decision_loss(self._predict(batch)[0], batch.actions, batch.mask).total

    def follow(self) -> None:
        """Move slow copies towards what they copy, where there are any."""
        if self.q_term is not None:
            self.q_term.follow()

    def _predict(self, batch: WindowBatch) -> tuple[Tensor, Tensor]:
        """Return what is read of every step, and the embedded states (B, K, D)."""
        states_BKD = self.encode_windows(batch)
        # the last action is not seen, but cutting its token off is less work than having none
        tokens_BLD = self.tokens(batch.returns_to_go, states_BKD, batch.actions, batch.timesteps)[:, :-1]
        hidden_BKD, _ = self.run_trunk(tokens_BLD, places=self.state_places)
        return self._read(hidden_BKD, batch.returns_to_go), states_BKD

    def _read(self, hidden: Tensor, returns: Tensor) -> Tensor:
        if self.newest_return is not None:
            hidden = self.newest_return(hidden, self._told(returns))
        if self.head is not None:
            return self.head(hidden)  # type: ignore[no-any-return]
        assert isinstance(self.embed_action, WordActions)
        return self.embed_action.read(hidden)

    def _actions(self, read: Tensor) -> Tensor:
        """Return logits or means of actions (…, A) from what was read."""
        binned = self.head is None and self.task.action_kind == "continuous"
        return mean_of_bins(read) if binned else read

    def encode_windows(self, batch: WindowBatch) -> Tensor:
        """Embed the observations of every step of every window: (B, K, D)."""
        if not isinstance(self.embed_state, FrameEmbedding):
            return self.encode_observations(batch.observations)
        return self.embed_state.windows(batch.observations, batch.shifts)


def _action_embedding(task: Task, backbone: Backbone, config: ModelConfig) -> nn.Module:
    mlp = config.embedding == "mlp"
    if config.action_tokens == "vocabulary":
        return WordActions(task, backbone)
    if task.action_kind == "discrete":
        return ActionTable(task.actions, backbone.width, mlp=mlp)
    return VectorEmbedding(task.actions, backbone.width, mlp=mlp)
