"""Minari data sets: every kind that is read, what is refused, and what comes back after an export."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lamo_core.config import DataConfig, TaskConfig
from lamo_core.data.episodes import EpisodeStore
from lamo_core.data.open_data import open_data
from lamo_core.data.sandbox.sandbox import IsolatedReader
from lamo_core.data.sources.minari import get_minari
from lamo_core.data.sources.minari_export import export_minari
from lamo_core.data.sources.minari_file import convert_minari
from lamo_core.data.sources.minari_spaces import read_metadata
from lamo_core.data.sources.resolve import find_anywhere
from lamo_core.data.store.local import find_received
from lamo_core.errors import DataError, MissingError, UsageError
from tests.data.sources.made_sources import box, dqn_arrays, dqn_files, minari_episodes, write_minari
from tests.data.sources.web_server import Published

HOPPER = TaskConfig(name="mujoco-hopper")
BREAKOUT = TaskConfig(name="atari-breakout")
UNIT = box((3,), -1.0, 1.0, "float32")
DISCRETE = {"type": "Discrete", "dtype": "int64", "start": 0, "n": 4}


def no_progress(stage: str, done: int, total: int) -> None:
    """Show nothing."""


def opened(name: str, task: TaskConfig, **config: Any) -> EpisodeStore:
    """Return all episodes of a Minari data set."""
    return open_data(DataConfig(source="minari", set=name, **config), task, 0)


def spec(environment: str) -> str:
    """Return an environment's description as Minari stores it."""
    return json.dumps({"id": environment, "kwargs": {}})


def frame_episodes(shape: tuple[int, ...], lengths: tuple[int, ...] = (5, 70)) -> list[dict[str, Any]]:
    """Return episodes of pictures with discrete actions."""
    rng = np.random.default_rng(3)
    return [
        {
            "observations": rng.integers(0, 256, (length + 1, *shape), dtype=np.uint8),
            "actions": rng.integers(0, 4, length),
            "rewards": rng.integers(0, 8, length).astype(float),
            "terminations": np.arange(length) == length - 1,
            "truncations": np.zeros(length, bool),
        }
        for length in lengths
    ]


@pytest.mark.usefixtures("in_process")
def test_vectors_come_as_they_are(published: Published, tmp_path: Path) -> None:
    episodes = minari_episodes((4, 6), 11, 3)
    name = "mujoco/hopper/medium-v0"
    write_minari(tmp_path / "minari", name, episodes, box((11,), -np.inf, np.inf), UNIT, env_spec=spec("Hopper-v5"))
    store = opened(name, HOPPER)

    np.testing.assert_array_equal(store.lengths, [4, 6])
    np.testing.assert_array_equal(store.terminated, [False, True])
    joined = np.concatenate([episode["observations"] for episode in episodes]).astype(np.float32)
    np.testing.assert_array_equal(store.observations, joined)
    np.testing.assert_array_equal(store.actions, np.concatenate([e["actions"] for e in episodes]).astype(np.float32))
    np.testing.assert_array_equal(store.rewards, np.concatenate([e["rewards"] for e in episodes]).astype(np.float32))
    assert store.card["task"] == "mujoco-hopper"
    assert not published.site.requests


@pytest.mark.usefixtures("in_process")
def test_a_changed_folder_is_read_again_and_an_unchanged_one_is_not(published: Published, tmp_path: Path) -> None:
    space = box((11,), -np.inf, np.inf)
    folder = write_minari(tmp_path / "minari", "x/y-v0", minari_episodes((4,), 11, 3), space, UNIT)
    task = TaskConfig(name="gym:Hopper-v4")
    assert opened("x/y-v0", task).transitions == 4
    found = find_received("minari", "x/y-v0")
    assert found is not None
    stamp = found.path.stat().st_mtime_ns
    assert opened("x/y-v0", task).transitions == 4
    assert found.path.stat().st_mtime_ns == stamp
    write_minari(tmp_path / "minari", "x/y-v0", minari_episodes((5,), 11, 3), space, UNIT)
    assert opened("x/y-v0", task).transitions == 5
    assert folder.exists()


@pytest.mark.usefixtures("in_process")
def test_goal_environments_give_their_state(published: Published, tmp_path: Path) -> None:
    episodes = minari_episodes((4,), 59, 9)
    seen = episodes[0]["observations"]
    episodes[0]["observations/observation"] = episodes[0].pop("observations")
    episodes[0]["observations/achieved_goal/kettle"] = np.zeros((5, 7))
    parts = {"observation": box((59,), -np.inf, np.inf), "desired_goal": {"type": "Dict"}}
    space = {"type": "Dict", "subspaces": parts}
    name = "D4RL/kitchen/complete-v2"
    write_minari(tmp_path / "minari", name, episodes, space, box((9,), -1, 1), env_spec=spec("FrankaKitchen-v1"))
    store = opened(name, TaskConfig(name="kitchen-complete"))
    np.testing.assert_array_equal(store.observations, seen.astype(np.float32))
    assert opened(name, TaskConfig(name="kitchen-complete-v0")).observations.shape == (5, 30)


