"""D4RL's files: what is read, how it is cut, and what training sees of it."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from lamo_core.config import DataConfig, TaskConfig
from lamo_core.data.episodes import EpisodeStore
from lamo_core.data.kitchen_rewards import SOLVED_PER_STEP
from lamo_core.data.open_data import open_data
from lamo_core.data.sources.d4rl import convert, d4rl_name, get_d4rl
from lamo_core.data.store.local import find_received
from lamo_core.errors import DataError, MissingError, TaskMismatchError, UsageError
from tests.data.sources.made_sources import d4rl_tables, kitchen_tables, write_d4rl
from tests.data.sources.web_server import Published

HOPPER = TaskConfig(name="mujoco-hopper")


def no_progress(stage: str, done: int, total: int) -> None:
    """Show nothing."""


def imported(tmp_path: Path, tables: dict[str, np.ndarray], task: str = "mujoco-hopper") -> None:
    """Convert a file of D4RL's kind into hopper-medium-v2, without a server."""
    write_d4rl(tmp_path / "set.hdf5", tables)
    facts = {"name": "hopper-medium-v2", "task": task, "licence": "?", "origin": {"source": "d4rl"}}
    convert(tmp_path / "set.hdf5", "d4rl", "hopper-medium-v2", facts, no_progress)


def opened(cutting: str = "correct", task: TaskConfig = HOPPER, name: str = "hopper-medium") -> EpisodeStore:
    """Return all episodes of a set of D4RL."""
    return open_data(DataConfig(source="d4rl", set=name, cutting=cutting), task, 0)  # type: ignore[arg-type]


@pytest.mark.usefixtures("in_process")
def test_episodes_end_where_they_ended(tmp_path: Path, published: Published) -> None:
    tables = d4rl_tables((5, 3, 4, 2))
    imported(tmp_path, tables)
    store = opened()

    np.testing.assert_array_equal(store.lengths, [5, 3, 4])
    np.testing.assert_array_equal(store.terminated, [True, False, True])
    np.testing.assert_array_equal(store.truncated, [False, True, False])
    np.testing.assert_array_equal(store.rewards, tables["rewards"][:12])
    np.testing.assert_array_equal(store.actions, tables["actions"][:12])
    rows = store.observations
    np.testing.assert_array_equal(rows[:5], tables["observations"][:5])
    np.testing.assert_array_equal(rows[5], tables["next_observations"][4])
    np.testing.assert_array_equal(rows[6:9], tables["observations"][5:8])
    np.testing.assert_array_equal(rows[9], tables["next_observations"][7])
    np.testing.assert_allclose(store.returns()[1], tables["rewards"][5:8].sum(), rtol=1e-5)
    assert store.card["partial_transitions"] == 2
    assert store.card["episodes"] == 3


