"""Script that writes the expected losses and gradients of one update of value-based methods.

    python -m tests.parity.make_methods corl CHECKOUT   # CQL, IQL and TD3+BC, of CORL
    python -m tests.parity.make_methods bcq CHECKOUT    # continuous and discrete BCQ, of its authors
    python -m tests.parity.make_methods discrete        # quantile CQL, BCQ and NFQ and discrete IQL, in plain NumPy

It fills published networks with the numbers of `inputs` under lamo's names, replaces random draws by fixed ones, and
takes down each loss instead of following it. Nothing here is imported by the product or by tests.
"""

from __future__ import annotations

import argparse
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn

from tests.parity import inputs
from tests.parity.fixed_noise import CANDIDATES, noise, uniform

CORL = "https://github.com/tinkoff-ai/CORL, commit 6afec90"
BCQ = "https://github.com/sfujim/BCQ, commit 4876f7e"
OBSERVED, A = inputs.OBSERVED, inputs.ACTIONS
DISCOUNT = 0.99


class Still:
    """An optimiser that does nothing, so that every loss is computed before anything has moved."""

    def zero_grad(self) -> None:
        """Do nothing."""

    def step(self) -> None:
        """Do nothing."""


def rows_first(shape: tuple[int, ...], draw: Callable[[int], Tensor]) -> Tensor:
    """Return draws for rows that hold their candidates side by side, as published code has them."""
    drawn = draw(shape[-1])
    return drawn[0] if shape == drawn.shape[1:] else drawn.transpose(0, 1).reshape(shape)


@contextmanager
def fixed_draws() -> Iterator[None]:
    """Let whatever draws random numbers get fixed ones."""
    import torch.distributions.normal as normal

    def randn(*shape: Any, **options: Any) -> Tensor:
        return rows_first(tuple(shape[0]) if isinstance(shape[0], tuple) else shape, noise)

    with (
        mock.patch.object(torch, "randn_like", lambda like: rows_first(tuple(like.shape), noise)),
        mock.patch.object(torch, "randn", randn),
        mock.patch.object(normal, "_standard_normal", lambda shape, **options: rows_first(tuple(shape), noise)),
        mock.patch.object(Tensor, "uniform_", lambda like, low, high: rows_first(tuple(like.shape), uniform)),
    ):
        yield


def chain(prefix: str, module: nn.Module, layers: list[str] | None = None) -> dict[str, nn.Parameter]:
    """Return the parameters of a published chain of linear layers by lamo's names; `layers` picks some in order."""
    linear = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    chosen = linear if layers is None else [module.get_submodule(name) for name in layers]
    named = {}
    for number, layer in enumerate(chosen):
        named |= {f"{prefix}.{2 * number}.{name}": value for name, value in layer.named_parameters()}
    return named


def widen(module: nn.Module, sizes: dict[str, tuple[int, int]]) -> None:
    """Give layers of a published network other sizes, where lamo has one width for all."""
    for name, size in sizes.items():
        setattr(module, name, nn.Linear(*size))


class Record:
    """The losses that published code calls `backward` on, in order, and their gradients; draws are fixed meanwhile."""

    def __init__(self, *parts: tuple[str, dict[str, Any], float]) -> None:
        """Every part is the name of a loss, the parameters that it trains, and what it counts in lamo."""
        self.parts, self.losses, self.gradients = list(parts), {}, {}

    def __enter__(self) -> Record:
        self._patches = ExitStack()
        self._patches.enter_context(fixed_draws())
        self._patches.enter_context(mock.patch.object(Tensor, "backward", lambda loss, **options: self._note(loss)))
        return self

    def __exit__(self, *problem: object) -> None:
        self._patches.close()

    def _note(self, loss: Tensor) -> None:
        name, named, factor = self.parts.pop(0)
        found = [_joined(factor * loss, value) for value in named.values()]
        self.losses[name] = factor * loss.item()
        self.gradients |= {key: inputs.fingerprint(key, grad) for key, grad in zip(named, found, strict=True)}

    def write(self, name: str, command: str, source: str) -> None:
        """Write a file of numbers."""
        assert not self.parts
        numbers = {"losses": self.losses, "gradients": self.gradients}
        inputs.write_numbers(
            name, f"python -m tests.parity.make_methods {command}", source, ("torch", "numpy"), numbers
        )


def _joined(loss: Tensor, parts: Tensor | tuple[Tensor, ...]) -> Tensor:
    """Return the gradient of a parameter, or of several that are one in lamo."""
    found = torch.autograd.grad(loss, parts, retain_graph=True)
    return torch.cat(found) if len(found) > 1 else found[0]