@pytest.mark.usefixtures("in_process")
def test_actions_are_scaled_from_their_bounds(published: Published, tmp_path: Path) -> None:
    episodes = minari_episodes((6,), 3, 1, scale=2.0)
    actions = episodes[0]["actions"]
    arguments = (episodes, box((3,), -8, 8), box((1,), -2, 2))
    write_minari(tmp_path / "minari", "p-v0", *arguments, env_spec=spec("Pendulum-v1"))
    store = opened("p-v0", TaskConfig(name="gym:Pendulum-v1"))
    np.testing.assert_allclose(store.actions, actions / 2, rtol=1e-6)
    assert store.card["task"] == "gym:Pendulum-v1"


@pytest.mark.usefixtures("in_process")
def test_discrete_actions_count_from_zero(published: Published, tmp_path: Path) -> None:
    episodes = minari_episodes((6,), 4, 1)
    episodes[0]["actions"] = np.array([3, 4, 4, 3, 3, 4])
    write_minari(tmp_path / "minari", "c-v0", episodes, box((4,), -8, 8), {**DISCRETE, "n": 2, "start": 3})
    store = opened("c-v0", TaskConfig(name="gym:CartPole-v1"))
    np.testing.assert_array_equal(store.actions, [0, 1, 1, 0, 0, 1])
    assert store.actions.dtype == np.uint8


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("shape", [(84, 84), (84, 84, 1), (4, 84, 84)])
def test_pictures_of_the_policy_size_are_kept(published: Published, tmp_path: Path, shape: tuple[int, ...]) -> None:
    episodes = frame_episodes(shape)
    name = "atari/breakout/expert-v0"
    arguments = (episodes, box(shape, 0, 255, "uint8"), DISCRETE)
    write_minari(tmp_path / "minari", name, *arguments, env_spec=spec("ALE/Breakout-v5"), jpeg_encoding=False)
    store = opened(name, BREAKOUT)
    for index, episode in enumerate(episodes):
        rows = np.arange(store.lengths[index] + 1) + store.offsets[index] + index
        seen = episode["observations"]
        expected = seen[:, -1] if shape[0] == 4 else seen.reshape(-1, 84, 84)
        np.testing.assert_array_equal(store.observations.gather(rows), expected)
    np.testing.assert_array_equal(store.actions, np.concatenate([e["actions"] for e in episodes]))
    np.testing.assert_array_equal(store.rewards, np.concatenate([e["rewards"] for e in episodes]))


@pytest.mark.usefixtures("in_process")
def test_colour_screens_become_grey_frames(published: Published, tmp_path: Path) -> None:
    episodes = frame_episodes((210, 160, 3), (3,))
    episodes[0]["observations"][:] = np.array([200, 100, 50], np.uint8)
    arguments = (episodes, box((210, 160, 3), 0, 255, "uint8"), DISCRETE)
    write_minari(tmp_path / "minari", "a-v0", *arguments, env_spec=spec("ALE/Breakout-v5"), jpeg_encoding=False)
    frames = opened("a-v0", BREAKOUT).observations.gather(np.arange(4))
    assert (frames == round(0.2989 * 200 + 0.587 * 100 + 0.114 * 50)).all()


def jpeg(picture: np.ndarray) -> bytes:
    """Return a picture as JPEG."""
    image = pytest.importorskip("PIL.Image")
    buffer = io.BytesIO()
    image.fromarray(picture).save(buffer, format="JPEG")
    return buffer.getvalue()


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("same_length", [False, True])
def test_jpeg_pictures_are_unpacked(published: Published, tmp_path: Path, same_length: bool) -> None:
    episodes = frame_episodes((84, 84), (3,))
    for row in range(4):
        episodes[0]["observations"][row] = 60 * row
    pieces = [jpeg(picture) for picture in episodes[0]["observations"]]
    if same_length:
        longest = max(map(len, pieces))
        table = [np.frombuffer(piece.ljust(longest, b"\0"), np.uint8) for piece in pieces]
        episodes[0]["observations"] = np.stack(table)
    else:
        episodes[0]["observations"] = pieces
    arguments = (episodes, box((84, 84), 0, 255, "uint8"), DISCRETE)
    write_minari(tmp_path / "minari", "j-v0", *arguments, env_spec=spec("ALE/Breakout-v5"))
    frames = opened("j-v0", BREAKOUT).observations.gather(np.arange(4))
    assert [int(frame.mean().round()) for frame in frames] == [0, 60, 120, 180]


