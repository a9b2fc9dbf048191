"""RL Unplugged's Atari episodes: records come back whole, damaged ones are refused; DQN-Replay is withdrawn."""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lamo_core.config import DataConfig, TaskConfig
from lamo_core.data.episodes import EpisodeStore
from lamo_core.data.formats import tf_record
from lamo_core.data.formats.tf_record import parse_example, read_records
from lamo_core.data.open_data import open_data
from lamo_core.data.sources.fetch import plan_get, set_source
from lamo_core.data.sources.rl_unplugged import get_shard, parse_slice, shard_resource
from lamo_core.data.sources.source import published_source
from lamo_core.errors import DamagedDataError, MissingError, TaskMismatchError, UnsupportedDataError, UsageError
from lamo_tui.cli.app import run
from tests.data.made_records import body_of, field, made_episode, png, shard
from tests.data.sources.made_sources import dqn_arrays, dqn_files
from tests.data.sources.web_server import Misbehaviour, Published

BREAKOUT = TaskConfig(name="atari-breakout")
NAME, FILE = "breakout-medium-v0", "run_1-00010-of-00050"

pytest.importorskip("PIL")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMO_DATA", str(tmp_path / "data"))


EPISODES = [made_episode(70, 1), made_episode(3, 2, over=False), made_episode(5, 3)]


def served(published: Published, content: bytes, file: str = FILE) -> None:
    published.unplugged("Breakout", file, content)


def no_progress(stage: str, done: int, total: int) -> None:
    """Show nothing."""


def fetched(published: Published, content: bytes) -> dict[str, Any]:
    served(published, content)
    return get_shard(parse_slice(NAME), no_progress)


def opened(**config: Any) -> EpisodeStore:
    settings = {"source": "rl-unplugged", "set": NAME, "rewards": "clipped", **config}
    return open_data(DataConfig(**settings), BREAKOUT, 0)


def test_episodes_come_back_with_the_picture_after_the_last_decision(published: Published) -> None:
    card = fetched(published, shard(list(map(body_of, EPISODES))))
    store = opened()
    assert store.lengths.tolist() == [70, 3, 5]
    assert store.terminated.tolist() == [True, False, True]
    for index, episode in enumerate(EPISODES):
        first, length = int(store.offsets[index]), int(store.lengths[index])
        rows = np.arange(length + 1) + first + index
        np.testing.assert_array_equal(store.observations.gather(rows), episode["frames"])
        np.testing.assert_array_equal(store.actions[first : first + length], episode["actions"][:-1])
        np.testing.assert_array_equal(store.rewards[first : first + length], episode["rewards"][:-1])
    assert card["reward_unit"] == "clipped"
    assert any("744 episodes in this slice, and here are 3" in note for note in card["notes"])


def test_files_of_another_library_are_read(tmp_path: Path) -> None:
    writer_module = pytest.importorskip("tfrecord.writer")
    path = tmp_path / "plain"
    writer = writer_module.TFRecordWriter(str(path))
    episode = made_episode(4, 9)
    writer.write(
        {
            "observations": ([png(frame) for frame in episode["frames"]], "byte"),
            "actions": (episode["actions"].tolist(), "int"),
            "unclipped_rewards": (episode["rewards"].tolist(), "float"),
            "negative": ([-3, 2**40], "int"),
        }
    )
    writer.close()
    (tmp_path / "packed.gz").write_bytes(gzip.compress(path.read_bytes()))
    (found,) = map(parse_example, read_records(tmp_path / "packed.gz"))
    assert found["observations"] == [png(frame) for frame in episode["frames"]]
    np.testing.assert_array_equal(found["actions"], episode["actions"])
    np.testing.assert_array_equal(found["unclipped_rewards"], episode["rewards"])
    assert np.asarray(found["negative"]).tolist() == [-3, 2**40]


