"""Any other Gymnasium environment as a task: what fits, what does not, and that it plays alike everywhere."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from lamo_core.config import TaskConfig
from lamo_core.errors import MissingError, UsageError
from lamo_core.tasks.gym_tasks import gym_task, make_gym
from lamo_core.tasks.known_packages import package_of
from lamo_core.tasks.registry import get_task, make_batch
from lamo_core.tasks.rendering.render_env import open_rendered


class Counter(gymnasium.Env):
    """Observes its own action and a count; choices count from 3; cuts its episodes after 4 steps by itself."""

    metadata = {"render_modes": []}  # noqa: RUF012

    def __init__(self, observation: spaces.Space, action: spaces.Space) -> None:
        self.observation_space, self.action_space = observation, action
        self.seen: list[object] = []

    def reset(self, *, seed: int | None = None, options: object = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.count = 0
        return self._observe(0.0), {}

    def step(self, action: object) -> tuple[np.ndarray, float, bool, bool, dict]:
        assert self.action_space.contains(action), action
        self.count += 1
        return self._observe(float(np.ravel(action)[0])), 1.0, False, self.count == 4, {}

    def _observe(self, value: float) -> np.ndarray:
        return np.full(self.observation_space.shape, value, self.observation_space.dtype)


BOX = spaces.Box(-np.inf, np.inf, (2, 3), np.float32)


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    gym_task.cache_clear()
    added = []

    def register(name: str, observation: spaces.Space, action: spaces.Space) -> None:
        gymnasium.register(name, entry_point=Counter, kwargs={"observation": observation, "action": action})
        added.append(name)

    register("From3-v0", BOX, spaces.Discrete(2, start=3))
    register("Wide-v0", BOX, spaces.Box(np.float32([[0.0, -4.0]]), np.float32([[10.0, np.inf]])))
    register("Picture-v0", spaces.Box(0, 255, (84, 84, 3), np.uint8), spaces.Discrete(2))
    register("Many-v0", BOX, spaces.Discrete(1000))
    register("Both-v0", BOX, spaces.MultiDiscrete([2, 2]))
    register("Words-v0", spaces.Dict({"seen": BOX, "said": spaces.Text(9)}), spaces.Discrete(2))
    yield
    for name in added:
        del gymnasium.registry[name]


def test_the_record_says_what_the_spaces_say() -> None:
    task = get_task("gym:CartPole-v1")
    assert (task.observation_shape, task.action_kind, task.actions, task.horizon) == ((4,), "discrete", 2, 500)
    assert math.isnan(task.normalised(100.0))
    pendulum = get_task("gym:Pendulum-v1")
    assert (pendulum.action_kind, pendulum.actions, pendulum.horizon) == ("continuous", 1, 200)
    assert get_task("gym:From3-v0").observation_shape == (6,)


def test_choices_count_from_zero() -> None:
    environment = make_gym("gym:From3-v0")
    environment.reset(seed=0)
    assert environment.step(np.int64(0))[0][0] == 3
    assert environment.step(np.int64(1))[0][0] == 4


def test_bounded_actions_are_stretched_and_others_left_alone() -> None:
    environment = make_gym("gym:Wide-v0")
    environment.reset(seed=0)
    assert environment.action_space.shape == (2,)
    for action, expected in ((-1.0, 0.0), (0.0, 5.0), (1.0, 10.0)):
        assert environment.step(np.array([action, 0.5]))[0][0] == expected
    pendulum = make_gym("gym:Pendulum-v1")
    assert pendulum.action(np.array([0.5])) == pytest.approx(1.0)


def test_an_end_that_the_environment_sets_itself_counts() -> None:
    batch = make_batch(TaskConfig(name="gym:From3-v0"), 2)
    batch.reset(np.array([0, 1]))
    for _ in range(4):
        _, _, terminated, truncated = batch.step(np.array([0, 1]))
    assert truncated.all()
    assert not terminated.any()
    with pytest.raises(UsageError, match="shape"):
        batch.step(np.zeros((2, 2)))


@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        ("gym", UsageError, "task.id=CartPole-v1"),
        ("gym:CartPol-v1", UsageError, "CartPole"),
        ("gym:Words-v0", UsageError, "observes a Text space"),
        ("gym:Picture-v0", UsageError, "21,168 numbers"),
        ("gym:Many-v0", UsageError, "one of 1,000 actions; 256 are the most"),
        ("gym:Both-v0", UsageError, "takes a MultiDiscrete"),
        ("gym:nowhere:Name-v0", UsageError, "LAMO_ENVIRONMENTS=nowhere"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(name: str, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text) as caught:
        get_task(name)
    assert "\n" not in str(caught.value)


def test_time_limits_are_those_that_the_environment_is_registered_with() -> None:
    batch = make_batch(TaskConfig(name="gym:Pendulum-v1"), 1)
    batch.reset(np.array([0]))
    cut = [bool(batch.step(np.zeros((1, 1)))[3][0]) for _ in range(200)]
    assert cut.index(True) == 199
    batch.close()


@pytest.mark.parametrize("name", ["gym:CartPole-v1", "gym:Pendulum-v1"])
def test_shown_episodes_are_those_of_the_batch_and_moments_come_back(name: str) -> None:
    config, task = TaskConfig(name=name, max_steps=9), get_task(name)
    rng = np.random.default_rng(0)
    discrete = task.action_kind == "discrete"
    actions = rng.integers(0, 2, 9) if discrete else rng.uniform(-1.5, 1.5, (9, 1)).astype(np.float32)
    batch, shown = make_batch(config, 1), open_rendered(config, height=30)
    assert np.array_equal(shown.reset(5, 0), batch.reset(np.array([5]))[0])
    for index, action in enumerate(actions):
        observations, rewards, terminated, truncated = batch.step(action[None])
        observation, *rest = shown.step(action)
        assert np.array_equal(observation, observations[0])
        assert rest == [rewards[0], terminated[0], truncated[0]]
        if index == 3:
            moment = shown.clone()
    shown.restore(moment)
    for action in actions[4:]:
        again = shown.step(action)[0]
    assert np.array_equal(again, observations[0])
    assert shown.picture().ndim == 3
    shown.close()


def test_environments_without_pictures_show_bars() -> None:
    shown = open_rendered(TaskConfig(name="gym:From3-v0"), height=30)
    shown.reset(0, 0)
    empty = shown.picture()
    shown.step(np.int64(1))
    assert empty.shape == (30, 40, 3)
    assert (shown.picture() != empty).any()


def test_other_simulations_are_drawn_from_their_bodies(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mujoco")
    monkeypatch.setenv("MUJOCO_GL", "disabled")
    shown = open_rendered(TaskConfig(name="gym:Swimmer-v5"), height=60)
    shown.reset(0, 0)
    assert shown.picture().shape == (60, 80, 3)
    assert len(np.unique(shown.picture().reshape(-1, 3), axis=0)) > 20
    shown.close()


def test_an_id_imports_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "strange.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UsageError, match="LAMO_ENVIRONMENTS=strange"):
        get_task("gym:strange:Thing-v0")


def test_modules_that_the_user_names_register_environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "trusted.py").write_text(
        "import gymnasium\ngymnasium.register('Trusted-v0', entry_point='gymnasium.envs.classic_control:CartPoleEnv')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("LAMO_ENVIRONMENTS", "trusted")
    assert get_task("gym:Trusted-v0").actions == 2
    monkeypatch.setenv("LAMO_ENVIRONMENTS", "not_there_at_all")
    with pytest.raises(MissingError, match="not_there_at_all"):
        get_task("gym:Trusted-v0-again")


@pytest.mark.parametrize(
    ("identifier", "task"),
    [("ALE/MsPacman-v5", "ms_pacman"), ("ALE/TicTacToe3D-v5", "tic_tac_toe_3d"), ("seaquest", "seaquest")],
)
def test_a_game_by_its_id_is_told_its_task(identifier: str, task: str) -> None:
    with pytest.raises(UsageError, match=f"--set task.name=atari-{task} "):
        get_task(f"gym:{identifier}")
    with pytest.raises(UsageError, match=f"--set task.name=atari-{task} "):
        get_task(f"gym:atari-{task}")


@pytest.mark.parametrize(
    ("identifier", "package", "module"),
    [
        ("PointMaze_UMaze-v3", "gymnasium-robotics", "gymnasium_robotics"),
        ("AdroitHandDoor-v1", "gymnasium-robotics", "gymnasium_robotics"),
        ("FetchReach-v4", "gymnasium-robotics", "gymnasium_robotics"),
        ("MiniGrid-Empty-5x5-v0", "minigrid", "minigrid"),
        ("highway-fast-v0", "highway-env", "highway_env"),
        ("u-turn-v0", "highway-env", "highway_env"),
        ("PandaReachDense-v3", "panda-gym", "panda_gym"),
        ("Meta-World/MT1", "metaworld", "metaworld"),
        ("PyFlyt/QuadX-Hover-v4", "pyflyt", "PyFlyt.gym_envs"),
    ],
)
def test_ids_of_known_packages_say_how_they_are_named(
    monkeypatch: pytest.MonkeyPatch, identifier: str, package: str, module: str
) -> None:
    for known in [known for known in gymnasium.registry if package_of(known)]:  # by tests that ran before
        monkeypatch.delitem(gymnasium.registry, known)
    for installed, error, text in (
        (False, MissingError, f"pip install {package}, and set"),
        (True, UsageError, "; set"),
    ):
        monkeypatch.setattr("lamo_core.tasks.known_packages.find_spec", lambda name, here=installed: here or None)
        monkeypatch.delenv("LAMO_ENVIRONMENTS", raising=False)
        monkeypatch.delitem(gymnasium.registry, identifier, raising=False)  # other tests import some of them
        with pytest.raises(
            error, match=f"{identifier} is an environment of {package}.*{text} LAMO_ENVIRONMENTS={module}"
        ):
            get_task(f"gym:{identifier}")
    monkeypatch.setenv("LAMO_ENVIRONMENTS", "math")
    with pytest.raises(UsageError, match=f"LAMO_ENVIRONMENTS=math,{module}"):
        get_task(f"gym:{identifier}")


def test_ids_that_a_named_package_does_not_register_are_gymnasiums_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lamo_core.tasks.gym_tasks.importlib.import_module", lambda name: None)
    monkeypatch.setenv("LAMO_ENVIRONMENTS", "highway_env")
    with pytest.raises(UsageError, match="Gymnasium cannot make highway-slow-v7"):
        get_task("gym:highway-slow-v7")


def test_one_observed_choice_is_a_vector_of_zeros_with_a_one() -> None:
    task = get_task("gym:FrozenLake-v1")
    assert (task.observation_shape, task.action_kind, task.actions) == ((16,), "discrete", 4)
    batch = make_batch(TaskConfig(name="gym:FrozenLake-v1"), 1)
    assert batch.reset(np.array([0])).tolist() == [[1.0] + [0.0] * 15]
    batch.close()


@pytest.mark.parametrize("name", ["PointMaze_UMaze-v3", "AntMaze_UMaze-v5"])
def test_goal_environments_of_the_robotics_package(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    pytest.importorskip("gymnasium_robotics")
    monkeypatch.setenv("LAMO_ENVIRONMENTS", "gymnasium_robotics")
    environment = make_gym(f"gym:{name}")
    seen = environment.reset(seed=0)[0]
    whole = environment.unwrapped.reset(seed=0)[0]
    order = (
        ("observation", "achieved_goal", "desired_goal") if name.startswith("Ant") else ("observation", "desired_goal")
    )
    assert seen.shape == get_task(f"gym:{name}").observation_shape == (sum(whole[part].size for part in order),)
    environment.close()