@pytest.mark.parametrize(
    ("environment", "task"),
    [
        ("ALE/SpaceInvaders-v5", "atari-space_invaders"),
        ("ALE/UpNDown-v5", "atari-up_n_down"),
        ("Walker2d-v5", "mujoco-walker2d"),
        ("CartPole-v1", "gym:CartPole-v1"),
    ],
)
def test_the_task_follows_from_the_environment(tmp_path: Path, environment: str, task: str) -> None:
    arguments = (minari_episodes((2,), 4, 1), box((4,), -1, 1), DISCRETE)
    folder = write_minari(tmp_path, "t-v0", *arguments, env_spec=spec(environment))
    assert read_metadata(folder).task == task


@pytest.mark.parametrize("task", ["mujoco-reacher2d", "gym:CartPole-v1", "gym:lamo/Reacher2d-v0"])
def test_our_own_exports_say_their_task_and_their_rewards(tmp_path: Path, task: str) -> None:
    arguments = (minari_episodes((2,), 4, 1), box((4,), -1, 1), DISCRETE)
    folder = write_minari(tmp_path, "t-v0", *arguments, lamo_task=task, lamo_reward_unit="clipped")
    described = read_metadata(folder)
    assert (described.task, described.reward_unit) == (task, "clipped")
    strange = {"lamo_task": "gym:os:system-v0", "lamo_reward_unit": "gold"}
    described = read_metadata(write_minari(tmp_path, "u-v0", *arguments, **strange))
    assert (described.task, described.reward_unit) == ("", "raw")


@pytest.mark.usefixtures("in_process")
def test_a_set_that_names_no_environment_fits_by_its_shapes(published: Published, tmp_path: Path) -> None:
    arguments = (frame_episodes((84, 84)), box((84, 84), 0, 255, "uint8"), DISCRETE)
    write_minari(tmp_path / "minari", "n-v0", *arguments, jpeg_encoding=False)
    assert opened("n-v0", BREAKOUT).transitions == 75
    with pytest.raises(UsageError, match="has frames"):
        opened("n-v0", HOPPER)


def test_a_data_set_is_fetched(published: Published, tmp_path: Path) -> None:
    arguments = (minari_episodes((4, 6), 11, 3), box((11,), -np.inf, np.inf), UNIT)
    folder = write_minari(tmp_path / "server", "m/hopper-v0", *arguments, env_spec=spec("Hopper-v5"))
    published.minari("m/hopper-v0", folder)
    with pytest.raises(MissingError, match="`lamo data get m/hopper-v0 --source minari`"):
        opened("m/hopper-v0", HOPPER)
    assert get_minari("m/hopper-v0", no_progress)["episodes"] == 2
    assert opened("m/hopper-v0", HOPPER).transitions == 10
    assert not list((tmp_path / "data" / "downloads").rglob("*.hdf5"))


def test_a_set_in_another_form_is_refused_before_it_is_fetched(published: Published, tmp_path: Path) -> None:
    arguments = (minari_episodes((4,), 11, 3), box((11,), -np.inf, np.inf), UNIT)
    folder = write_minari(tmp_path / "server", "a-v0", *arguments, data_format="arrow")
    published.minari("a-v0", folder)
    with pytest.raises(DataError, match="stored as arrow"):
        get_minari("a-v0", no_progress)
    assert [path for path, _ in published.site.requests] == ["minari/a-v0/metadata.json"]
    assert not list((tmp_path / "data" / "downloads").rglob("*.json"))


