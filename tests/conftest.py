"""Settings of all tests."""

from __future__ import annotations

import logging
import os
import signal
import warnings
from pathlib import Path

import pytest
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


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what makes the tests in `tests/robustness` longer than minutes."""
    group = parser.getgroup("robustness", "how long `pytest -m robustness` tries to break lamo")
    group.addoption("--robustness-inputs", type=int, default=60, help="hostile inputs for each fast reader [60]")
    group.addoption("--robustness-seed", type=int, default=0, help="what the inputs are drawn from [0]")
    group.addoption("--robustness-kills", type=int, default=2, help="kills for each kind of work [2]")
    group.addoption("--robustness-minutes", type=float, default=0.5, help="minutes of the soak [0.5]")
    group.addoption("--robustness-results", type=Path, help="JSON file that takes the counts, for docs/reliability.md")


def pytest_xdist_auto_num_workers() -> int:
    """Return how many processes run tests: one more than processors, because a third of their time is waiting."""
    return min(4, (os.cpu_count() or 1) + 1)


class _Deprecations(logging.Handler):
    """Turns what transformers says of deprecated names by its logger into warnings, which are errors in tests."""

    def emit(self, record: logging.LogRecord) -> None:
        if "deprecated" in record.getMessage() or "will be removed" in record.getMessage():
            warnings.warn(record.getMessage(), FutureWarning, stacklevel=2)


logging.getLogger("transformers").addHandler(_Deprecations(logging.WARNING))
