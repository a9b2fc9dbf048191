"""The loss of a predictor that always says the same: what a policy's loss is to be held against.

Shape suffixes: N steps, M measured steps, A actions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def constant_loss(trained_N: NDArray[Any], measured_M: Tensor, classes: int) -> float:
    """Return the mean loss on measured actions of the best constant guess from those that are trained on.

    Squared error of the mean of continuous actions (N, A); cross-entropy of the frequencies of discrete ones (N,), each
    of the `classes` counted once more, so that none has the chance 0.
    """
    if trained_N.ndim == 1:
        counts = np.bincount(trained_N.astype(np.int64), minlength=classes) + 1.0
        logs = torch.from_numpy(np.log(counts / counts.sum()))
        return float(-logs[measured_M.cpu()].mean())
    mean_A = torch.from_numpy(trained_N.mean(0, dtype=np.float64))
    return float((measured_M.cpu().double() - mean_A).square().mean())
