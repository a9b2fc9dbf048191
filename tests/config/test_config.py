"""RunConfig is strict, and presets merge in the documented order."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from lamo_core.config import RunConfig, field_names, parse_setting
from lamo_core.errors import UsageError
from lamo_core.settings.presets import NoEffect, _relative, budget_minutes, is_preset, preset_names, resolve


def test_a_config_survives_its_dictionary() -> None:
    config = RunConfig()
    assert RunConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"optim": {"bach_size": 3}}, "did you mean 'optim.batch_size'"),
        ({"model": {"adapter": "lorra"}}, "did you mean 'lora'"),
        ({"seed": "one"}, "seed wants a whole number"),
        ({"seed": True}, "seed wants a whole number"),
        ({"optim": 3}, "optim is a group"),
        ({"data": {"ratio": 0.0}}, "data.ratio must be above 0"),
        ({"data": {"ratio": 1.5}}, "data.ratio must be above 0"),
        ({"optim": {"learning_rate": float("nan")}}, "optim.learning_rate must lie"),
        ({"eval": {"targets": ["high"]}}, "eval.targets wants a number"),
        ({"eval": {"targets": [float("nan")]}}, "eval.targets must be finite"),
        ({"optim": {"learning_rate": 10**400}}, "optim.learning_rate is larger than"),
        ({"device": "xpu"}, "there is no device 'xpu'"),
        ({"device": "cpu:7"}, "there is no device 'cpu:7'"),
        ({"model": {"backbone": ""}}, "model.backbone names no language model"),
    ],
)
def test_wrong_values_are_refused_in_one_sentence(values: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        RunConfig.from_dict(values)


def test_settings_take_the_type_of_their_field() -> None:
    assert parse_setting("optim.steps", "1_000") == 1000
    assert parse_setting("optim.learning_rate", "1e-4") == 1e-4
    assert parse_setting("data.ratio", "0.5%") == 0.005
    assert parse_setting("eval.targets", "90,120") == [90.0, 120.0]
    assert parse_setting("model.trunk_positions", "false") is False
    with pytest.raises(UsageError, match=r"optim\.steps wants a whole number, not 'many'"):
        parse_setting("optim.steps", "many")
    with pytest.raises(UsageError, match="is a group of settings"):
        parse_setting("optim", "3")


def test_every_shipped_preset_resolves_with_every_ablation() -> None:
    presets, ablations = preset_names(), preset_names("ablations")
    for game in ("breakout", "qbert", "pong"):
        for ratio in ("0.1pct", "1pct", "10pct", "100pct"):
            assert f"atari-{game}-{ratio}" in presets
        assert f"paper-atari-{game}" in presets
    for ablation in ablations:
        resolved = 0
        for preset in presets:
            with suppress(NoEffect):
                # LaMo has no filter of episodes
                resolve(preset, [ablation], method="bc" if ablation == "filter-by-data" else None)
                resolved += 1
        assert resolved, ablation
        assert resolved == len(presets) or ablation == "frame-shift" or ablation.startswith("official-")


def test_a_task_resolves_with_any_share_of_its_data() -> None:
    for name, ratio in (
        ("atari-breakout-0.1pct", 0.001),
        ("mujoco-hopper-3pct", 0.03),
        ("kitchen-partial-0.7pct", 0.007),
    ):
        task = name.rpartition("-")[0]
        resolved, plain = resolve(name), resolve(task)
        assert (resolved.config.data.ratio, resolved.origins["data.ratio"]) == (ratio, f"preset {name}")
        assert (resolved.config.name, plain.config.name) == (name, task)
        assert replace(resolved.config, name=task, data=plain.config.data) == plain.config
    assert resolve("paper-mujoco-hopper-5pct").config.data.ratio == 0.05
    assert budget_minutes("mujoco-hopper-3pct") == budget_minutes("mujoco-hopper-1pct") == 5
    assert resolve("mujoco-hopper-10.0pct") == resolve("mujoco-hopper-10pct")  # one name of a run, however it is typed


def test_lists_offer_the_shares_that_a_task_recommends() -> None:
    assert [name for name in preset_names() if name.startswith("kitchen-complete")] == [
        f"kitchen-complete-{percent}pct" for percent in (100, 30, 50)
    ]
    assert all(is_preset(name) for name in [*preset_names(), "kitchen-complete-7pct"])
    assert not any(is_preset(name) for name in ("", "kitchen", "kitchen-complete-0pct", "atari-1pct", "frozen"))


def test_later_layers_win_and_say_so(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[optim]\nsteps = 3\nbatch_size = 5\n[model]\nlora_rank = 2\n")
    resolved = resolve("atari-pong-1pct", ["frozen"], file, ["optim.batch_size=7"], {"seed": 9})
    config, origins = resolved.config, resolved.origins
    assert (config.data.ratio, origins["data.ratio"]) == (0.01, "preset atari-pong-1pct")
    assert (config.task.name, origins["task.name"]) == ("atari-pong", "preset atari-pong")
    assert (config.model.adapter, origins["model.adapter"]) == ("frozen", "ablation frozen")
    assert (config.optim.steps, origins["optim.steps"]) == (3, f"file {file}")
    assert (config.optim.batch_size, origins["optim.batch_size"]) == (7, "--set")
    assert (config.seed, origins["seed"]) == (9, "command line")
    assert origins["optim.clip"] == "default"
    assert config.name == "atari-pong-1pct+frozen"
    assert set(origins) == set(field_names())


def test_the_star_of_an_overlay_is_the_backbone_named_before() -> None:
    assert resolve("paper-atari-qbert", ["no-pretraining"]).config.model.backbone == "random:gpt2"
    assert resolve("atari-qbert-1pct", ["no-pretraining"]).config.model.backbone == "random:mini"
    assert resolve("atari-qbert-1pct", ["no-pretraining"], method="dt").config.model.backbone == "random:dt"
    assert resolve("atari-qbert-1pct", ["shuffled-corpus"]).config.model.backbone == "mini-shuffled"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("atari-breakot-1pct",), "did you mean 'atari-breakout-1pct'"),
        (("atari-breakot-3pct",), "did you mean 'atari-breakout-3pct'"),
        (("atari-breakot",), "did you mean 'atari-breakout-1.*pct'"),
        (("a" * 5_000,), "there is no preset"),
        (("ablations/frozen",), "there is no preset"),
        (("atari-3pct",), "there is no preset 'atari-3pct'"),
        (("paper-mujoco-hoper-3pct",), "did you mean 'paper-mujoco-hopper-3pct'"),
        (("mujoco-hopper-1pct-1pct",), "there is no preset 'mujoco-hopper-1pct-1pct'"),
        (("mujoco-hopper-0pct",), "a share of data is above 0 and at most 100%, such as 1% or 0.01, not '0%'"),
        (("mujoco-hopper-101pct",), "at most 100%, .* not '101%'"),
        (("mujoco-hopper-1.2.3pct",), "at most 100%, .* not '1.2.3%'"),
        (("atari-pong-1pct", ["frosen"]), "no ablation 'frosen'; did you mean 'frozen'"),
        (("atari-pong-1pct", [], None, ["optim.step=3"]), "did you mean 'optim.steps'"),
        (("atari-pong-1pct", [], None, ["optim.lr=3"]), r"did you mean 'optim.learning_rate'\?"),
        (("atari-pong-1pct", [], None, ["context=3"]), "did you mean 'model.context' or 'eval.context'"),
        (("atari-pong-1pct", [], None, ["model.rank=3"]), "did you mean 'model.lora_rank'"),
        (("atari-pong-1pct", [], None, ["optim.steps"]), "--set wants name=value"),
    ],
)
def test_misspelt_names_get_a_suggestion(arguments: tuple[object, ...], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        resolve(*arguments)  # type: ignore[arg-type]


def test_a_broken_user_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "broken.toml"
    file.write_text("steps = = 3")
    with pytest.raises(UsageError, match=r"broken\.toml is not valid TOML"):
        resolve("atari-pong-1pct", [], file)
    file.write_text("a = " + "[" * 100_000)
    with pytest.raises(UsageError, match="nested too deeply"):
        resolve("atari-pong-1pct", [], file)


def test_a_file_from_another_systems_editor_is_read(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_bytes(b"\xef\xbb\xbf[optim]\r\nsteps = 7\r\n")
    assert resolve("atari-pong-1pct", [], file).config.optim.steps == 7


def test_every_method_resolves_on_every_task_and_says_so() -> None:
    for preset in ("atari-qbert-1pct", "mujoco-hopper-1pct", "kitchen-complete-30pct", "paper-mujoco-walker2d"):
        for method in preset_names("methods"):
            resolved = resolve(preset, method=method)
            assert (resolved.config.method, resolved.origins["method"]) == (method, f"method {method}")
    config = resolve("mujoco-hopper-1pct", ["filter-by-data"], method="td3+bc").config
    assert config.name == "mujoco-hopper-1pct-td3-bc+filter-by-data"


@pytest.mark.parametrize("rank", [4, 16, 64])
def test_the_rank_of_adapters_changes_alone_and_not_their_scale(rank: int) -> None:
    for preset in preset_names():
        before, after = resolve(preset).config.model, resolve(preset, [f"lora-rank-{rank}"]).config.model
        assert after.lora_rank == rank
        assert after.lora_alpha / rank == before.lora_alpha / before.lora_rank, preset
        assert replace(after, lora_rank=before.lora_rank, lora_alpha=before.lora_alpha) == before


def test_a_method_lengthens_short_runs_and_knows_kinds_of_tasks() -> None:
    short, long = (resolve(preset, method="iql").config for preset in ("mujoco-hopper-1pct", "paper-mujoco-hopper"))
    assert (short.optim.steps, long.optim.steps) == (50_000, 100_000)
    assert resolve("kitchen-complete-30pct", method="iql").config.eval.every == 2_500
    assert (short.value.rewards, resolve("atari-pong-1pct", method="iql").config.value.rewards) == ("range", "sign")
    assert resolve("mujoco-reacher2d-10pct", method="iql").config.value.rewards == "raw"
    assert resolve("paper-atari-pong", method="dt-wide").config.model.backbone == "random:gpt2"


@pytest.mark.parametrize(
    ("method", "ablations"),
    [("dt", ["lora-all"]), ("bc", ["no-returns"]), ("bcq", ["no-pretraining"]), ("lamo", ["no-lora", "lora-all"])],
)
def test_an_ablation_of_what_a_method_lacks_is_refused(method: str, ablations: list[str]) -> None:
    with pytest.raises(UsageError, match=f"{ablations[-1]} changes nothing in {re.escape(method)}"):
        resolve("mujoco-hopper-1pct", ablations, method=method)


@pytest.mark.parametrize(
    ("preset", "ablation"),
    [
        ("mujoco-hopper-1pct", "frame-shift"),
        ("mujoco-hopper-1pct", "official-frames"),
        ("mujoco-hopper-1pct", "official-tanh-logits"),
        ("mujoco-hopper-1pct", "official-kitchen-rewards"),
        ("atari-pong-1pct", "official-state-scaling"),
        ("atari-pong-1pct", "official-kitchen-rewards"),
        ("atari-pong-1pct", "official-raw-rewards"),
    ],
)
def test_an_ablation_of_what_a_task_lacks_is_refused(preset: str, ablation: str) -> None:
    task = resolve(preset).config.task.name
    with pytest.raises(UsageError, match=f"{ablation} changes nothing in lamo on {task}.*; leave it out"):
        resolve(preset, [ablation])


def test_ablations_of_data_and_frames_hold_for_methods_without_memory() -> None:
    assert resolve("atari-pong-1pct", ["official-frames"], method="cql").config.model.frames == "scaled"
    assert resolve("kitchen-partial-1pct", ["official-kitchen-rewards"], method="bc").config.name.endswith("-rewards")
    assert resolve("mujoco-hopper-1pct", ["filter-by-data"], method="bc").config.markov.filter == "split"


def test_wiki_rl_joins_timesteps_where_its_code_does() -> None:
    presets = ("mujoco-hopper-1pct", "atari-pong-1pct")
    vectors, frames = (resolve(name, method="wiki-rl").config.model for name in presets)
    assert (vectors.timestep, vectors.trunk_positions) == ("after-norm", False)
    assert frames.timestep == resolve("atari-pong-1pct").config.model.timestep
    published = resolve("paper-atari-pong", method="wiki-rl").config.model
    assert (published.timestep, published.trunk_positions) == ("before-norm", True)


def test_the_official_atari_code_subtracts_what_the_game_pays_from_clipped_targets() -> None:
    for game in ("breakout", "qbert", "pong"):
        paper, official = resolve(f"paper-atari-{game}").config, resolve(f"official-atari-{game}").config
        assert paper.data.rewards == official.data.rewards == "clipped"
        assert (paper.paid, official.paid) == ("clipped", "raw")
    assert resolve("paper-atari-pong", ["official-raw-rewards"]).config.paid == "raw"
    assert resolve("atari-pong-1pct").config.paid == "raw"


def test_what_is_switched_off_stays_off() -> None:
    # an overlay's least and largest value, upon a 0
    assert _relative("eval.every", ">=2500", 0) == 0
    assert _relative("optim.ema_decay", "<=0.9", 0.0) == 0.0


@pytest.mark.parametrize("method", ["dt", "dt-wide", "wiki-rl"])
def test_what_is_trained_in_full_takes_a_high_rate_down_and_leaves_a_low_one(method: str) -> None:
    short, long = (resolve(name, method=method).config.optim for name in ("mujoco-hopper-1pct", "paper-mujoco-hopper"))
    assert short.learning_rate == short.adapter_learning_rate == 1e-3
    changed = {"weight_decay": long.weight_decay, "epsilon": 1e-6 if method == "wiki-rl" else 1e-8}
    assert long == replace(resolve("paper-mujoco-hopper").config.optim, **changed)


def test_what_the_published_code_does_otherwise_is_in_the_presets_that_keep_it() -> None:
    def published(preset: str, method: str | None = None) -> tuple[float, str, str]:
        config = resolve(preset, method=method).config
        return config.optim.epsilon, config.data.ratio_rounding, config.model.frame_layers

    plain = (1e-8, "nearest", "one")
    assert (
        published("mujoco-hopper-1pct") == published("atari-pong-1pct") == published("kitchen-complete-30pct") == plain
    )
    for preset in ("hopper", "halfcheetah", "walker2d", "reacher2d"):
        assert published(f"paper-mujoco-{preset}") == (1e-6, "down", "one")
    assert published("paper-kitchen-partial") == (1e-6, "down", "one")
    for game in ("breakout", "qbert", "pong"):
        assert published(f"paper-atari-{game}") == published(f"official-atari-{game}") == (1e-8, "down", "two")
    # the published code's Decision Transformer, and the value-based methods, keep PyTorch's epsilon
    for method in ("dt", "dt-wide", "bc", "cql", "iql", "td3+bc"):
        assert published("paper-mujoco-hopper", method)[0] == 1e-8
    assert resolve("atari-pong-1pct", ["official-frame-layers"]).config.model.frame_layers == "two"
    for preset, ablations in (("mujoco-hopper-1pct", []), ("atari-pong-1pct", ["linear-embeddings"])):
        with pytest.raises(UsageError, match="official-frame-layers changes nothing"):
            resolve(preset, [*ablations, "official-frame-layers"])


def test_a_config_from_before_a_setting_means_what_it_meant() -> None:
    values = resolve("paper-mujoco-hopper").config.to_dict()
    for group, name in (("optim", "epsilon"), ("data", "ratio_rounding"), ("model", "frame_layers")):
        del values[group][name]
    config = RunConfig.from_dict(values)
    assert (config.optim.epsilon, config.data.ratio_rounding, config.model.frame_layers) == (1e-8, "nearest", "one")


@pytest.mark.parametrize("epsilon", [0.0, -1e-8, 2.0])
def test_no_epsilon_divides_by_nothing(epsilon: float) -> None:
    with pytest.raises(UsageError, match=r"optim\.epsilon must lie between"):
        RunConfig.from_dict({"optim": {"epsilon": epsilon}})


def test_an_environment_is_named_by_its_id() -> None:
    resolved = resolve(settings=["task.id=CartPole-v1"])
    assert (resolved.config.task.name, resolved.origins["task.name"]) == ("gym:CartPole-v1", "--set")
    assert RunConfig.from_dict(resolved.config.to_dict()) == resolved.config
    assert RunConfig.from_dict({"task": {"id": "CartPole-v1"}}).task.name == "gym:CartPole-v1"
    named = resolve(preset="atari-pong-1pct", settings=["task.name=gym:CartPole-v1"]).config.task
    assert (named.name, named.id) == ("gym:CartPole-v1", "CartPole-v1")


def test_a_methods_settings_for_discrete_actions_hold_for_other_environments_too() -> None:
    discrete = resolve(method="cql", settings=["task.id=CartPole-v1"]).config
    continuous = resolve(method="cql", settings=["task.id=Pendulum-v1"]).config
    assert discrete.task.name == "gym:CartPole-v1"
    assert discrete.value != continuous.value


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("cql", ["optim.steps=2000"]),
        ("nfq", ["optim.steps=100"]),
        ("lamo", ["model.q_weight=0.1", "value.target_every=900"]),
    ],
)
def test_a_run_that_never_copies_its_target_network_is_refused(method: str, settings: list[str]) -> None:
    with pytest.raises(UsageError, match=r"never learns from a copy; raise optim\.steps or lower value\.target_every"):
        resolve("atari-breakout-1pct", settings=settings, method=method)
    resolve("atari-breakout-1pct", settings=[*settings, "value.target_every=50"], method=method)
    if method != "lamo":  # what is on the disk can be read
        values = resolve("atari-breakout-1pct", method=method).config.to_dict()
        values["optim"]["steps"] = values["value"]["target_every"]
        assert RunConfig.from_dict(values).method == method


def test_rivals_have_their_published_schedules_and_enough_updates() -> None:
    iql = resolve("mujoco-hopper-10pct", method="iql").config
    assert (iql.optim.schedule, iql.optim.steps) == ("policy-cosine", 50_000)
    assert resolve("mujoco-hopper-10pct", method="td3+bc").config.optim.steps == 50_000
    assert resolve("mujoco-hopper-10pct", method="cql").config.value.log_std_offset == -1.0
    assert resolve("mujoco-hopper-10pct", method="filtered-bc").config.markov.least_episodes == 5
    assert resolve("mujoco-hopper-10pct", method="bc").config.optim.ema_decay == 0.995