GOOD = made_episode(3, 5)


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"observations": None}, UnsupportedDataError, "lacks observations"),
        ({"actions": np.array([0, 1])}, UnsupportedDataError, "different lengths"),
        ({"actions": np.array([0, -1, 1, 0])}, UnsupportedDataError, "no whole numbers from 0"),
        ({"actions": np.array([0, 9, 1, 0])}, TaskMismatchError, "the game has 4"),
        ({"unclipped_rewards": np.array([0.5, 0, 0, 0], np.float32)}, UnsupportedDataError, "rewards are no whole"),
        ({"unclipped_rewards": np.array([np.nan, 0, 0, 0], np.float32)}, UnsupportedDataError, "rewards are no whole"),
        ({"observations": [b"GIF89a"] * 4}, UnsupportedDataError, "no grey 84x84 PNG"),
        ({"observations": [png(np.zeros((84, 85), np.uint8))] * 4}, UnsupportedDataError, "no grey 84x84 PNG"),
        ({"observations": [png(np.zeros((84, 84), np.uint8))[:60]] * 4}, DamagedDataError, "damaged picture"),
        ({"discounts": np.zeros(0, np.float32)}, UnsupportedDataError, "different lengths"),
    ],
    ids=[str(number) for number in range(10)],
)
def test_what_is_no_episode_is_refused(
    published: Published, changes: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        fetched(published, shard([body_of(GOOD), body_of(GOOD, **changes)]))
    with pytest.raises(MissingError):
        opened()


@pytest.mark.parametrize(
    "content",
    [
        b"no gzip at all",
        shard([body_of(GOOD)])[:-40],
        gzip.compress(struct.pack("<QI", 50, 0) + b"x" * 20),
        gzip.compress(b"\x05\0\0"),
    ],
    ids=["no gzip", "cut", "cut in a record", "cut in a head"],
)
def test_cut_files_are_refused_and_forgotten(published: Published, content: bytes) -> None:
    with pytest.raises(DamagedDataError):
        fetched(published, content)
    assert fetched(published, shard([body_of(GOOD)]))["episodes"] == 1


@pytest.mark.parametrize(
    "body",
    [b"\xff" * 20, b"\x0a\xff\x01", field(1, b"\x08\x01"), field(1, field(1, b"\x0b"))],
    ids=["number", "length", "kind", "group"],
)
def test_bytes_that_are_no_message_are_refused(published: Published, body: bytes) -> None:
    with pytest.raises(UnsupportedDataError, match="no episode"):
        fetched(published, shard([body]))


def test_a_record_of_absurd_length_takes_no_memory(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnsupportedDataError, match="more than any episode"):
        fetched(published, gzip.compress(struct.pack("<QI", 1 << 50, 0)))
    monkeypatch.setattr(tf_record, "LARGEST", 100)
    with pytest.raises(UnsupportedDataError, match="more than any episode"):
        fetched(published, shard([body_of(GOOD)]))


def test_a_cut_connection_is_gone_on_from(published: Published) -> None:
    content = shard(list(map(body_of, EPISODES)))
    path = f"rlu/Breakout/{FILE}"
    published.site.wrong[path] = Misbehaviour(cut_after=len(content) // 2, cuts=1)
    fetched(published, content)
    assert [asked for name, asked in published.site.requests if name == path] == ["", f"bytes={len(content) // 2}-"]


def test_slices_have_their_names(published: Published) -> None:
    assert shard_resource(parse_slice(NAME)).urls[0].endswith(f"/Breakout/{FILE}")
    star = shard_resource(parse_slice("star-gunner-epoch-3-v4")).urls[0]
    assert star.endswith("/StarGunner/run_5-00003-of-00049")
    with pytest.raises(UsageError, match="breakout-epoch-49-v0"):
        shard_resource(parse_slice("breakout-expert"))
    assert set_source(NAME) == "rl-unplugged"
    assert set_source("breakout-expert-v0") == "dqn-replay", "which alone has it"


def test_dqn_replay_is_said_to_be_withdrawn_at_once() -> None:
    with pytest.raises(MissingError, match=r"withdrawn .* lamo data get breakout-medium-v0 --source rl-unplugged"):
        plan_get(NAME, "dqn-replay")
    with pytest.raises(MissingError, match="withdrawn"):
        published_source("dqn-replay").require(NAME, None)


def test_files_that_one_has_are_taken_from_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "mine" / "Breakout"
    folder.mkdir(parents=True)
    (folder / FILE).write_bytes(shard([body_of(GOOD)]))
    assert run(["data", "get", NAME, "--from", str(tmp_path / "mine"), "--json"]) == 0
    assert '"episodes":1' in capsys.readouterr().out
    logs = folder / "1" / "replay_logs"
    logs.mkdir(parents=True)
    for name, content in dqn_files(dqn_arrays((4, 7, 5, 6)), 10).items():
        (logs / name.replace("%24", "$")).write_bytes(content)
    command = ["data", "get", NAME, "--source", "dqn-replay", "--from", str(tmp_path / "mine"), "--json"]
    assert run([*command, "--dry-run"]) == 0
    assert run(command) == 0
    assert '"episodes":2' in capsys.readouterr().out
    with pytest.raises(MissingError, match="there is no file"):
        run(["data", "get", "pong-medium-v0", "--from", str(tmp_path / "mine")])


def test_a_preset_says_what_it_needs_before_anything_is_here(
    published: Published, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    published.unplugged("Breakout", "run_1-00010-of-00050", b"x" * 1234)
    monkeypatch.setattr("lamo_tui.cli.data.preset_parts_get._model_bytes", lambda name: 500_000_000)
    assert run(["data", "get", "paper-atari-breakout", "--dry-run", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["data"]["bytes"] == 1234
    assert found["model"] == {**found["model"], "name": "gpt2", "here": False, "bytes": 500_000_000}
    assert run(["data", "get", "atari-breakout-1pct"]) == 0
    said = capsys.readouterr().out
    assert "breakout-medium ships with lamo" in said
    assert "the language model mini is here" in said


def test_a_preset_gets_its_data_and_its_model(
    published: Published, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    published.unplugged("Breakout", "run_1-00010-of-00050", shard([body_of(made_episode(3, 5))]))
    asked: list[str] = []
    monkeypatch.setattr("lamo_tui.cli.data.preset_parts_get._model_bytes", lambda name: None)
    monkeypatch.setattr("lamo_tui.cli.data.preset_parts_get.download", lambda name: asked.append(name) or tmp_path)
    assert run(["data", "get", "paper-atari-breakout", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["data"]["episodes"] == 1
    assert asked == ["gpt2"]
