"""Data of environments with spaces of their own: bounds, numbering and structure, at the door and at play."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import h5py
import numpy as np
import pytest
from gymnasium import spaces

from lamo_core.config import DataConfig, TaskConfig
from lamo_core.data.checks.plausibility import set_warnings
from lamo_core.data.episodes import EpisodeStore
from lamo_core.data.open_data import open_data
from lamo_core.data.sources.import_set import import_set
from lamo_core.data.sources.minari import get_minari
from lamo_core.data.sources.minari_export import export_minari
from lamo_core.data.sources.resolve import find_anywhere
from lamo_core.data.store.local import received_sets, remove_received
from lamo_core.errors import TaskMismatchError, UnsupportedDataError
from lamo_core.tasks.gym_tasks import gym_task, make_gym
from lamo_core.tasks.registry import get_task
from lamo_core.tasks.task import packed_task, unpacked_task
from tests.data.sources.made_sources import box, d4rl_tables, minari_episodes, write_d4rl, write_minari
from tests.data.sources.web_server import Published

INF = np.inf
GOAL = spaces.Dict(
    {
        "observation": spaces.Box(-INF, INF, (4,), np.float64),
        "achieved_goal": spaces.Box(-INF, INF, (2,), np.float64),
        "desired_goal": spaces.Box(-INF, INF, (2,), np.float64),
    }
)
MIXED = spaces.Tuple((spaces.Discrete(3), spaces.Dict({"b": spaces.MultiBinary(2), "a": spaces.Box(-1, 1, (2,))})))


class Sampled(gymnasium.Env):
    """Observes samples of its space and pays what it is told to do."""

    metadata = {"render_modes": []}  # noqa: RUF012

    def __init__(self, observation: spaces.Space, action: spaces.Space) -> None:
        self.observation_space, self.action_space = observation, action

    def reset(self, *, seed: int | None = None, options: object = None) -> tuple[Any, dict]:
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
        return self.observation_space.sample(), float(np.ravel(action)[0]), False, False, {}


@pytest.fixture(autouse=True)
def _environments(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("LAMO_DATA", str(tmp_path / "data"))
    gym_task.cache_clear()
    unit, wide = spaces.Box(-1, 1, (2,), np.float32), spaces.Box(np.float32([0, -4]), np.float32([10, 4]))
    one = spaces.Box(-1, 1, (3,), np.float32)
    made = {
        "Goal-v0": (GOAL, unit),
        "Mixed-v0": (MIXED, unit),
        "Wide-v0": (one, wide),
        "Fixed-v0": (one, spaces.Box(np.float32([3, -1]), np.float32([3, 1]))),
        "Free-v0": (one, spaces.Box(-INF, INF, (2,), np.float32)),
        "From5-v0": (one, spaces.Discrete(3, start=5)),
        "Place-v0": (spaces.Discrete(6), spaces.Discrete(3)),
        "Places-v0": (spaces.MultiDiscrete([3, 2]), spaces.Discrete(3)),
    }
    for name, (observation, action) in made.items():
        kwargs = {"observation": observation, "action": action}
        gymnasium.register(name, entry_point=Sampled, kwargs=kwargs, max_episode_steps=50)
    yield
    for name in made:
        del gymnasium.registry[name]
    gym_task.cache_clear()


def imported(folder: Path, tables: dict[str, Any], task: str) -> EpisodeStore:
    """Return the episodes of a file of D4RL's kind, as training gets them."""
    write_d4rl(folder / "mine.hdf5", tables)
    for before in received_sets():
        remove_received(before)
    import_set(folder / "mine.hdf5", "mine", task, lambda *_: None)
    return open_data(DataConfig(set="mine"), TaskConfig(name=task), 0)


def tables_of(actions: np.ndarray, features: int = 3) -> dict[str, np.ndarray]:
    """Return tables with these actions."""
    return d4rl_tables((5, 3, 4, 2), features) | {"actions": actions}


# ---- actions ----


