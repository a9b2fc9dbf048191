"""What a run is called in reports follows from its settings, whatever its name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamo_core.reports.cells import make_cells
from lamo_core.reports.matrix import make_matrix
from lamo_core.reports.results import gather, read_result, result_of
from lamo_core.reports.results_file import as_summary, read_results, write_results
from lamo_core.reports.rows import report_rows
from lamo_core.runs.compare import flatten
from lamo_core.runs.create import create_run
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.evaluations import Change
from lamo_core.runs.index import list_runs
from lamo_core.runs.labels import Origins, label_of
from lamo_core.runs.query import parse_query
from lamo_core.settings.presets import Resolved, resolve
from tests.runs.run_doubles import record

HOPPER = "mujoco-hopper-10pct"


def label(resolved: Resolved, **changes: Any) -> str:
    return str(label_of(flatten(resolved.config.to_dict()), Origins.of(resolved.origins), **changes))


CASES = [
    ([], [], "lamo"),
    (["no-lora"], [], "lamo +no-lora"),
    (["no-pretraining"], [], "lamo +no-pretraining"),
    (["frozen", "linear-embeddings"], [], "lamo +frozen +linear-embeddings"),
    (["linear-embeddings", "frozen"], [], "lamo +frozen +linear-embeddings"),
    (["backbone-gpt2", "no-pretraining"], [], "lamo +backbone-gpt2 +no-pretraining"),
    (["no-pretraining", "backbone-gpt2"], [], "lamo +backbone-gpt2"),
    (["no-lora"], ["model.adapter=lora"], "lamo"),
    (["no-lora"], ["model.adapter=frozen"], "lamo +frozen"),
    (["no-lora"], ["model.dropout=0.5"], "lamo +no-lora (model.dropout=0.5)"),
    (["no-lora"], ["optim.batch_size=3", "model.context=40"], "lamo +context-length-40 +no-lora (optim.batch_size=3)"),
    (["official-lora"], ["model.lora_rank=7"], "lamo +official-lora (model.lora_rank=7)"),
    ([], ["model.adapter=full"], "lamo +no-lora"),
    ([], ["model.backbone=random:mini"], "lamo +no-pretraining"),
    ([], ["model.adapter=lora", "optim.batch_size=8"], "lamo"),
    ([], ["model.lora_rank=3"], "lamo (model.lora_rank=3)"),
    ([], ["seed=5", "device=cpu", "eval.every=7", "optim.steps=9", "checkpoint.keep=4"], "lamo"),
    ([], ["data.ratio=5%", "data.set=hopper-expert", "task.version=v5"], "lamo"),
    ([], ["eval.targets=[1, 2]"], "lamo (eval.targets=[1.0, 2.0])"),
]


@pytest.mark.parametrize("name", ["", "x", "p+frozen", "mujoco-hopper-10pct-dt", "+", "a+no-lora+b"])
@pytest.mark.parametrize(("ablations", "settings", "expected"), CASES)
def test_a_label_follows_from_settings_whatever_the_name(
    ablations: Sequence[str], settings: list[str], expected: str, name: str
) -> None:
    named = [*settings, f"name={name}"] if name else settings
    assert label(resolve(HOPPER, ablations, settings=named)) == expected


def test_methods_are_what_their_settings_are() -> None:
    for method in ("lamo", "dt", "dt-wide", "wiki-rl", "bc", "iql", "td3+bc"):
        assert label(resolve(HOPPER, method=method, settings=["name=x+frozen"])) == method
    assert label(resolve(HOPPER, method="td3+bc", settings=["value.discount=0.5"])) == "td3+bc (value.discount=0.5)"
    # what a method does not read makes no difference
    assert label(resolve(HOPPER, method="td3+bc", settings=["model.lora_rank=5"])) == "td3+bc"
    bare = label(resolve(HOPPER, settings=["method=dt"]))
    assert bare.startswith("dt (")
    assert "model.adapter=lora" in bare
    assert label(resolve(HOPPER, method="dt", settings=["method=lamo"])).startswith("lamo (model.adapter=full")


def test_a_file_of_settings_and_none_of_a_preset_are_by_hand(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('name = "x"\n[model]\nlora_rank = 3\n')
    resolved = resolve(HOPPER, file=file)
    assert label(resolved) == "lamo (model.lora_rank=3)"
    assert str(tmp_path) not in json.dumps(Origins.of(resolved.origins).to_record())
    alone = resolve(settings=["data.set=pong-medium", "task.name=atari-pong", "model.adapter=frozen"])
    assert label(alone) == "lamo +frozen"


def test_what_is_changed_while_training_is_told() -> None:
    changes = [Change(7, "language.weight", "0.5"), Change(7, "eval.every", "5")]
    assert label(resolve(HOPPER), changes=changes) == "lamo (language.weight=0.5 from step 7)"


def test_many_settings_are_counted() -> None:
    settings = [f"model.{name}=0.3" for name in ("dropout", "attention_dropout", "embedding_dropout", "timestep_std")]
    told = label(resolve(HOPPER, settings=[*settings, "model.lora_rank=5", "model.lora_alpha=7"]))
    assert told.endswith(", 2 more)")


def test_a_preset_of_another_version_hides_nothing() -> None:
    resolved = resolve(HOPPER, settings=["model.lora_rank=3"])
    origins = {name: origin.replace("preset mujoco", "preset gone") for name, origin in resolved.origins.items()}
    settings = flatten(resolved.config.to_dict())
    assert str(label_of(settings, Origins.of(origins))) == "lamo (model.lora_rank=3)"
    unknown = {**resolve(HOPPER, ["frozen"]).origins, "model.adapter": "ablation gone"}
    assert str(label_of(settings, Origins.of(unknown))).startswith("lamo +gone")


@pytest.mark.parametrize("origins", [None, {}, 5, {"model.adapter": 7}, {"model.adapter": "--set\x1b[2J"}])
def test_a_run_that_does_not_say_what_decided_is_told_by_its_settings(origins: object) -> None:
    for ablation in ("no-lora", "frozen", "no-pretraining", "linear-embeddings", "learned-maximum"):
        settings = flatten(resolve(HOPPER, [ablation], settings=["name=x"]).config.to_dict())
        assert str(label_of(settings, Origins.of(origins))) == f"lamo +{ablation}"
    assert str(label_of(flatten(resolve(HOPPER).config.to_dict()), Origins.of(origins))) == "lamo"


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.lists(st.text()), st.none(), st.integers())))
def test_origins_of_any_form_are_read(values: dict[str, Any]) -> None:
    settings = flatten(resolve(HOPPER).config.to_dict())
    for origins in (Origins.of(values), Origins.from_record(values)):
        assert Origins.from_record(origins.to_record()) == origins
        assert str(label_of(settings, origins)).isprintable()


def trained(root: Path, returns: list[float], *ablations: str, settings: Sequence[str] = ()) -> RunDirectory:
    resolved = resolve(HOPPER, ablations, settings=settings)
    return record(create_run(root, resolved.config, resolved.origins, ["lamo"]), returns)


def test_report_matrix_list_and_file_agree(root: Path, tmp_path: Path) -> None:
    run = trained(root, [1.0], "no-lora", settings=["name=x"])
    plain = trained(root, [2.0], settings=["name=y+frozen"])
    assert read_result(run).method == "lamo +no-lora"
    assert {row.method for row in report_rows(map(read_result, (run, plain)))} == {"lamo", "lamo +no-lora"}
    cells = {cell.method: cell for cell in make_cells(map(read_result, (run, plain)))}
    assert cells["lamo"].paper is not None
    assert cells["lamo +no-lora"].paper is None
    assert make_matrix(list_runs()).rows == ("none", "no-lora")
    file = tmp_path / "results.jsonl"
    write_results(file, [gather(run), gather(plain)])
    assert [result_of(held).method for held in read_results(file)] == ["lamo +no-lora", "lamo"]
    for words, expected in ((["ablation=no-lora"], [run.id]), (["ablation=none"], [plain.id]), (["ablation:froz"], [])):
        fits = parse_query(words)
        assert [found.id for found in list_runs() if fits(found)] == expected
        assert [held["id"] for held in read_results(file) if fits(as_summary(held))] == expected
    (listed,) = [found.to_dict() for found in list_runs() if found.id == run.id]
    assert (listed["method"], listed["ablations"], listed["changed_settings"]) == ("lamo", ("no-lora",), ())


def test_no_mean_hides_that_its_runs_differ(root: Path) -> None:
    trained(root, [1.0], settings=["seed=0"])
    trained(root, [2.0], settings=["seed=1", "optim.batch_size=3"])
    (cell,) = make_matrix(list_runs()).cells.values()
    assert (cell.seeds, cell.mixed, cell.changed) == (2, ("setting",), ("optim.batch_size=3",))
    cells = make_cells(read_result(run.run) for run in list_runs())
    assert sorted(cell.method for cell in cells) == ["lamo", "lamo (optim.batch_size=3)"]


def test_one_run_with_a_setting_of_its_own_says_so(root: Path) -> None:
    trained(root, [1.0], settings=["optim.batch_size=3"])
    (cell,) = make_matrix(list_runs()).cells.values()
    assert (cell.mixed, cell.changed) == ((), ("optim.batch_size=3",))
    (reported,) = make_cells(read_result(run.run) for run in list_runs())
    assert (reported.method, reported.paper) == ("lamo (optim.batch_size=3)", None)
