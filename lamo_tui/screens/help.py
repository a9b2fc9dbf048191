"""The help: every key of the table, as it is bound now."""

from __future__ import annotations

from collections.abc import Callable

from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import ComposeResult

from lamo_tui.bindings import PLACES, bindings_of, keys_of
from lamo_tui.screens.base import LamoScreen
from lamo_tui.screens.rows import Row, Rows
from lamo_tui.settings import settings_path

_WAYS = (
    ("lamo train --preset NAME --detach", "start a run without the dashboard"),
    ("lamo runs", "the list, for scripts with --json"),
    ("lamo stop RUN · pause RUN · resume RUN", "steer a run"),
    ("lamo train … --queue · lamo queue", "let runs wait for their device, and list those that do"),
    ("lamo matrix", "the matrix as text, or with --json"),
    ("lamo tui --attach RUN", "open the dashboard at a run"),
    ("lamo replay RUN --save episode.gif", "play a policy and keep the episode; or .mp4, .cast, .npz"),
    ("lamo tui --once", "print one picture of the dashboard"),
)


class HelpScreen(LamoScreen):
    """All keys, by screen, and the commands that do the same."""

    PLACE = "help"
    BINDINGS = bindings_of("help")

    def compose_body(self) -> ComposeResult:
        """One long list."""
        yield Rows(id="help-text", cursor=False)

    def on_mount(self) -> None:
        """Fill it from the table."""
        self._fill()

    def on_resize(self, event: events.Resize) -> None:
        """Show the names of the keys where there is room."""
        self._fill()

    def recolour(self) -> None:
        """Draw again in other colours."""
        self._fill()

    def _fill(self) -> None:
        rows = self.query_one(Rows)
        rows.set_rows([Row(str(index), _fixed(line)) for index, line in enumerate(self._lines())])
        rows.focus()

    def _lines(self) -> list[Text]:
        title, key_style = Style(bold=True, color=self.colours.primary), Style(bold=True, color=self.colours.secondary)
        dim = Style(color=self.colours.dim)
        lines = [Text()]
        for place, (name, keys) in PLACES.items():
            if place == "help":
                continue
            lines.append(Text(f"  {name}", title))
            for key in keys:
                shown = " ".join(keys_of(key, self.keymap))
                line = Text("    ").append(f"{shown:<12}", key_style)
                if self.size.width >= 110:
                    line.append(f"{key.text:<72}").append(key.id, dim)
                else:
                    line.append(key.text)
                lines.append(line)
            lines.append(Text())
        lines.append(Text("  The same without the dashboard", title))
        lines += [Text("    ").append(f"{command:<42}", key_style).append(text) for command, text in _WAYS]
        lines += [Text(), Text("  Charts", title)]
        lines += [Text(f"    {line}") for line in _CHARTS]
        lines += [Text(), Text("  Other keys and another theme", title)]
        lines += [Text(f"    {line}", dim) for line in _remapping()]
        return lines

    def action_back(self) -> None:
        """Go back to the list of runs."""
        self.lamo.action_mode("runs")


_CHARTS = (
    "The chosen chart has the bright border. Its cursor gives the values under it, in all charts at once.",
    "A smoothed curve has its record behind it, dim. A band is the 95 % interval over the evaluated episodes.",
    "Dashed lines: random play, the mean return of the data that the run trains on, and the return asked for.",
)


def _remapping() -> list[str]:
    return [
        f"{settings_path()}",
        'theme = "lamo-light"',
        "[keymap]",
        '"runs.stop" = "S"      # the name beside each key above, and the key to use instead',
    ]


def _fixed(line: Text) -> Callable[[int], Text]:
    return lambda width: line
