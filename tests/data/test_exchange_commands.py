"""`lamo data get | import | export` as they are typed, and training on what they bring."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from lamo_core.config import DataConfig, TaskConfig
from lamo_core.data.open_data import open_data
from lamo_core.data.store.bundled_logs import log_path, set_path
from lamo_core.errors import DataError, LamoError, MissingError, UsageError
from lamo_core.settings.presets import resolve
from lamo_core.training.events import StepDone
from lamo_tui.cli.data.data import app
from lamo_tui.cli.data.transfer import TransferLine
from tests.data.made_records import body_of, made_episode, shard
from tests.data.sources.made_sources import (
    box,
    d4rl_tables,
    dqn_arrays,
    dqn_files,
    kitchen_tables,
    minari_episodes,
    write_d4rl,
    write_minari,
)
from tests.data.sources.web_server import Misbehaviour, Published


def lamo(*arguments: object) -> str:
    """Run `lamo data …` and return what it says; raises what it raises."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, LamoError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def lamo_json(*arguments: object) -> dict[str, Any]:
    """Run `lamo data … --json` and return its object."""
    value: dict[str, Any] = json.loads(lamo(*arguments, "--json"))
    return value


def publish_hopper(published: Published, tmp_path: Path, lengths: tuple[int, ...] = (40, 30, 50, 2)) -> bytes:
    """Put a small hopper-medium-v2 on the server."""
    write_d4rl(tmp_path / "hopper_medium-v2.hdf5", d4rl_tables(lengths))
    content = (tmp_path / "hopper_medium-v2.hdf5").read_bytes()
    published.d4rl("hopper-medium-v2", content, sha256=sha256(content).hexdigest())
    return content


def test_getting_listing_showing_checking_and_deleting(published: Published, tmp_path: Path) -> None:
    content = publish_hopper(published, tmp_path)
    plan = lamo_json("get", "hopper-medium-v2", "--dry-run")
    assert (plan["source"], plan["here"], plan["bytes"]) == ("d4rl", False, len(content))
    assert "to fetch into" in lamo("get", "hopper-medium-v2", "--dry-run")
    assert not list((tmp_path / "data").rglob("*.part"))

    assert "3 episodes with 120 transitions are ready" in lamo("get", "hopper-medium", "--source", "d4rl")
    asked = len(published.site.requests)
    got = lamo_json("get", "hopper-medium-v2")
    assert (got["set"], got["episodes"], got["transitions"]) == ("hopper-medium-v2", 3, 120)
    assert lamo_json("get", "hopper-medium-v2", "--dry-run")["here"] is True
    assert len(published.site.requests) == asked

    (row,) = [row for row in lamo_json("list")["sets"] if row["name"] == "hopper-medium-v2"]
    assert (row["source"], row["task"], row["needs_unpacking"]) == ("d4rl", "mujoco-hopper", False)
    shown = lamo("show", "hopper-medium-v2")
    for word in ("█", "source    d4rl", "CC BY 4.0", published.site.url, "left out  2 transitions"):
        assert word in shown
    assert "the file is whole" in lamo("verify", "hopper-medium-v2")
    assert lamo_json("rm", "hopper-medium-v2")["freed_bytes"] > 1000
    assert "hopper-medium-v2" not in lamo("list")


def test_a_damaged_set_does_not_hide_the_others_and_can_be_deleted(published: Published, tmp_path: Path) -> None:
    publish_hopper(published, tmp_path)
    lamo("get", "hopper-medium-v2")
    path = tmp_path / "data" / "d4rl" / "hopper-medium-v2" / "set.lamovec"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="checksum does not fit"):
        lamo("verify", "hopper-medium-v2")
    path.with_name("card.json").write_text("{")
    assert "damaged" in lamo("list")
    assert "qbert-medium" in lamo("list")
    lamo("rm", "hopper-medium-v2")
    assert "damaged" not in lamo("list")


