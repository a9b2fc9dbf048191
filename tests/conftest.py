"""Settings of all tests."""

from __future__ import annotations

import os
import signal

# Before PyTorch is imported: its threads sleep while they wait, as under the `lamo` command.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Under nohup all processes that tests start would ignore the hang-ups that some tests are about.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
