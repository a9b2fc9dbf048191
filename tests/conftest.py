"""Settings of all tests."""

from __future__ import annotations

import os
import signal

from hypothesis import settings

# Before PyTorch is imported: its threads sleep while they wait, as under the `lamo` command.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Under nohup, or as a shell's background job, all processes that tests start would ignore the signals that some tests
# are about.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples at every run, however slow the machine; `HYPOTHESIS_PROFILE=search pytest` looks for new ones.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))