def published_paths(tables: dict[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    """Cut as the published code does, step by step: first the steps that it keeps, then the counting."""
    kept = []
    for row in range(len(tables["rewards"]) - 1):
        if not tables["timeouts"][row]:
            kept.append(row)
    paths, path, counted = [], [], 0
    for row in kept:
        path.append(row)
        if tables["terminals"][row] or counted == 999:
            paths.append({"rows": np.array(path), "following": tables["observations"][path[-1] + 1]})
            path, counted = [], 0
        counted += 1
    return paths


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("lengths", [(5, 3, 4, 2), (1000, 1000, 1000, 1000, 400), (300, 1000, 1000, 200, 700, 1)])
def test_the_published_cutting_is_the_published_one(
    tmp_path: Path, published: Published, lengths: tuple[int, ...]
) -> None:
    tables = d4rl_tables(lengths)
    if lengths[0] == 1000:
        tables["timeouts"] |= tables["terminals"]
        tables["terminals"][:] = False
    imported(tmp_path, tables)
    expected = published_paths(tables)
    if not expected:
        with pytest.raises(DataError, match="no whole episode"):
            opened("published")
        return
    store = opened("published")

    assert [len(path["rows"]) for path in expected] == store.lengths.tolist()
    rows = np.concatenate([path["rows"] for path in expected])
    np.testing.assert_array_equal(store.rewards, tables["rewards"][rows])
    np.testing.assert_array_equal(store.actions, tables["actions"][rows])
    for episode, path in enumerate(expected):
        first = int(store.offsets[episode]) + episode
        seen = store.observations[first : first + len(path["rows"]) + 1]
        np.testing.assert_array_equal(seen[:-1], tables["observations"][path["rows"]])
        np.testing.assert_array_equal(seen[-1], path["following"])


@pytest.mark.usefixtures("in_process")
def test_the_bug_joins_episodes_that_end_by_time(tmp_path: Path, published: Published) -> None:
    tables = d4rl_tables((1000, 1000, 1000, 1000))
    tables["timeouts"][[999, 1999, 2999, 3999]], tables["terminals"][:] = True, False
    imported(tmp_path, tables)
    assert opened().lengths.tolist() == [1000, 1000, 1000, 1000]
    wrong = opened("published")
    assert wrong.lengths.tolist() == [1000, 999, 999]
    # the first path ends with the first step of the second episode
    np.testing.assert_array_equal(wrong.rewards[999], tables["rewards"][1000])


def test_a_set_is_fetched_checked_and_kept(published: Published, tmp_path: Path) -> None:
    write_d4rl(tmp_path / "set.hdf5", d4rl_tables())
    content = (tmp_path / "set.hdf5").read_bytes()
    published.d4rl("hopper-medium-v2", content, sha256=sha256(content).hexdigest())
    with pytest.raises(MissingError, match="`lamo data get hopper-medium --source d4rl`"):
        opened()
    card = get_d4rl("hopper-medium", no_progress)

    assert card["episodes"] == 3
    assert card["licence"].startswith("CC BY 4.0")
    assert card["origin"]["sha256"]["file"] == sha256(content).hexdigest()
    assert opened().transitions == opened(name="hopper-medium-v2").transitions == 12
    assert not list((tmp_path / "data" / "downloads").rglob("*.hdf5"))


def test_a_damaged_file_is_fetched_anew(published: Published, tmp_path: Path) -> None:
    write_d4rl(tmp_path / "set.hdf5", d4rl_tables())
    published.d4rl("hopper-medium-v2", b"no hdf5", sha256=sha256(b"no hdf5").hexdigest())
    with pytest.raises(DataError, match=r"is no whole HDF5 file.*; get it again"):
        get_d4rl("hopper-medium-v2", no_progress)
    assert find_received("d4rl", "hopper-medium-v2") is None
    content = (tmp_path / "set.hdf5").read_bytes()
    published.addresses.write_text("")
    published.d4rl("hopper-medium-v2", content, sha256=sha256(content).hexdigest())
    assert get_d4rl("hopper-medium-v2", no_progress)["episodes"] == 3


def test_kitchen_data_keep_their_reward_unit_and_lose_the_goal(published: Published, tmp_path: Path) -> None:
    tables = kitchen_tables()
    write_d4rl(tmp_path / "set.hdf5", tables)
    content = (tmp_path / "set.hdf5").read_bytes()
    published.d4rl("kitchen-complete-v0", content, sha256=sha256(content).hexdigest(), bytes=len(content))
    get_d4rl("kitchen-complete", no_progress)
    store = opened(task=TaskConfig(name="kitchen-complete-v0"), name="kitchen-complete")

    np.testing.assert_array_equal(store.observations[:6], tables["observations"][:6, :30])
    # counted at every step in the file, paid once each by the environment
    np.testing.assert_array_equal(store.rewards, [0, 1, 1, 0, 0, 0, 0, 1, 1, 0])
    counting = DataConfig(source="d4rl", set="kitchen-complete", kitchen_rewards="every-step")
    published_rewards = open_data(counting, TaskConfig(name="kitchen-complete-v0"), 0).rewards
    np.testing.assert_array_equal(published_rewards, tables["rewards"].astype(np.float32))
    np.testing.assert_array_equal(store.observations[6], store.observations[5])  # what came after is not in the file
    assert store.card["reward_unit"] == SOLVED_PER_STEP
    assert store.card["task"] == "kitchen-complete-v0"
    with pytest.raises(UsageError, match=r"task\.name=kitchen-complete-v0"):
        opened(task=TaskConfig(name="kitchen-complete"), name="kitchen-complete")


def test_mixed_kitchen_data_are_another_task(published: Published, tmp_path: Path) -> None:
    write_d4rl(tmp_path / "set.hdf5", kitchen_tables())
    content = (tmp_path / "set.hdf5").read_bytes()
    published.d4rl("kitchen-mixed-v0", content, sha256=sha256(content).hexdigest(), bytes=len(content))
    get_d4rl("kitchen-mixed", no_progress)
    assert opened(task=TaskConfig(name="kitchen-mixed-v0"), name="kitchen-mixed").returns().max() == 2
    with pytest.raises(UsageError, match="for the task kitchen-mixed-v0, not for kitchen-partial-v0"):
        opened(task=TaskConfig(name="kitchen-partial-v0"), name="kitchen-mixed")


def test_bundled_kitchen_data_fit_both_views(tmp_path: Path) -> None:
    wide, narrow = (
        open_data(DataConfig(set="kitchen-complete", ratio=0.1), TaskConfig(name=name), 0)
        for name in ("kitchen-complete", "kitchen-complete-v0")
    )
    np.testing.assert_array_equal(narrow.observations[:, :9], wide.observations[:, :9])
    np.testing.assert_array_equal(narrow.observations[:, 9:], wide.observations[:, 18:39])


@pytest.mark.usefixtures("in_process")
def test_a_set_of_another_task_is_refused(tmp_path: Path, published: Published) -> None:
    imported(tmp_path, d4rl_tables())
    with pytest.raises(UsageError, match="is for the task mujoco-hopper, not for mujoco-walker2d"):
        opened(task=TaskConfig(name="mujoco-walker2d"))
    with pytest.raises(TaskMismatchError, match=r"observations of 12 numbers .*; name the environment"):
        imported(tmp_path, d4rl_tables(features=12))
    with pytest.raises(TaskMismatchError, match=r"actions of 4 numbers"):
        imported(tmp_path, d4rl_tables(actions=4))
    with pytest.raises(TaskMismatchError, match=r"that it fits, --task mujoco-halfcheetah or --task mujoco-walker2d$"):
        imported(tmp_path, d4rl_tables(features=17, actions=6))


def test_names_and_near_names() -> None:
    assert d4rl_name("walker2d-medium-replay") == "walker2d-medium-replay-v2"
    with pytest.raises(UsageError, match="did you mean 'hopper-medium"):
        d4rl_name("hopper-medum")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[d4rl\n", "not valid TOML"),
        ("[d5rl]\n", "no table in"),
        ("[d4rl]\nmirors = []\n", "did you mean 'mirrors'"),
        ("[d4rl]\nmirrors = []\n", "a list of http"),
        ('[d4rl]\nmirrors = ["ftp://x/{path}"]\n', "a list of http"),
        ('[d4rl.sets.hopper-medium-v2]\nsha256 = "12"\n', "64 hexadecimal digits"),
        ("[d4rl.sets.hopper-medium-v2]\nbytes = -1\n", "a whole number"),
        ('[d4rl.sets."../x"]\ntask = "t"\npath = "p"\n', "cannot be the name"),
        ('[d4rl.sets.new]\npath = "p"\n', "lacks its task"),
    ],
)
def test_a_wrong_list_of_addresses_is_found_out(published: Published, text: str, message: str) -> None:
    published.addresses.write_text(text)
    with pytest.raises(UsageError, match=message):
        d4rl_name("hopper-medium")
