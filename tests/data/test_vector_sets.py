"""The vector sets that ship: whole, small, described by their cards, opened by ratio, and drawn as windows."""

from __future__ import annotations

import numpy as np
import pytest

from lamo_core.config import DataConfig, TaskConfig
from lamo_core.data.open_data import open_data
from lamo_core.data.recipes.vector_recipes import RECIPES
from lamo_core.data.sources.manage import remove_set, set_status, verify_set
from lamo_core.data.sources.resolve import ShippedSet
from lamo_core.data.store.bundled_logs import all_set_names, lengths_and_returns, read_card
from lamo_core.data.store.bundled_vectors import open_vectors, vector_path, vector_set_names
from lamo_core.data.windows import WindowSampler
from lamo_core.errors import UsageError
from lamo_core.places import assets_dir
from lamo_core.tasks.registry import get_task

NAMES = [name for name in vector_set_names() if vector_path(name).is_relative_to(assets_dir())]


def test_together_they_are_small() -> None:
    sizes = [vector_path(name).stat().st_size for name in NAMES]
    assert max(sizes) <= 8_000_000
    assert sum(sizes) <= 30_000_000


@pytest.mark.parametrize("name", NAMES)
def test_card_file_and_recipe_agree(name: str) -> None:
    content, card, task = open_vectors(name), read_card(name), get_task(RECIPES[name].task)
    assert card["log_sha256"] == content.sha256
    assert card["log_bytes"] == vector_path(name).stat().st_size
    assert card["task"] == content.header.task == task.name
    assert content.observations.shape[1:] == task.observation_shape
    assert content.actions.shape[1] == task.actions
    assert card["returns"]["mean"] == pytest.approx(content.returns.mean(), abs=0.01)
    assert sum(policy["episodes"] for policy in card["policies"]) == card["episodes"] == len(content.lengths)
    assert len(np.unique(content.seeds)) == len(content.seeds)
    assert content.lengths.max() <= task.horizon
    assert verify_set(ShippedSet(name)).log_sha256 == content.sha256
    assert set_status(ShippedSet(name)).needs_unpacking is False
    assert remove_set(ShippedSet(name)) == 0
    np.testing.assert_array_equal(lengths_and_returns(name)[1], content.returns)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("hopper-medium", 1100, 1700), ("halfcheetah-medium", 4400, 5100), ("walker2d-medium", 2400, 3300)],
)
def test_locomotion_returns_are_medium(name: str, low: float, high: float) -> None:
    content = open_vectors(name)
    assert len(content.rewards) >= 100_000
    assert low < content.returns.mean() < high


def test_kept_episodes_are_those_that_the_recipe_keeps() -> None:
    assert open_vectors("reacher2d-medium").returns.min() > 20
    assert open_vectors("reacher2d-mixed").returns.min() == 0
    complete = open_vectors("kitchen-complete")
    assert set(complete.returns) == {4.0}
    assert complete.terminated.all()


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("kitchen")])
def test_kitchen_rewards_are_paid_once_per_subtask(name: str) -> None:
    content = open_vectors(name)
    assert set(np.unique(content.rewards)) <= {0.0, 1.0, 2.0, 3.0, 4.0}
    assert content.returns.max() <= 4
    assert content.returns.min() >= 0
    np.testing.assert_array_equal(content.terminated, content.returns == 4)
    # Nothing that varies in the environment may be constant here: states are divided by their spread.
    assert content.observations.std(0).min() > 1e-7


def test_partial_segments_are_many_and_differ_in_what_they_solve() -> None:
    content = open_vectors("kitchen-partial")
    assert len(content.lengths) >= 500
    assert set(content.returns) == {0.0, 1.0, 2.0, 3.0, 4.0}
    assert len(content.header.policies) >= 40
    assert len(set(content.lengths)) > 100


def test_smaller_ratios_lie_inside_larger_ones() -> None:
    task = TaskConfig(name="mujoco-hopper")
    small = open_data(DataConfig(set="hopper-medium", ratio=0.01), task, 3)
    large = open_data(DataConfig(set="hopper-medium", ratio=0.1), task, 3)
    other = open_data(DataConfig(set="hopper-medium", ratio=0.01), task, 4)

    assert len(small.lengths) == round(0.01 * set_status(ShippedSet("hopper-medium")).episodes)
    assert set(small.returns()) <= set(large.returns())
    assert set(small.returns()) != set(other.returns())


def test_an_opened_share_holds_the_episodes_of_the_file() -> None:
    content = open_vectors("reacher2d-medium")
    store = open_data(DataConfig(set="reacher2d-medium", ratio=0.1), TaskConfig(name="mujoco-reacher2d"), 0)
    for episode in range(len(store.lengths)):
        first = store.offsets[episode]
        mine = store.observations[first + episode : first + episode + 101]
        found = [
            whole
            for whole in range(len(content.lengths))
            if np.array_equal(content.observations[101 * whole : 101 * (whole + 1)], mine)
        ]
        assert len(found) == 1
        np.testing.assert_array_equal(
            store.actions[first : first + 100], content.actions[100 * found[0] : 100 * (found[0] + 1)]
        )
        np.testing.assert_array_equal(
            store.rewards[first : first + 100], content.rewards[100 * found[0] : 100 * (found[0] + 1)]
        )


def test_windows_are_floats() -> None:
    store = open_data(DataConfig(set="kitchen-complete"), TaskConfig(name="kitchen-complete"), 0)
    sampler = WindowSampler(
        store,
        context=20,
        return_to_go="inclusive",
        rewards="raw",
        return_scale=4.0,
        frame_shift=0,
        generator=np.random.default_rng(0),
    )
    batch = sampler.sample(16)

    assert batch.observations.shape == (16, 20, 59)
    assert batch.actions.shape == (16, 20, 9)
    assert str(batch.observations.dtype) == str(batch.actions.dtype) == "torch.float32"
    assert 0 <= batch.returns_to_go.min() <= batch.returns_to_go.max() <= 1


def test_kitchen_tasks_share_their_data_and_others_do_not() -> None:
    assert open_data(DataConfig(set="kitchen-complete"), TaskConfig(name="kitchen-partial"), 0).transitions > 0
    with pytest.raises(UsageError, match="is for the task mujoco-hopper"):
        open_data(DataConfig(set="hopper-medium"), TaskConfig(name="mujoco-walker2d"), 0)
    with pytest.raises(UsageError, match="hopper-medium"):
        open_data(DataConfig(set="hoper-medium"), TaskConfig(name="mujoco-hopper"), 0)
    assert {"hopper-medium", "qbert-medium"} <= set(all_set_names())
