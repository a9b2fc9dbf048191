"""The player as a process: commands on stdin, messages on stdout, and an end as soon as nobody holds the other side.

Whoever starts it keeps the write end of its stdin; when that process goes away, however it does, the pipe ends and the
player with it, even out of the middle of long work.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import queue
import sys
import threading
from pathlib import Path
from typing import IO

from lamo_core.player.player import Player
from lamo_core.player.sources import Opener
from lamo_core.workers.messages import Header, ProtocolError, read_message, write_message
from lamo_core.workers.process import be_nice, message_channel

_GRACE = 1.0
"""Seconds that work under way has to end by itself after the other side has gone."""
_NICENESS = 5
"""A replay should not slow training down."""


def main() -> None:
    """Obey commands until stdin ends."""
    parser = argparse.ArgumentParser(prog="python -m lamo_core.player", description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--runs", type=Path, default=None)
    arguments = parser.parse_args()
    be_nice(_NICENESS)
    channel = message_channel()
    commands: queue.SimpleQueue[Header | None] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, commands), daemon=True).start()
    opener = Opener(device=arguments.device, root=arguments.runs)
    with contextlib.suppress(OSError):  # nobody reads any more
        _obey(Player(lambda header, payload: write_message(channel, header, payload), opener), commands)
    # what is left are threads of libraries and half-read pipes
    os._exit(0)


def _obey(player: Player, commands: queue.SimpleQueue[Header | None]) -> None:
    wait: float | None = None
    while True:
        try:
            command = commands.get(timeout=wait)
        except queue.Empty:
            wait = player.tick()
            continue
        if command is None:
            player.close()
            return
        player.handle(command)
        wait = player.tick() if commands.empty() else 0.0


def _listen(stream: IO[bytes], commands: queue.SimpleQueue[Header | None]) -> None:
    while True:
        try:
            message = read_message(stream)
        except (ProtocolError, OSError):
            message = None
        if message is None:
            commands.put(None)
            threading.Timer(_GRACE, os._exit, args=(0,)).start()
            return
        commands.put(message[0])
