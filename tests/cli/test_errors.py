"""What was typed wrong is one sentence that names what helps, with the exit code that the README promises."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

LAMO = [sys.executable, "-m", "lamo_tui.cli.app"]


def said(words: list[str], **environment: str) -> tuple[int, list[str]]:
    """Return the exit code and the lines on stderr."""
    done = subprocess.run(
        [*LAMO, *words], capture_output=True, text=True, timeout=120, env={**os.environ, **environment}
    )
    assert done.stdout == ""
    return done.returncode, done.stderr.splitlines()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("trian", "no such command 'trian'; did you mean 'train', 'pretrain'?"),
        ("sweep --engine foo", "'foo' is not one of 'local', 'ray', 'slurm'; see: lamo sweep --help"),
        ("runs diff last", "missing argument 'RUN'; see: lamo runs diff --help"),
        ("train atari-breakout-1pct", "a preset is named with --preset NAME; see: lamo train --help"),
        ("runs --stat running", "no such option: --stat; see: lamo runs list --help"),
    ],
)
def test_a_wrong_word_is_one_sentence(words: str, sentence: str) -> None:
    code, lines = said(words.split())
    assert (code, len(lines)) == (2, 1)
    assert lines[0].startswith("lamo: ")
    assert lines[0].endswith(sentence)


def test_a_wrong_value_is_one_sentence_in_whatever_words_of_typer() -> None:
    code, lines = said(["train", "--seed", "abc"])
    assert (code, len(lines)) == (2, 1)
    assert lines[0].startswith("lamo: invalid value for '--seed': ")
    assert lines[0].endswith("; see: lamo train --help")
    assert "valid int" in lines[0]


def test_no_word_at_all_is_answered_with_the_list_of_commands() -> None:
    code, lines = said([])
    assert code == 2
    assert lines[0].startswith("Usage: lamo")


def test_an_interrupted_command_says_so() -> None:
    code = "import lamo_tui.cli.output as o, signal, os\n"
    code += "o.emit_json = lambda value: os.kill(os.getpid(), signal.SIGINT)\n"
    code += "import sys; sys.argv = ['lamo', 'runs', '--json']; from lamo_tui.cli.app import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (128 + signal.SIGINT, "lamo: interrupted\n")


def test_a_question_that_is_answered_with_no_changes_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "LAMO_RUNS": str(tmp_path)}
    subprocess.run([*LAMO, "runs", "demo"], check=True, capture_output=True, timeout=120, env=environment)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*LAMO, "runs", "rm", "last"], stdin=theirs, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        os.write(ours, b"n\n")
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert errors.splitlines()[-1].endswith("lamo: nothing was done: the question was not answered with yes")
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_a_run_folder_whose_name_is_no_utf8_is_passed_over(tmp_path: Path, words: list[str]) -> None:
    bad = os.fsencode(tmp_path) + b"/20260101-000000-\xff\xfe-s0-aaaa"
    os.mkdir(bad)
    with open(bad + b"/run.json", "w") as file:
        file.write('{"config": {"name": "x"}}')
    done = subprocess.run(
        [*LAMO, "runs", *words], capture_output=True, timeout=120, env={**os.environ, "LAMO_RUNS": str(tmp_path)}
    )
    assert done.returncode == 0, done.stderr
    assert b"\xff" not in done.stdout + done.stderr


@pytest.mark.parametrize("place", ["argument", "config", "cwd", "LAMO_RUNS", "LAMO_CACHE", "HOME"])
def test_a_name_that_is_no_utf8_is_one_sentence_and_leaves_nothing(tmp_path: Path, place: str) -> None:
    bad = os.fsencode(tmp_path / "home") + b"/\xff\xfe"
    os.makedirs(bad)
    with open(bad + b"/c.toml", "w") as file:
        file.write("seed = 1\n")
    runs, before = tmp_path / "runs", sorted(tmp_path.rglob("*"))
    command: list[str | bytes] = [*LAMO, "train", "--preset", "atari-breakout-0.1pct", "--detach"]
    command += {"argument": [b"--set", b"name=\xff"], "config": [b"--config", bad + b"/c.toml"]}.get(place, [])
    environment = {**os.environb, b"LAMO_RUNS": os.fsencode(runs)}
    environment |= {place.encode(): bad} if place in ("LAMO_RUNS", "LAMO_CACHE", "HOME") else {}
    done = subprocess.run(
        command, capture_output=True, timeout=120, env=environment, cwd=bad if place == "cwd" else None
    )
    assert done.returncode == 2
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 1
    assert "is no UTF-8" in lines[0]
    assert sorted(tmp_path.rglob("*")) == before
