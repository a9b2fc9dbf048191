"""Start and end of worker processes, and what they do first.

Not `multiprocessing`, which would import the caller's main module again, and torch with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

_PACKAGES = Path(__file__).parents[2]
"""Where this package is imported from."""


def start_python(
    words: Sequence[str], *, errors: int | IO[bytes] | None = None, own_session: bool = False, **environment: str
) -> subprocess.Popen[bytes]:
    """Start Python running a module of ours: `words` are its name and arguments.

    Its standard input and output are pipes; `errors` is where its standard error goes, None to ours. Keys such as
    Ctrl-C do not reach a session of its own.
    """
    paths = [str(_PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        [sys.executable, "-m", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        start_new_session=own_session,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **environment},
    )


def message_channel() -> IO[bytes]:
    """Return what was standard output, for messages alone: what libraries print goes to standard error from now on."""
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return channel


def be_nice(niceness: int) -> None:
    """Leave processors to others who want them."""
    if hasattr(os, "nice"):
        os.nice(niceness)
