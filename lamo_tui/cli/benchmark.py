"""`lamo benchmark`: how fast the parts are on this machine."""

from __future__ import annotations

import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lamo_core.config import RunConfig, unknown_key
from lamo_core.wording import counted
from lamo_tui.benchmarks.recipes import RecipePlan, extreme_presets, run_recipes
from lamo_tui.benchmarks.session import measure_session
from lamo_tui.benchmarks.watched import measure_watched
from lamo_tui.cli.benchmark_page import GPU_EPILOG, PAGE_EPILOG, gpu, page
from lamo_tui.cli.output import emit_json, emit_table, note, say
from lamo_tui.cli.parameters import finite
from lamo_tui.cli.progress import progress
from lamo_tui.format import duration, rate

if TYPE_CHECKING:
    from lamo_tui.benchmarks.recipes import RecipeResult

_STEPS = ("atari-breakout-1pct", "mujoco-hopper-10pct", "kitchen-complete-30pct")
"""Presets whose steps are measured unless others are named."""

app = typer.Typer(
    help="Measure how fast the parts are on this machine.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog="Examples:  lamo benchmark acting   ·   lamo benchmark recipes --only kitchen --steps 50",
)


@app.callback()
def _group() -> None:
    """Hold the measurements together as one group."""


@app.command(
    "acting",
    epilog="Examples:  lamo benchmark acting   ·   "
    "lamo benchmark acting --backbone random:gpt2 --episodes 40 --device cuda --json",
)
def acting(
    backbone: Annotated[str, typer.Option(help="A model of `lamo lm list`.")] = "random:mini",
    task: Annotated[str, typer.Option(help="The task whose observations and actions are used.")] = "atari-breakout",
    episodes: Annotated[int, typer.Option(min=1, help="Episodes side by side.")] = 20,
    context: Annotated[int, typer.Option(min=1, max=1024, help="K, steps that the policy sees.")] = 30,
    steps: Annotated[int, typer.Option(min=1, help="Timed steps per mode.")] = 32,
    threads: Annotated[int, typer.Option(min=0, help="Threads of PyTorch on the CPU; 0 leaves its choice.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Decisions per second of a policy, without an environment. With the sliding and the chunked context."""
    from lamo_tui.benchmarks.acting import measure_modes

    config = RunConfig.from_dict({"task": {"name": task}, "model": {"context": context, "backbone": backbone}})
    with progress() as report:
        costs = measure_modes(config, episodes=episodes, steps=steps, threads=threads, device=device, progress=report)
    if as_json:
        setting = {"backbone": backbone, "task": task, "context": context, "device": costs.device}
        setting["threads"] = str(costs.threads)
        emit_json({**setting, "results": [asdict(result) for result in costs.results], "gain": costs.gain})
        return
    columns = ["context", "decisions/s", "ms/step", "tokens/decision"]
    rows = [
        [
            result.context,
            rate(result.decisions_per_second),
            f"{result.milliseconds_per_step:.1f}",
            f"{tokens:.1f}",
        ]
        for result, tokens in zip(costs.results, costs.tokens, strict=True)
    ]
    emit_table(columns, rows, right=columns[1:])
    say(
        f"{backbone}, K = {context}, {counted(episodes, 'episode')} side by side on {costs.device} "
        f"({counted(costs.threads, 'thread')}): chunked is {costs.gain:.1f} times as fast"
    )


@app.command(
    "step",
    epilog="Examples:  lamo benchmark step   ·   "
    "lamo benchmark step -p paper-mujoco-hopper --set optim.batch_size=8 --threads 1 --json",
)
def step(
    preset: Annotated[
        list[str] | None, typer.Option("--preset", "-p", help="What to train; may be given several times.")
    ] = None,
    setting: Annotated[list[str] | None, typer.Option("--set", help="Override one value in all of them.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Timed steps of each.")] = 8,
    threads: Annotated[int, typer.Option(min=0, help="Threads of PyTorch on the CPU; 0 leaves its choice.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Time of a training step, and its share of what products allow."""
    import torch

    from lamo_tui.benchmarks.step import measure_step

    if threads:
        torch.set_num_threads(threads)
    presets, costs = preset or [*_STEPS], []
    with progress() as report:
        for number, name in enumerate(presets):
            report(f"measuring {name}", number, len(presets))
            costs.append(measure_step(name, [*(setting or []), f"device={device}"], steps))
    if as_json:
        emit_json({"threads": torch.get_num_threads(), "results": [asdict(c) | {"gain": c.gain} for c in costs]})
        return
    columns = ["preset", "windows", "at once", "CPU ms", "ms", "gain", "GFLOP", "of floor", "calls"]
    rows = [
        [
            c.preset, str(c.batch), str(c.micro_batch), f"{c.cpu_ms:.1f}", f"{c.wall_ms:.1f}", f"{c.gain:.2f}x",
            f"{c.gflop:.2f}", f"{100 * c.share:.0f} %", f"{c.calls:,}",
        ]
        for c in costs
    ]  # fmt: skip
    emit_table(columns, rows, right=columns[1:])
    say(
        f"on {costs[0].device}, {counted(torch.get_num_threads(), 'thread')}, products at "
        f"{min(c.gflops for c in costs):.0f} to {max(c.gflops for c in costs):.0f} GFLOP/s; gain: over every block for "
        "every token and autograd's gradients"
    )


app.command("page", epilog=PAGE_EPILOG)(page)
app.command("gpu", epilog=GPU_EPILOG)(gpu)


@app.command(
    "tui",
    epilog="Examples:  lamo benchmark tui   ·   lamo benchmark tui --runs 100 --json",
)
def tui(
    runs: Annotated[int, typer.Option(min=1, help="Runs in the folder that is opened.")] = 1_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Times of charts and frames, start-up, idle processor use. Also what a training loses by being watched."""
    from lamo_tui.benchmarks.replay_frames import measure_replay
    from lamo_tui.benchmarks.tui import measure_tui

    rows, session = [*measure_tui(), *measure_replay(200)], measure_session(runs)
    watched = measure_watched(runs)
    if as_json:
        emit_json({"results": [asdict(row) for row in rows], "session": asdict(session), "watched": asdict(watched)})
        return
    columns = ["what", "median ms", "95 % ms", "bytes/frame"]
    sizes = [None if row.bytes_per_frame is None else f"{row.bytes_per_frame:.0f}" for row in rows]
    times = [(row.name, f"{row.median_ms:.1f}", f"{row.slow_ms:.1f}") for row in rows]
    table = [[*row, size] for row, size in zip(times, sizes, strict=True)]
    emit_table(columns, table, right=columns[1:])
    for opening, when in ((session.first, "for the first time"), (session.again, "again")):
        say(
            f"a folder of {counted(session.runs, 'run')} opened {when}: the newest shown after "
            f"{opening.shown_seconds:.2f} s "
            f"({opening.shown_cpu:.2f} s of processor time), all listed after {opening.listed_seconds:.2f} s "
            f"({opening.listed_cpu:.2f} s), Python's start included"
        )
    say(
        f"then {100 * session.idle_cpu:.1f} % of a core while idle, {100 * session.watching_cpu:.1f} % while watching "
        f"a run of {session.records_per_second:g} steps/s"
    )
    say(
        f"a training of {watched.alone:.1f} steps/s: {watched.ratio:.3f} times as fast while it is watched "
        f"(quartiles {watched.low:.3f} and {watched.high:.3f} over {counted(watched.pairs, 'pair')} of "
        f"{watched.seconds:g} s), "
        f"by a dashboard that takes {100 * watched.dashboard_cpu:.1f} % of a core"
    )


@app.command(
    "recipes",
    epilog="Examples:  lamo benchmark recipes --out recipes.jsonl   ·   "
    "lamo benchmark recipes --only kitchen --steps 50 --json",
)
def recipes(
    steps: Annotated[int, typer.Option(min=2, help="Training steps of each preset.")] = 200,
    only: Annotated[str, typer.Option(help="Only presets whose name holds this or fits it, such as *-100pct.")] = "",
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="Override one value in all of them, such as device=cuda.")
    ] = None,
    minutes: Annotated[
        float, typer.Option(min=0.1, callback=finite, help="After so many, a preset counts as failed.")
    ] = 60,
    out: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Keep results in this file; what went well is not run again.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Try all tasks: train their presets for a while and evaluate. Of each task those with the least and the most data.

    Says whether all of them work here; exit code 1 when one does not, after all were tried. The first time, Atari's
    complete sets are unpacked, which takes minutes each.
    """
    presets = extreme_presets(only)
    if not presets:
        raise unknown_key(only, extreme_presets(), "preset with")
    plan = RecipePlan(steps, tuple(setting or ()), minutes)
    usual = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the run as well and deletes its folder
    try:
        with progress() as report:
            results = list(run_recipes(presets, plan, report, out))
    finally:
        signal.signal(signal.SIGTERM, usual)
    failed = [result.preset for result in results if not result.ok]
    if as_json:
        emit_json({"steps": steps, "results": [asdict(result) for result in results], "failed": failed})
    else:
        columns = ["preset", "episodes", "loss before", "loss after", "return", "time", ""]
        emit_table(columns, [_recipe_cells(result) for result in results], right=columns[1:6])
        note(f"{len(results) - len(failed)} of {counted(len(results), 'preset')} work here")
    if failed:
        raise typer.Exit(1)


def _recipe_cells(result: RecipeResult) -> list[str | None]:
    if not result.ok:
        return [result.preset, None, None, None, None, duration(result.seconds), result.message]
    figures = [f"{result.episodes:,}", f"{result.first_loss:.3g}", f"{result.last_loss:.3g}"]
    return [result.preset, *figures, f"{result.mean_return:.4g}", duration(result.seconds), "ok"]
