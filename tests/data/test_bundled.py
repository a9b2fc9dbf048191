"""Bundled sets: replayed exactly, cached, mended, resumed, and clear about what is wrong."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lamo_core.config import DataConfig, TaskConfig
from lamo_core.data.formats.action_log import ActionLog, write_log
from lamo_core.data.formats.frame_blocks import FrameBlocks
from lamo_core.data.formats.replay_pool import STAGE
from lamo_core.data.open_data import open_data
from lamo_core.data.sources.manage import remove_set, set_status, verify_set
from lamo_core.data.sources.resolve import ShippedSet
from lamo_core.data.store import bundled_logs
from lamo_core.data.store.bundled_logs import cached_file, frame_path, open_log
from lamo_core.errors import DataError, MissingError, StorageError, UsageError
from lamo_core.tasks.atari.atari_emulator import AtariEmulator

TASK = TaskConfig(name="atari-qbert")


def _rewrite(log: ActionLog, folder: Path, **columns: object) -> None:
    """Write the log again with the first episode's columns changed."""
    table = log.table.copy()
    for name, value in columns.items():
        table[name][0] = value
    write_log(folder / "atari" / "qbert-medium.lamolog", log.header, table, log.actions)


@pytest.fixture
def own_assets(tiny_set: str, tiny_assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the tiny set that a test may damage."""
    folder = tmp_path / "assets"
    (folder / "atari").mkdir(parents=True)
    for file in (tiny_assets / "atari").iterdir():
        (folder / "atari" / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(bundled_logs, "assets_dir", lambda: folder)
    return folder


def test_frames_and_rewards_are_those_of_the_emulator(tiny_set: str) -> None:
    stages: list[tuple[str, int, int]] = []
    store = open_data(DataConfig(set=tiny_set), TASK, 0, lambda *stage: stages.append(stage))
    log = open_log(tiny_set)
    assert store.transitions == len(log.actions) == stages[0][2]
    replayed = [done for stage, done, _ in stages if stage == STAGE]
    assert replayed == sorted(replayed)
    assert replayed[-1] == store.transitions
    np.testing.assert_array_equal(store.returns(), log.table["return"])
    np.testing.assert_array_equal(store.actions, log.actions)
    assert (store.terminated ^ store.truncated).all()
    emulator = AtariEmulator("qbert")
    row = 0
    for episode, (seed, noops) in enumerate(log.table[["seed", "noops"]].tolist()):
        emulator.reset(seed)
        for _ in range(noops):
            emulator.step(0)
        for step, action in enumerate([*log.episode_actions(episode), None]):
            np.testing.assert_array_equal(store.observations.gather(np.array([row]))[0], emulator.frame())
            if action is not None:
                assert emulator.step(int(action)) == store.rewards[store.offsets[episode] + step]
            row += 1
    assert row == len(store.observations)


def test_ratio_replays_only_its_episodes(tiny_set: str) -> None:
    store = open_data(DataConfig(set=tiny_set, ratio=0.01), TASK, 3)
    assert len(store.lengths) == 1
    assert set_status(ShippedSet(tiny_set)).cached_episodes == 1
    larger = open_data(DataConfig(set=tiny_set, ratio=0.4), TASK, 3)
    assert store.returns()[0] in larger.returns()
    assert set_status(ShippedSet(tiny_set)).cached_episodes == len(larger.lengths) > 1


def test_small_memory_gives_the_same_frames(cached_set: str) -> None:
    whole = open_data(DataConfig(set=cached_set), TASK, 0)
    packed = open_data(DataConfig(set=cached_set, memory_gb=1e-6), TASK, 0)
    assert isinstance(packed.observations, FrameBlocks)
    indices = np.arange(-1, len(whole.observations))
    np.testing.assert_array_equal(whole.observations.gather(indices), packed.observations.gather(indices))


def test_cached_episodes_are_not_replayed_again(cached_set: str) -> None:
    log = open_log(cached_set)
    stamps = [frame_path(log, episode).stat().st_mtime_ns for episode in range(len(log.table))]
    frame_path(log, 1).unlink()
    stages: list[tuple[str, int, int]] = []
    open_data(DataConfig(set=cached_set), TASK, 0, lambda *stage: stages.append(stage))
    assert {total for stage, _, total in stages if stage == STAGE} == {int(log.lengths[1])}
    again = [frame_path(log, episode).stat().st_mtime_ns for episode in range(len(log.table))]
    assert [episode for episode in range(len(stamps)) if stamps[episode] != again[episode]] == [1]


def test_damaged_cache_files_are_made_again(cached_set: str) -> None:
    whole = open_data(DataConfig(set=cached_set), TASK, 0)
    indices = np.arange(len(whole.observations))
    path = frame_path(open_log(cached_set), 0)
    good = path.read_bytes()
    flipped = [bytearray(good) for _ in range(5)]
    for content, position in zip(flipped, (0, 9, 20, 40, -3), strict=True):
        content[position] ^= 16
    for content in (*flipped, good[: len(good) // 2], b""):
        path.write_bytes(content)
        again = open_data(DataConfig(set=cached_set), TASK, 0)
        np.testing.assert_array_equal(whole.observations.gather(indices), again.observations.gather(indices))
        np.testing.assert_array_equal(whole.rewards, again.rewards)
        assert path.read_bytes() == good


def test_flipped_byte_in_the_log(own_assets: Path) -> None:
    path = own_assets / "atari" / "qbert-medium.lamolog"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"qbert-medium\.lamolog is damaged"):
        open_data(DataConfig(set="qbert-medium"), TASK, 0)


@pytest.mark.parametrize(
    ("columns", "what"),
    [
        ({"frames_sha256": np.zeros(16, np.uint8)}, "its frames differ"),
        ({"rewards_crc32": 7}, "its rewards differ"),
        ({"seed": 5}, "differ|another time"),
        ({"terminated": 1}, "another time"),
    ],
)
def test_episode_that_does_not_come_back_is_named(own_assets: Path, columns: dict[str, object], what: str) -> None:
    log = open_log("qbert-medium")
    assert log.table["terminated"][0] == 0
    _rewrite(log, own_assets, **columns)
    with pytest.raises(DataError, match=what) as caught:
        open_data(DataConfig(set="qbert-medium"), TASK, 0)
    assert "episode 0 (seed" in str(caught.value)
    assert cached_file(open_log("qbert-medium"), 0) is None


def test_unwritable_cache(tiny_set: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("LAMO_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(StorageError, match="LAMO_DATA"):
        open_data(DataConfig(set=tiny_set, ratio=0.01), TASK, 0)


_OPEN = """
import sys
from pathlib import Path
from lamo_core.config import DataConfig, TaskConfig
from lamo_core.data.open_data import open_data
from lamo_core.data.store import bundled_logs
from lamo_core.errors import LamoError
bundled_logs.assets_dir = lambda: Path(sys.argv[1])
try:
    config, task = DataConfig(set="qbert-medium"), TaskConfig(name="atari-qbert")
    open_data(config, task, 0, lambda *stage: print(*stage, flush=True))
except LamoError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


def _small_files_only() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))


