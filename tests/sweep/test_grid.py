"""Which runs a grid stands for."""

from __future__ import annotations

import pytest

from lamo_core.errors import UsageError
from lamo_core.sweep.grid import Grid, expand, parse_ratio, parse_tasks, resolve_item


def test_tasks_take_the_shared_ratios_or_their_own() -> None:
    tasks = parse_tasks("breakout,hopper:0.5%+0.01", "1%,10%")
    assert tasks == (("atari-breakout", (0.01, 0.1)), ("mujoco-hopper", (0.005, 0.01)))
    assert parse_tasks("kitchen-complete:30%", None) == (("kitchen-complete", (0.3,)),)


@pytest.mark.parametrize("text", ["0", "0%", "101%", "x", "1%%", "", "-1%"])
def test_shares_of_data_lie_between_nothing_and_all(text: str) -> None:
    with pytest.raises(UsageError):
        parse_ratio(text)


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'atari-breakout'"):
        parse_tasks("atari-brekout", "1%")
    with pytest.raises(UsageError, match="say which share"):
        parse_tasks("breakout", None)
    with pytest.raises(UsageError, match="did you mean 'frozen'"):
        expand(Grid((("atari-pong", (0.01,)),), ablations=("none", "frozn")))


def test_every_combination_is_one_run_and_seeds_come_last_in_the_table() -> None:
    grid = Grid((("atari-pong", (0.01, 0.1)),), ablations=("none", "frozen+linear-embeddings"), seeds=(0, 1))
    keys = [item.key for item in expand(grid)]
    assert keys == [
        "atari-pong-1pct-s0",
        "atari-pong-1pct+frozen+linear-embeddings-s0",
        "atari-pong-10pct-s0",
        "atari-pong-10pct+frozen+linear-embeddings-s0",
        *(key.replace("-s0", "-s1") for key in keys[:4]),
    ]
    config = resolve_item(expand(grid)[-1]).config
    assert (config.model.adapter, config.model.embedding) == ("frozen", "linear")
    assert (config.seed, config.data.ratio) == (1, 0.1)


def test_methods_that_do_not_fit_a_task_have_no_runs_there() -> None:
    tasks = (("atari-pong", (0.01,)), ("mujoco-hopper", (0.01,)))
    grid = Grid(tasks, methods=("nfq", "td3+bc"))
    assert [item.key for item in expand(grid)] == ["atari-pong-1pct-nfq-s0", "mujoco-hopper-1pct-td3-bc-s0"]
    with pytest.raises(UsageError, match="did you mean 'nfq'"):
        expand(Grid(tasks, methods=("nqf",)))


def test_a_share_that_no_preset_names_gets_its_own_name() -> None:
    (item,) = expand(Grid((("atari-pong", (0.05,)),), settings=("optim.steps=7",)))
    config = resolve_item(item).config
    assert (item.key, config.name) == ("atari-pong-5pct-s0", "atari-pong-5pct")
    assert (config.data.ratio, config.optim.steps) == (0.05, 7)


def test_ablations_take_lamo_apart_and_leave_other_methods_whole() -> None:
    grid = Grid((("atari-pong", (0.01,)),), methods=("lamo", "dt"), ablations=("none", "frozen"))
    assert [item.method for item in expand(grid)] == ["lamo", "lamo", "dt"]
    every = Grid(grid.tasks, grid.methods, grid.ablations, ablate_all=True)
    assert [item.method for item in expand(every)] == ["lamo", "lamo", "dt", "dt"]