@pytest.mark.usefixtures("in_process")
def test_actions_in_the_bounds_of_the_environment_come_back_at_play(published: Published, tmp_path: Path) -> None:
    own = np.random.default_rng(1).uniform([0, -4], [10, 4], (14, 2)).astype(np.float32)
    store = imported(tmp_path, tables_of(own), "gym:Wide-v0")
    np.testing.assert_allclose(store.actions, own[:12] / [5, 4] - [1, 0], rtol=1e-5, atol=1e-6)
    assert store.card["action_bounds"] == {"low": [0.0, -4.0], "high": [10.0, 4.0]}
    assert any("scaled from 0 to 10, -4 to 4 to -1 to 1" in note for note in store.card["notes"])
    environment = make_gym("gym:Wide-v0")
    environment.reset(seed=0)
    for played, action in zip(own, store.actions, strict=False):
        assert environment.step(action)[1] == pytest.approx(played[0], abs=1e-5)


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.int8])
def test_numbers_of_any_type_are_taken(published: Published, tmp_path: Path, dtype: type) -> None:
    own = np.random.default_rng(1).uniform([0, -4], [10, 4], (14, 2)).astype(dtype)
    tables = {name: values.astype(np.float64) for name, values in tables_of(own).items() if name != "actions"}
    store = imported(tmp_path, tables | {"actions": own}, "gym:Wide-v0")
    np.testing.assert_allclose(store.actions, own[:12] / [5, 4] - [1, 0], rtol=1e-5, atol=1e-6)
    assert (store.actions.dtype, store.observations.dtype, store.rewards.dtype) == (np.float32,) * 3


@pytest.mark.usefixtures("in_process")
def test_equal_and_missing_bounds(published: Published, tmp_path: Path) -> None:
    own = np.stack([np.full(14, 3.0), np.linspace(-1, 1, 14)], axis=1)
    store = imported(tmp_path, tables_of(own), "gym:Fixed-v0")
    np.testing.assert_allclose(store.actions, np.stack([np.zeros(12), own[:12, 1]], axis=1), rtol=1e-6)
    with pytest.raises(UnsupportedDataError, match="an action of 2, outside of 3 to 3"):
        imported(tmp_path / "b", tables_of(own - [1, 0]), "gym:Fixed-v0")
    free = np.random.default_rng(1).uniform(-1, 1, (14, 2)).astype(np.float32)
    assert "action_bounds" not in imported(tmp_path, tables_of(free), "gym:Free-v0").card
    with pytest.raises(UnsupportedDataError, match="within which actions without bounds are played; write the actions"):
        imported(tmp_path / "c", tables_of(free * 3), "gym:Free-v0")


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("shape", [(14,), (14, 1)])
@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.float32])
def test_one_choice_a_step_with_or_without_an_axis(
    published: Published, tmp_path: Path, shape: tuple[int, ...], dtype: type
) -> None:
    own = (np.arange(14) % 3 + 5).astype(dtype).reshape(shape)
    store = imported(tmp_path, tables_of(own), "gym:From5-v0")
    assert store.actions.dtype == np.uint8
    assert store.actions.tolist() == (np.arange(12) % 3).tolist()
    environment = make_gym("gym:From5-v0")
    environment.reset(seed=0)
    assert [environment.step(action)[1] for action in store.actions[:3]] == [5, 6, 7]


@pytest.mark.usefixtures("in_process")
def test_choices_that_do_not_fit(published: Published, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedDataError, match="the action 8, which is not one of 3 from 5 on"):
        imported(tmp_path, tables_of(np.arange(14) % 3 + 6), "gym:From5-v0")
    with pytest.raises(TaskMismatchError, match=r"actions of 1 number, and gym:From5-v0 wants"):
        imported(tmp_path, tables_of(np.linspace(0, 1, 14)), "gym:From5-v0")
    with pytest.raises(TaskMismatchError, match=r"actions of 2 numbers, and gym:From5-v0 wants"):
        imported(tmp_path, tables_of(np.zeros((14, 2))), "gym:From5-v0")
    with pytest.raises(TaskMismatchError, match=r"actions of 1 number, and gym:Wide-v0 wants"):
        imported(tmp_path, tables_of(np.arange(14) % 3), "gym:Wide-v0")
    assert received_sets() == []


