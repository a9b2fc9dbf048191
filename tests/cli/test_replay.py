"""`lamo replay` as it is typed: one picture, files, and one sentence for everything that goes wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from lamo_core.evaluation.replay_file import load_replay
from lamo_core.player.sources import replays_of
from lamo_core.runs.directory import RunDirectory
from lamo_tui.cli.replay_command import replay as replay_command
from tests.player.tiny import make_run, tiny_config

app = typer.Typer()
app.command()(replay_command)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """Return a run of a policy that learned nothing."""
    return make_run(tmp_path_factory.mktemp("cli") / "runs", tiny_config())


def type_it(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LAMO_CONFIG": "none.toml", "LAMO_STATE": "none", **variables}
    command = [sys.executable, "-m", "lamo_tui.cli.app", "replay", *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)


def test_once_prints_one_picture(run: RunDirectory) -> None:
    done = type_it(str(replays_of(run)[0]), "--once", "--size", "100x30", "--at", "12")
    assert done.returncode == 0, done.stderr
    assert "decision 12 of 60" in done.stdout
    assert "asked             12" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


@pytest.mark.parametrize("name", ["a.npz", "a.cast"])
def test_a_policy_plays_and_is_kept(run: RunDirectory, tmp_path: Path, name: str) -> None:
    words = [str(run.last_checkpoint), "--save", str(tmp_path / name), "--target", "5", "--seed", "31", "--json"]
    done = CliRunner().invoke(app, [*words, "--decisions", "20"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert (said["decisions"], said["target"], said["seed"]) == (20, 5, 31)
    assert (tmp_path / name).stat().st_size > 500
    if name.endswith(".npz"):
        episode = load_replay(tmp_path / name).episode
        assert (episode.length, episode.target, episode.seed, episode.ret) == (20, 5, 31, said["return"])


def test_a_record_is_turned_into_a_gif(run: RunDirectory, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    record = replays_of(run)[0]
    done = CliRunner().invoke(app, [str(record), "--save", str(tmp_path / "a.gif"), "--decisions", "20"])
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(tmp_path / "a.gif")
    assert image.open(tmp_path / "a.gif").n_frames > 5


@pytest.mark.parametrize(
    ("words", "sentence", "code"),
    [
        (["nosuch.npz"], "there is no file nosuch.npz", 2),
        (["RECORD", "--seed", "3"], "leave out --seed", 2),
        (["RECORD", "--save", "a.avi"], ".cast (asciicast)", 2),
        (["RECORD"], "needs a terminal", 2),
        (["RECORD", "--once", "--size", "big"], "--size wants columns x rows", 2),
        (["RECORD", "--once", "--pixels", "sixel"], "", 0),
        (["CUT", "--once"], "is damaged", 6),
        (["CUT", "--save", "b.npz"], "is damaged", 6),
    ],
)
def test_errors_are_one_sentence(run: RunDirectory, tmp_path: Path, words: list[str], sentence: str, code: int) -> None:
    record = replays_of(run)[0]
    (tmp_path / "cut.npz").write_bytes(record.read_bytes()[:500])
    words = [{"RECORD": str(record), "CUT": str(tmp_path / "cut.npz")}.get(word, word) for word in words]
    done = type_it(*words)
    assert sentence in done.stderr
    assert done.returncode == code
    assert "Traceback" not in done.stderr
