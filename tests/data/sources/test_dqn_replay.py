"""Slices of DQN-Replay: what is dropped, what is kept, in how much memory, and what training sees."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lamo_core.config import DataConfig, TaskConfig
from lamo_core.data.episodes import EpisodeStore
from lamo_core.data.formats import frame_store
from lamo_core.data.open_data import open_data
from lamo_core.data.sources import dqn_slice
from lamo_core.data.sources.dqn_replay import Slice, get_slice, parse_slice
from lamo_core.data.store.local import find_received, received_sets
from lamo_core.errors import DataError, MissingError, TaskMismatchError, UsageError
from tests.data.sources.made_sources import Tables, dqn_arrays, dqn_files, npy_bytes
from tests.data.sources.web_server import Misbehaviour, Published

BREAKOUT = TaskConfig(name="atari-breakout")
NAME = "breakout-medium-v0"


def no_progress(stage: str, done: int, total: int) -> None:
    """Show nothing."""


def fetched(published: Published, arrays: Tables, name: str = NAME) -> dict[str, object]:
    """Serve a slice and get it."""
    wanted = parse_slice(name)
    published.dqn("Breakout", wanted.run, dqn_files(arrays, wanted.epoch))
    return get_slice(wanted, no_progress)


def opened(name: str = NAME, memory_gb: float = 1.0, **config: object) -> EpisodeStore:
    """Return the episodes of a slice that is here."""
    settings = {"source": "dqn-replay", "set": name, "rewards": "clipped", "memory_gb": memory_gb, **config}
    return open_data(DataConfig(**settings), BREAKOUT, 0)  # type: ignore[arg-type]


def rows_of(arrays: Tables) -> list[np.ndarray]:
    """Return the rows of each episode of a slice, partial ones too, without the empty ones and the last row."""
    count = len(arrays["terminal"]) - 1
    shown = arrays["observation"][:count].any((1, 2))
    episodes: list[list[int]] = [[]]
    for row in np.flatnonzero(shown):
        episodes[-1].append(int(row))
        if arrays["terminal"][row]:
            episodes.append([])
    return [np.array(rows) for rows in episodes if rows]


@pytest.mark.parametrize("memory_gb", [1.0, 0.0])
def test_whole_episodes_come_back_without_empty_rows(published: Published, memory_gb: float) -> None:
    arrays = dqn_arrays((4, 70, 5, 6))
    card = fetched(published, arrays)
    store = opened(memory_gb=memory_gb)
    whole = rows_of(arrays)[1:-1]

    assert store.lengths.tolist() == [70, 5] == [len(rows) for rows in whole]
    assert store.terminated.all()
    for episode, rows in enumerate(whole):
        first = int(store.offsets[episode])
        frames = store.observations.gather(np.arange(len(rows) + 1) + first + episode)
        np.testing.assert_array_equal(frames[:-1], arrays["observation"][rows])
        np.testing.assert_array_equal(frames[-1], frames[-2])
        np.testing.assert_array_equal(store.actions[first : first + len(rows)], arrays["action"][rows])
        np.testing.assert_array_equal(store.rewards[first : first + len(rows)], arrays["reward"][rows])
    assert card["episodes"] == 2
    assert card["partial_transitions"] == 4 + 6
    assert card["reward_unit"] == "clipped"


def test_the_published_cutting_keeps_everything(published: Published) -> None:
    arrays = dqn_arrays((4, 7, 5, 6))
    fetched(published, arrays)
    store = opened(cutting="published")
    count = len(arrays["terminal"]) - 1

    assert store.lengths.tolist() == [4, 3 + 7, 3 + 5, 3 + 6]
    np.testing.assert_array_equal(store.actions, arrays["action"][:count])
    np.testing.assert_array_equal(store.rewards, arrays["reward"][:count])
    rows = np.arange(count) + np.repeat(np.arange(4), store.lengths)
    np.testing.assert_array_equal(store.observations.gather(rows), arrays["observation"][:count])
    assert not store.observations.gather(np.array([-1])).any()


@pytest.mark.parametrize(("first_empty", "whole"), [(0, 2), (1, 3), (3, 3)])
def test_empty_rows_tell_whether_the_first_episode_is_whole(published: Published, first_empty: int, whole: int) -> None:
    fetched(published, dqn_arrays((4, 7, 5, 6), first_empty=first_empty))
    assert len(opened().lengths) == whole


def test_no_more_than_three_empty_rows_are_dropped(published: Published) -> None:
    arrays = dqn_arrays((4, 7, 5, 6))
    first = int(rows_of(arrays)[1][0])
    for part in ("observation", "action", "reward"):
        arrays[part][first] = 0  # a dark first picture, and nothing done
    fetched(published, arrays)
    store = opened()
    assert store.lengths.tolist() == [7, 5]
    assert not store.observations.gather(np.array([0])).any()


def test_the_left_over_last_row_ends_no_episode(published: Published) -> None:
    arrays = dqn_arrays((4, 7, 5))
    assert arrays["terminal"][-1] == 1
    fetched(published, arrays)
    assert opened().lengths.tolist() == [7]


def test_blocks_of_rows_do_not_show(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = dqn_arrays((4, 9, 5, 12, 6))
    fetched(published, arrays)
    whole = opened().observations.gather(np.arange(20))
    for size in (1, 2, 7):
        monkeypatch.setattr(dqn_slice, "_ROWS_AT_ONCE", size)
        fetched(published, arrays)
        assert opened().lengths.tolist() == [9, 5, 12]
        np.testing.assert_array_equal(opened().observations.gather(np.arange(20)), whole)


def test_the_step_limit_ends_an_episode(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dqn_slice, "STEP_LIMIT", 10)
    monkeypatch.setattr("lamo_core.data.sources.dqn_replay.STEP_LIMIT", 10)
    fetched(published, dqn_arrays((4, 23, 5, 6)))
    store = opened()
    assert store.lengths.tolist() == [10, 10, 3, 5]
    assert store.terminated.tolist() == [False, False, True, True]


def test_shares_are_shares_of_whole_episodes(published: Published) -> None:
    fetched(published, dqn_arrays((4, *range(5, 25), 6)))
    assert len(opened().lengths) == 20
    assert set(opened(ratio=0.25).lengths) < set(opened(ratio=0.5).lengths) < set(opened().lengths)


def test_rewards_are_clipped_and_must_be_asked_for_so(published: Published) -> None:
    fetched(published, dqn_arrays())
    with pytest.raises(UsageError, match=r"set data\.rewards=clipped"):
        opened(rewards="raw")


def test_names() -> None:
    assert parse_slice("breakout-medium") == parse_slice(NAME) == Slice("breakout", "medium", 10, 1)
    assert parse_slice("pong-mixed-v4") == Slice("pong", "mixed", 1, 5)
    assert parse_slice("space-invaders-expert").epoch == 50
    assert parse_slice("qbert-epoch-25-v2").name == "qbert-epoch-25-v2"
    urls = {part: one.urls[0] for part, one in parse_slice("ms-pacman-epoch-7-v1").resources().items()}
    root = "https://storage.googleapis.com/atari-replay-datasets/dqn/MsPacman/2/replay_logs"
    assert urls["observation"] == f"{root}/%24store%24_observation_ckpt.7.gz"
    for name in ("breakout", "pong-medium-v5", "pong-epoch-51", "Pong-medium", "../x-medium", "-medium", ""):
        with pytest.raises(UsageError, match="no set of DQN-Replay"):
            parse_slice(name)


def test_an_unknown_game_is_refused_before_anything_is_fetched(published: Published) -> None:
    with pytest.raises(UsageError, match="no task 'atari-brekout'"):
        get_slice(parse_slice("brekout-medium"), no_progress)
    assert not published.site.requests


def test_what_is_missing_names_its_command(published: Published) -> None:
    published.dqn("Breakout", 1, {})
    with pytest.raises(MissingError, match="`lamo data get breakout-medium --source dqn-replay`"):
        opened("breakout-medium")


def test_an_interruption_while_unpacking_costs_no_download(
    published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupt(stage: str, done: int, total: int) -> None:
        if "cutting" in stage:
            raise KeyboardInterrupt

    published.dqn("Breakout", 1, dqn_files(dqn_arrays(), 10))
    with pytest.raises(KeyboardInterrupt):
        get_slice(parse_slice(NAME), interrupt)
    assert find_received("dqn-replay", NAME) is None
    assert received_sets() == []
    asked = len(published.site.requests)
    get_slice(parse_slice(NAME), no_progress)
    assert len(published.site.requests) == asked == 4
    assert len(opened().lengths) == 2
    assert not list((tmp_path / "data" / "downloads").rglob("*.gz"))


def test_a_cut_connection_in_the_middle_is_gone_on_from(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    files = dqn_files(dqn_arrays((4, 40, 6)), 10)
    published.dqn("Breakout", 1, files)
    path = "dqn/Breakout/1/%24store%24_observation_ckpt.10.gz"
    published.site.wrong[path] = Misbehaviour(cut_after=len(published.site.files[path]) // 2, cuts=1)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    get_slice(parse_slice(NAME), no_progress)
    assert [asked for name, asked in published.site.requests if name == path][1].startswith("bytes=")
    assert opened().lengths.tolist() == [40]


def test_damage_is_fetched_anew(published: Published) -> None:
    files = dqn_files(dqn_arrays(), 10)
    frames = "%24store%24_observation_ckpt.10.gz"
    published.dqn("Breakout", 1, {**files, frames: files[frames][:-50_000]})
    with pytest.raises(DataError, match="breaks off"):
        get_slice(parse_slice(NAME), no_progress)
    published.dqn("Breakout", 1, files)
    assert get_slice(parse_slice(NAME), no_progress)["episodes"] == 2


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("action", lambda values: values[:-1], "columns of"),
        ("action", lambda values: values - 1, "actions that are no whole numbers from 0 on"),
        ("reward", lambda values: values + np.float32(0.5), "no whole numbers"),
        ("reward", lambda values: np.where(values == 1, np.nan, values).astype(np.float32), "no whole numbers"),
        ("reward", lambda values: values[:, None], "not one column"),
        ("terminal", lambda values: values + 1, "neither yes nor no"),
        ("observation", lambda values: values[:, :80], "not .* frames of 84x84"),
        ("observation", lambda values: values.astype(np.int16), "not .* frames of 84x84"),
        ("observation", lambda values: values[:-1], "not .* frames of 84x84"),
        ("terminal", lambda values: np.zeros_like(values), "no whole episode"),
    ],
)
def test_impossible_values_are_refused(published: Published, part: str, change: object, message: str) -> None:
    arrays = dqn_arrays()
    arrays[part] = change(arrays[part])  # type: ignore[operator]
    with pytest.raises(DataError, match=message):
        fetched(published, arrays)
    assert received_sets() == []


def test_actions_of_another_game_do_not_fit_this_one(published: Published) -> None:
    arrays = dqn_arrays()
    arrays["action"] += 1
    with pytest.raises(TaskMismatchError, match="holds action 4, and the game has 4"):
        fetched(published, arrays)
    assert received_sets() == []


def test_a_slice_is_never_whole_in_memory(published: Published, tmp_path: Path) -> None:
    # 20,000 frames are 141 MB unpacked and packed less than one
    rows = 20_000
    columns = {"action": np.zeros(rows, np.int32), "reward": np.zeros(rows, np.float32)}
    columns["terminal"] = (np.arange(rows) % 5_000 == 4_999).astype(np.uint8)
    files = dqn_files(columns, 10)
    header = npy_bytes(np.empty((rows, 84, 84), np.uint8))[:128]
    one_frame = bytes(range(1, 85)) * 84
    path = tmp_path / "observation.gz"
    with gzip.open(path, "wb", 1) as file:
        file.write(header)
        for _ in range(rows // 100):
            file.write(one_frame * 100)
    files["%24store%24_observation_ckpt.10.gz"] = path.read_bytes()
    published.dqn("Breakout", 1, files)
    code = (
        "import resource; from lamo_core.data.sources.dqn_replay import get_slice, parse_slice;"
        "import numpy, zstandard, lamo_core.tasks.atari.atari;"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        f"card = get_slice(parse_slice({NAME!r}), lambda *_: None);"
        "print(card['transitions'], (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1000)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    transitions, megabytes = map(int, done.stdout.split())
    assert transitions == 10_000
    assert megabytes < 50
    assert not list(Path(tmp_path / "data" / "downloads").rglob("*.gz"))


def test_frames_in_memory_and_in_blocks_are_the_same_with_empty_starts() -> None:
    frames = np.arange(6 * 84 * 84, dtype=np.uint8).reshape(6, 84, 84)
    frames[-1] = 0
    padded = frame_store.PaddedFrames(frame_store.FrameArray(frames), np.array([-1, 0, -1, 4]))
    assert len(padded) == 4
    np.testing.assert_array_equal(padded.gather(np.array([[1, 3], [0, -1]])), frames[[[0, 4], [5, 5]]])
