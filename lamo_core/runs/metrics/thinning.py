"""Thinning of long metrics files: the lines that a chart of a million steps is drawn from, found without parsing the
others.

Training steps count whose number ends with so many zeros: a run that went back to an older checkpoint comes by the same
ones again, so a point of what was given up is replaced as it is when all lines are read. Evaluations and what is not
finite stay whole.
"""

from __future__ import annotations

import math
import re

_STEP = b',"k":"train"'
"""Follows the number of the step in a line of training."""
_RARE = ((b"", b'"k":"eval"'), (b"N", b'"NaN"'), (b"I", b'Infinity"'))
"""Lines that stay, and a letter in them that most pieces do not hold, which is found out in no time."""
_MOST_RARE = 200
"""In one piece of a file; of losses that are never finite a few lines tell as much."""
_NUMBER = re.compile(rb'"step":(\d+),"k":"train"')


def zeros_for(sample: bytes, size: int, most: int) -> int:
    """Return with how many zeros a step must end so that about `most` lines of a file remain.

    `sample` is its first piece, `size` its bytes. 0, which is all of them, for a file of another form.
    """
    steps = [int(found) for found in _NUMBER.findall(sample)]
    if len(steps) < 2:
        return 0
    apart = max(1, abs(steps[-1] - steps[0]) / (len(steps) - 1))
    lines = size * len(steps) / len(sample)
    return max(0, math.ceil(math.log10(lines * apart / most))) if lines > most else 0


def thinned(data: bytes, zeros: int) -> bytes:
    """Return the lines of a piece of a metrics file that remain; all of them where none is of training."""
    if not zeros or _STEP not in data:
        return data
    places = _places(data, b"0" * zeros + _STEP, len(data))
    for letter, text in _RARE:
        places += _places(data, text, _MOST_RARE) if letter in data else []
    lines: list[tuple[int, int]] = []
    for place in sorted(places):
        start, end = data.rfind(b"\n", 0, place) + 1, data.find(b"\n", place) + 1
        if not lines or lines[-1] != (start, end):
            lines.append((start, end))
    return b"".join(data[start:end] for start, end in lines)


def _places(data: bytes, text: bytes, most: int) -> list[int]:
    found: list[int] = []
    place = data.find(text)
    while place >= 0 and len(found) < most:
        found.append(place)
        place = data.find(text, place + len(text))
    return found
