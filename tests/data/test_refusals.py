"""Refusals of data in three kinds, each with its advice: damaged, of a kind not taken, and not for this task."""

from __future__ import annotations

import ast
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import lamo_core.data
from lamo_core.config import DataConfig, TaskConfig
from lamo_core.data.checks import recovery
from lamo_core.data.formats.vector_file import read_vectors
from lamo_core.data.open_data import open_data
from lamo_core.data.sandbox.sandbox import IsolatedReader
from lamo_core.data.sources.import_set import import_set
from lamo_core.data.store import bundled_vectors
from lamo_core.data.store.bundled_logs import set_path
from lamo_core.errors import (
    DamagedDataError,
    DataError,
    LamoError,
    MissingError,
    TaskMismatchError,
    UnsupportedDataError,
    UsageError,
)
from tests.data.sources.made_sources import box, d4rl_tables, minari_episodes, write_d4rl, write_minari
from tests.data.sources.web_server import Published

AGAIN = ("again", "install")
"""Words of the advice for damage, and for nothing else."""


def raised(folder: Path) -> list[tuple[str, int, str]]:
    """Return file, line and name of what every `raise`, and every function that returns an error, makes."""
    found = []
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            value = node.exc if isinstance(node, ast.Raise) else node.value if isinstance(node, ast.Return) else None
            if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
                found.append((path.name, node.lineno, value.func.id))
    return found


def test_no_refusal_of_data_is_without_a_kind() -> None:
    found = raised(Path(lamo_core.data.__file__).parent)
    assert [one for one in found if one[2] in ("DataError", "LamoError")] == [
        one
        for one in found
        if one[0] in ("recorders.py", "replay_pool.py")
        and one[2] == "LamoError"  # a policy that fails, a worker that died
    ]
    kinds = {"DamagedDataError", "UnsupportedDataError", "TaskMismatchError"}
    assert kinds <= {name for _, _, name in found}


def test_each_kind_says_its_problem_and_its_advice_through_a_worker_too(tmp_path: Path) -> None:
    for kind in (DamagedDataError, UnsupportedDataError, TaskMismatchError):
        error = kind("this is wrong", "do that")
        assert str(error) == "this is wrong; do that"
        assert str(kind(*error.args)) == str(error)
    assert DamagedDataError("cut").args[1] == "get it again"
    assert [kind("", "").exit_code for kind in (DamagedDataError, UnsupportedDataError, TaskMismatchError)] == [6, 6, 2]
    with h5py.File(tmp_path / "x.hdf5", "w") as file:
        file["words"] = np.zeros(3)
    facts = {"name": "x", "task": "mujoco-hopper", "origin": {"source": "imported"}, "licence": ""}
    from lamo_core.tasks.registry import get_task
    from lamo_core.tasks.task import packed_task

    facts["task_record"] = packed_task(get_task("mujoco-hopper"))
    job = {"kind": "d4rl", "path": str(tmp_path / "x.hdf5"), "out": str(tmp_path), "facts": facts}
    with IsolatedReader() as reader, pytest.raises(UnsupportedDataError, match="no table 'actions'; a file of D4RL's"):
        reader.run(job, tmp_path)


# ---- which kind ----


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:700])


def text(path: Path) -> None:
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + b"hello" * 99)


