"""`lamo sweep`: a grid of runs, planned first, then worked off by a queue that survives being killed."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from lamo_core.errors import UsageError
from lamo_tui.cli import completion
from lamo_tui.cli.parameters import finite
from lamo_tui.cli.runs.steering import JsonOption


class EngineChoice(StrEnum):
    """Where runs work."""

    local = "local"
    ray = "ray"
    slurm = "slurm"


app = typer.Typer(
    help="Run a grid of tasks, data shares, methods, ablations and seeds; the plan is printed first.",
    invoke_without_command=True,
    rich_markup_mode=None,
    epilog="Examples:  lamo sweep --tasks breakout,hopper --ratios 1% --methods lamo,dt --seeds 5 --dry-run   ·   "
    "lamo sweep --resume last   ·   lamo sweep --resume last --seeds 8",
)


@app.callback()
def plan_and_run(
    context: typer.Context,
    tasks: Annotated[
        str | None, typer.Option(metavar="A,B", help="Tasks; `hopper:0.5%+1%` gives one its own shares of data.")
    ] = None,
    ratios: Annotated[str | None, typer.Option(metavar="0.1%,1%", help="Shares of the data.")] = None,
    methods: Annotated[str, typer.Option(metavar="A,B", help="Methods, such as lamo,dt,bc.")] = "lamo",
    ablations: Annotated[
        str, typer.Option(metavar="A,B", help="Overlays of `lamo presets` on lamo; `none`, and `a+b` for two at once.")
    ] = "none",
    named: Annotated[
        str | None,
        typer.Option(
            "--grid",
            metavar="NAME",
            help="Methods and ablations that answer a question: attribution, controls or rivals.",
        ),
    ] = None,
    seeds: Annotated[str, typer.Option(metavar="N", help="So many seeds from 0 on, or a list such as 3-7.")] = "3",
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="[WHICH:]KEY=VALUE",
            help="Override a value in every run, optim.steps=100, or in those of a task, a family of tasks or a "
            "method: dt:optim.steps=100, kitchen:eval.every=0, hopper/dt:optim.steps=100.",
        ),
    ] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=A,B", help="Try several values, optim.learning_rate=1e-3,3e-3; may be repeated."),
    ] = None,
    variant: Annotated[str, typer.Option(help="Presets to take: embedded, paper or official.")] = "embedded",
    ablate_all: Annotated[
        bool, typer.Option("--ablate-all", help="Lay ablations over every method, not only over lamo.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="The sweep's name [default: time and tasks].")] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Go on with a sweep, or with `last`; --seeds, --methods, --ablations, --tasks and --ratios add to it.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and write nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Start without asking.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run again what an earlier run did already.")] = False,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, max=1000, help="Runs at once [default: what fits].")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    engine: Annotated[
        EngineChoice, typer.Option(metavar="local|ray|slurm", help="This machine, a Ray cluster, or Slurm.")
    ] = EngineChoice.local,
    address: Annotated[str | None, typer.Option(help="Of the Ray cluster [default: one of this machine].")] = None,
    gpus: Annotated[
        float, typer.Option(min=0, callback=finite, help="Share of a GPU for each run on a Ray cluster.")
    ] = 0.0,
    threads: Annotated[int, typer.Option(min=1, help="Cores for each run on a Ray cluster.")] = 1,
    slurm: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="A parameter of submitit, such as timeout_min=240.")
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Work in the background.")] = False,
    as_json: JsonOption = False,
    background: Annotated[bool, typer.Option("--background", hidden=True)] = False,
) -> None:
    """Run a grid of tasks, data shares, methods, ablations and seeds; the plan is printed first.

    Runs are ordinary ones: `lamo runs` and `lamo tui` show them. What is done is skipped, what was killed goes on from
    its checkpoint, what failed is tried once more. Ctrl-C saves and stops; `--resume` goes on.
    """
    if context.invoked_subcommand is not None:
        return
    from lamo_tui.cli.sweep.sweep_engine import EngineOptions
    from lamo_tui.cli.sweep.sweep_grid import GridOptions, given_options
    from lamo_tui.cli.sweep.sweep_run import run_sweep

    given = given_options(context)
    wanted = GridOptions(
        tasks,
        ratios,
        methods,
        ablations,
        seeds,
        tuple(setting or ()),
        tuple(vary or ()),
        variant,
        device,
        ablate_all=ablate_all,
        named=named,
    )
    if named is not None and given & {"methods", "ablations"}:
        raise UsageError("--grid names methods and ablations; leave --methods and --ablations out")
    options = EngineOptions(engine.value, jobs, address, gpus, threads, tuple(slurm or ()))
    code = run_sweep(
        wanted,
        given,
        options,
        name=name,
        resume=resume,
        dry_run=dry_run,
        yes=yes,
        fresh=fresh,
        detach=detach,
        as_json=as_json,
        background=background,
    )
    raise typer.Exit(code)


@app.command("status", epilog="Examples:  lamo sweep status   ·   lamo sweep status last --json")
def status(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="SWEEP", help="A sweep, or `last` [default: all sweeps].", autocompletion=completion.sweeps
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show how sweeps are doing, or every run of one."""
    from lamo_tui.cli.sweep.sweep_status import print_status, print_sweeps

    if name is not None:
        print_status(name, as_json=as_json)
    else:
        print_sweeps(as_json=as_json)


@app.command("stop", epilog="Examples:  lamo sweep stop last   ·   lamo sweep stop last --json")
def stop(
    name: Annotated[str, typer.Argument(metavar="SWEEP", help="A sweep, or `last`.", autocompletion=completion.sweeps)],
    as_json: JsonOption = False,
) -> None:
    """Stop a sweep. Its runs save a checkpoint each, and `--resume` goes on."""
    from lamo_tui.cli.sweep.sweep_status import stop_sweep

    stop_sweep(name, as_json=as_json)
