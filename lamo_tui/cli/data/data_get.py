"""`lamo data get`: fetch a published set, or unpack the frames of one that is here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from lamo_core.data.source_names import PUBLISHED
from lamo_core.data.store.local import require_received
from lamo_core.places import data_dir
from lamo_core.shares import parse_share
from lamo_tui.cli import completion
from lamo_tui.cli.data.transfer import TransferLine
from lamo_tui.cli.output import console, emit_json, note, say
from lamo_tui.cli.progress import progress
from lamo_tui.format import counted, file_size

if TYPE_CHECKING:
    from lamo_core.data.sources.fetch import Plan

GET_EPILOG = (
    "Examples:  lamo data get breakout-medium --ratio 1%   ·   lamo data get hopper-medium --source d4rl --dry-run"
    "   ·   lamo data get breakout-medium --source dqn-replay   ·   lamo data get D4RL/kitchen/complete-v2"
)


def get(
    name: Annotated[
        str,
        typer.Argument(
            metavar="SET", help="A set of `lamo data list`, or a published one.", autocompletion=completion.sets
        ),
    ],
    source: Annotated[str | None, typer.Option(help=f"{', '.join(PUBLISHED)}; without it the name tells.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be fetched, and how much.")] = False,
    ratio: Annotated[str, typer.Option(help="Share of the episodes to unpack, such as 1% or 0.01.")] = "100%",
    seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="Decides which episodes; the seed of the runs that use them.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Fetch a published set, or unpack the frames of one that ships. Goes on where it stopped.

    DQN-Replay's names are those of d4rl-atari: breakout-medium-v0 is slice 10 of run 1; mixed, expert and epoch-N are
    others, v0 to v4 the runs. D4RL's are such as hopper-medium-v2 and kitchen-complete-v0, Minari's such as
    D4RL/kitchen/complete-v2. Addresses can be changed: see LAMO_SOURCES in the README.
    """
    from lamo_core.data.sources.fetch import plan_get, set_source

    share, chosen = parse_share(ratio), source or set_source(name)
    if chosen in ("bundled", "imported"):
        result = _unpack(name, share, seed, dry_run)
    else:
        plan = plan_get(name, chosen)
        result = _dry_run(plan) if dry_run else _fetch(plan)
    if as_json:
        emit_json(result)
    elif dry_run:
        _say_plan(result)
    else:
        counts = f"{counted(result['episodes'], 'episode')} with {counted(result['transitions'], 'transition')}"
        say(f"{result['set']}: {counts} are ready ({file_size(result['bytes'])})")
        for warning in result.get("warnings", ()):
            note(f"warning: {warning}")


def _fetch(plan: Plan) -> dict[str, Any]:
    from lamo_core.data.checks.plausibility import set_warnings

    if plan.here:
        console().print(f"{plan.name} is here already; `lamo data rm {plan.name}` deletes it", markup=False)
    else:
        with TransferLine() as line:
            plan.run(line.stage)
    found = require_received(plan.source, plan.name)
    card = found.card()
    return {
        "set": plan.name,
        "source": plan.source,
        "episodes": card["episodes"],
        "transitions": card["transitions"],
        "bytes": found.bytes(),
        "warnings": set_warnings(found),
    }


def _dry_run(plan: Plan) -> dict[str, Any]:
    from lamo_core.data.sources.download import probe_size

    # what is here is not asked for again
    wanted = () if plan.here else plan.resources
    files = [{"file": one.name, "addresses": one.urls, "bytes": probe_size(one)} for one in wanted]
    return {
        "set": plan.name,
        "source": plan.source,
        "here": plan.here,
        "files": files,
        "bytes": sum(file["bytes"] or 0 for file in files),
        "into": data_dir(),
    }


def _unpack(name: str, ratio: float, seed: int, dry_run: bool) -> dict[str, Any]:
    from lamo_core.data.formats.action_log import read_log
    from lamo_core.data.sources.resolve import find_set, set_contents
    from lamo_core.data.store.bundled_logs import cache_folder, cached_file, fetch_episodes
    from lamo_core.data.subset import select_episodes

    found = find_set("bundled", name)
    lengths = set_contents(found)[0]
    episodes = select_episodes(lengths, ratio, seed)
    result = {
        "set": name,
        "source": found.source,
        "episodes": len(episodes),
        "transitions": int(lengths[episodes].sum()),
    }
    if found.is_vectors:
        size = found.path.stat().st_size
        return result | ({"here": True, "files": [], "into": found.path, "bytes": 0} if dry_run else {"bytes": size})
    log = read_log(found.path)
    if dry_run:
        missing = sum(cached_file(log, int(episode)) is None for episode in episodes)
        facts = {"here": not missing, "files": [], "into": cache_folder(log), "bytes": 0, "to_replay": missing}
        return result | facts
    with progress() as report:
        size = sum(len(file.content) for file in fetch_episodes(log, episodes, report))
    return result | {"bytes": size}


def _say_plan(plan: dict[str, Any]) -> None:
    for file in plan["files"]:
        size = "unknown size" if file["bytes"] is None else file_size(file["bytes"])
        say(f"{size:>12}  {file['file']}  {file['addresses'][0]}")
    if plan.get("to_replay"):
        say(f"{plan['set']}: {counted(plan['to_replay'], 'episode')} would be replayed into {plan['into']}")
    elif plan["here"]:
        say(f"{plan['set']} is here already; nothing to fetch")
    elif plan["files"]:
        say(f"{plan['set']}: {file_size(plan['bytes'])} to fetch into {plan['into']}")
    else:
        say(f"{plan['set']} lies on this machine already; nothing to fetch, only to convert into {plan['into']}")
