"""One decision of a policy as a module of fixed shapes, which torch.export and ONNX take.

A window shorter than the context is filled up behind its newest step. A causal trunk sees nothing of what stands
behind a token, so the filling changes no output, and no shape depends on how far an episode is.

Shape suffixes: K steps (context), F observation features, A actions, D width.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from lamo_core.baselines.policy import MarkovPolicy
from lamo_core.evaluation.contexts import Actor
from lamo_core.model.extras.word_actions import WordActions
from lamo_core.model.lora.adapters import merge_adapters
from lamo_core.model.policy import Policy
from lamo_core.tasks.task import Task

INPUTS = ("observations", "returns", "actions", "timesteps", "newest")
OUTPUTS = ("decision", "action")


class DecisionGraph(nn.Module):
    """Maps the newest steps of an episode to its next action, normalisation and decoding inside.

    `observations` are (K, F) float32 or (K, 4, 84, 84) uint8; `returns` (K,) float32 what was asked for at each step,
    in the unit of rewards; `actions` (K,) int64 or (K, A) float32 in [-1, 1], that of the newest step not read;
    `timesteps` (K,) int64 count from the episode's start; `newest` is the place of the newest step. Returns
    probabilities (A,), or action values (A,) in [-1, 1]; and the likeliest choice, or the values in the environment's
    bounds.
    """

    offset: Tensor
    spread: Tensor

    def __init__(self, policy: Actor) -> None:
        """The policy is copied, with its adapters merged into the trunk's matrices."""
        super().__init__()
        self.policy = copy.deepcopy(policy).float().eval().requires_grad_(False)
        self.task, self.return_scale = policy.task, policy.return_scale
        if isinstance(self.policy, Policy):
            _strip(self.policy)
        offset, spread = _decoding(self.task)
        self.register_buffer("offset", offset)
        self.register_buffer("spread", spread)

    @property
    def steps(self) -> int:
        """How many steps it sees."""
        return self.policy.context if isinstance(self.policy, Policy) else 1

    def example(self) -> tuple[Tensor, ...]:
        """Return inputs of the shapes that it takes."""
        K, task = self.steps, self.task
        frames, discrete = task.observation == "frames", task.action_kind == "discrete"
        return (
            torch.zeros(K, 4, 84, 84, dtype=torch.uint8) if frames else torch.zeros(K, *task.observation_shape),
            torch.zeros(K),
            torch.zeros(K, dtype=torch.int64) if discrete else torch.zeros(K, task.actions),
            torch.arange(K),
            torch.tensor(K - 1),
        )

    def forward(
        self, observations: Tensor, returns: Tensor, actions: Tensor, timesteps: Tensor, newest: Tensor
    ) -> tuple[Tensor, Tensor]:
        out_A = self._decided(observations, returns, actions, timesteps, newest).float()
        if self.task.action_kind == "discrete":
            chances_A = torch.softmax(out_A.double(), -1).float()
            return chances_A, out_A.argmax(-1) + self.task.first_action
        means_A = out_A.clamp(-1.0, 1.0)
        return means_A, self.offset + (means_A + 1) * self.spread

    def _decided(
        self, observations: Tensor, returns: Tensor, actions: Tensor, timesteps: Tensor, newest: Tensor
    ) -> Tensor:
        if isinstance(self.policy, MarkovPolicy):
            return self.policy.act(observations)[0]
        states_1KD = self.policy.encode_observations(observations).unsqueeze(0)
        asked_1K = self.policy.asked_returns((returns / self.return_scale).unsqueeze(0), states_1KD)
        tokens_1LD = self.policy.tokens(asked_1K, states_1KD, actions.unsqueeze(0), timesteps.unsqueeze(0))[:, :-1]
        hidden_1KD, _ = self.policy.run_trunk(tokens_1LD, places=self.policy.state_places)
        place = newest.reshape(1)
        return self.policy.act_head(hidden_1KD[0].index_select(0, place), asked_1K[0].index_select(0, place))[0]


def _strip(policy: Policy) -> None:
    """Take out of a policy what no decision needs, and merge its adapters."""
    merge_adapters(policy.trunk)
    policy.q_term = policy.alignment = None
    if not isinstance(policy.embed_action, WordActions):
        table = policy.backbone.word_table
        name = next(name for name, module in policy.trunk.named_modules() if module is table)
        parent, _, leaf = name.rpartition(".")
        setattr(policy.trunk.get_submodule(parent), leaf, nn.Embedding(1, 1))


def _decoding(task: Task) -> tuple[Tensor, Tensor]:
    """Return the lowest value (A,) of each action number in the environment's unit, and half the span from there."""
    if task.bounds is None or task.action_kind == "discrete":
        return torch.full((task.actions,), -1.0), torch.ones(task.actions)
    low, high = task.bounds.finite()
    return torch.tensor(low, dtype=torch.float32), torch.tensor((high - low) / 2, dtype=torch.float32)
