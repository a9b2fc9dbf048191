"""A folder of runs in which every text wants to be obeyed: no screen passes any of it on to the terminal."""

from __future__ import annotations

import ast
import fcntl
import functools
import os
import pickle
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.pilot import Pilot

import lamo_tui
from lamo_core.runs.directory import RunDirectory
from lamo_core.untrusted.plain_text import is_plain
from lamo_tui.dashboard.app import LamoApp
from lamo_tui.dashboard.screenshot import screen_text
from lamo_tui.harmless import Harmless
from lamo_tui.screens.dialogs import Passage
from tests.hostile import HOSTILE, MARKUP, OBEYED, WORD, poison_run
from tests.tui.conftest import OpenDashboard, look

NAME = "20261121-090000-\x1b]0;PWN\x07\u202e[@click=app.bell]x[bold-s0-zz99"
RUN = "20261121-014402-atari-breakout-1pct-s0-k3f9"


@pytest.fixture
def strange(folder: Path) -> Path:
    """Return a folder of runs with hostile texts in all files, and in a folder's name."""
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            poison_run(RunDirectory(path))
    (folder / "20261120-220000-atari-breakout-10pct-s0-aa22").rename(folder / NAME)
    return folder


def check_screen(app: LamoApp) -> str:
    """Fail if a cell holds what a terminal obeys, a link, or an action that is none of ours; return the text."""
    for line in app.screen._compositor.render_strips():
        for text, style, _ in line:
            assert is_plain(text), ascii(text)
            if style is not None:
                assert style.link is None
                assert "bell" not in str(style.meta)
    ElementTree.fromstring(app.export_screenshot())
    return screen_text(app)


async def show(pilot: Pilot[None], mode: str) -> LamoApp:
    app = pilot.app
    assert isinstance(app, LamoApp)
    app.action_mode(mode)
    await look(pilot)
    await app.workers.wait_for_complete()
    await pilot.pause()
    return app


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_no_screen_passes_on_what_a_terminal_obeys(
    dashboard: OpenDashboard, strange: Path, size: tuple[int, int]
) -> None:
    async with dashboard(strange, *size) as pilot:
        for mode in LamoApp.MODES:
            app = await show(pilot, mode)
            check_screen(app)
            await pilot.press("end")
            check_screen(app)


async def test_the_panels_of_a_run_show_such_texts_as_they_are(dashboard: OpenDashboard, strange: Path) -> None:
    async with dashboard(strange, 160, 50, attach=RUN) as pilot:
        app = await show(pilot, "run")
        found = ""
        for _ in range(4):
            found += check_screen(app)
            await pilot.press("enter")
            await pilot.pause()
            found += check_screen(app)
            await pilot.press("escape", "tab")
            await pilot.pause()
        assert "[@click=app.bell]x[/]" in found
        assert "\\x1b]0;PWN" in found


@pytest.mark.parametrize("keys", [["d"], ["space", "down", "space", "d"], ["P"], ["s"], ["D"], ["slash", *"PWN"]])
async def test_windows_and_notes_about_such_runs(dashboard: OpenDashboard, strange: Path, keys: list[str]) -> None:
    async with dashboard(strange, 140, 45) as pilot:
        app = await show(pilot, "runs")
        await pilot.press(*keys)
        await pilot.pause()
        await pilot.pause()
        check_screen(app)


async def test_the_palette_finds_such_a_folder_and_takes_its_name_as_it_is(
    dashboard: OpenDashboard, strange: Path
) -> None:
    async with dashboard(strange, 140, 45) as pilot:
        app = await show(pilot, "runs")
        await pilot.press("ctrl+p", *"zz99")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "[@click=app.bell]x[bold-s0-zz99" in check_screen(app)


async def test_clipboard_titles_and_notes_take_no_escapes_and_no_markup(
    dashboard: OpenDashboard, strange: Path
) -> None:
    async with dashboard(strange) as pilot:
        app = await show(pilot, "runs")
        app.copy_to_clipboard(HOSTILE)
        assert WORD in app.clipboard
        assert not set(OBEYED) & set(app.clipboard)
        app.screen.notify(HOSTILE)
        app.push_screen(Passage(HOSTILE, HOSTILE))
        await pilot.pause()
        await pilot.pause()
        assert MARKUP[:20] in check_screen(app)


