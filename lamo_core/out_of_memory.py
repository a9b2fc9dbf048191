"""Out of memory, on processors and accelerators alike: told from other errors, turned into advice; without torch."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from lamo_core.errors import DeviceError, LamoError

_SAID = re.compile(
    r"out of memory|not enough memory|memory allocation failed|bad_alloc|ALLOC_FAILED|can't start new thread"
    r"|(?:can't|can not|cannot|could not|unable to|failed to) (?:allocate|create a memory)",
    re.IGNORECASE,
)
"""What PyTorch's allocators, NumPy, the standard library of C++, BLAS, HDF5 and the system say."""
_READ = 2_000
"""Characters of a message that are looked at."""
TRAINING = (
    "lower optim.micro_batch_size or model.context, in evaluations eval.episodes, with frames data.memory_gb, or "
    "choose a smaller model.backbone, with --set; or close other programs"
)
ANYTHING = "close other programs, or ask for less at once"


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory, or what the system counts as such, has run out."""
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    if isinstance(error, LamoError) or not isinstance(error, Exception):
        return False
    return _SAID.search(str(error)[:_READ]) is not None


@contextmanager
def advised(where: str, advice: str) -> Iterator[None]:
    """Turn out of memory within into a `DeviceError` about `where`, such as `cuda:0`, that ends with `advice`.

    What the failed work held is let go of, so that there is memory to save by.
    """
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        import traceback  # seldom needed, and every command pays for what is imported

        traceback.clear_frames(error.__traceback__)
        raise DeviceError(f"{where} is out of memory; {advice}") from error


def name_of(device: str) -> str:
    """Return what a device is called where its memory has run out: processors use the machine's own."""
    return "this machine" if device == "cpu" else device
