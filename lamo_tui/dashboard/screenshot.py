"""The screen as plain text or as an SVG picture, for `--once` and for tests."""

from __future__ import annotations

from pathlib import Path

from textual.app import App

from lamo_core.files import write_bytes


def screen_text(app: App[None]) -> str:
    """Return what is on the screen, one line per row, without colours and trailing blanks."""
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in line).rstrip() for line in lines)


def take_picture(app: App[None], svg: Path | None) -> str:
    """Return the screen as text; with `svg`, write it there as a picture and return the path instead."""
    if svg is None:
        return screen_text(app)
    write_bytes(svg, app.export_screenshot(title="lamo").encode(), "--svg FILE")
    return str(svg)