def test_slices_are_verified_frame_by_frame(published: Published, tmp_path: Path) -> None:
    published.dqn("Breakout", 1, dqn_files(dqn_arrays(), 10))
    plan = lamo_json("get", "breakout-medium-v0", "--source", "dqn-replay", "--dry-run")
    assert plan["source"] == "dqn-replay"
    lamo("get", "breakout-medium", "--source", "dqn-replay")
    assert lamo_json("verify", "breakout-medium-v0")["cached_checked"] == 4
    frames = tmp_path / "data" / "dqn-replay" / "breakout-medium-v0" / "1.frames"
    content = bytearray(frames.read_bytes())
    content[len(content) // 2] ^= 1
    frames.write_bytes(bytes(content))
    with pytest.raises(DataError, match="breakout-medium-v0 has damaged frames in 1 episode"):
        lamo("verify", "breakout-medium-v0")
    config = DataConfig(source="dqn-replay", set="breakout-medium", rewards="clipped")
    with pytest.raises(DataError, match="damaged"):
        open_data(config, TaskConfig(name="atari-breakout"), 0)


def test_names_that_nobody_knows(published: Published) -> None:
    with pytest.raises(UsageError, match="did you mean 'hopper-medium"):
        lamo("get", "hopper-mediun")
    with pytest.raises(UsageError, match="source of data"):
        lamo("get", "hopper-medium", "--source", "hub")
    published.d4rl("hopper-medium-v2", b"x")
    published.site.files.clear()
    with pytest.raises(MissingError, match="could not get"):
        lamo("get", "hopper-medium-v2")


def test_our_own_files_are_imported_under_their_name(published: Published, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is a set reacher2d-medium already"):
        lamo("import", set_path("reacher2d-medium"))
    card = lamo_json("import", set_path("reacher2d-medium"), "--name", "mine")
    assert (card["set"], card["task"], card["episodes"]) == ("mine", "mujoco-reacher2d", 50)
    ours = open_data(DataConfig(set="reacher2d-medium"), TaskConfig(name="mujoco-reacher2d"), 0)
    theirs = open_data(DataConfig(set="mine"), TaskConfig(name="mujoco-reacher2d"), 0)
    np.testing.assert_array_equal(ours.observations, theirs.observations)
    assert "MIT" in lamo("show", "mine")
    with pytest.raises(UsageError, match="is here already"):
        lamo("import", set_path("reacher2d-medium"), "--name", "mine")
    with pytest.raises(UsageError, match="says that it is for the task mujoco-reacher2d"):
        lamo("import", set_path("reacher2d-medium"), "--name", "other", "--task", "mujoco-hopper")


def test_an_imported_log_is_replayed(published: Published, tiny_assets: Path, tmp_path: Path) -> None:
    path = tiny_assets / "atari" / "qbert-medium.lamolog"
    lamo("import", path, "--name", "played")
    got = lamo_json("get", "played", "--ratio", "0.2")
    assert got["episodes"] >= 1
    assert lamo_json("verify", "played", "--replay", "1")["cached_checked"] == got["episodes"]
    store = open_data(DataConfig(set="played", ratio=0.2), TaskConfig(name="atari-qbert"), 0)
    assert store.name == "played"
    assert store.transitions == got["transitions"]
    lamo("rm", "played")
    assert not list((tmp_path / "data").rglob("*.frames"))


def test_the_nearest_name_is_told() -> None:
    with pytest.raises(UsageError, match="did you mean 'hopper-medium'"):
        lamo("get", "hoper-medium")
    with pytest.raises(UsageError, match="did you mean 'halfcheetah-medium-v2'"):
        lamo("get", "halfchetah-medium-v2")


def test_files_of_the_kind_of_d4rl_are_imported(published: Published, tmp_path: Path) -> None:
    write_d4rl(tmp_path / "Walker2d mine.hdf5", d4rl_tables(features=17, actions=6))
    card = lamo_json("import", tmp_path / "Walker2d mine.hdf5")
    assert (card["set"], card["task"]) == ("walker2d-mine", "mujoco-walker2d")
    write_d4rl(tmp_path / "data.hdf5", d4rl_tables())
    with pytest.raises(UsageError, match="say which task"):
        lamo("import", tmp_path / "data.hdf5")
    with pytest.raises(UsageError, match="did you mean"):
        lamo("import", tmp_path / "data.hdf5", "--task", "mujoco-hoper")
    with pytest.raises(UsageError, match=r"11 numbers and actions of 3 .*mujoco-reacher2d wants observations of 12"):
        lamo("import", tmp_path / "data.hdf5", "--task", "mujoco-reacher2d", "--name", "h")
    with pytest.raises(UsageError, match="atari-pong wants frames and 6 discrete actions"):
        lamo("import", tmp_path / "data.hdf5", "--task", "atari-pong", "--name", "h")
    assert lamo_json("import", tmp_path / "data.hdf5", "--task", "mujoco-hopper", "--name", "h")["transitions"] == 12
    write_d4rl(tmp_path / "mini_kitchen_microwave_kettle_light_slider-v0.hdf5", kitchen_tables())
    card = lamo_json("import", tmp_path / "mini_kitchen_microwave_kettle_light_slider-v0.hdf5", "--name", "k")
    assert card["task"] == "kitchen-complete-v0"
    assert "positions" in lamo("show", "k")


def test_a_minari_folder_is_imported(published: Published, tmp_path: Path) -> None:
    arguments = (minari_episodes((4, 6), 11, 3), box((11,), -np.inf, np.inf), box((3,), -1, 1))
    folder = write_minari(tmp_path / "elsewhere", "my-set-v0", *arguments)
    with pytest.raises(UsageError, match="--task mujoco-hopper"):
        lamo("import", folder.parent, "--task", "mujoco-walker2d")
    card = lamo_json("import", folder.parent, "--task", "mujoco-hopper")
    assert (card["set"], card["task"]) == ("my-set-v0", "mujoco-hopper")
    assert open_data(DataConfig(set="my-set-v0"), TaskConfig(name="mujoco-hopper"), 0).transitions == 10


def test_what_cannot_be_imported(published: Published, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("hello")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    for name in ("text.txt", "empty"):
        with pytest.raises(DataError, match=r"is no \.lamovec"):
            lamo("import", tmp_path / name)
    for name in ("none", "folder"):
        with pytest.raises(MissingError, match="there is n"):
            lamo("import", tmp_path / name)
    with pytest.raises(UsageError, match="cannot be the name"):
        lamo("import", set_path("reacher2d-medium"), "--name", "///")
    broken = log_path("qbert-medium").read_bytes()[:-1]
    (tmp_path / "broken.lamolog").write_bytes(broken)
    with pytest.raises(DataError, match="checksum"):
        lamo("import", tmp_path / "broken.lamolog")


def test_an_export_is_read_back(published: Published, tmp_path: Path) -> None:
    result = lamo_json("export", "kitchen-complete", "--format", "minari", "--out", tmp_path / "minari")
    assert result["id"] == "lamo/kitchen-complete-v0"
    assert lamo_json("get", result["id"], "--dry-run")["files"] == []
    assert lamo_json("get", result["id"])["transitions"] == result["transitions"] == 3_345
    with pytest.raises(UsageError, match="format"):
        lamo("export", "kitchen-complete", "--format", "hdf4", "--out", tmp_path)


@pytest.mark.parametrize("command", ["get", "import", "export"])
def test_help_has_examples(command: str) -> None:
    assert lamo(command, "--help").count("lamo data") >= 2


class Written:
    """A console that keeps what is printed."""

    is_terminal = False
    width = 100

    def __init__(self) -> None:
        self.lines: list[str] = []

    def print(self, text: str, markup: bool = True) -> None:
        self.lines.append(text)


def test_downloads_show_size_rate_and_time_left() -> None:
    seconds = iter([0.0, 0.0, 10.0, 10.0, 20.0, 20.0, 21.0, 21.0])
    console = Written()
    line = TransferLine(stderr=console, clock=lambda: next(seconds))  # type: ignore[arg-type]
    for done in (50_000_000, 60_000_000, 70_000_000):
        line.stage("getting actions", done, 90_000_000)
    line.stage("cutting", 5, 10)
    assert console.lines == [
        "getting actions 50.0 MB of 90.0 MB",
        "getting actions 60.0 MB of 90.0 MB  1.0 MB/s  30s left",
        "getting actions 70.0 MB of 90.0 MB  1.0 MB/s  20s left",
        "cutting 5/10",
    ]


SMALL = (
    *("model.backbone=random:mini", "optim.steps=2", "optim.batch_size=2", "optim.micro_batch_size=2"),
    *("model.context=3", "optim.warmup_steps=1", "eval.every=0", "eval.final_episodes=0", "language.weight=0"),
    *("data.ratio=1", "device=cpu", "model.dropout=0"),
)


@pytest.mark.parametrize(
    ("preset", "command"),
    [
        ("paper-atari-breakout", "lamo data get breakout-medium --source rl-unplugged"),
        ("official-atari-breakout", "lamo data get breakout-medium --source rl-unplugged"),
        ("paper-mujoco-hopper", "lamo data get hopper-medium --source d4rl"),
        ("paper-kitchen-complete", "lamo data get kitchen-complete --source d4rl"),
    ],
)
def test_paper_presets_name_the_command_and_train_after_it(
    published: Published, tmp_path: Path, preset: str, command: str
) -> None:
    from lamo_core.engine.engine import save_checkpoint
    from lamo_core.training.loop import Requests, training_loop
    from lamo_core.training.session import new_session

    config = resolve(preset, settings=SMALL).config
    with pytest.raises(MissingError, match=f"`{command}`") as refused:
        new_session(config)
    assert refused.value.exit_code == 3

    publish_hopper(published, tmp_path)
    episodes = [body_of(made_episode(steps, steps)) for steps in (7, 5)]
    published.unplugged("Breakout", "run_1-00010-of-00050", shard(episodes))
    write_d4rl(tmp_path / "kitchen.hdf5", kitchen_tables())
    content = (tmp_path / "kitchen.hdf5").read_bytes()
    published.d4rl("kitchen-complete-v0", content, sha256=sha256(content).hexdigest(), bytes=len(content))
    lamo(*command.split()[2:])
    session = new_session(config)
    folder = tmp_path / "checkpoints"
    events = training_loop(session, Requests(), lambda *_: [], lambda s, best: save_checkpoint(s, folder, best))
    losses = [event.loss for event in events if isinstance(event, StepDone)]
    assert len(losses) == 2
    assert np.isfinite(losses).all()
    assert session.data["source"] == config.data.source


def test_ctrl_c_during_a_download_goes_on_at_the_next_call(published: Published, tmp_path: Path) -> None:
    write_d4rl(tmp_path / "big.hdf5", d4rl_tables((1000,) * 60 + (1,)))
    content = (tmp_path / "big.hdf5").read_bytes()
    published.d4rl("hopper-medium-v2", content, sha256=sha256(content).hexdigest())
    path = "d4rl/hopper-medium-v2.hdf5"
    # the connection breaks again and again, and the pauses in between leave time for Ctrl-C
    published.site.wrong[path] = Misbehaviour(cut_after=len(content) // 3, cuts=99)
    command = [sys.executable, "-m", "lamo_tui.cli.app", "data", "get", "hopper-medium-v2"]
    part = tmp_path / "data" / "downloads" / "d4rl" / "hopper-medium-v2.hdf5.part"
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None and not (part.exists() and part.stat().st_size):
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        said = process.stderr.read()
    assert process.returncode == 130, said
    assert "Traceback" not in said
    have = part.stat().st_size
    assert 0 < have < len(content)
    assert lamo_json("list")["unfinished"]["hopper-medium-v2"] >= have
    published.site.wrong.clear()
    published.site.requests.clear()
    assert lamo_json("get", "hopper-medium-v2")["episodes"] == 60
    assert published.site.requests == [(path, f"bytes={have}-")]
    assert lamo_json("list")["unfinished"] == {}
    part.with_name("kitchen-mixed-v0.hdf5.part").write_bytes(b"some")
    assert lamo_json("rm", "kitchen-mixed-v0")["freed_bytes"] == 4
    with pytest.raises(UsageError, match="there is no data set"):
        lamo("rm", "kitchen-mixed-v0")
    shutil.rmtree(tmp_path / "data")
