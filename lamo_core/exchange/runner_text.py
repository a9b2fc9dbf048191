"""The runner that is written beside an exported policy: at most 30 lines of NumPy around ONNX Runtime or PyTorch."""

from __future__ import annotations

from typing import Literal

Format = Literal["onnx", "torch"]

MODEL_FILES: dict[Format, str] = {"onnx": "policy.onnx", "torch": "policy.pt2"}
FACTS_FILE, RUNNER_FILE = "policy.json", "exported_policy.py"

_RUNTIME: dict[Format, tuple[str, str]] = {
    "onnx": (
        "import onnxruntime",
        """\
        session = onnxruntime.InferenceSession(str(Path(folder) / "policy.onnx"))
        self.run = lambda inputs: session.run(None, inputs)""",
    ),
    "torch": (
        "import torch",
        """\
        module = torch.export.load(str(Path(folder) / "policy.pt2")).module()
        self.run = lambda inputs: [out.numpy() for out in module(*map(torch.from_numpy, inputs.values()))]""",
    ),
}
"""What is imported, and how the graph is run."""
_RUNNER = '''\
"""An exported policy: reset(target) begins an episode, act(observation, reward) returns the next action."""
import json
from pathlib import Path
import numpy as np
{imported}
class ExportedPolicy:
    def __init__(self, folder=Path(__file__).parent):
        self.about = json.loads((Path(folder) / "policy.json").read_text())
{loaded}
    def reset(self, target=None, seed=None):
        self.left, self.time, self.steps = self.about["targets"][0] if target is None else target, 0, []
        self.draws = np.random.default_rng([self.about["seed"] if seed is None else seed, 1])
        self.frames = np.zeros((4, 84, 84), np.uint8)
    def act(self, observation, reward=0.0):
        about, first, K = self.about, self.about["first_action"], self.about["context"]
        self.left -= (np.sign(reward) if about["rewards"] == "clipped" else reward) if self.time else 0.0
        if about["frames"]:
            self.frames = observation = np.concatenate([self.frames[1:], np.reshape(observation, (1, 84, 84))])
        self.steps = self.steps[K - about["kept"] + 1 :] if len(self.steps) == K else self.steps
        self.steps.append([observation, self.left, 0, self.time])
        inputs = {{name: np.zeros(shape, dtype) for name, (shape, dtype) in about["inputs"].items()}}
        for array, column in zip(inputs.values(), zip(*self.steps)):
            for row, value in enumerate(column):
                array[row] = value
        self.decision, action = self.run(inputs | {{"newest": np.array(len(self.steps) - 1)}})
        if about["action"] == "sample":
            action = first + np.searchsorted(np.cumsum(self.decision[:-1], dtype=float), self.draws.random(), "right")
        self.steps[-1][2], self.time = action - first if about["discrete"] else self.decision, self.time + 1
        return int(action) if about["discrete"] else action
'''


def runner_text(kind: Format) -> str:
    """Return the source of the runner of a format."""
    imported, loaded = _RUNTIME[kind]
    return _RUNNER.format(imported=imported, loaded=loaded)