def normalised() -> dict[str, Tensor]:
    """Return the transitions with normalised states, as published code gets them."""
    mean, spread = inputs.state_statistics()
    batch = inputs.transitions()
    return batch | {name: (batch[name] - mean) / spread for name in ("observations", "next_observations")}


def corl(folder: Path) -> None:
    """Run CORL's TD3+BC, IQL and CQL."""
    for name in ("gym", "d4rl", "wandb"):
        stub = types.ModuleType(name)
        stub.__dict__.update(Env=object, __spec__=ModuleSpec(name, None))
        sys.modules[name] = stub
    sys.modules["pyrallis"] = types.SimpleNamespace(wrap=lambda: lambda function: function)  # type: ignore[assignment]
    sys.path.insert(0, str(folder / "algorithms/offline"))
    t = normalised()
    columns = (t["rewards"][:, None], t["next_observations"], t["terminated"][:, None])
    batch = [t["observations"], t["actions"], *columns]
    _td3_bc(batch)
    _iql(batch)
    _cql(batch)


def _td3_bc(batch: list[Tensor]) -> None:
    import td3_bc

    made = td3_bc.Actor(OBSERVED, A, 1.0), td3_bc.Critic(OBSERVED, A), td3_bc.Critic(OBSERVED, A)
    learner = td3_bc.TD3_BC(1.0, made[0], Still(), made[1], Still(), made[2], Still())
    actor = chain("actor", learner.actor)
    critics = chain("q.both.0", learner.critic_1) | chain("q.both.1", learner.critic_2)
    slow = chain("slow_q.both.0", learner.critic_1_target) | chain("slow_q.both.1", learner.critic_2_target)
    inputs.fill((actor | critics | slow | chain("slow_actor", learner.actor_target)).items(), inputs.GAIN)
    learner.total_it = 1  # so that the next one is a step of the policy
    with Record(("critic", critics, 1.0), ("policy", actor, 1.0)) as record:
        learner.train(batch)
    record.write("method-td3-bc", "corl CHECKOUT", CORL)


def _iql(batch: list[Tensor]) -> None:
    import iql

    q, v, policy = iql.TwinQ(OBSERVED, A), iql.ValueFunction(OBSERVED), iql.GaussianPolicy(OBSERVED, A, 1.0)
    learner = iql.ImplicitQLearning(1.0, policy, torch.optim.SGD(policy.parameters(), lr=0.0), q, Still(), v, Still())
    actor = chain("actor", policy) | {"log_std": policy.log_std}
    critics = chain("q.heads.both.0", q.q1) | chain("q.heads.both.1", q.q2)
    target = learner.q_target
    slow = chain("slow.heads.both.0", target.q1) | chain("slow.heads.both.1", target.q2)
    inputs.fill((actor | critics | slow | chain("v", v)).items(), inputs.GAIN)
    # the mean of two critics' losses, of which lamo has the sum
    with Record(("value", chain("v", v), 1.0), ("critic", critics, 2.0), ("policy", actor, 1.0)) as record:
        learner.train(batch)
    record.write("method-iql", "corl CHECKOUT", CORL)


def _cql(batch: list[Tensor]) -> None:
    import cql

    policy = cql.TanhGaussianPolicy(OBSERVED, A, 1.0)
    made = cql.FullyConnectedQFunction(OBSERVED, A), cql.FullyConnectedQFunction(OBSERVED, A)
    learner = cql.ContinuousCQL(
        made[0], Still(), made[1], Still(), policy, Still(), -float(A), bc_steps=0, cql_alpha=5.0
    )
    learner.alpha_optimizer = Still()
    actor, temperature = chain("actor.layers", policy), {"log_temperature": learner.log_alpha.constant}
    critics = chain("q.both.0", learner.critic_1) | chain("q.both.1", learner.critic_2)
    slow = chain("slow.both.0", learner.target_critic_1) | chain("slow.both.1", learner.target_critic_2)
    inputs.fill((actor | temperature | critics | slow).items(), inputs.GAIN)
    parts = ("temperature", temperature, 1.0), ("policy", actor, 1.0), ("critic + conservative", critics, 1.0)
    with Record(*parts) as record:
        told = learner.train(batch)
    record.losses["critic"] = told["qf1_loss"] + told["qf2_loss"]
    # lamo has the mean over the drawn actions where published code has the sum, a constant that trains nothing
    constant = 2 * 5.0 * float(np.log(3 * CANDIDATES))
    record.losses["conservative"] = told["cql_min_qf1_loss"] + told["cql_min_qf2_loss"] - constant
    record.losses["critic + conservative"] -= constant
    record.write("method-cql", "corl CHECKOUT", CORL)


