"""The player as a process: it answers through pipes, survives bad commands, and never outlives whoever started it."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from lamo_core.player.sources import replays_of
from lamo_core.runs.directory import RunDirectory
from lamo_core.workers.messages import ProtocolError, read_message, write_message

PLAYER = [sys.executable, "-m", "lamo_core.player"]
FOLDER = Path(__file__).parents[2]


def start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(PLAYER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=FOLDER)


def ask(player: subprocess.Popen[bytes], kind: str, **command: Any) -> tuple[dict[str, Any], bytes]:
    """Give a command and return the first message of a kind."""
    assert player.stdin is not None
    assert player.stdout is not None
    write_message(player.stdin, command)
    while True:
        message = read_message(player.stdout)
        assert message is not None, "the player ended"
        if message[0]["kind"] == kind:
            return message


def test_a_record_plays_through_pipes(tiny_run: RunDirectory) -> None:
    player = start()
    try:
        header, picture = ask(player, "frame", do="open", source=str(replays_of(tiny_run)[0]))
        assert (header["at"], header["length"]) == (0, 60)
        assert len(picture) == header["height"] * header["width"] * 3
        header, _ = ask(player, "error", do="open", source="nosuch.npz")
        assert "there is no file" in header["text"]
        header, _ = ask(player, "frame", do="play", speed=8)
        while header["playing"]:
            message = read_message(player.stdout)  # type: ignore[arg-type]
            assert message is not None
            header = message[0]
        assert header["at"] == 60
        assert player.stdin is not None
        player.stdin.close()
        assert player.wait(timeout=30) == 0
    finally:
        player.kill()


def test_garbage_ends_it_quietly() -> None:
    player = subprocess.run([*PLAYER], input=b"\xff" * 100, capture_output=True, timeout=60, cwd=FOLDER)
    assert player.returncode == 0
    assert player.stdout == b""
    assert player.stderr == b""


def test_a_header_that_is_nested_without_end_is_no_message() -> None:
    header = b"[" * 100_000
    with pytest.raises(ProtocolError, match="no JSON"):
        read_message(io.BytesIO(struct.pack(">II", len(header), 0) + header))


_PARENT = """
import subprocess, sys, time
from lamo_core.workers.messages import read_message, write_message
player = subprocess.Popen([sys.executable, "-m", "lamo_core.player"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
write_message(player.stdin, {"do": "open", "source": sys.argv[1]})
while read_message(player.stdout)[0]["kind"] != "frame":
    pass
write_message(player.stdin, {"do": "play", "speed": 0.1})
print(player.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("signal", ["kill", "terminate"])
def test_it_dies_with_its_parent(tiny_run: RunDirectory, signal: str) -> None:
    source = str(replays_of(tiny_run)[0])
    parent = subprocess.Popen([sys.executable, "-c", _PARENT, source], stdout=subprocess.PIPE, text=True, cwd=FOLDER)
    try:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert psutil.pid_exists(pid)
        getattr(parent, signal)()
        parent.wait(timeout=30)
        assert gone(pid, 30)
    finally:
        parent.kill()


def gone(pid: int, seconds: float) -> bool:
    """Wait until a process has ended; one that only waits to be collected has."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    os.kill(pid, 9)
    return False


def test_a_record_needs_no_torch(tiny_run: RunDirectory) -> None:
    code = (
        "import sys; from lamo_core.player.sources import Opener, Wanted; "
        f"o = Opener().open({str(replays_of(tiny_run)[0])!r}, Wanted(), print); o.episode.advance(); "
        "import lamo_core.player.player, lamo_core.player.process; "
        "print('heavy:', sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=FOLDER, timeout=60)
    assert "heavy: []" in done.stdout, done.stderr
