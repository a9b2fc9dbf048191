"""Settings of all tests."""

from __future__ import annotations

import logging
import os
import signal
import warnings

from hypothesis import settings

# Before PyTorch is imported: its threads sleep while they wait, as under the `lamo` command.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Tests run side by side, one thread of computations each.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Under nohup, or as a shell's background job, all processes that tests start would ignore the signals that some tests
# are about.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples at every run, however slow the machine; `HYPOTHESIS_PROFILE=search pytest` looks for new ones.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


def pytest_xdist_auto_num_workers() -> int:
    """Return how many processes run tests: one more than processors, because a third of their time is waiting."""
    return min(4, (os.cpu_count() or 1) + 1)


class _Deprecations(logging.Handler):
    """Turns what transformers says of deprecated names by its logger into warnings, which are errors in tests."""

    def emit(self, record: logging.LogRecord) -> None:
        if "deprecated" in record.getMessage() or "will be removed" in record.getMessage():
            warnings.warn(record.getMessage(), FutureWarning, stacklevel=2)


logging.getLogger("transformers").addHandler(_Deprecations(logging.WARNING))