def other_tables(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["states"] = np.zeros((4, 3))


def changed(**tables: Any) -> Callable[[Path], None]:
    """Return what writes a file of D4RL's kind with other tables."""
    return lambda path: write_d4rl(path, d4rl_tables() | tables)


def without(*names: str) -> Callable[[Path], None]:
    """Return what writes a file of D4RL's kind without some tables."""
    return lambda path: write_d4rl(path, {name: one for name, one in d4rl_tables().items() if name not in names})


KINDS: list[tuple[Callable[[Path], None], type[LamoError], str]] = [
    (cut, DamagedDataError, "get it again"),
    (text, DamagedDataError, "get it again"),
    (other_tables, UnsupportedDataError, "a file of D4RL's kind has tables observations"),
    (without("observations"), UnsupportedDataError, "a file of D4RL's kind has tables observations"),
    (without("rewards"), UnsupportedDataError, "a file of D4RL's kind has tables observations"),
    (changed(rewards=np.full(14, np.nan)), UnsupportedDataError, "leave out the episodes that hold them"),
    (changed(rewards=np.zeros((14, 2))), UnsupportedDataError, "a file of D4RL's kind has tables observations"),
    (changed(terminals=np.full(14, 3)), UnsupportedDataError, "more than yes and no"),
    (changed(actions=np.full((14, 3), 7.0)), UnsupportedDataError, "write the actions that were played"),
    (changed(observations=np.zeros((14, 84, 84), np.uint8)), UnsupportedDataError, "pictures of games come as Minari"),
    (changed(observations=np.zeros((14, 11), "S3")), UnsupportedDataError, "does not hold plain numbers"),
    (lambda path: write_d4rl(path, d4rl_tables(features=17, actions=6)), TaskMismatchError, "--task mujoco-walker2d"),
    (lambda path: write_d4rl(path, d4rl_tables(features=5)), TaskMismatchError, "--task gym:ID"),
]


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize(("write", "kind", "advice"), KINDS)
def test_hdf5_files(
    tmp_path: Path, published: Published, write: Callable[[Path], None], kind: type[LamoError], advice: str
) -> None:
    path = tmp_path / "hopper.hdf5"
    write_d4rl(path, d4rl_tables())
    write(path)
    with pytest.raises(LamoError) as refused:
        import_set(path, "", "", lambda *_: None)
    assert type(refused.value) is kind, refused.value
    assert advice in str(refused.value)
    assert kind is DamagedDataError or not any(word in str(refused.value).split("; ")[-1] for word in AGAIN)


MINARI: list[tuple[dict[str, Any], type[LamoError], str]] = [
    ({"observation_space": "{"}, DamagedDataError, "get it again"),
    ({"total_episodes": 7}, DamagedDataError, "get it again"),
    ({"data_format": "arrow"}, UnsupportedDataError, "data_format='hdf5'"),
    ({"observation_space": json.dumps({"type": "Text"})}, UnsupportedDataError, "lamo makes Box, Discrete"),
    ({"action_space": json.dumps({"type": "MultiDiscrete"})}, UnsupportedDataError, "with Box or Discrete actions"),
    ({"env_spec": json.dumps({"id": "Walker2d-v5"})}, TaskMismatchError, "import FOLDER --task mujoco-hopper"),
]


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize(("changes", "kind", "advice"), MINARI)
def test_minari_folders(
    tmp_path: Path, published: Published, changes: dict[str, Any], kind: type[LamoError], advice: str
) -> None:
    arguments = (minari_episodes((4, 6), 11, 3), box((11,), -1, 1), box((3,), -1, 1))
    folder = write_minari(tmp_path, "m-v0", *arguments, **changes)
    with pytest.raises(LamoError) as refused:
        import_set(folder.parent, "", "", lambda *_: None)
    assert type(refused.value) is kind, refused.value
    assert advice in str(refused.value)


def test_what_is_no_data_set_at_all(tmp_path: Path, published: Published) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(UnsupportedDataError, match=r"is no \.lamovec.*; check the path, or write its steps as an HDF5"):
        import_set(tmp_path / "notes.txt", "", "", lambda *_: None)
    with pytest.raises(MissingError):
        import_set(tmp_path / "none", "", "", lambda *_: None)


@pytest.mark.parametrize("name", ["reacher2d-medium", "qbert-medium"])
def test_files_of_another_version_are_whole(tmp_path: Path, published: Published, name: str) -> None:
    source = set_path(name)
    content = bytearray(source.read_bytes())
    content[7] += 1
    (tmp_path / source.name).write_bytes(bytes(content))
    reads = {".lamovec": "vector_file.read_vectors", ".lamolog": "action_log.read_log"}
    import importlib

    module, function = f"lamo_core.data.formats.{reads[source.suffix]}".rsplit(".", 1)
    with pytest.raises(UnsupportedDataError, match=r"of another version; update lamo"):
        getattr(importlib.import_module(module), function)(tmp_path / source.name)


# ---- whose file ----


SHIPS = set_path("reacher2d-medium")


def damaged_copy(path: Path) -> Path:
    """Put a set that is cut short at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(SHIPS, path)
    path.write_bytes(path.read_bytes()[:-5])
    return path


@pytest.mark.parametrize(
    ("place", "advice"),
    [
        ("assets/mujoco/reacher.lamovec", "install lamo-rl again"),
        ("data/collected/mine.lamovec", "delete it with `lamo data rm mine` and collect it again"),
        ("data/imported/mine/set.lamovec", "delete it with `lamo data rm mine` and import it again"),
        ("data/d4rl/h-v2/set.lamovec", "`lamo data get h-v2 --source d4rl`"),
        ("data/minari/D4RL/door-v2/set.lamovec", "`lamo data get D4RL/door-v2 --source minari`"),
        ("elsewhere/mine.lamovec", "get it again"),
    ],
)
def test_the_advice_follows_from_where_a_file_lies(
    tmp_path: Path, published: Published, monkeypatch: pytest.MonkeyPatch, place: str, advice: str
) -> None:
    monkeypatch.setattr(recovery, "assets_dir", lambda: tmp_path / "assets")
    with pytest.raises(DamagedDataError) as refused:
        read_vectors(damaged_copy(tmp_path / place))
    assert str(refused.value).endswith(advice)
    assert ("install lamo" in str(refused.value)) == place.startswith("assets")


def test_a_set_of_your_own_is_not_mended_by_installing_lamo(
    tmp_path: Path, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged_copy(tmp_path / "data" / "collected" / "mine.lamovec")
    card = SHIPS.with_suffix(".json").read_text()
    (tmp_path / "data" / "collected" / "mine.json").write_text(card)
    with pytest.raises(DataError, match="collect it again"):
        open_data(DataConfig(set="mine"), TaskConfig(name="mujoco-reacher2d"), 0)

    ships = tmp_path / "assets"
    monkeypatch.setattr(bundled_vectors, "assets_dir", lambda: ships)
    monkeypatch.setattr(recovery, "assets_dir", lambda: ships)
    damaged_copy(ships / "mujoco" / "theirs.lamovec")
    (ships / "mujoco" / "theirs.json").write_text(card)
    with pytest.raises(DataError, match="install lamo-rl again"):
        open_data(DataConfig(set="theirs"), TaskConfig(name="mujoco-reacher2d"), 0)


# ---- which task ----


def test_a_set_of_another_task_names_its_own(published: Published) -> None:
    with pytest.raises(TaskMismatchError, match=r"--set task\.name=mujoco-reacher2d") as refused:
        open_data(DataConfig(set="reacher2d-medium"), TaskConfig(name="mujoco-hopper"), 0)
    assert isinstance(refused.value, UsageError)
    with pytest.raises(TaskMismatchError, match=r"task that it fits, --set task\.name=mujoco-reacher2d"):
        open_data(DataConfig(set="reacher2d-medium"), TaskConfig(name="gym:CartPole-v1"), 0)
    with pytest.raises(TaskMismatchError, match=r"name the game that was played, --set task\.name=atari-GAME"):
        open_data(DataConfig(set="qbert-medium", ratio=0.001), TaskConfig(name="gym:CartPole-v1"), 0)
