"""Which runs a grid stands for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lamo_core.errors import UsageError
from lamo_core.methods import METHODS
from lamo_core.settings.backbone_name import parse_backbone
from lamo_core.settings.presets import preset_names
from lamo_core.sweep.grid import Grid, expand, parse_tasks, parse_varied, widened
from lamo_core.sweep.named_grids import named_grid


def test_tasks_take_the_shared_ratios_or_their_own() -> None:
    tasks = parse_tasks("breakout,hopper:0.5%+0.01", "1%,10%")
    assert tasks == (("atari-breakout", (0.01, 0.1)), ("mujoco-hopper", (0.005, 0.01)))
    assert parse_tasks("kitchen-complete:30%", None) == (("kitchen-complete", (0.3,)),)


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'atari-breakout'"):
        parse_tasks("atari-brekout", "1%")
    with pytest.raises(UsageError, match="say which share"):
        parse_tasks("breakout", None)
    with pytest.raises(UsageError, match="did you mean 'frozen'"):
        expand(Grid((("atari-pong", (0.01,)),), ablations=("none", "frozn")))


def test_every_combination_is_one_run_and_seeds_come_last_in_the_table() -> None:
    grid = Grid((("atari-pong", (0.01, 0.1)),), ablations=("none", "frozen+linear-embeddings"), seeds=(0, 1))
    keys = list(expand(grid))
    assert keys == [
        "atari-pong-1pct-s0",
        "atari-pong-1pct+frozen+linear-embeddings-s0",
        "atari-pong-10pct-s0",
        "atari-pong-10pct+frozen+linear-embeddings-s0",
        *(key.replace("-s0", "-s1") for key in keys[:4]),
    ]
    config = list(expand(grid).values())[-1].resolve().config
    assert (config.model.adapter, config.model.embedding) == ("frozen", "linear")
    assert (config.seed, config.data.ratio) == (1, 0.1)


def test_methods_that_do_not_fit_a_task_have_no_runs_there() -> None:
    tasks = (("atari-pong", (0.01,)), ("mujoco-hopper", (0.01,)))
    grid = Grid(tasks, methods=("nfq", "td3+bc"))
    assert list(expand(grid)) == ["atari-pong-1pct-nfq-s0", "mujoco-hopper-1pct-td3-bc-s0"]
    with pytest.raises(UsageError, match="did you mean 'nfq'"):
        expand(Grid(tasks, methods=("nqf",)))


def test_a_share_that_no_preset_names_gets_its_own_name() -> None:
    ((key, spec),) = expand(Grid((("atari-pong", (0.05,)),), settings=("optim.steps=7",))).items()
    config = spec.resolve().config
    assert (key, config.name) == ("atari-pong-5pct-s0", "atari-pong-5pct")
    assert (config.data.ratio, config.optim.steps) == (0.05, 7)


def test_ablations_take_lamo_apart_and_leave_other_methods_whole() -> None:
    grid = Grid((("atari-pong", (0.01,)),), methods=("lamo", "dt"), ablations=("none", "frozen"))
    assert [spec.method for spec in expand(grid).values()] == [None, None, "dt"]
    every = Grid(grid.tasks, grid.methods, grid.ablations, ablate_all=True)
    assert [spec.method for spec in expand(every).values()] == [None, None, "dt", "dt"]


def test_settings_can_be_for_some_runs_alone() -> None:
    grid = Grid(
        (("atari-pong", (0.01,)), ("mujoco-hopper", (0.01,)), ("mujoco-reacher2d", (0.1,))),
        methods=("lamo", "dt"),
        settings=("dt:optim.steps=30", "optim.steps=10", "hopper/dt:optim.steps=40", "mujoco:optim.clip=0.5"),
    )
    found = {key: spec.resolve().config.optim for key, spec in expand(grid).items()}
    assert {key: optim.steps for key, optim in found.items()} == {
        "atari-pong-1pct-s0": 10,
        "atari-pong-1pct-dt-s0": 30,
        "mujoco-hopper-1pct-s0": 10,
        "mujoco-hopper-1pct-dt-s0": 40,
        "mujoco-reacher2d-10pct-s0": 10,
        "mujoco-reacher2d-10pct-dt-s0": 30,
    }
    assert [key for key, optim in found.items() if optim.clip == 0.5] == [key for key in found if "mujoco" in key]
    # what is for nobody is a slip, and a colon within a value is none of this
    with pytest.raises(UsageError, match="did you mean 'dt'"):
        expand(replace(grid, settings=("dtt:optim.steps=30",)))
    with pytest.raises(UsageError, match="no task or method"):
        expand(replace(grid, settings=("iql:optim.steps=30",)))
    (spec, *_) = expand(replace(grid, settings=("language.source=some:text",))).values()
    assert spec.settings == ("language.source=some:text",)


def test_a_wider_grid_holds_the_first_one() -> None:
    grid = Grid((("atari-pong", (0.01,)),), methods=("lamo",), seeds=(0, 1), settings=("optim.steps=7",))
    more = {"tasks": (("atari-pong", (0.1, 0.01)), ("mujoco-hopper", (0.01,))), "methods": ("dt",), "seeds": (1, 2)}
    wide = widened(grid, more)
    assert wide.tasks == (("atari-pong", (0.01, 0.1)), ("mujoco-hopper", (0.01,)))
    assert (wide.methods, wide.seeds, wide.settings) == (("lamo", "dt"), (0, 1, 2), grid.settings)
    assert expand(grid).keys() < expand(wide).keys()


def test_a_sweep_without_a_run_says_so() -> None:
    for methods, ablations in ((("td3+bc",), ("none",)), (("lamo",), ("official-state-scaling",))):
        grid = Grid((("atari-pong", (0.01,)),), methods=methods, ablations=ablations)
        with pytest.raises(UsageError, match="no method or ablation of this sweep fits its tasks"):
            expand(grid)


def test_ablations_are_left_to_the_methods_that_have_what_they_change() -> None:
    grid = Grid(
        (("mujoco-hopper", (0.01,)),),
        methods=("lamo", "dt", "bc"),
        ablations=("none", "lora-all", "no-returns"),
        ablate_all=True,
        seeds=(0,),
    )
    named = [spec.resolve().config.name.removeprefix("mujoco-hopper-1pct") for spec in expand(grid).values()]
    assert named == ["", "+lora-all", "+no-returns", "-dt", "-dt+no-returns", "-bc"]


@pytest.mark.parametrize(("task", "ratio"), [("mujoco-hopper", 0.01), ("atari-pong", 0.01), ("kitchen-partial", 0.1)])
def test_a_seed_gives_every_method_the_same_episodes(task: str, ratio: float) -> None:
    """`select_episodes` sees source, set, share, kind of choice and seed, and nothing else."""
    overlays = [name for name in preset_names("ablations") if "official-" not in name]
    grid = Grid(((task, (ratio,)),), methods=tuple(METHODS), ablations=("none", *overlays), seeds=(3,))
    chosen = set()
    for spec in expand(grid).values():
        config = spec.resolve().config
        data = config.data
        chosen.add((data.source, data.set, data.ratio, data.subset, data.cutting, config.seed))
    assert len(chosen) == 1


def test_the_grid_of_attribution_crosses_trunk_adapter_embedding_and_language_loss() -> None:
    named = named_grid("attribution")
    runs = expand(Grid((("mujoco-hopper", (0.1,)),), named.methods, named.ablations, seeds=(7,)))
    models = [(spec.resolve().config.model, spec.resolve().config.language.weight) for spec in runs.values()]
    crossed = {(parse_backbone(m.backbone).weights, m.adapter, m.embedding, weight) for m, weight in models}
    assert len(runs) == len(crossed) == 18
    weights = {level[0] for level in crossed if level[3] == 0}
    assert weights == {"trained", "random", "scaled", "permuted"}
    # others have no language to keep, or cannot lose it
    assert {level[:2] for level in crossed if level[3] > 0} == {("trained", "lora")}


def test_plain_behaviour_cloning_is_among_the_rivals() -> None:
    named = named_grid("rivals")
    assert "bc" in named.methods
    assert expand(Grid((("mujoco-hopper", (0.1,)), ("atari-pong", (0.01,))), named.methods, named.ablations))
    with pytest.raises(UsageError, match="did you mean 'rivals'"):
        named_grid("rival")


def test_varied_settings_make_a_run_of_every_combination() -> None:
    grid = Grid(
        (("atari-breakout", (0.01,)),), varied=("optim.learning_rate=1e-3,3e-3", "model.lora_rank=4,8"), seeds=(0, 1)
    )
    runs = expand(grid)
    assert len(runs) == 8
    found = {
        (spec.resolve().config.optim.learning_rate, spec.resolve().config.model.lora_rank) for spec in runs.values()
    }
    assert found == {(1e-3, 4), (1e-3, 8), (3e-3, 4), (3e-3, 8)}
    assert "atari-breakout-1pct+optim.learning_rate=1e-3+model.lora_rank=4-s0" in runs


def test_a_varied_setting_counts_more_than_one_that_is_set() -> None:
    grid = Grid((("atari-breakout", (0.01,)),), varied=("optim.steps=10,20",), settings=("optim.steps=5",))
    assert {spec.resolve().config.optim.steps for spec in expand(grid).values()} == {10, 20}


@pytest.mark.parametrize(
    "text", ["optim.steps", "optim.steps=", "optim.steps=3,3", "optim.stepz=1,2", "optim.steps=a,b"]
)
def test_varied_settings_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_varied(text)


def test_lists_are_varied_in_brackets() -> None:
    assert parse_varied("eval.targets=[60,90],[120]") == ("eval.targets=[60,90]", "eval.targets=[120]")
