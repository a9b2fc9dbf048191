"""Tables of docs/performance.md: what a step, a decision, the start and growth cost, each beside the plain way.

Both ways of a row are measured in turn in one process, or in turn as processes, so that whatever else the machine does
falls on both; a ratio comes with its smallest and largest value.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lamo_core import __version__
from lamo_core.evaluation.decision_speed import measure_acting
from lamo_core.runs.index import RunIndex, list_runs
from lamo_core.runs.metrics.series import MetricsTail
from lamo_core.wording import counted
from lamo_tui.benchmarks.session import make_runs
from lamo_tui.benchmarks.step import made_up_session, measure_step, step_seconds

NOT_MEASURED = "not measured"
STEPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("atari-breakout-1pct", ()),
    ("mujoco-hopper-10pct", ()),
    ("kitchen-complete-30pct", ()),
    ("paper-mujoco-hopper", ("optim.batch_size=4",)),
)
_TOKENS = ("mujoco-hopper-10pct", "atari-breakout-1pct")
_ACTING = (("atari-breakout-1pct", 1), ("atari-breakout-1pct", 32), ("mujoco-hopper-10pct", 32))
_ON_CARD = (
    "paper-atari-breakout",
    "paper-mujoco-hopper",
    "atari-breakout-1pct",
    "mujoco-hopper-10pct",
    "kitchen-complete-30pct",
)
_PRELOADED = "import transformers.models.gpt2.modeling_gpt2, peft, torch._dynamo, sympy"
"""What training and evaluating imported when GPT-2 was transformers' own."""
_LINES = 1_000_000


@dataclass(frozen=True)
class Ratio:
    """How many times as fast as the plain way, in several pairs."""

    plain: float
    """Seconds, the median."""
    own: float
    pairs: tuple[float, ...]

    def __str__(self) -> str:
        low, high = min(self.pairs), max(self.pairs)
        return f"{statistics.median(self.pairs):.2f} ({low:.2f} to {high:.2f})"


def compared(plain: Callable[[], float], own: Callable[[], float], rounds: int) -> Ratio:
    """Measure two ways in turn; each call returns its seconds."""
    pairs = [(plain(), own()) for _ in range(rounds)]
    times = [statistics.median(values) for values in zip(*pairs, strict=True)]
    return Ratio(times[0], times[1], tuple(before / after for before, after in pairs))


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def steps_table(rounds: int) -> str:
    """Return what a training step costs, beside every block for every token and autograd's gradients."""

    rows = []
    for preset, settings in STEPS:
        cost = measure_step(preset, list(settings), rounds)
        rows.append(
            [
                f"{preset} {' '.join(settings)}".strip(), f"{cost.batch} by {cost.micro_batch}",
                f"{cost.plain_ms:.0f}", f"{cost.cpu_ms:.0f}", f"{cost.gain:.2f} ({cost.low:.2f} to {cost.high:.2f})",
                f"{100 * cost.share:.0f} %", f"{cost.calls:,}",
            ]
        )  # fmt: skip
    return table(["step", "windows", "plain, CPU ms", "now, CPU ms", "ratio", "of floor", "operator calls"], rows)


def tokens_table(rounds: int) -> str:
    """Return what a step costs by how the policy is told returns, in turn with a token for each."""

    rows = []
    for preset in _TOKENS:
        each = step_seconds(made_up_session(preset, []))
        for kind in ("injected", "latest"):
            fewer = step_seconds(made_up_session(preset, [f"model.return_tokens={kind}"]))
            found = compared(each.__next__, fewer.__next__, rounds)
            rows.append([preset, f"`{kind}`", f"{1e3 * found.plain:.0f}", f"{1e3 * found.own:.0f}", found])
    return table(["step", "`model.return_tokens`", "`each`, CPU ms", "CPU ms", "ratio"], rows)


def acting_table(rounds: int) -> str:
    """Return what a decision costs in a cache with merged adapters, beside re-encoding the whole window."""

    rows = []
    for preset, episodes in _ACTING:
        policy: Any = made_up_session(preset, []).policy

        def seconds(mode: Any, policy: Any = policy, episodes: int = episodes) -> float:
            speed = measure_acting(policy, mode, episodes=episodes, steps=8)
            return speed.processor_seconds / (speed.episodes * speed.steps)

        found = compared(lambda seconds=seconds: seconds("sliding"), lambda seconds=seconds: seconds("chunked"), rounds)  # type: ignore[misc]
        rows.append([preset, episodes, f"{1 / found.plain:,.0f}", f"{1 / found.own:,.0f}", found])
    return table(["policy", "episodes", "exact, decisions/CPU s", "cached, decisions/CPU s", "ratio"], rows)


