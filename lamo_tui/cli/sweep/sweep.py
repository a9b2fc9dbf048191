"""`lamo sweep`: a grid of runs, planned first, then worked off by a queue that survives being killed."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lamo_core.errors import STOPPED_RESUMABLE, UsageError
from lamo_core.places import runs_dir
from lamo_core.runs.control import Interrupts
from lamo_core.runs.index import list_runs
from lamo_core.runs.queue.detach import reap
from lamo_core.runs.signals import catch_signals
from lamo_tui.cli import completion
from lamo_tui.cli.output import console, emit_json, emit_table, say
from lamo_tui.cli.parameters import finite
from lamo_tui.cli.progress import progress
from lamo_tui.cli.runs.steering import JsonOption
from lamo_tui.cli.sweep.sweep_engine import EngineChoice, EngineOptions
from lamo_tui.cli.sweep.sweep_grid import GridOptions, given_options
from lamo_tui.cli.sweep.sweep_plan import plan_json, print_plan, print_status, print_views, views_json
from lamo_tui.format import counted

if TYPE_CHECKING:
    from lamo_core.sweep.engines import Engine, Slot
    from lamo_core.sweep.folder import SweepFolder
    from lamo_core.sweep.plan import Plan
    from lamo_core.sweep.scheduler import Scheduler

_POLL_SECONDS = 1.0
_ASK_AGAIN_SECONDS = 5.0


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
    from lamo_core.sweep.folder import find_sweep, new_folder
    from lamo_core.sweep.plan import extended, make_plan, read_plan, write_plan

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
    if resume is not None:
        folder = find_sweep(resume)
        plan = read_plan(folder)
        if given:
            plan = extended(plan, wanted.wider(plan.grid, given), list_runs(), reuse=not fresh)
    else:
        grid = wanted.grid()
        folder = new_folder(name, [task for task, _ in grid.tasks])
        plan = make_plan(folder.name, grid, list_runs(), reuse=not fresh)
    options = EngineOptions(engine, jobs, address, gpus, threads, tuple(slurm or ()))
    slots = options.slots(plan)
    if not background and (resume is None or given or dry_run):
        _show(plan, folder, slots, as_json=as_json, dry_run=dry_run)
    if dry_run:
        return
    if resume is None or given:
        _confirm(plan, yes, as_json)
        (write_plan if resume is None else _rewrite)(folder, plan)
    if detach:
        _detach(folder, options, as_json)
        return
    made = options.make(folder, plan, slots)
    raise typer.Exit(_work(folder, plan, made, as_json=as_json, background=background))


def _show(plan: Plan, folder: SweepFolder, slots: list[Slot], *, as_json: bool, dry_run: bool) -> None:
    import shutil

    root = next(path for path in (folder.root, *folder.root.parents) if path.exists())
    if not as_json:
        print_plan(plan, slots, shutil.disk_usage(root).free)
    elif dry_run:
        totals = {"seconds": plan.seconds, "unknown": plan.unknown, "disk": plan.disk}
        emit_json({"plan": plan_json(plan), "totals": totals, "jobs": len(slots), "slots": slots})


def _confirm(plan: Plan, yes: bool, as_json: bool) -> None:
    if yes or not plan.open:
        return
    if as_json or not sys.stdin.isatty():
        raise UsageError("a sweep asks before it starts; add --yes where nobody can answer, or --dry-run to only look")

    typer.confirm(f"start {counted(len(plan.open), 'run')}?", abort=True, err=True)


def _rewrite(folder: SweepFolder, plan: Plan) -> None:
    """Put a wider plan in the place of the one before; raises `UsageError` while a process works on the sweep."""
    from lamo_core.sweep.plan import rewrite_plan

    folder.claim()
    try:
        rewrite_plan(folder, plan)
    finally:
        folder.release()


def _detach(folder: SweepFolder, options: EngineOptions, as_json: bool) -> None:
    """Start the same command as a process of its own session."""
    import subprocess

    command = [sys.executable, "-m", "lamo_tui.cli.app", "sweep", "--resume", folder.name, "--background"]
    with folder.log_file.open("ab") as log:
        process = subprocess.Popen(
            [*command, *options.words()], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    reap(process)
    if as_json:
        emit_json({"sweep": folder.name, "path": folder.path, "pid": process.pid})
    else:
        say(folder.name)
        console().print(f"watch it with: lamo sweep status {folder.name}", markup=False)


def _work(folder: SweepFolder, plan: Plan, engine: Engine, *, as_json: bool, background: bool) -> int:
    """Work off the plan and return the exit code: 0 all done, 1 something failed, 75 stopped."""
    from lamo_core.sweep.scheduler import Scheduler, look
    from lamo_tui.cli.sweep.sweep_plan import counted

    folder.claim()
    interrupts, narration = Interrupts(), console()

    def announce(signal_name: str) -> None:
        narration.print(f"{signal_name}: asking the runs to save and stop; once more leaves at once")

    try:
        scheduler = Scheduler(folder, plan, engine, argv=sys.argv)
        with (
            progress() as report,
            catch_signals(interrupts, announce=announce, leave=folder.release, detached=background),
        ):
            _loop(scheduler, interrupts, report)
    finally:
        folder.release()
        engine.close()
    views = look(folder, plan)
    states = {view.state for view in views}
    code = STOPPED_RESUMABLE if states & {"waiting", "working", "stopped"} else int("failed" in states)
    if as_json:
        emit_json({"sweep": folder.name, "path": folder.path, "exit_code": code, "runs": views_json(views)})
    else:
        print_views(views)
        way = "sweep --resume" if code == STOPPED_RESUMABLE else "report --sweep"
        narration.print(f"{counted(views)}; next: lamo {way} {folder.name}", markup=False)
    return code


def _loop(scheduler: Scheduler, interrupts: Any, report: Any) -> None:
    asked = -float("inf")
    while True:
        scheduler.step()
        counts = scheduler.counts
        total = sum(counts.values())
        done = counts.get("done", 0)
        working = f": {', '.join(scheduler.working[:3])}" if scheduler.working else ""
        report(f"{counts['working']} working{working}; done", done, total)
        if interrupts.stop is not None and time.monotonic() - asked > _ASK_AGAIN_SECONDS:
            asked = time.monotonic()
            scheduler.stop()
        if scheduler.over:
            return
        time.sleep(_POLL_SECONDS)


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
    from lamo_core.sweep.folder import find_sweep, sweep_names
    from lamo_core.sweep.plan import read_plan
    from lamo_core.sweep.scheduler import look
    from lamo_tui.cli.sweep.sweep_plan import counted

    if name is not None:
        print_status(name, as_json=as_json)
        return
    found = [find_sweep(known) for known in sweep_names()]
    rows = [(folder, look(folder, read_plan(folder)), folder.worker()) for folder in found]
    if as_json:
        sweeps = [{"sweep": folder.name, "worker": worker, "runs": views_json(views)} for folder, views, worker in rows]
        emit_json({"folder": runs_dir().absolute(), "sweeps": sweeps})
    elif rows:
        emit_table(["sweep", "runs", "process"], [[folder.name, counted(views), pid] for folder, views, pid in rows])
    else:
        console().print("there are no sweeps; plan one with: lamo sweep --tasks breakout --ratios 1% --dry-run")


@app.command("stop", epilog="Examples:  lamo sweep stop last   ·   lamo sweep stop last --json")
def stop(
    name: Annotated[str, typer.Argument(metavar="SWEEP", help="A sweep, or `last`.", autocompletion=completion.sweeps)],
    as_json: JsonOption = False,
) -> None:
    """Stop a sweep. Its runs save a checkpoint each, and `--resume` goes on."""
    import os
    import signal

    from lamo_core.sweep.folder import find_sweep

    folder = find_sweep(name)
    worker = folder.worker()
    if worker is None:
        raise UsageError(f"no process of this machine works on sweep {folder.name}; stop its runs with: lamo stop RUN")
    if not folder.is_held_by(worker):
        raise UsageError(f"process {worker}, which sweep {folder.name} names, does not work on it; nothing was stopped")
    os.kill(worker, signal.SIGTERM)
    if as_json:
        emit_json({"sweep": folder.name, "pid": worker})
    else:
        console().print(f"asked process {worker}: the runs of {folder.name} save a checkpoint and stop", markup=False)
