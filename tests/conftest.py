"""Settings of all tests."""

from __future__ import annotations

import os

# Before PyTorch is imported: its threads sleep while they wait, as under the `lamo` command.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