class _Buffer:
    """The batch as the authors of BCQ sample it; the last of the five is 0 at an end."""

    def __init__(self, batch: dict[str, Tensor]) -> None:
        self._batch = batch

    def sample(self, *size: int) -> tuple[Tensor, ...]:
        """Return states, actions, next states, rewards and whether episodes go on."""
        b, going_on = self._batch, 1 - self._batch["terminated"][:, None]
        actions = b["actions"] if b["actions"].ndim == 2 else b["actions"][:, None]
        return b["observations"], actions, b["next_observations"], b["rewards"][:, None], going_on


def bcq(folder: Path) -> None:
    """Run BCQ's own code."""
    sys.path[:0] = [str(folder / "continuous_BCQ"), str(folder / "discrete_BCQ")]
    _continuous_bcq()
    _discrete_bcq()


def _continuous_bcq() -> None:
    import BCQ as published

    learner, width, latent = published.BCQ(OBSERVED, A, 1.0, torch.device("cpu")), 400, 2 * A
    learner.actor_optimizer = learner.critic_optimizer = learner.vae_optimizer = Still()
    for net in (learner.actor, learner.actor_target):
        widen(net, {"l2": (width, width), "l3": (width, A)})
    for net in (learner.critic, learner.critic_target):
        widen(net, {"l2": (width, width), "l3": (width, 1), "l5": (width, width), "l6": (width, 1)})
    wide = 2 * width
    widen(
        learner.vae, {"e1": (OBSERVED + A, wide), "e2": (wide, wide), "mean": (wide, latent), "log_std": (wide, latent)}
    )
    widen(learner.vae, {"d1": (OBSERVED + latent, wide), "d2": (wide, wide), "d3": (wide, A)})
    encoder, decoder = chain("encoder", learner.vae, ["e1", "e2"]), chain("decoder", learner.vae, ["d1", "d2", "d3"])
    # lamo has the two last layers of the encoder in one
    heads = learner.vae.mean, learner.vae.log_std
    with torch.no_grad():
        for kind in ("weight", "bias"):
            both = torch.cat([getattr(head, kind) for head in heads])
            inputs.fill([(f"encoder.4.{kind}", both)], inputs.GAIN)
            for head, part in zip(heads, both.chunk(2), strict=True):
                getattr(head, kind).copy_(part)
    correction = chain("correction", learner.actor)
    critics = chain("q.both.0", learner.critic, ["l1", "l2", "l3"]) | chain(
        "q.both.1", learner.critic, ["l4", "l5", "l6"]
    )
    slow = chain("slow_q.both.0", learner.critic_target, ["l1", "l2", "l3"])
    slow |= chain("slow_q.both.1", learner.critic_target, ["l4", "l5", "l6"])
    slow |= chain("slow_correction", learner.actor_target)
    inputs.fill((encoder | decoder | correction | critics | slow).items(), inputs.GAIN)
    joined = {f"encoder.4.{kind}": tuple(getattr(head, kind) for head in heads) for kind in ("weight", "bias")}
    parts = ("imitation", encoder | joined | decoder, 1.0), ("critic", critics, 1.0), ("policy", correction, 1.0)
    with Record(*parts) as record:
        learner.train(_Buffer(normalised()), 1, len(inputs.transitions()["rewards"]))
    record.write("method-bcq", "bcq CHECKOUT", BCQ)


def _discrete_bcq() -> None:
    import discrete_BCQ as published

    learner = published.discrete_BCQ(False, inputs.GAME_ACTIONS, OBSERVED, torch.device("cpu"))
    learner.Q_optimizer, layers = Still(), ["1", "2", "3"]
    named = {}
    for prefix, net in (("critic", learner.Q), ("slow", learner.Q_target)):
        named[prefix] = chain(f"{prefix}.head", net, [f"q{number}" for number in layers])
        named[prefix] |= chain(f"{prefix}.imitator", net, [f"i{number}" for number in layers])
    inputs.fill((named["critic"] | named["slow"]).items(), inputs.GAIN)
    mean, spread = inputs.state_statistics()
    batch = inputs.transitions(discrete=True)
    batch |= {name: (batch[name] - mean) / spread for name in ("observations", "next_observations")}
    with Record(("twice critic + imitation", named["critic"], 1.0)) as record:
        learner.train(_Buffer(batch))
    record.write("method-bcq-discrete", "bcq CHECKOUT", BCQ)