def test_the_last_filter_keeps_the_width_and_takes_links_away() -> None:
    linked = Style(link="http://evil.example", bold=True, meta={"@click": "ours"})
    line = [Segment("a\x1b\u202eb\u3164\ud83d你"), Segment("x", linked), Segment("▁⣿ é 👩\u200d🚀", None)]
    after = Harmless().apply(line, Color(0, 0, 0))
    assert [segment.cell_length for segment in after] == [segment.cell_length for segment in line]
    assert all(is_plain(text) for text, _, _ in after)
    assert after[1].style is not None
    assert after[1].style.link is None
    assert after[1].style.bold
    assert pickle.dumps(after[1].style.meta) == pickle.dumps({"@click": "ours"})
    plain = [Segment("▁⣿ é"), Segment("[b]", Style(bold=True))]
    assert Harmless().apply(plain, Color(0, 0, 0)) is plain


class Heard:
    """A terminal that keeps every byte."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        ours, theirs = pty.openpty()
        self._ours, self.raw = ours, b""
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 45, 150, 0, 0))
        around = {"stdin": theirs, "stdout": theirs, "stderr": theirs, "env": {**os.environ, **environment}}
        self.program = subprocess.Popen(command, start_new_session=True, **around)  # type: ignore[call-overload]
        os.close(theirs)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                self.raw += os.read(self._ours, 65_536)
            except OSError:
                return

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def wait_for(self, done: Callable[[], bool], seconds: float = 60) -> bool:
        end = time.monotonic() + seconds
        while not done() and time.monotonic() < end:
            time.sleep(0.05)
        return done()

    def press(self, keys: str) -> None:
        """Type keys and give what they change the time to be drawn."""
        seen = len(self.raw)
        self.type(keys)
        self.wait_for(lambda: len(self.raw) > seen, 5)
        time.sleep(0.5)


_OURS = re.compile(r"\x1b(\[[0-9;?<>=:]*[ -/]*[@-~]|[()][A-Z0-9]|[=>78]|\]22;(default|pointer|text)\x07)")
"""Moves of the cursor, colours, modes, the pointer's form; not titles, links, clipboards or else what takes a text."""


def test_every_byte_that_reaches_a_real_terminal_is_ours(strange: Path, tmp_path: Path) -> None:
    environment = {
        "TERM": "xterm-256color", "COLORTERM": "truecolor", "LAMO_STATE": str(tmp_path / "state"),
        "LAMO_CACHE": str(tmp_path / "cache"), "LAMO_CONFIG": str(tmp_path / "none.toml"),
    }  # fmt: skip
    heard = Heard([sys.executable, "-m", "lamo_tui.cli.app", "tui", "--runs", str(strange)], environment)
    try:
        assert heard.wait_for(lambda: b"breakout" in heard.raw)
        for keys in ("\r", "\t", "\t", "\t", "4", "5", "6", "?", ",", "1", "\x10zz99", "\x1b", "1", "n"):
            heard.press(keys)
        assert heard.program.poll() is None, heard.raw[-2000:]
        heard.type("1")
        heard.type("q")
        assert heard.wait_for(lambda: heard.program.poll() is not None, 30)
        assert heard.program.returncode == 0
    finally:
        if heard.program.poll() is None:
            os.killpg(heard.program.pid, signal.SIGKILL)
    assert WORD.encode() in heard.raw
    rest = _OURS.sub("", heard.raw.decode())
    assert not set(OBEYED) - {"\r"} & set(rest), sorted(map(ascii, set(OBEYED) - {"\r"} & set(rest)))


# what cannot be forgotten in a new screen

_TITLES = {"border_title", "border_subtitle", "tooltip", "title", "sub_title"}


@functools.cache
def _nodes(kind: type[Any], folder: str = "") -> list[tuple[Path, Any]]:
    sources = sorted((Path(lamo_tui.__file__).parent / folder).rglob("*.py"))
    return [(path, node) for path in sources for node in _tree(path) if isinstance(node, kind)]


@functools.cache
def _tree(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text())))


def test_words_on_screens_come_from_the_one_place_that_takes_no_markup() -> None:
    for path, node in _nodes(ast.ImportFrom):
        names = {alias.name for alias in node.names}
        if node.module == "textual.widgets":
            assert names <= {"Input"}, f"{path} takes {names} from Textual; use lamo_tui.widgets.words"
    for path, node in _nodes(ast.Attribute):
        assert node.attr != "from_markup", f"{path}:{node.lineno} parses markup"
        stored = isinstance(node.ctx, ast.Store) and node.attr in _TITLES and path.name != "words.py"
        assert not stored, f"{path}:{node.lineno} writes a title past lamo_tui.widgets.words"


def test_commands_print_through_the_one_place_that_obeys_nothing() -> None:
    for path, node in _nodes(ast.Call, "cli"):
        if path.name in ("app.py", "output.py", "plain_console.py"):
            continue
        called = ast.unparse(node.func)
        assert called not in ("print", "typer.echo", "click.echo", "Console"), f"{path}:{node.lineno} calls {called}"
