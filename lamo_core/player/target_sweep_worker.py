"""Target-return sweep of a run's policy as a process: `python -m lamo_core.player.target_sweep_worker RUN`.

A process of the dashboard: it tells its progress on stdout in messages of `lamo_core.workers`, keeps what it found in
the run's folder, and ends with whoever holds the other end of its stdin.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from lamo_core.errors import LamoError, StorageError, UsageError
from lamo_core.out_of_memory import ANYTHING, advised
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.records import plain
from lamo_core.runs.target_sweep_file import EPISODES, TARGETS, AskedReturns, AskedScore, write_asked
from lamo_core.workers.messages import Header, write_message
from lamo_core.workers.process import be_nice, message_channel

_NICENESS = 5
_SECONDS = 0.25
"""Between two words about progress."""

Tell = Callable[[Header], None]


def main() -> None:
    """Ask, tell, keep."""
    parser = argparse.ArgumentParser(prog="python -m lamo_core.player.target_sweep_worker", description=__doc__)
    parser.add_argument("run", type=Path)
    run = RunDirectory(parser.parse_args().run)
    be_nice(_NICENESS)
    channel = message_channel()
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    with contextlib.suppress(OSError):  # nobody reads any more
        answer(run, lambda header: write_message(channel, header))
    os._exit(0)


def answer(run: RunDirectory, tell: Tell) -> None:
    """Ask the run's newest policy and tell `progress`, then `done` or `error`."""
    try:
        with advised("this machine", ANYTHING):
            found = _ask(run, tell)
    except LamoError as error:
        tell({"kind": "error", "text": str(error)})
        return
    note = ""
    try:
        write_asked(run, found)
    except StorageError as error:
        note = f"shown, but not kept: {error}"
    tell({"kind": "done", "note": note, "found": plain(found)})


def _ask(run: RunDirectory, tell: Tell) -> AskedReturns:
    # here, so that whoever only starts this loads no torch
    import torch

    from lamo_core.analysis.target_sweep import ask
    from lamo_core.training.checkpoint import load_policy

    policy, config, facts = load_policy(run.last_checkpoint, torch.device("cpu"))
    if not policy.follows_targets:
        raise UsageError(f"{config.method} is told no return, so it cannot be asked for one")
    if not {"return_min", "return_max"} <= facts.keys():
        raise UsageError(f"{run.last_checkpoint} does not say which returns its data have; train the run again")
    asking = ask(policy, config, facts, TARGETS, EPISODES, _progress(tell))
    scores = tuple(
        AskedScore(score.target, score.mean, score.low, score.high, score.episodes) for score in asking.scores
    )
    return AskedReturns(
        int(facts["step"]),
        config.data.rewards == "clipped",
        asking.data_low,
        float(facts["return_mean"]),
        asking.data_high,
        tuple(float(target) for target in facts["targets"]),
        asking.rank_correlation,
        scores,
    )


def _progress(tell: Tell) -> Callable[[int, int, int], None]:
    told = -float("inf")

    def progress(done: int, total: int, steps: int) -> None:
        nonlocal told
        if time.monotonic() - told >= _SECONDS or done == total:
            told = time.monotonic()
            tell({"kind": "progress", "done": done, "total": total, "steps": steps})

    return progress


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