def discrete(_: Path) -> None:
    """Work out the losses of discrete methods by loops over rows, actions and quantiles, in float64."""
    numbers = {name: _quantile_losses(name) for name in ("cql", "bcq", "nfq")} | {"iql": _discrete_iql()}
    source = "Kumar et al. 2020, Fujimoto et al. 2019, Riedmiller 2005, Dabney et al. 2018, Kostrikov et al. 2022"
    inputs.write_numbers(
        "methods-discrete", "python -m tests.parity.make_methods discrete", source, ("numpy",), numbers
    )


def _network(prefix: str, x: np.ndarray, outputs: int) -> np.ndarray:
    """Return what lamo's network with three layers of the width 256 makes of rows."""
    sizes = [x.shape[1], 256, 256, outputs]
    for number in range(3):
        weight, bias = torch.empty(sizes[number + 1], sizes[number]), torch.empty(sizes[number + 1])
        inputs.fill([(f"{prefix}.{2 * number}.weight", weight), (f"{prefix}.{2 * number}.bias", bias)], inputs.GAIN)
        x = x @ weight.double().numpy().T + bias.double().numpy()
        x = np.maximum(x, 0) if number < 2 else x
    return x


def _rows() -> dict[str, np.ndarray]:
    mean, spread = (part.double().numpy() for part in inputs.state_statistics())
    batch = {name: value.numpy().astype(np.float64) for name, value in inputs.transitions(discrete=True).items()}
    return batch | {name: (batch[name] - mean) / spread for name in ("observations", "next_observations")}


def _quantile_losses(method: str, quantiles: int = 5) -> dict[str, float]:
    batch, actions = _rows(), inputs.GAME_ACTIONS
    now, then = batch["observations"], batch["next_observations"]

    def critic(prefix: str, x: np.ndarray) -> np.ndarray:
        return _network(f"{prefix}.head", x, actions * quantiles).reshape(-1, actions, quantiles)

    learned, slow = critic("critic", now), critic("slow", then)
    chooser = (slow if method == "nfq" else critic("critic", then)).mean(-1)
    if method == "bcq":
        logits = _network("critic.imitator", then, actions)
        likely = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        chooser[likely < 0.3 * likely.max(1, keepdims=True)] = -np.inf
    errors, gaps, imitation, squares = [], [], [], []
    for row, action in enumerate(batch["actions"].astype(int)):
        going_on = DISCOUNT * (1 - batch["terminated"][row])
        targets = batch["rewards"][row] + going_on * slow[row, chooser[row].argmax()]
        for number in range(quantiles):
            middle = (number + 0.5) / quantiles
            for target in targets:
                miss = target - learned[row, action, number]
                huber = 0.5 * miss**2 if abs(miss) <= 1 else abs(miss) - 0.5
                errors.append(abs(middle - (miss < 0)) * huber)
        values = learned[row].mean(-1)
        gaps.append(np.log(np.exp(values).sum()) - values[action])
        if method == "bcq":
            logits = _network("critic.imitator", now[row : row + 1], actions)[0]
            imitation.append(np.log(np.exp(logits).sum()) - logits[action])
            squares += list(logits**2)
    losses = {"critic": float(np.sum(errors) / quantiles / len(now))}
    if method == "cql":
        losses["conservative"] = float(1.0 * np.mean(gaps))
    if method == "bcq":
        losses["imitation"] = float(np.mean(imitation) + 0.01 * np.mean(squares))
    return losses


def _discrete_iql(expectile: float = 0.7, temperature: float = 3.0) -> dict[str, float]:
    batch, actions = _rows(), inputs.GAME_ACTIONS
    now, chosen = batch["observations"], batch["actions"].astype(int)
    v, next_v = _network("v", now, 1)[:, 0], _network("v", batch["next_observations"], 1)[:, 0]
    logits, rows = _network("actor", now, actions), np.arange(len(now))
    heads = [[_network(f"{name}.heads.{one}", now, actions)[rows, chosen] for one in (0, 1)] for name in ("q", "slow")]
    advantage = np.minimum(*heads[1]) - v
    weights = np.minimum(np.exp(temperature * advantage), 100.0)
    targets = batch["rewards"] + DISCOUNT * (1 - batch["terminated"]) * next_v
    likelihood = logits[rows, chosen] - np.log(np.exp(logits).sum(1))
    tilted = np.where(advantage < 0, 1 - expectile, expectile)
    return {
        "value": float((tilted * advantage**2).mean()),
        "critic": float(sum(((q - targets) ** 2).mean() for q in heads[0])),
        "policy": float(-(weights * likelihood).mean()),
    }


WAYS: dict[str, Callable[[Path], None]] = {"corl": corl, "bcq": bcq, "discrete": discrete}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=WAYS)
    parser.add_argument("checkout", type=Path, nargs="?", default=Path())
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    WAYS[arguments.what](arguments.checkout.resolve())
