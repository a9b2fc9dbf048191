"""The worker process of `sandbox`: turns HDF5 files into sets of our own formats; never imported by its parent.

It loads NumPy and h5py, not torch, and may take a limited amount of memory.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lamo_core.data.sources.d4rl_file import convert_d4rl
from lamo_core.data.sources.minari_file import convert_minari
from lamo_core.errors import DamagedDataError, LamoError, UnsupportedDataError
from lamo_core.system_parts import limit_memory
from lamo_core.workers.jobs import Report, serve

MEMORY = 8 * 2**30
_JOBS: dict[str, Callable[..., dict[str, Any]]] = {"d4rl": convert_d4rl, "minari": convert_minari}


def _answer(job: dict[str, Any], report: Report) -> dict[str, Any]:
    path = Path(job["path"])
    try:
        return _JOBS[job["kind"]](path, Path(job["out"]), job["facts"], report)
    except LamoError:
        raise
    except MemoryError as error:
        raise UnsupportedDataError(
            f"{path} takes more memory than a data set may", "split it into smaller ones"
        ) from error
    except Exception as error:  # what a damaged file makes the library raise has no end
        raise DamagedDataError(f"{path} cannot be read ({type(error).__name__}: {str(error)[:200]})") from error


if __name__ == "__main__":
    limit_memory(MEMORY)
    serve(_answer)