@pytest.mark.usefixtures("in_process")
def test_one_number_a_step_without_an_axis(published: Published, tmp_path: Path) -> None:
    own = np.linspace(-2, 2, 14)
    store = imported(tmp_path, tables_of(own), "gym:Pendulum-v1")
    np.testing.assert_allclose(store.actions, own[:12, None] / 2, rtol=1e-6)


# ---- observations ----


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize(
    ("task", "own"), [("gym:Place-v0", (14,)), ("gym:Place-v0", (14, 1)), ("gym:Places-v0", (14, 2))]
)
def test_observed_choices_are_made_flat_as_at_play(
    published: Published, tmp_path: Path, task: str, own: tuple[int, ...]
) -> None:
    counts = [6] if task == "gym:Place-v0" else [3, 2]
    seen = np.stack([np.arange(14) % count for count in counts], axis=1)
    tables = tables_of(np.arange(14) % 3) | {"observations": seen.reshape(own)}
    del tables["next_observations"]
    store = imported(tmp_path, tables, task)
    space = make_gym(task).unwrapped.observation_space
    for row, one in zip(store.observations[:5], seen[:5], strict=True):
        np.testing.assert_array_equal(row, spaces.flatten(space, one if len(counts) > 1 else one[0]))
    assert store.card["observation_parts"] == [["", sum(counts)]]


@pytest.mark.usefixtures("in_process")
def test_what_is_flat_already_is_left_so(published: Published, tmp_path: Path) -> None:
    flat = np.eye(6)[np.arange(14) % 6]
    tables = tables_of(np.arange(14) % 3) | {"observations": flat, "next_observations": flat}
    np.testing.assert_array_equal(imported(tmp_path, tables, "gym:Place-v0").observations[:5], flat[:5])