def test_full_disk(tiny_set: str, tiny_assets: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _OPEN, str(tiny_assets)],
        capture_output=True,
        text=True,
        preexec_fn=_small_files_only,
        check=False,
    )
    assert done.returncode == 1
    assert "StorageError: could not write" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "cache").rglob("*.part")), "half files are removed"


def test_killed_replay_goes_on(tiny_set: str, tiny_assets: Path) -> None:
    command = [sys.executable, "-c", _OPEN, str(tiny_assets)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    process.stdout.readline()
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    before = set_status(ShippedSet(tiny_set)).cached_episodes
    assert 0 < before < set_status(ShippedSet(tiny_set)).episodes
    stages: list[tuple[str, int, int]] = []
    store = open_data(DataConfig(set=tiny_set), TASK, 0, lambda *stage: stages.append(stage))
    replayed = {total for stage, _, total in stages if stage == STAGE}
    assert max(replayed) < store.transitions


def test_workers_end_with_a_killed_parent(tiny_set: str, tiny_assets: Path) -> None:
    command = [sys.executable, "-c", _OPEN, str(tiny_assets)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 60
    while _members(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _members(process.pid)


def _members(group: int) -> list[int]:
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (OSError, psutil.Error):
            continue
    return found


def test_upkeep(cached_set: str) -> None:
    log = open_log(cached_set)
    content = bytearray(frame_path(log, 2).read_bytes())
    content[-10] ^= 1
    frame_path(log, 2).write_bytes(content)
    result = verify_set(ShippedSet(cached_set), replay=2)
    assert (result.cached_checked, result.removed, result.replayed) == (len(log.table), (2,), 2)
    assert verify_set(ShippedSet(cached_set)).removed == ()
    assert remove_set(ShippedSet(cached_set)) > 0
    assert set_status(ShippedSet(cached_set)).cached_episodes == 0
    assert remove_set(ShippedSet(cached_set)) == 0


def test_card_of_another_log(own_assets: Path) -> None:
    log = open_log("qbert-medium")
    _rewrite(log, own_assets, noise=0.5)
    with pytest.raises(DataError, match="not the one that its card describes"):
        verify_set(ShippedSet("qbert-medium"))


def test_wrong_names(tiny_set: str) -> None:
    with pytest.raises(UsageError, match="did you mean 'qbert-medium'"):
        open_data(DataConfig(set="qbert-medum"), TASK, 0)
    with pytest.raises(UsageError, match="for the task atari-qbert, not for atari-pong"):
        open_data(DataConfig(set=tiny_set), TaskConfig(name="atari-pong"), 0)
    with pytest.raises(UsageError, match="data set"):
        open_data(DataConfig(set="../qbert-medium"), TASK, 0)
    with pytest.raises(MissingError, match="DQN-Replay was withdrawn"):
        open_data(DataConfig(source="dqn-replay"), TASK, 0)
    with pytest.raises(UsageError, match="above 0"):
        open_data(DataConfig(set=tiny_set, ratio=0.0), TASK, 0)


def test_workers_load_no_torch() -> None:
    code = "import sys, lamo_core.data.formats.replay_worker; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
