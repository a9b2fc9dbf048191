"""Stands in for `lamo train`: takes a run over, writes what training would, and ends as the run's name says.

`…+frozen` runs fail at their first attempt and `…+no-lora` runs at every one. A run waits at its end while the file
`hold` lies in the runs folder, unless it is asked to stop.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from lamo_core.runs.control import Command, ControlInbox
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.queue.detach import adopt
from lamo_core.runs.writer import RunWriter
from lamo_core.training.events import Stopped
from tests.runs.run_doubles import eval_done, score, started, step_done


def main(option: str, path: str) -> int:
    """Work on a run; returns the exit code of `lamo train`."""
    run = adopt(path) if option == "--adopt" else RunDirectory(Path(path).parents[1])
    name, again = run.read_info()["name"], option == "--resume"
    inbox = ControlInbox(run.control, clock=time.monotonic)
    with RunWriter(run) as writer:
        writer.write(started(2 if again else 0, total=4))
        writer.write(step_done(3 if again else 1, seconds=0.25))
        if "no-lora" in name or ("frozen" in name and not again):
            run.last_checkpoint.write_bytes(b"state")
            writer.write(Stopped(1, time.time(), reason="error", message="it was to be"))
            return 1
        run.last_checkpoint.write_bytes(b"state")
        while (run.path.parent / "hold").exists():
            time.sleep(0.02)
            writer.heartbeat()
            if any(isinstance(came, Command) and came.name == "stop" for came in inbox.poll()):
                writer.write(Stopped(2, time.time(), reason="stop", message="asked"))
                return 75
        writer.write(step_done(4, seconds=0.25))
        writer.write(eval_done(4, score([float(run.read_config().seed), 2.0]), final=True))
        writer.write(Stopped(4, time.time(), reason="finished", message=""))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[-2:]))