@pytest.mark.usefixtures("in_process")
def test_parts_in_a_group_are_put_together(published: Published, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    parts = {
        "observation": rng.random((14, 4)),
        "achieved_goal": rng.random((14, 2)),
        "desired_goal": rng.random((14, 2)),
    }
    tables = tables_of(rng.uniform(-1, 1, (14, 2)))
    del tables["observations"], tables["next_observations"]
    store = imported(tmp_path, tables | {f"observations/{name}": part for name, part in parts.items()}, "gym:Goal-v0")
    expected = np.concatenate([parts["observation"], parts["desired_goal"]], axis=1).astype(np.float32)
    np.testing.assert_array_equal(store.observations[:5], expected[:5])
    with pytest.raises(UnsupportedDataError, match="are a group"):
        imported(tmp_path / "b", tables | {"observations/a": parts["observation"]}, "mujoco-hopper")


def structured(rows: int, space: spaces.Space, rng: np.random.Generator) -> tuple[list[Any], dict[str, np.ndarray]]:
    """Return samples of a space, and their tables as Minari keeps them."""
    space.seed(int(rng.integers(1000)))
    samples = [space.sample() for _ in range(rows)]
    tables: dict[str, np.ndarray] = {}

    def split(part: spaces.Space, column: list[Any], name: str) -> None:
        if isinstance(part, spaces.Dict):
            for key, one in part.spaces.items():
                split(one, [row[key] for row in column], f"{name}/{key}")
        elif isinstance(part, spaces.Tuple):
            for index, one in enumerate(part.spaces):
                split(one, [row[index] for row in column], f"{name}/_index_{index}")
        else:
            tables[name] = np.array(column)

    split(space, samples, "observations")
    return samples, tables


def minari_space(space: spaces.Space) -> dict[str, Any]:
    """Return a space as Minari writes it."""
    kind = type(space).__name__
    if isinstance(space, spaces.Dict):
        return {"type": kind, "subspaces": {key: minari_space(part) for key, part in space.spaces.items()}}
    if isinstance(space, spaces.Tuple):
        return {"type": kind, "subspaces": [minari_space(part) for part in space.spaces]}
    if isinstance(space, spaces.Discrete):
        return {"type": kind, "dtype": "int64", "start": int(space.start), "n": int(space.n)}
    if isinstance(space, spaces.MultiBinary):
        return {"type": kind, "n": int(space.n)}
    assert isinstance(space, spaces.Box)
    return box(space.shape, -1.0, 1.0)


def write_structured(root: Path, name: str, space: spaces.Space, environment: str) -> list[list[Any]]:
    """Write a Minari data set of two episodes with structured observations and return these."""
    rng = np.random.default_rng(4)
    episodes, seen = minari_episodes((4, 6), 1, 2), []
    for episode in episodes:
        del episode["observations"]
        samples, tables = structured(len(episode["rewards"]) + 1, space, rng)
        episode.update(tables)
        seen.append(samples)
    spec = json.dumps({"id": environment})
    write_minari(root, name, episodes, minari_space(space), box((2,), -1, 1, "float32"), env_spec=spec)
    return seen


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize(("space", "environment"), [(GOAL, "Goal-v0"), (MIXED, "Mixed-v0")])
def test_structured_minari_sets_are_seen_as_their_environment_is(
    published: Published, tmp_path: Path, space: spaces.Space, environment: str
) -> None:
    seen = write_structured(tmp_path / "minari", "s/one-v0", space, environment)
    card = get_minari("s/one-v0", lambda *_: None)
    task = TaskConfig(name=f"gym:{environment}")
    store = open_data(DataConfig(source="minari", set="s/one-v0"), task, 0)
    flatten = make_gym(task.name).env.observation
    expected = np.concatenate([[flatten(one) for one in samples] for samples in seen]).astype(np.float32)
    np.testing.assert_array_equal(store.observations, expected)
    assert store.observations.shape[1:] == get_task(task.name).observation_shape
    assert card["observation_parts"] == [[part.name, part.width] for part in get_task(task.name).parts]
    assert any("observations were made flat" in note for note in card["notes"])
    assert set_warnings(find_anywhere("s/one-v0")) == []


@pytest.mark.usefixtures("in_process")
def test_a_set_of_another_structure_is_refused_at_the_door(published: Published, tmp_path: Path) -> None:
    write_structured(tmp_path / "minari", "s/one-v0", MIXED, "Goal-v0")
    with pytest.raises(TaskMismatchError, match=r"observations of 7 numbers .*, and gym:Goal-v0 wants .* of 6"):
        get_minari("s/one-v0", lambda *_: None)
    assert received_sets() == []


@pytest.mark.usefixtures("in_process")
def test_parts_in_another_order_are_another_task(published: Published, tmp_path: Path) -> None:
    other = spaces.Dict({"x": spaces.Box(-1, 1, (2,)), "y": spaces.Box(-1, 1, (4,))})
    write_structured(tmp_path / "minari", "s/one-v0", other, "Unheard-v0")
    get_minari("s/one-v0", lambda *_: None)
    with pytest.raises(TaskMismatchError, match=r"are x \(2\), y \(4\), and those of gym:Goal-v0 observation \(4\)"):
        open_data(DataConfig(source="minari", set="s/one-v0"), TaskConfig(name="gym:Goal-v0"), 0)


@pytest.mark.usefixtures("in_process")
def test_an_environment_that_is_not_registered_here_is_said(
    published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(gymnasium.registry, "PointMaze_UMaze-v3", raising=False)
    write_structured(tmp_path / "minari", "s/one-v0", GOAL, "PointMaze_UMaze-v3")
    get_minari("s/one-v0", lambda *_: None)
    (warning,) = set_warnings(find_anywhere("s/one-v0"))
    assert warning.startswith(
        "its task cannot be played here: PointMaze_UMaze-v3 is an environment of gymnasium-robotics"
    )
    assert "LAMO_ENVIRONMENTS=gymnasium_robotics" in warning


# ---- bounds of one set and another task; exports; records ----


@pytest.mark.usefixtures("in_process")
def test_actions_scaled_from_other_bounds_are_another_task(published: Published, tmp_path: Path) -> None:
    arguments = (minari_episodes((4, 6), 3, 2, scale=4.0), box((3,), -1, 1), box((2,), -4, 4))
    write_minari(tmp_path / "minari", "w-v0", *arguments)
    get_minari("w-v0", lambda *_: None)
    for name, bounds in (("gym:Wide-v0", "0 to 10, -4 to 4"), ("gym:Free-v0", "none")):
        with pytest.raises(TaskMismatchError, match=f"scaled from -4 to 4, and {name} has the bounds {bounds}"):
            open_data(DataConfig(source="minari", set="w-v0"), TaskConfig(name=name), 0)


@pytest.mark.usefixtures("in_process")
def test_an_export_holds_the_actions_that_were_played(published: Published, tmp_path: Path) -> None:
    own = np.random.default_rng(1).uniform([0, -4], [10, 4], (14, 2)).astype(np.float32)
    ours = imported(tmp_path, tables_of(own), "gym:Wide-v0")
    result = export_minari(find_anywhere("mine"), tmp_path / "minari", 1.0, 0)
    with h5py.File(Path(result["path"]) / "data" / "main_data.hdf5") as file:
        np.testing.assert_allclose(file["episode_0/actions"][:], own[:5], rtol=1e-5, atol=1e-6)
    described = json.loads((Path(result["path"]) / "data" / "metadata.json").read_text())
    assert json.loads(described["action_space"])["high"] == [10.0, 4.0]
    theirs = open_data(DataConfig(source="minari", set=result["id"]), TaskConfig(name="gym:Wide-v0"), 0)
    np.testing.assert_allclose(theirs.actions, ours.actions, atol=1e-6)


@pytest.mark.parametrize("name", ["mujoco-hopper", "atari-pong", "gym:Wide-v0", "gym:Mixed-v0", "gym:From5-v0"])
def test_a_task_travels_as_plain_values(name: str) -> None:
    task = get_task(name)
    assert repr(unpacked_task(json.loads(json.dumps(packed_task(task))))) == repr(task)


# ---- Minari before 0.5 ----


def older_layout(root: Path, **attributes: Any) -> Path:
    """Write a Minari data set as before Minari 0.5 and return its folder."""
    folder = write_minari(root, "door-v1", minari_episodes((4, 6), 11, 3), box((11,), -1, 1), box((3,), -1, 1))
    values = json.loads((folder / "metadata.json").read_text()) | attributes
    (folder / "metadata.json").unlink()
    with h5py.File(folder / "main_data.hdf5", "r+") as file:
        for name, value in values.items():
            if value is not None:
                file.attrs[name] = value
    return folder.parent


@pytest.mark.usefixtures("in_process")
def test_the_older_layout_is_told_apart_and_converted(published: Published, tmp_path: Path) -> None:
    folder = older_layout(tmp_path / "minari")
    for path in (folder, folder / "data"):
        with pytest.raises(
            UnsupportedDataError, match=r"layout before Minari 0\.5.*; convert it with .*--older-layout"
        ):
            import_set(path, "", "", lambda *_: None)
    with pytest.raises(UnsupportedDataError, match="before Minari"):
        get_minari("door-v1", lambda *_: None)
    card = import_set(folder, "", "mujoco-hopper", lambda *_: None, older_layout=True)
    assert (card["name"], card["episodes"], card["transitions"]) == ("door-v1", 2, 10)
    assert open_data(DataConfig(set="door-v1"), TaskConfig(name="mujoco-hopper"), 0).transitions == 10
    with pytest.raises(TaskMismatchError, match="--task mujoco-hopper"):
        import_set(folder, "b", "mujoco-walker2d", lambda *_: None, older_layout=True)
    assert [found.name for found in received_sets()] == ["door-v1"]


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("changes", [{"observation_space": None}, {"total_episodes": None}, {"action_space": None}])
def test_an_older_set_that_does_not_describe_itself(
    published: Published, tmp_path: Path, changes: dict[str, Any]
) -> None:
    folder = older_layout(tmp_path, **changes)
    with pytest.raises(UnsupportedDataError, match=f"do not say its {next(iter(changes))}; get the newer version"):
        import_set(folder, "", "", lambda *_: None, older_layout=True)
