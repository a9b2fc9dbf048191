"""Network policy of everything that is fetched: how long a first answer may take, and when to ask again.

Without a network nothing answers, and no waiting helps: then it is said within `PATIENCE` seconds, for all addresses
together. Once an address has answered in a call, whatever follows is trouble on the way, and it is asked again, after
pauses that grow while nothing comes.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lamo_core.errors import UsageError

if TYPE_CHECKING:
    from lamo_core.untrusted.byte_stream import TransferProblem

PATIENCE = 3.0
"""Seconds in which the addresses of a file must begin to answer, unless LAMO_PATIENCE says another number."""
RETRIES = 5
"""Attempts in a row that may bring next to nothing before an address is given up."""
ENOUGH = 256 * 1024
"""Bytes that count as more than next to nothing."""
NO_NETWORK = "check the network and run the same command again; LAMO_PATIENCE=60 waits 60 s for a first answer"
_LONGEST_PAUSE = 30.0
_LEAST_SHARE = 0.2


def patience() -> float:
    """Return the seconds in which a first answer must come; raises `UsageError` for a setting that is none."""
    text = os.environ.get("LAMO_PATIENCE") or str(PATIENCE)
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0.1 <= seconds <= 3600:
        raise UsageError(f"LAMO_PATIENCE must be a number of seconds from 0.1 to 3600, not {text[:40]!r}")
    return seconds


class FirstAnswer:
    """The time in which the first of several addresses must answer, shared out among those still to be asked."""

    def __init__(self, addresses: int) -> None:
        self._patience = patience()
        self._end = time.monotonic() + self._patience
        self._addresses = addresses
        self.heard = False
        """Whether one has answered: then there is a network, and each of the others gets all of the time."""

    def share(self) -> float:
        """Return the seconds that the next address has."""
        left = self._patience if self.heard else self._end - time.monotonic()
        waiting = 1 if self.heard else max(1, self._addresses)
        self._addresses -= 1
        return max(_LEAST_SHARE, left / waiting)


@dataclass
class Persistence:
    """Whether one address is asked again, and after which pause."""

    heard: bool = False
    """Whether it has answered at all."""
    failures: int = 0

    def pause_after(self, problem: TransferProblem, gained: int) -> float | None:
        """Return the seconds to wait after a problem that followed upon `gained` bytes; None to give the address up."""
        self.heard = self.heard or problem.reached or gained > 0
        self.failures = 1 if gained >= ENOUGH else self.failures + 1
        if problem.permanent or not self.heard or self.failures > RETRIES:
            return None
        return max(problem.wait, min(_LONGEST_PAUSE, 2.0 ** (self.failures - 1)))


def hub_problem() -> str:
    """Return why the Hugging Face hub does not answer, or an empty text when it does, or is switched off."""
    from huggingface_hub import constants

    # HTTP and TLS take long to load, and every command that names models imports this module
    from lamo_core.untrusted.byte_stream import TransferProblem, open_stream

    if constants.HF_HUB_OFFLINE:
        return ""  # its client says so itself
    try:
        with open_stream(constants.ENDPOINT, wait=patience()):
            return ""
    except TransferProblem as problem:
        return "" if problem.permanent else f"{constants.ENDPOINT} {problem}"


@contextmanager
def hub_reached() -> Iterator[str]:
    """Give why the hub does not answer, and keep its clients to what is in their caches then: they wait for minutes."""
    from huggingface_hub import constants

    problem = hub_problem()
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or bool(problem)
    try:
        yield problem
    finally:
        constants.HF_HUB_OFFLINE = before
