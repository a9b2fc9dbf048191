"""What hostile files try to run."""

from __future__ import annotations

import sys

EVENT = "lamo.canary"


def fire(*_: object) -> None:
    """Tell the audit hook that a file was obeyed."""
    sys.audit(EVENT)
