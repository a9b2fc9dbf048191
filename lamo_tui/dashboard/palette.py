"""The command palette: every action of the key table, every run, every preset.

Names are `Content`, which Textual takes as they are; of a `str` it would obey markup.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.fuzzy import Matcher

from lamo_core.settings.presets import is_preset, load_preset, preset_names
from lamo_tui.dashboard.api import Dashboard, dashboard
from lamo_tui.keys.bindings import keys_of
from lamo_tui.keys.table import PLACES
from lamo_tui.text import state_text

Entry = tuple[str, str, Callable[[], object]]


class LamoCommands(Provider):
    """Finds actions of this screen, runs and presets by a part of their name."""

    @property
    def _lamo(self) -> Dashboard:
        return dashboard(self.app)

    async def discover(self) -> Hits:
        """Offer the screen's actions before anything is typed."""
        for title, text, run in self._actions():
            yield DiscoveryHit(Content(title), run, text=title, help=Content(text).markup)

    async def search(self, query: str) -> Hits:
        """Offer what fits the words."""
        matcher = self.matcher(query)
        for title, text, run in [
            *self._actions(),
            *self._runs(),
            *self._replays(),
            *self._presets(query),
            *self._themes(),
        ]:
            score = matcher.match(title)
            if score > 0:
                yield Hit(score, _marked(title, matcher), run, text=title, help=Content(text).markup)

    def _actions(self) -> Iterator[Entry]:
        place = getattr(self.screen, "PLACE", "app")
        for name in dict.fromkeys((place, "app")):
            for key in PLACES[name][1]:
                if key.id == "app.palette":
                    continue
                keys = " ".join(keys_of(key, self._lamo.settings.keymap))
                owner = self.app if name == "app" else self.screen
                yield f"{key.label}  ({keys})", key.text, partial(self.app.run_action, key.action, owner)

    def _runs(self) -> Iterator[Entry]:
        for run in self._lamo.snapshot.runs:
            yield f"run: {run.id}", f"Open it; it is {state_text(run)}", partial(self._lamo.open_run, run.id)

    def _replays(self) -> Iterator[Entry]:
        for run in self._lamo.snapshot.runs:
            play = partial(self._lamo.try_to, partial(self._lamo.play_run, run))
            yield f"replay: {run.id}", "Watch its policy play", play

    def _presets(self, query: str) -> Iterator[Entry]:
        named = query.rpartition(" ")[2].lower()
        listed = _descriptions()
        unlisted = [named] if named not in dict(listed) and is_preset(named) else []
        for name, description in [*listed, *((name, load_preset(name).description) for name in unlisted)]:
            yield f"preset: {name}", description, partial(self._lamo.new_run, name)

    def _themes(self) -> Iterator[Entry]:
        for name in sorted(self.app.available_themes):
            yield f"theme: {name}", "Take this colour theme", partial(setattr, self._lamo, "theme", name)


def _marked(title: str, matcher: Matcher) -> Content:
    """Return a name with the characters marked that were looked for."""
    marked = Content(title)
    for at in matcher.fuzzy_search.match(matcher.query, title)[1]:
        marked = marked.stylize(matcher.match_style, at, at + 1)
    return marked


@functools.cache
def _descriptions() -> tuple[tuple[str, str], ...]:
    """Return every preset's name and description; their files are read once, not at every letter that is typed."""
    return tuple((name, load_preset(name).description) for name in preset_names())
