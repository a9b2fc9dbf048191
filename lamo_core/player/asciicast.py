"""An episode as an asciicast (version 2): a recording that `asciinema play` shows in a terminal, and web pages too.

The frame stands on the left, two pixels a cell; on the right what was asked, achieved and done. Only what changed is
written, so that a decision of an Atari game takes one or two kilobytes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np

from lamo_core.player.half_blocks import Keys, changed_spans, fitted_size, key_runs, pair_keys, resize
from lamo_core.player.history import Track
from lamo_core.tasks.environment import Picture
from lamo_core.tasks.task import Task
from lamo_core.untrusted.plain_text import plain_line

COLUMNS, ROWS = 92, 31
_FRAME = (54, 30)
"""Columns and rows of the frame; the panel begins two columns later."""
_PANEL = _FRAME[0] + 3
_BAR = 16
ATARI_PIXEL = 1.3
"""An Atari pixel's width over its height, between square ones and the 1.8 of a television."""


@dataclass(frozen=True)
class CastFacts:
    """What stands beside the frames."""

    label: str
    task: Task
    track: Track
    per_second: float


def write_cast(file: IO[bytes], pictures: Iterator[Picture], facts: CastFacts, every: int) -> None:
    """Write the recording; `pictures` are those before decision 0, `every`, 2 x `every` and so on, and at the end."""
    header = {"version": 2, "width": COLUMNS, "height": ROWS, "title": plain_line(facts.label)}
    file.write((json.dumps(header) + "\n").encode())
    old_keys: Keys | None = None
    old_lines: list[str] = []
    for number, picture in enumerate(pictures):
        at = min(number * every, len(facts.track))
        keys = _keys(picture, facts.task.observation == "frames")
        lines = _panel(facts, at)
        text = "" if number else "\x1b[2J\x1b[?25l"
        text += _changed_cells(old_keys, keys) + _changed_lines(old_lines, lines)
        file.write((json.dumps([round(at / facts.per_second, 3), "o", text], ensure_ascii=False) + "\n").encode())
        old_keys, old_lines = keys, lines
    end = round(len(facts.track) / facts.per_second + 1.0, 3)
    file.write((json.dumps([end, "o", f"\x1b[0m\x1b[{ROWS};1H\x1b[?25h"]) + "\n").encode())


def _keys(picture: Picture, atari: bool) -> Keys:
    tall, wide = fitted_size(picture.shape[0], picture.shape[1], *_FRAME, ATARI_PIXEL if atari else 1.0)
    return pair_keys(resize(picture, tall, wide, keep_small=atari), 6)


def _changed_cells(old: Keys | None, new: Keys) -> str:
    text = []
    for row, first, last in changed_spans(old, new):
        text.append(f"\x1b[{row + 1};{first + 1}H")
        for length, key in key_runs(new[row, first:last]):
            upper, lower = _colour(key >> 24), _colour(key & 0xFFFFFF)
            if upper == lower:
                text.append(f"\x1b[48;2;{lower}m" + " " * length)
            else:
                text.append(f"\x1b[38;2;{upper};48;2;{lower}m" + "▀" * length)
    return "".join(text) + "\x1b[0m"


def _colour(value: int) -> str:
    return f"{value >> 16};{value >> 8 & 255};{value & 255}"


def _changed_lines(old: list[str], new: list[str]) -> str:
    text = []
    for row, line in enumerate(new):
        if row >= len(old) or old[row] != line:
            text.append(f"\x1b[{row + 1};{_PANEL}H{line}\x1b[0m\x1b[K")
    for row in range(len(new), len(old)):
        text.append(f"\x1b[{row + 1};{_PANEL}H\x1b[K")
    return "".join(text)


def _panel(facts: CastFacts, at: int) -> list[str]:
    """Return the lines beside the frame before decision `at`."""
    track, task = facts.track, facts.task
    row = track.rows[min(at, len(track) - 1)] if len(track) else None
    target = row.target if row else 0.0
    earned = track.earned[at]
    lines = [
        f"\x1b[1m{plain_line(task.title)}",
        f"\x1b[2m{plain_line(facts.label)[: COLUMNS - _PANEL]}",
        "",
        f"\x1b[2masked     \x1b[0m{target:>10.6g}",
        f"\x1b[2machieved  \x1b[0;1m{earned:>10.6g}",
        f"\x1b[2m{'beyond' if earned > target else 'to go':<8}  \x1b[0m{abs(target - earned):>10.6g}",
        f"\x1b[36m{_bar(earned / target if target > 0 else 0.0, 20)}",
        "",
    ]
    if row is not None and row.values is not None and at < len(track):
        lines += [_action_line(task, index, float(value), row.action) for index, value in enumerate(row.values)]
    lives = track.lives[at] if at < len(track.lives) else 0
    lines += ["", f"\x1b[2mdecision {at}  {at / facts.per_second:.1f} s" + (f"  lives {lives:g}" if lives else "")]
    if row is not None and row.person:
        lines.append("\x1b[1mplayed by a person")
    return lines[: ROWS - 1]


def _action_line(task: Task, index: int, value: float, action: object) -> str:
    name = plain_line(task.action_names[index])[:11]
    if task.action_kind == "continuous":
        return f"\x1b[2m  {name:<11} \x1b[0;36m{_bar(abs(value), _BAR // 2)}\x1b[0m {value:+.2f}"
    share = f"{100 * value:3.0f}%" if math.isfinite(value) else "   –"
    taken = index == action
    mark, weight = ("▸", "1") if taken else (" ", "2")
    return f"\x1b[{weight}m{mark} {name:<11} \x1b[36m{_bar(value, _BAR)}\x1b[0;{weight}m {share}"


def _bar(share: float, width: int) -> str:
    eighths = round(min(1.0, max(0.0, share if math.isfinite(share) else 0.0)) * width * 8)
    part = " ▏▎▍▌▋▊▉"[eighths % 8].strip()
    return ("█" * (eighths // 8) + part).ljust(width, "·")


def pictures_every(per_second: float, most: float = 20.0) -> int:
    """Return how many decisions lie between two pictures so that there are at most `most` a second."""
    return max(1, int(np.ceil(per_second / most)))
