"""Actors of other people's locomotion agents as plain NumPy; their weights are read from a file and never ship.

Legend: O observation features, A action dimensions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamo_core.data.formats.array_file import read_arrays
from lamo_core.errors import UnsupportedDataError
from lamo_core.untrusted.parsing import parse_json

Floats = NDArray[np.float64]
WEIGHTS_ADVICE = "give the folder of the behaviour policies' weights with --policies"


class Actor:
    """One actor: optional normalisation, up to two hidden layers, a squashed or clipped Gaussian.

    `path` is an `.npz` of arrays named `<actor>/w0` and so on, with a `meta_json` that says how each one computes.
    Raises `MissingError` and `DataError`.
    """

    def __init__(self, path: Path, name: str) -> None:
        prefix = f"{name}/"
        archive = read_arrays(path, WEIGHTS_ADVICE)
        self._arrays = {key.removeprefix(prefix): array for key, array in archive.items() if key.startswith(prefix)}
        try:
            self._meta = parse_json(archive["meta_json"].tobytes())[name]
        except (ValueError, KeyError, TypeError) as error:
            raise UnsupportedDataError(f"{path} does not describe the actor {name}", WEIGHTS_ADVICE) from error

    def act(self, observation: Floats, rng: np.random.Generator) -> Floats:
        """Return an action (A,) for an observation (O,), drawn from the actor's distribution."""
        arrays, hidden = self._arrays, self._normalised(observation)
        for layer in range(self._meta["layers"]):
            hidden = arrays[f"w{layer}"] @ hidden + arrays[f"b{layer}"]
            hidden = np.maximum(hidden, 0.0) if self._meta["activation"] == "relu" else np.tanh(hidden)
        mode = arrays["w_out"] @ hidden + arrays["b_out"]
        action = mode + np.exp(self._log_deviation(hidden)) * rng.standard_normal(len(mode))
        squashed = np.tanh(action) if self._meta["squash"] == "tanh" else np.clip(action, -1.0, 1.0)
        return np.asarray(squashed, np.float64)

    def _normalised(self, observation: Floats) -> NDArray[Any]:
        if self._meta["time_feature"]:
            observation = np.append(observation, 1.0)
        if "obs_mean" not in self._arrays:
            return observation.astype(np.float32)
        centred = observation - self._arrays["obs_mean"]
        if self._meta["obs_clip"] is None:
            return np.asarray(centred / (np.sqrt(self._arrays["obs_var"]) + 1e-6))
        limit = self._meta["obs_clip"]
        return np.asarray(np.clip(centred / np.sqrt(self._arrays["obs_var"] + self._meta["obs_eps"]), -limit, limit))

    def _log_deviation(self, hidden: NDArray[Any]) -> NDArray[Any]:
        if "w_logstd" in self._arrays:
            return np.asarray(np.clip(self._arrays["w_logstd"] @ hidden + self._arrays["b_logstd"], -20.0, 2.0))
        return self._arrays.get("logstd", np.array(-np.inf))
