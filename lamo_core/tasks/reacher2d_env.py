"""Reacher2d as a Gymnasium environment: a planar arm of two links must hold its fingertip near a target.

Rebuilt from the geometry that the LaMo paper's code publishes: RK4 at 0.01 s, 15 physics steps per decision, no early
end, reward 1 while the fingertip is within 0.1 of the target in the sum of both axes' distances.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import mujoco
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MODEL = Path(__file__).parents[1] / "assets" / "mujoco" / "reacher2d.xml"
PHYSICS_STEPS = 15
NEAR = 0.1
_TIMESTEP = 0.15
"""Seconds per decision; also the scale of velocities in the observation."""


class Reacher2d(gymnasium.Env[Floats, Floats]):
    """Two torques in [-1, 1]; the state is what `observe` returns.

    Each reset draws both joint angles from [-2, 2] and a target from the ring of radius 0.5 to 1.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  # Gymnasium's own declaration

    def __init__(self) -> None:
        self.model = mujoco.MjModel.from_xml_path(str(MODEL))
        self.data = mujoco.MjData(self.model)
        self._tip = self.model.site("fingertip").id
        self._target = self.model.body("target").id
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (12,), np.float64)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float64)
        self.dt = _TIMESTEP

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Floats, dict[str, Any]]:
        """Draw angles and target; returns the observation (12,) and no information."""
        super().reset(seed=seed)
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[:] = self.np_random.uniform(-2.0, 2.0, 2)
        target = np.zeros(2)
        while not 0.5 <= np.linalg.norm(target) <= 1.0:
            target = self.np_random.uniform(-1.5, 1.5, 2)
        self.model.body_pos[self._target, :2] = target
        mujoco.mj_forward(self.model, self.data)
        return self.observe(), {}

    def step(self, action: Floats) -> tuple[Floats, float, bool, bool, dict[str, Any]]:
        """Hold two torques for 0.15 s; never terminates."""
        self.data.ctrl[:] = np.clip(action, -1.0, 1.0)
        mujoco.mj_step(self.model, self.data, nstep=PHYSICS_STEPS)
        # mj_step leaves positions of bodies one physics step behind the joints, as the published environment does.
        tip, target = self._places()
        reward = float(np.abs(tip - target).sum() < NEAR)
        return self.observe(), reward, False, False, {}

    def observe(self) -> Floats:
        """Return sines and cosines of both angles, 0.15 x velocities, fingertip, target and their difference (12,)."""
        tip, target = self._places()
        angles = self.data.qpos
        return np.concatenate([np.sin(angles), np.cos(angles), _TIMESTEP * self.data.qvel, tip, target, tip - target])

    def _places(self) -> tuple[Floats, Floats]:
        return self.data.site_xpos[self._tip, :2].copy(), self.data.xpos[self._target, :2].copy()
