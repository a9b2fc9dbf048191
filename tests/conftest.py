"""Settings of all tests."""

from __future__ import annotations

import os
import signal

# Before PyTorch is imported: its threads sleep while they wait, as under the `lamo` command.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Under nohup, or as a shell's background job, all processes that tests start would ignore the signals that some tests
# are about.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
