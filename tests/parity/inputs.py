"""Made-up weights, batches and scores that both sides of a comparison are given, and the file format of its numbers.

`RandomState` draws the same numbers in every version of NumPy. Imports nothing of the product, so that scripts can use
it in environments that are too old for it.

Shape suffixes: B windows or transitions, K steps, O observed numbers, A actions.
"""

from __future__ import annotations

import json
import platform
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

NUMBERS = Path(__file__).with_name("numbers")
OBSERVED, ACTIONS, GAME_ACTIONS = 11, 3, 4
TRUNK = {"n_layer": 2, "n_embd": 64, "n_head": 2}
"""GPT-2's shape in comparisons of policies."""
LORA_RANK = 32
GAIN = 2.5
"""Of weights in comparisons of value-based methods: large enough for limits and thresholds to matter."""
SCORES = {"3 runs of 1 task": (3, 1), "5 runs of 4 tasks": (5, 4), "10 runs of 26 tasks": (10, 26)}
VALUES = (1, 3, 4, 5, 10, 11, 30)
_NORM = re.compile(r"(norm|ln_\w+)\.weight$")


def stream(name: str, *shape: int) -> Tensor:
    """Return numbers in [-1, 1) that depend on a name; those of a smaller shape are the first of a larger one's."""
    state = np.random.RandomState(zlib.crc32(name.encode()))
    return torch.from_numpy(state.uniform(-1, 1, shape).astype(np.float32))


def fill(tensors: Iterable[tuple[str, Tensor]], gain: float | None = None) -> None:
    """Give tensors the numbers that belong to their names: around 1 for the weights of norms, else around 0.

    They are up to 0.1 away from it, or in matrices up to `gain` over the square root of how many inputs they have.
    """
    with torch.no_grad():
        for name, tensor in tensors:
            scale = 0.1 if gain is None or tensor.ndim < 2 else gain / tensor.shape[-1] ** 0.5
            values = scale * stream(name, tensor.numel()) + (1.0 if _NORM.search(name) else 0.0)
            tensor.copy_(values.view(tensor.shape))


def fingerprint(name: str, gradient: Tensor) -> list[float]:
    """Return the length of a gradient and its product with fixed numbers, which tells its elements apart."""
    flat = gradient.detach().flatten().double()
    return [float(flat.norm()), float(flat @ stream(f"probe of {name}", flat.numel()).double())]


def vector_windows() -> dict[str, Tensor]:
    """Return windows of a task with continuous actions: real steps first, two of the four windows shorter than 20."""
    lengths, steps = torch.tensor([20, 20, 7, 1]), 20
    mask_BK = torch.arange(steps) < lengths[:, None]
    starts = torch.tensor([3, 0, 11, 30])
    return {
        "observations": 2 * stream("observations", 4, steps, OBSERVED),
        "actions": 0.9 * stream("actions", 4, steps, ACTIONS),
        "returns_to_go": 2 + stream("returns-to-go", 4, steps),
        "timesteps": torch.where(mask_BK, starts[:, None] + torch.arange(steps), 0),
        "mask": mask_BK,
    }


def frame_windows() -> dict[str, Tensor]:
    """Return windows of an Atari game, of four steps and of two."""
    state = np.random.RandomState(0)
    mask_BK = torch.arange(4) < torch.tensor([4, 2])[:, None]
    return {
        "observations": torch.from_numpy(state.randint(0, 256, (2, 7, 84, 84)).astype(np.uint8)),
        "actions": torch.from_numpy(state.randint(0, GAME_ACTIONS, (2, 4))),
        "returns_to_go": torch.tensor([[5.0, 5.0, 4.0, 4.0], [1.0, 0.0, 0.0, 0.0]]),
        "timesteps": torch.tensor([[0, 1, 2, 3], [17, 18, 0, 0]]),
        "mask": mask_BK,
    }


def transitions(*, discrete: bool = False) -> dict[str, Tensor]:
    """Return a batch of transitions, every fourth of them an end."""
    count = 32
    chosen = torch.from_numpy(np.random.RandomState(1).randint(0, GAME_ACTIONS, count))
    return {
        "observations": stream("observations", count, OBSERVED),
        "actions": chosen if discrete else 0.9 * stream("actions", count, ACTIONS),
        "rewards": stream("rewards", count),
        "next_observations": stream("next observations", count, OBSERVED),
        "terminated": (torch.arange(count) % 4 == 0).float(),
    }


def state_statistics() -> tuple[Tensor, Tensor]:
    """Return mean and spread of states."""
    return 0.3 * stream("mean", OBSERVED), 1 + 0.5 * stream("spread", OBSERVED)


def scores(case: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the scores of two methods, (runs, tasks) each; one run has the same scores with both."""
    state = np.random.RandomState(zlib.crc32(case.encode()))
    ours, theirs = state.normal(55, 40, SCORES[case]), state.normal(45, 30, SCORES[case])
    theirs[0] = ours[0]
    return ours, theirs


def tied_scores() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return scores of 11 runs and of 7, many of them equal."""
    state = np.random.RandomState(3)
    return state.randint(0, 9, 11).astype(float), state.randint(0, 9, 7).astype(float)


def values(count: int) -> NDArray[np.float64]:
    """Return skewed values."""
    return np.random.RandomState(count).gamma(2.0, 3.0, count)


def write_numbers(name: str, command: str, source: str, packages: Sequence[str], numbers: Mapping[str, Any]) -> None:
    """Write a file of numbers, and how they were got."""
    how = {
        "command": command,
        "source": source,
        "versions": {"python": platform.python_version(), **{package: version(package) for package in packages}},
    }
    NUMBERS.mkdir(exist_ok=True)
    lines = [f"  {json.dumps(key)}: {json.dumps(_rounded(value))}" for key, value in numbers.items()]
    text = f'{{\n"how": {json.dumps(how, indent=1)},\n"numbers": {{\n' + ",\n".join(lines) + "\n}\n}\n"
    (NUMBERS / f"{name}.json").write_text(text)


def read_numbers(name: str) -> dict[str, Any]:
    """Return the numbers of a file."""
    return dict(json.loads((NUMBERS / f"{name}.json").read_text())["numbers"])


def _rounded(value: Any) -> Any:
    """Return a value with nine significant digits, as many as float32 can have."""
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, list | tuple):
        return [_rounded(part) for part in value]
    return {key: _rounded(part) for key, part in value.items()} if isinstance(value, dict) else value
