"""The worker process of `isolated`: turns HDF5 files into sets of our own formats; never imported by its parent.

It loads NumPy and h5py, not torch, and may take a limited amount of memory.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lamo_core.data.sources.d4rl_file import convert_d4rl
from lamo_core.data.sources.minari_file import convert_minari
from lamo_core.errors import DamagedDataError, LamoError, UnsupportedDataError
from lamo_core.system_parts import limit_memory
from lamo_core.untrusted.parsing import parse_json

MEMORY = 8 * 2**30
_JOBS: dict[str, Callable[..., dict[str, Any]]] = {"d4rl": convert_d4rl, "minari": convert_minari}


def _answer(job: dict[str, Any]) -> dict[str, Any]:
    path = Path(job["path"])
    try:
        return {"result": _JOBS[job["kind"]](path, Path(job["out"]), job["facts"], _report)}
    except LamoError as error:
        return _failed(error)
    except MemoryError:
        return _failed(
            UnsupportedDataError(f"{path} takes more memory than a data set may", "split it into smaller ones")
        )
    except Exception as error:  # what a damaged file makes the library raise has no end
        return _failed(DamagedDataError(f"{path} cannot be read ({type(error).__name__}: {str(error)[:200]})"))


def _failed(error: LamoError) -> dict[str, Any]:
    return {"error": type(error).__name__, "arguments": [str(part) for part in error.args]}


def _report(stage: str, done: int, total: int) -> None:
    _send({"progress": [stage, done, total]})


def _send(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


def main() -> None:
    """Answer jobs from standard input until it ends."""
    # Ctrl-C in a terminal reaches every process; the parent decides what happens.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit_memory(MEMORY)
    try:
        for line in sys.stdin:
            _send(_answer(parse_json(line)))
    except BrokenPipeError:  # the parent is gone
        os._exit(0)


if __name__ == "__main__":
    main()
