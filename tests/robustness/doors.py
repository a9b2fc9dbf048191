"""The dashboard, which shows a stranger's run in one frame after the other, and the commands, with hostile words."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import typer
from textual._context import active_app

from lamo_core.errors import LamoError
from lamo_core.untrusted.plain_text import is_plain
from lamo_tui.dashboard.app import LamoApp
from lamo_tui.state.settings import Settings
from lamo_tui.state.store import RunStore
from tests.hostile import HOSTILE
from tests.robustness.binary_readers import BINARY, GIVEN
from tests.robustness.mutations import NUMBERS
from tests.robustness.text_readers import RUN, runs, write_run
from tests.robustness.trial import Reader
from tests.tui.made_runs import NOW, alive
from tests.tui.test_strangers import check_screen

_FRAMES = 25
"""So many inputs are shown by one dashboard, as one that stays open sees files change."""
_CODES = {0, 1, 2, 3, 4, 5, 6, 7, 8, 75, 130}


# the dashboard


class _Open:
    """A dashboard that is open from one input to the next."""

    def __init__(self, root: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self.app = LamoApp(
            root,
            settings=Settings(),
            store=RunStore(root, clock=lambda: NOW, alive=alive),
            clock=lambda: NOW,
            attach=RUN,
            follow=False,
        )
        self.app.endures = True
        self._running = self.app.run_test(size=(110, 34))
        self.pilot = self._loop.run_until_complete(self._running.__aenter__())
        self.shown = 0

    def show(self) -> None:
        """Show what lies in the folder on the screens that read it; raises where an error had to be told."""
        self.shown += 1
        active_app.set(self.app)
        self._loop.run_until_complete(self._screens())
        if self.app.unexpected.told:
            raise AssertionError(self.app.unexpected.told.pop())

    async def _screens(self) -> None:
        for mode in ("runs", "run", "matrix") if self.shown % 5 == 0 else ("runs", "run"):
            self.app.action_mode(mode)
            for _ in range(2):
                self.app.tick()
                await self.pilot.pause()
            if mode == "run":
                await self.pilot.press("tab")
            _check_cells(self.app)
        if self.shown % _FRAMES == 0:
            check_screen(self.app)  # as a picture, too, which takes longer than all of the rest

    def close(self) -> None:
        with suppress(Exception):
            self._loop.run_until_complete(self._running.__aexit__(None, None, None))


def _check_cells(app: LamoApp) -> None:
    for line in app.screen._compositor.render_strips():
        for text, style, _ in line:
            assert is_plain(text), ascii(text)
            assert style is None or style.link is None


_OPEN: list[_Open] = []


def _read_dashboard(folder: Path) -> None:
    if _OPEN and _OPEN[0].shown >= _FRAMES:
        _OPEN.pop().close()
    if not _OPEN:
        _OPEN.append(_Open(folder / "runs"))
    _OPEN[0].show()


# commands

_LEFT_OUT = {
    ("benchmark",), ("doctor",), ("pretrain",), ("data", "get"), ("data", "collect"), ("lm", "get"), ("lm", "pretrain"),
    ("queue", "start"), ("replay",), ("sweep", "run"), ("data", "make"),
}  # fmt: skip
"""What works for minutes, starts processes or calls the network when its words are right."""
_PLANNED = {("train",): "--dry-run", ("sweep",): "--dry-run", ("tui",): "--once"}
_WORDS = (
    "", "x", "-", "--", "-x", "--=", "=", "a" * 300, "a" * 70_000, "NaN", "inf", "1e400", "-1", "0x10", "١٢",
    HOSTILE.replace("\0", "").replace("\ud83d", ""), "\udcff\udcfe", "[bold]", "{", "[" * 2_000, "a=b=c", "é\x1b[2J",
    "model.backbone=",
    "optim.steps=1e9", "seed=[1]", "task.name=gym:X", "eval.targets=[nan]", "~nobody-such/x", "%", "0.1%", "1-9999999",
)  # fmt: skip
_RIGHT = (
    RUN,
    "last",
    GIVEN,
    "atari-breakout-1pct",
    "atari-pong",
    "mini",
    "lamo",
    "0.01",
    "cpu",
    "0-2",
    "5",
    "state:running",
)


def _leaves(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if words in _LEFT_OUT:
        return
    names = command.list_commands(None) if hasattr(command, "list_commands") else []
    if not names or (command.invoke_without_command and words):
        yield words, command
    for name in names:
        found = command.get_command(None, name)
        if found is not None:
            yield from _leaves(found, (*words, name))


@cache
def _commands() -> tuple[tuple[tuple[str, ...], list[Any]], ...]:
    from lamo_tui.cli.app import app

    return tuple((words, command.params) for words, command in _leaves(typer.main.get_command(app)))


def _word(rng: Random) -> str:
    kind = rng.random()
    return rng.choice(_RIGHT) if kind < 0.5 else rng.choice(_WORDS) if kind < 0.9 else str(rng.choice(NUMBERS))


def _argv(rng: Random) -> list[str]:
    words, params = rng.choice(_commands())
    argv = list(words)
    for param in params:
        if param.param_type_name == "argument":
            argv += [_word(rng) for _ in range(rng.choice((0, 1, 1, 2)))]
        elif rng.random() < 0.15 and param.name not in ("help", "install_completion", "follow", "kill", "wait"):
            argv.append(rng.choice(param.opts))
            if not getattr(param, "is_flag", False) and rng.random() < 0.95:
                argv.append(_word(rng))
    if rng.random() < 0.05:
        argv.insert(rng.randrange(len(argv) + 1), rng.choice(_WORDS))
    planned = _PLANNED.get(words)
    return [*argv, planned] if planned is not None and planned not in argv else argv


def _write_command(whole: Path, folder: Path, rng: Random) -> None:
    if rng.random() < 0.7:
        write_run(whole, folder, rng)
    chosen = rng.choice([reader for reader in BINARY if reader.name in ("action logs", "vector files", "replay files")])
    chosen.write(whole, folder, rng)
    (folder / "argv").write_text(json.dumps(_argv(rng)))


def _prepare_commands(folder: Path) -> None:
    runs(folder)
    for reader in BINARY:
        if reader.name in ("action logs", "vector files", "replay files"):
            reader.prepare(folder)


def _read_command(folder: Path) -> None:
    from lamo_tui.cli.app import main

    os.environ["LAMO_RUNS"] = str(folder / "runs")
    os.chdir(folder)
    sys.argv = ["lamo", *json.loads((folder / "argv").read_text())]
    try:
        main()
    except SystemExit as end:
        code = end.code
    else:
        code = 0
    if code not in _CODES:
        raise AssertionError(f"exit code {code!r}")
    if code:
        raise LamoError("refused")


DOORS: tuple[Reader, ...] = (
    Reader("one frame of the dashboard", runs, write_run, _read_dashboard, slow=True),
    Reader("commands", _prepare_commands, _write_command, _read_command, slow=True, memory=1 << 30,
           starts=("nvidia-smi", "git")),
)  # fmt: skip
