"""Recorded runs with known returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from lamo_core.runs.create import create_run
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.writer import RunWriter
from lamo_core.settings.presets import Resolved, resolve
from lamo_core.training.events import Stopped
from tests.runs.run_doubles import eval_done, score, started, step_done

Trained = Callable[..., RunDirectory]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of runs, empty."""
    monkeypatch.setenv("LAMO_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def trained(root: Path) -> Trained:
    """Write a finished run of a preset: its final returns, and the means of evaluations before."""

    def write(
        preset: str,
        seed: int,
        returns: Sequence[float],
        *,
        method: str | None = None,
        ablations: Sequence[str] = (),
        earlier: dict[int, float] | None = None,
        total: int = 10,
        unseen: float | None = None,
        constant: float | None = None,
        best_step: int | None = None,
        **flags: Any,
    ) -> RunDirectory:
        named = {name.replace("__", "."): value for name, value in flags.items()}
        resolved = resolve(preset, ablations, None, [], {"seed": seed, **named}, method=method)
        return finish(
            resolved, returns, earlier or {}, total, {"unseen": unseen, "constant": constant, "best_step": best_step}
        )

    def finish(
        resolved: Resolved, returns: Sequence[float], earlier: dict[int, float], total: int, measured: dict[str, Any]
    ) -> RunDirectory:
        run = create_run(root, resolved.config, resolved.origins, ["lamo", "train"])
        with RunWriter(run) as writer:
            writer.write(started(total=total))
            for step in range(1, total + 1):
                writer.write(step_done(step, seconds=0.25))
                if step in earlier:
                    writer.write(eval_done(step, score([earlier[step]])))
            writer.write(eval_done(total, score(returns), final=True, **measured))
            writer.write(Stopped(total, 4.0, reason="finished", message=""))
        return run

    return write
