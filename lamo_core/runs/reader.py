"""Reading a run while it is written: only what is new, whatever the file's end looks like."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from lamo_core.runs.metrics.thinning import thinned, zeros_for
from lamo_core.runs.records import decode, surely_plain
from lamo_core.untrusted.parsing import surely_flat
from lamo_core.untrusted.regular_file import open_regular

_CHUNK = _LONGEST = 4 << 20
"""Bytes taken at a time, and of a record at most."""
_LONG = 24 << 20
"""Bytes of a metrics file beyond which a chart is drawn from a part of its lines, some 100,000 steps."""
_DRAWN = 20_000
"""Lines that remain of it, beside its newest piece."""


class LineTail:
    """Follows a file of JSON lines that one process appends to.

    A line counts once its end is there; what is no JSON object is passed over. A file that is not there yet is
    empty; one that became shorter, or another file under the same name, is read from its beginning.
    """

    def __init__(self, path: Path, *, thin: bool = False) -> None:
        """`thin` passes over most steps of a long metrics file, as `thinning` says, but for its newest piece."""
        self.path = path
        self._thin, self._zeros = thin, 0
        self.restarted = False
        """Whether the last `poll` found that the file began anew: earlier records are void."""
        self.at_end = False
        """Whether the last `poll` saw everything that was there."""
        self.skipped = 0
        """Complete lines that were no JSON object."""
        self._offset = 0
        self._endless = False
        """Whether what came last is the middle of a line that is longer than any record."""
        self._identity: tuple[int, int] | None = None

    def poll(self) -> list[dict[str, Any]]:
        """Return the records that are new, oldest first: those of about 4 MB, so that memory stays small."""
        self.restarted, self.at_end = False, True
        try:
            with open_regular(self.path) as file:
                stat = os.fstat(file.fileno())
                self._check(stat)
                file.seek(self._offset)
                data = file.read(_CHUNK)
                if len(data) == _CHUNK and not data.endswith(b"\n"):
                    data += file.readline(_LONGEST)
                left = stat.st_size - file.tell()
                self.at_end = left <= 0
        except OSError:  # not there yet, or not now
            return []
        if self._thin and not self._offset:
            self._zeros = zeros_for(data, stat.st_size, _DRAWN) if stat.st_size > _LONG else 0
        lines = self._whole_lines(data)
        return self._parse(thinned(lines, self._zeros) if left > _CHUNK else lines)

    @property
    def thinned(self) -> bool:
        """Whether lines were passed over."""
        return self._zeros > 0

    def _whole_lines(self, data: bytes) -> bytes:
        """Return the lines whose end is there; what is longer than any record is passed over."""
        end = data.rfind(b"\n") + 1
        if not end and len(data) > _LONGEST:
            self._offset, self._endless = self._offset + len(data), True
            return b""
        self._offset += end
        if not self._endless or not end:
            return data[:end]
        self._endless = False
        self.skipped += 1
        return data[data.find(b"\n") + 1 : end]

    def _check(self, stat: os.stat_result) -> None:
        identity = (stat.st_dev, stat.st_ino)
        known = self._identity is not None
        if known and (identity != self._identity or stat.st_size < self._offset):
            self._offset, self.skipped, self.restarted, self._endless = 0, 0, True, False
        self._identity = identity

    def _parse(self, data: bytes) -> list[dict[str, Any]]:
        lines = [line for line in data.split(b"\n") if line.strip()]
        try:
            # one call for all lines is far faster than one for each
            if surely_plain(data) and surely_flat(data, len(lines)):
                values = json.loads(b"[" + b",".join(lines) + b"]")
                if len(values) == len(lines) and all(type(value) is dict for value in values):
                    return values  # type: ignore[no-any-return]
        except ValueError:
            pass
        records = [record for record in map(decode, lines) if record is not None]
        self.skipped += len(lines) - len(records)
        return records


def read_events(path: Path) -> list[dict[str, Any]]:
    """Return all records of an events file, oldest first; none when it is missing."""
    tail = LineTail(path)
    records = tail.poll()
    while not tail.at_end:
        records += tail.poll()
    return records
