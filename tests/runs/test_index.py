"""The list of runs and the language that picks from it."""

from __future__ import annotations

import builtins
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lamo_core.errors import UsageError
from lamo_core.runs import index as index_module
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.index import RunIndex, RunSummary, list_runs, summarise
from lamo_core.runs.query import parse_query
from lamo_core.runs.records import encode
from lamo_core.runs.status import EvalPoint, Status, write_status

MakeRun = Callable[..., RunDirectory]


def test_a_thousand_runs_cost_two_small_files_each(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = encode({"name": "demo", "config": {"seed": 0, "data": {"ratio": 0.01}}, "created": 1.0})
    status = encode({"state": "finished", "step": 5, "total": 5, "evaluations": [[5, 1.5, 2.5]]})
    for number in range(1000):
        folder = root / f"20260101-000000-demo-s0-{number:04d}"
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(info)
        (folder / "status.json").write_text(status)
        (folder / "metrics.jsonl").write_text("x" * 1000)
    opened: list[str] = []
    for place, name in ((io, "open"), (builtins, "open"), (os, "open")):

        def counting(file: Any, *arguments: Any, real: Any = getattr(place, name), **options: Any) -> Any:
            opened.append(os.path.basename(os.fspath(file)))
            return real(file, *arguments, **options)

        monkeypatch.setattr(place, name, counting)
    index = RunIndex()
    runs = index.poll()
    assert [runs[0].id[-4:], runs[-1].id[-4:], len(runs)] == ["0999", "0000", 1000]
    assert runs[0].status.last_return == 1.5
    assert sorted(set(opened)) == ["run.json", "status.json"]
    assert len(opened) == 2000
    opened.clear()
    assert index.poll() == runs
    assert opened == [], "what did not change is not read again"


def test_changes_show_at_the_next_look(make_run: MakeRun) -> None:
    first = make_run(name="first")
    index = RunIndex()
    assert [run.state for run in index.poll()] == ["queued"]
    write_status(first, Status(state="finished", step=3, total=3))
    second = make_run(name="second")
    runs = index.poll()
    assert {run.name: run.state for run in runs} == {"first": "finished", "second": "queued"}
    second.run_file.unlink()
    first.status_file.unlink()
    assert {run.name: run.state for run in index.poll()} == {"first": "lost"}


def test_what_is_no_run_is_passed_over(root: Path, make_run: MakeRun) -> None:
    assert list_runs() == []
    run = make_run(name="good")
    (root / "file").write_text("x")
    (root / "folder").mkdir()
    bad = make_run(name="bad")
    bad.run_file.write_text("{")
    assert [summary.run for summary in list_runs()] == [run]
    with pytest.raises(UsageError, match="damaged"):
        summarise(bad)
    assert summarise(run).to_dict()["name"] == "good"


def test_a_copied_folder_of_runs_has_no_running_ones(make_run: MakeRun) -> None:
    run = make_run()
    write_status(run, Status(state="running", pid=1, pid_started=1.0))
    assert RunIndex(alive=lambda pid, started: False).poll()[0].state == "lost"


@pytest.mark.parametrize(
    ("words", "fitting"),
    [
        ([], "ab"),
        (["pong"], "a"),
        (["-pong"], "b"),
        (["ratio<0.1"], "a"),
        (["ratio>=10%"], "b"),
        (["ratio=0.01", "seed=3"], "a"),
        (["ratio=0.01 seed=4"], ""),
        (["-seed=3"], "b"),
        (["return>10"], "b"),
        (["return<=10"], ""),
        (["state:fin"], "b"),
        (["task:pong"], "a"),
        (["env:pong"], "a"),
        (["optim.schedule=constant"], "b"),
        (["model.trunk_positions=true"], "ab"),
        (["seed=x"], ""),
    ],
)
def test_filters(make_run: MakeRun, words: list[str], fitting: str) -> None:
    make_run(name="pong-a", seed=3, data__ratio=0.01, task__name="atari-pong")
    other = make_run(name="breakout-b", data__ratio=0.1, optim__schedule="constant")
    write_status(other, Status(state="finished", evaluations=(EvalPoint(1, 12.0, 3.0),)))
    fits = parse_query(words)
    assert {summary.name[-1] for summary in list_runs() if fits(summary)} == set(fitting)


@pytest.mark.parametrize(
    ("word", "message"), [("sed=3", "did you mean 'seed'"), ("seed<x", "'x', which is not a number")]
)
def test_a_filter_that_means_nothing_is_one_sentence(word: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_query([word])


def test_reading_runs_loads_neither_torch_nor_the_environments() -> None:
    code = (
        "import sys, pkgutil, importlib, lamo_core.runs as runs\n"
        "for module in pkgutil.iter_modules(runs.__path__): importlib.import_module('lamo_core.runs.' + module.name)\n"
        "from lamo_core.runs.index import list_runs; list_runs()\n"
        "heavy = {'torch', 'transformers', 'peft', 'textual', 'gymnasium', 'ale_py', 'typer', 'rich'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_look_that_has_no_time_takes_the_newest_first(make_run: MakeRun) -> None:
    names = [make_run(name=name).id for name in ("a", "b", "c")]
    index, seen = RunIndex(), []
    for _ in names:
        seen.append([run.id for run in index.poll(0.0)])
    assert [len(ids) for ids in seen] == [1, 2, 3]
    assert seen[-1] == sorted(names, reverse=True)
    assert index.left == 0


def test_an_ended_run_is_asked_for_by_its_folder_only(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [make_run(), make_run()]
    for run in runs:
        write_status(run, Status(state="finished", step=1, total=1))
        os.utime(run.path, (1.0, 1.0))
    index = RunIndex()
    index.poll()
    asked: list[str] = []
    real = os.stat

    def counting(path: Any, **options: Any) -> os.stat_result:
        asked.append(os.fspath(path))
        return real(path, **options)

    monkeypatch.setattr(os, "stat", counting)
    index.poll()
    assert sorted(asked)[1:] == sorted(str(run.path) for run in runs)
    write_status(runs[0], Status(state="stopped", step=2, total=3))
    assert {run.id: run.state for run in index.poll()} == {runs[0].id: "stopped", runs[1].id: "finished"}


@pytest.mark.parametrize(
    ("group", "name", "value"),
    [
        ("data", "ratio", "abc"),
        ("data", "ratio", 10**400),
        ("optim", "steps", [3]),
        ("task", "name", 5),
        ("eval", "every", None),
    ],
)
def test_settings_that_no_run_could_have_are_damage(make_run: MakeRun, group: str, name: str, value: object) -> None:
    run, whole = make_run(name="bad"), make_run(name="good")
    info = json.loads(run.run_file.read_text())
    info["config"][group][name] = value
    run.run_file.write_text(json.dumps(info))
    assert [found.id for found in list_runs()] == [whole.id]
    with pytest.raises(UsageError, match="is damaged"):
        run.read_info()


def test_settings_of_another_version_are_listed(make_run: MakeRun) -> None:
    run = make_run(name="p")
    info = json.loads(run.run_file.read_text())
    info["config"]["data"] |= {"tomorrow": None, "list": [1, "a"], "deep": {"x": 1e400}}
    run.run_file.write_text(json.dumps(info))
    assert [found.id for found in list_runs()] == [run.id]


def made(root: Path, count: int, state: str = "finished") -> list[Path]:
    """Return the folders of runs that ended a minute ago."""
    folders = []
    for number in range(count):
        folder = root / f"20260101-000000-demo-s0-{number:04d}"
        folder.mkdir(parents=True)
        config = {"seed": number, "data": {"ratio": 0.5}}
        (folder / "run.json").write_text(encode({"name": "demo", "config": config, "created": 1.5}))
        points = [[5, float("nan"), 2.5]]
        (folder / "status.json").write_text(encode({"state": state, "step": 5, "loss": 0.0, "evaluations": points}))
        os.utime(folder, (time.time() - 60, time.time() - 60))
        folders.append(folder)
    return folders


def remember(root: Path) -> list[RunSummary]:
    """List a folder as a dashboard does, which remembers at its second look."""
    index = RunIndex(root, remember=True)
    index.poll()
    return index.poll()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Return the names of the runs whose files are opened, with a cache folder of the test's own."""
    monkeypatch.setenv("LAMO_CACHE", str(tmp_path / "cache"))
    found: list[str] = []
    real = index_module._load

    def load(path: str) -> dict[str, Any]:
        found.append(Path(path).parent.name[-4:])
        return real(path)

    monkeypatch.setattr(index_module, "_load", load)
    return found


def test_ended_runs_are_remembered_from_one_time_to_the_next(root: Path, opened: list[str]) -> None:
    folders = made(root, 60)
    expected = RunIndex(root).poll()
    remember(root)
    for _ in range(2):
        opened.clear()
        found = RunIndex(root, remember=True).poll()
        # a mean that is not a number is not equal to itself
        assert encode([run.to_dict() for run in found]) == encode([run.to_dict() for run in expected])
    assert opened == []
    (folders[7] / "status.json.part").write_text(encode({"state": "stopped", "message": "x"}))
    os.replace(folders[7] / "status.json.part", folders[7] / "status.json")
    index = RunIndex(root, remember=True)
    assert index.poll()[-8].state == "stopped"
    assert set(opened) == {"0007"}
    (folders[8] / "status.json.part").write_text(encode({"state": "failed", "message": "x"}))
    os.replace(folders[8] / "status.json.part", folders[8] / "status.json")
    messages = [index.poll()[-9].status.message for _ in range(5)]
    assert messages[-1] == "x", "what was remembered is watched like the rest"


def test_commands_remember_what_the_dashboard_does(root: Path, opened: list[str]) -> None:
    made(root, 60)
    first = list_runs(root)
    opened.clear()
    found = list_runs(root)
    assert opened == []
    assert encode([run.to_dict() for run in found]) == encode([run.to_dict() for run in first])
    assert found[0].config["data"] is found[1].config["data"], "what runs have in common is held once"


def test_runs_at_work_and_small_folders_are_not_remembered(root: Path, opened: list[str], tmp_path: Path) -> None:
    made(root, 49)
    remember(root)
    assert not (tmp_path / "cache").exists()
    made(tmp_path / "others", 60, "running")
    assert remember(tmp_path / "others")[0].state == "lost"
    assert not (tmp_path / "cache").exists()


def test_the_newest_runs_are_read_before_what_is_remembered(root: Path, opened: list[str]) -> None:
    made(root, 60)
    remember(root)
    opened.clear()
    index = RunIndex(root, remember=True)
    assert [run.id[-4:] for run in index.poll(0)] == ["0059"]
    assert index.left == 59
    assert len(index.poll(10)) == 60
    assert set(opened) == {"0059"}


@pytest.mark.parametrize(
    "damage",
    [
        lambda values: values | {"version": 1},
        lambda values: values | {"parts": []},
        lambda values: values | {"parts": 5},
        lambda values: values | {"parts": [None for _ in values["parts"]]},
        lambda values: values | {"runs": {name: [*row[:4], True, row[5]] for name, row in values["runs"].items()}},
        lambda values: (
            values | {"runs": {name: [*row[:3], {"data": [-1]}, *row[4:]] for name, row in values["runs"].items()}}
        ),
        lambda values: (
            values | {"runs": {name: [*row[:3], {"seed": "x"}, *row[4:]] for name, row in values["runs"].items()}}
        ),
        lambda values: values | {"folder": "/elsewhere"},
        lambda values: values | {"runs": 5},
        lambda values: values | {"runs": {name: row[:3] for name, row in values["runs"].items()}},
        lambda values: values | {"runs": {name: [*row[:3], 7, row[4]] for name, row in values["runs"].items()}},
        lambda values: values | {"runs": {name: [row[0], None, *row[2:]] for name, row in values["runs"].items()}},
        lambda values: values | {"runs": {name: [*row[:4], {"state": "run"}] for name, row in values["runs"].items()}},
        lambda values: {},
    ],
)
def test_what_is_remembered_wrongly_is_read_anew(
    root: Path, opened: list[str], tmp_path: Path, damage: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    made(root, 60)
    remember(root)
    (file,) = (tmp_path / "cache" / "lists").iterdir()
    file.write_text(json.dumps(damage(json.loads(file.read_text()))))
    opened.clear()
    found = RunIndex(root, remember=True).poll()
    assert [run.state for run in found] == ["finished"] * 60
    assert len(opened) == 120


def test_old_lists_and_a_cache_that_cannot_be_written_trouble_nobody(
    root: Path, opened: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(root, 60)
    lists = tmp_path / "cache" / "lists"
    lists.mkdir(parents=True)
    for number in range(20):
        (lists / f"{number:02d}.json").write_text("{}")
        os.utime(lists / f"{number:02d}.json", (number, number))
    remember(root)
    assert len(list(lists.iterdir())) == 16
    monkeypatch.setenv("LAMO_CACHE", "/proc/nowhere")
    assert len(remember(root)) == 60


def test_old_runs_that_have_ended_are_looked_at_in_turns(root: Path, opened: list[str]) -> None:
    folders = made(root, 80)
    index = RunIndex(root, remember=True)
    index.poll()
    for place in (0, 40, 79):  # oldest first
        write_status(RunDirectory(folders[place]), Status(state="stopped"))
    states = []
    for _ in range(6):
        found = index.poll()
        states.append((found[79].state, found[39].state, found[0].state))
    assert {late for _, late, _ in states} == {"stopped"}, "the newest are looked at each time"
    assert {latest for _, _, latest in states} == {"stopped"}
    assert [old for old, _, _ in states][-1] == "stopped"
    assert [run.state for run in RunIndex(root).poll()].count("stopped") == 3