def start_table(rounds: int) -> str:
    """Return the processor time of short commands, beside the same with transformers and compiler loaded first."""
    few = "--set optim.steps=1 --set eval.every=0 --set eval.final_episodes=0"
    lines = {
        "first optimiser step": f"train --preset mujoco-hopper-10pct {few}",
        "`lamo eval`, 2 episodes": "eval last --episodes 2",
    }
    rows = []
    with tempfile.TemporaryDirectory(prefix="lamo-benchmark-") as folder:
        places = {"LAMO_RUNS": f"{folder}/runs", "LAMO_CACHE": f"{folder}/cache"}
        for name, line in lines.items():
            found = compared(
                lambda line=line: _cpu_of(line, places, _PRELOADED),  # type: ignore[misc]
                lambda line=line: _cpu_of(line, places, "pass"),  # type: ignore[misc]
                rounds,
            )
            rows.append([name, f"{found.plain:.1f}", f"{found.own:.1f}", found])
    return table(["command", "with both, CPU s", "now, CPU s", "ratio"], rows)


def growth_table(rounds: int, runs: int = 2_000) -> str:
    """Return what large folders and long records cost, beside reading all of them."""

    def read(path: Path, *, thin: bool) -> None:
        MetricsTail(path, thin=thin).poll_all()

    with tempfile.TemporaryDirectory(prefix="lamo-benchmark-") as folder, _cache(f"{folder}/cache"):
        root, long = Path(folder, "runs"), Path(folder, "metrics.jsonl")
        make_runs(root, runs)
        time.sleep(2.5)  # what changed a moment ago is not remembered
        list_runs(root)
        long.write_text("".join(map(_line, range(1, _LINES + 1))), encoding="utf-8")
        pairs = [
            (f"{counted(runs, 'run')} listed", lambda: RunIndex(root).poll(), lambda: list_runs(root)),
            (f"{counted(_LINES, 'step')} drawn", lambda: read(long, thin=False), lambda: read(long, thin=True)),
        ]
        found = [(name, compared(_timing(plain), _timing(own), rounds)) for name, plain, own in pairs]
    rows = [[name, f"{one.plain:.2f}", f"{one.own:.2f}", one] for name, one in found]
    return table(["what", "all read, CPU s", "now, CPU s", "ratio"], rows)


def gpu_table(rounds: int) -> str:
    """Return what steps and decisions cost on a CUDA device; says that nothing was measured where there is none."""
    import torch

    measure = _on_card if torch.cuda.is_available() else lambda preset, rounds: [NOT_MEASURED] * 5
    rows = [[preset, *measure(preset, rounds)] for preset in _ON_CARD]
    columns = ["step", "fp32, ms", "bf16, ms", "bf16, of floor", "cached decisions/s, 32 episodes", "memory, GB"]
    return table(columns, rows)


def _on_card(preset: str, rounds: int) -> list[str]:
    import torch

    torch.cuda.reset_peak_memory_stats()
    full, half = (measure_step(preset, [f"precision={kind}", "device=cuda"], rounds) for kind in ("fp32", "bf16"))
    memory = f"{torch.cuda.max_memory_allocated() / 1e9:.1f}"
    policy: Any = made_up_session(preset, ["device=cuda"]).policy
    acting = measure_acting(policy, "chunked", episodes=32, steps=32)
    rate = f"{acting.decisions_per_second:,.0f}"
    return [f"{full.wall_ms:.1f}", f"{half.wall_ms:.1f}", f"{100 * half.share:.0f} %", rate, memory]


SECTIONS: dict[str, Callable[[int], str]] = {
    "steps": steps_table,
    "tokens": tokens_table,
    "acting": acting_table,
    "start": start_table,
    "growth": growth_table,
    "gpu": gpu_table,
}
"""By the name of the block that they fill."""


def conditions() -> str:
    """Return a sentence on the machine that tables were made on."""
    import torch

    load = f", load {os.getloadavg()[0]:.0f}" if hasattr(os, "getloadavg") else ""
    return (
        f"lamo {__version__}, torch {torch.__version__}, {counted(torch.get_num_threads(), 'thread')} of "
        f"{counted(os.cpu_count() or 1, 'core')} ({platform.machine()}){load}."
    )


def _line(step: int) -> str:
    return (
        f'{{"t":{step},"step":{step},"k":"train","loss":{1 / step},"grad_norm":1.5,"lr":3e-05,"samples":{8 * step}}}\n'
    )


def _timing(work: Callable[[], object]) -> Callable[[], float]:
    def seconds() -> float:
        start = time.process_time()
        work()
        return time.process_time() - start

    return seconds


def _cpu_of(line: str, places: dict[str, str], before: str) -> float:
    """Return the processor seconds of a command in a process of its own, after a statement."""
    code = f"{before}\nimport sys\nsys.argv = ['lamo', *{line.split()!r}]\nfrom lamo_tui.cli.app import main\nmain()"
    import resource  # which Windows lacks

    start = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env={**os.environ, **places})
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    return end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime


@contextmanager
def _cache(folder: str) -> Iterator[None]:
    before = os.environ.get("LAMO_CACHE")
    os.environ["LAMO_CACHE"] = folder
    try:
        yield
    finally:
        if before is None:
            del os.environ["LAMO_CACHE"]
        else:
            os.environ["LAMO_CACHE"] = before
