"""A data set fetched from where it is published, or unpacked from the file that ships; or only what that would cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lamo_core.data.checks.plausibility import set_warnings
from lamo_core.data.formats.action_log import read_log
from lamo_core.data.sources.download import probe_size
from lamo_core.data.sources.fetch import Plan, plan_get, set_source
from lamo_core.data.sources.resolve import find_set, set_contents
from lamo_core.data.store.bundled_logs import cache_folder, cached_file, fetch_episodes
from lamo_core.data.store.local import require_received
from lamo_core.data.subset import select_episodes
from lamo_core.places import data_dir
from lamo_tui.cli.data.transfer import TransferLine
from lamo_tui.cli.output import console, emit_json, note, say
from lamo_tui.cli.progress import progress
from lamo_tui.format import counted, file_size


def get_set(
    name: str, source: str | None, folder: Path | None, share: float, seed: int, *, dry_run: bool, as_json: bool
) -> None:
    """Fetch or unpack a set, or say what that would be, and print what is here then.

    Published files are taken from `folder` where one is given. Raises `LamoError`.
    """
    chosen = source or set_source(name)
    if chosen in ("bundled", "imported"):
        result = _unpack(name, share, seed, dry_run)
    else:
        plan = plan_get(name, chosen, folder)
        result = dry_run_of(plan) if dry_run else fetch(plan)
    if as_json:
        emit_json(result)
    elif dry_run:
        say_plan(result)
    else:
        counts = f"{counted(result['episodes'], 'episode')} with {counted(result['transitions'], 'transition')}"
        say(f"{result['set']}: {counts} are ready ({file_size(result['bytes'])})")
        for warning in result.get("warnings", ()):
            note(f"warning: {warning}")


def fetch(plan: Plan) -> dict[str, Any]:
    """Fetch a set, unless it is here, and return what it holds."""
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


def dry_run_of(plan: Plan) -> dict[str, Any]:
    """Return what would be fetched; raises `MissingError` where nobody tells a size."""
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


def say_plan(plan: dict[str, Any]) -> None:
    """Print what would be fetched."""
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
