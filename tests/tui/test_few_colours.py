"""Terminals with 256 colours get the nearest of them."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.color import Color, ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual import color, constants

from lamo_tui.dashboard.app import LamoApp
from lamo_tui.dashboard.themed_app import last_filters
from lamo_tui.harmless import Harmless
from lamo_tui.terminal.ascii_filter import AsciiOnly
from lamo_tui.terminal.color256 import Nearest256, nearest
from lamo_tui.terminal.color_system import choose_colours
from lamo_tui.themes import DARK


def rgb(number: int) -> tuple[int, int, int]:
    return tuple(Color.from_ansi(number).get_truecolor())  # type: ignore[return-value]


def test_no_other_colour_is_much_nearer() -> None:
    for exact in itertools.product((0, 14, 42, 77, 128, 200, 255), repeat=3):
        distance = {
            number: sum((one - two) ** 2 for one, two in zip(rgb(number), exact, strict=True))
            for number in range(16, 256)
        }
        assert distance[nearest(*exact)] <= min(distance.values()) + 60, exact


def test_colours_that_the_terminal_has_stay() -> None:
    for number in range(16, 256):
        assert rgb(nearest(*rgb(number))) == rgb(number)


def test_the_theme_keeps_its_shades_apart() -> None:
    shades = [DARK.background, DARK.panel, DARK.variables["border"]]
    found = [nearest(*Color.parse(str(shade)).get_truecolor()) for shade in shades]
    assert len(set(found)) == 3
    assert all(number >= 232 for number in found), "dark greys, not black and teal"


def test_lines_keep_everything_but_their_exact_colours() -> None:
    line = [Segment("a", Style(color="#56b4e9", bgcolor="#0e1216", bold=True)), Segment("b", Style(color="red"))]
    first, second = Nearest256().apply([*line, Segment("c")], color.Color.parse("black"))[:2]
    assert first.style is not None
    assert first.style.bold
    assert first.style.color == Color.from_ansi(74)
    assert first.style.bgcolor == Color.from_ansi(233)
    assert first.style.bgcolor.downgrade(ColorSystem.EIGHT_BIT) == first.style.bgcolor
    assert second.style == Style(color="red"), "named colours are the terminal's own"


def test_only_such_terminals_need_it() -> None:
    assert [type(one) for one in last_filters(False, "truecolor")] == [Harmless]
    assert [type(one) for one in last_filters(True, "256")] == [Harmless, AsciiOnly, Nearest256]


def test_the_screen_has_only_such_colours_there(made_folder: Path) -> None:
    code = (
        "import asyncio; from pathlib import Path; from lamo_tui.dashboard.app import LamoApp\n"
        "async def main():\n"
        f"    app = LamoApp(Path({str(made_folder)!r}), follow=False)\n"
        "    async with app.run_test(size=(100, 30)) as pilot:\n"
        "        app.tick(); await pilot.pause()\n"
        "        lines = app.screen._compositor.render_strips()\n"
        "        styles = [part.style for line in lines for part in line if part.style is not None]\n"
        "        kinds = {c.type.name for s in styles for c in (s.color, s.bgcolor) if c is not None}\n"
        "        print(sorted(kinds))\n"
        "asyncio.run(main())\n"
    )
    environment = {name: value for name, value in os.environ.items() if name not in ("COLORTERM", "NO_COLOR")}
    environment |= {"TERM": "screen-256color", "LAMO_CONFIG": "none.toml"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120)
    assert done.stdout.strip() == "['EIGHT_BIT']", done.stderr[-2000:]


@pytest.mark.parametrize("choice", ["truecolor", "256", "16", "none"])
def test_colours_that_were_asked_for_are_used_whatever_was_imported_before(
    choice: str, made_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "TEXTUAL_COLOR_SYSTEM"):  # to be put back afterwards
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setattr(constants, "COLOR_SYSTEM", "auto")
    choose_colours(choice)
    app = LamoApp(made_folder)
    assert app.no_color == (choice == "none")
    assert choice == "none" or app.console.color_system == {"16": "standard"}.get(choice, choice)