@pytest.mark.parametrize("name", ["x", "../x-v0", "/x-v0", "x/../y-v0", "x-v", "x y-v0", "", "x" * 200 + "-v0"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(UsageError, match="no name of a Minari data set"):
        open_data(DataConfig(source="minari", set=name), HOPPER, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data_format": "arrow"}, "stored as arrow, not"),
        ({"total_episodes": 0}, "says that it has 0 episodes"),
        ({"total_episodes": 10**9}, "says that it has"),
        ({"total_episodes": True}, "says that it has True"),
        ({"total_episodes": 3}, "episodes instead of 3"),
        ({"observation_space": "{"}, "damaged"),
        ({"observation_space": json.dumps({"type": "Text"})}, "observes a Text space"),
        ({"observation_space": json.dumps({"type": "Box", "dtype": "float32", "shape": [10**9]})}, "neither a vector"),
        ({"observation_space": json.dumps({"type": "Box", "dtype": "float32", "shape": ["x"]})}, "damaged"),
        ({"observation_space": json.dumps(box((10,), -1, 1))}, r"has shape \(5, 11\) instead of \(5, 10\)"),
        ({"action_space": json.dumps({"type": "MultiBinary", "n": 3})}, "not Box or Discrete"),
        ({"action_space": json.dumps({**DISCRETE, "n": 10**6})}, "1000000 actions"),
        ({"action_space": json.dumps(box((2,), -1, 1))}, "actions of shape"),
        ({"action_space": json.dumps(box((3,), float("nan"), 1))}, "damaged"),
        ({"action_space": json.dumps(box((3,), -0.1, 0.1))}, "outside of -0.1 to 0.1"),
        ({"action_space": "[" * 100_000}, "damaged"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    arguments = (minari_episodes((4, 6), 11, 3), box((11,), -np.inf, np.inf), UNIT)
    folder = write_minari(tmp_path / "minari", "w-v0", *arguments, **changes)
    facts = {"name": "w-v0", "task": "", "licence": "", "origin": {"source": "minari"}}
    with pytest.raises(DataError, match=message):
        convert_minari(folder, tmp_path, facts, no_progress)


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("name", ["halfcheetah-medium", "kitchen-partial"])
def test_vectors_survive_an_export(published: Published, tmp_path: Path, name: str) -> None:
    ratio = 0.01
    result = export_minari(find_anywhere(name), tmp_path / "minari", ratio, 5)
    card = find_anywhere(name).card()
    ours = open_data(DataConfig(set=name, ratio=ratio), TaskConfig(name=card["task"]), 5)
    theirs = opened(result["id"], TaskConfig(name=card["task"]))
    for column in ("observations", "actions", "rewards", "lengths", "terminated", "truncated"):
        np.testing.assert_array_equal(getattr(theirs, column), getattr(ours, column))
    assert result["episodes"] == len(ours.lengths)
    with pytest.raises(UsageError, match="already"):
        export_minari(find_anywhere(name), tmp_path / "minari", ratio, 5)


@pytest.mark.usefixtures("in_process")
def test_pictures_survive_an_export(published: Published, tmp_path: Path) -> None:
    from lamo_core.data.sources.dqn_replay import get_slice, parse_slice

    published.dqn("Breakout", 1, dqn_files(dqn_arrays((4, 7, 150, 6)), 10))
    get_slice(parse_slice("breakout-medium"), no_progress)
    result = export_minari(find_anywhere("breakout-medium-v0"), tmp_path / "minari", 1.0, 0)
    ours = open_data(DataConfig(source="dqn-replay", rewards="clipped"), BREAKOUT, 0)
    with pytest.raises(UsageError, match="clipped rewards alone"):
        opened(result["id"], BREAKOUT)
    theirs = open_data(DataConfig(source="minari", set=result["id"], rewards="clipped"), BREAKOUT, 0)
    rows = np.arange(len(ours.observations))
    np.testing.assert_array_equal(theirs.observations.gather(rows), ours.observations.gather(rows))
    for column in ("actions", "rewards", "lengths", "terminated"):
        np.testing.assert_array_equal(getattr(theirs, column), getattr(ours, column))
    assert not list(tmp_path.glob("minari/lamo/.*"))


def test_the_library_reads_what_is_exported(
    published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    minari = pytest.importorskip("minari")
    published.dqn("Breakout", 1, dqn_files(dqn_arrays((4, 7, 150, 6)), 10))
    from lamo_core.data.sources.dqn_replay import get_slice, parse_slice

    get_slice(parse_slice("breakout-medium"), no_progress)
    for name, task in (("breakout-medium-v0", BREAKOUT), ("hopper-medium", HOPPER)):
        result = export_minari(find_anywhere(name), tmp_path / "minari", 0.5, 0)
        ours = opened(result["id"], task)
        theirs = minari.load_dataset(result["id"])
        assert theirs.total_steps == ours.transitions
        for index, episode in enumerate(theirs.iterate_episodes()):
            first = int(ours.offsets[index])
            np.testing.assert_array_equal(episode.rewards, ours.rewards[first : first + len(episode)])
            np.testing.assert_array_equal(episode.actions, ours.actions[first : first + len(episode)])
            rows = np.arange(len(episode) + 1) + first + index
            frames = not isinstance(ours.observations, np.ndarray)
            expected = ours.observations.gather(rows) if frames else ours.observations[rows]
            np.testing.assert_array_equal(episode.observations, expected)


def test_a_crash_of_the_library_is_an_error_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = {"kind": "minari", "path": str(tmp_path), "out": str(tmp_path), "facts": {}}
    with IsolatedReader() as reader:
        with pytest.raises(MissingError, match="no Minari data set"):
            reader.run({**job, "facts": {"task": ""}}, tmp_path)
        assert reader.worker.process is not None
        reader.worker.process.kill()
        with pytest.raises(DataError, match="damaged: the HDF5 library"):
            reader.run(job, tmp_path)
        with pytest.raises(MissingError):  # a new worker
            reader.run({**job, "facts": {"task": ""}}, tmp_path)
