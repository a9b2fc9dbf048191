"""The screen as plain text, for `lamo tui --once` and for tests."""

from __future__ import annotations

from textual.app import App


def screen_text(app: App[None]) -> str:
    """Return what is on the screen, one line per row, without colours and trailing blanks."""
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in line).rstrip() for line in lines)
