"""What is known of a run before it starts: what it is made of, and what it costs."""

from __future__ import annotations

from typing import Any

from lamo_core.config import RunConfig
from lamo_core.runs.compare import effective_settings
from lamo_core.runs.index import list_runs
from lamo_core.runs.timing.estimate import disk_bytes, estimate, memory_bytes, sized_for
from lamo_core.seeds import shown_seeds
from lamo_core.settings.presets import Resolved
from lamo_core.settings.unused import idle_settings
from lamo_core.wording import plural
from lamo_tui.cli.output import emit_json, say
from lamo_tui.dashboard.new_run_model import DataFacts, data_facts
from lamo_tui.format import counted, duration, file_size


def show_plan(preset: str | None, several: list[Resolved], as_json: bool) -> None:
    """Print what a run would be: its data, work, time, memory, disk, and the settings that are not the defaults.

    Runs that differ by their seeds alone are told by the first; time and disk are those of each.
    """
    resolved = several[0]
    config = resolved.config
    facts, idle = data_facts(config.data, config.seed), idle_settings(config)
    cost = _cost(preset, config, facts, list_runs())
    if as_json:
        seeds = [one.config.seed for one in several]
        data = {"episodes": facts.episodes, "transitions": facts.transitions, "return_mean": facts.returns.mean()}
        values = {"config": config.to_dict(), "origins": dict(resolved.origins), "idle": sorted(idle)}
        emit_json({"name": config.name, "seeds": seeds, "data": data, "cost": cost, **values})
        return
    for name, value in _lines(several, facts, cost):
        say(f"{name:<12}{value}")
    say("settings")
    for name, value in effective_settings(config).items():
        say(f"  {name:<34} {value!s:<26} {resolved.origins.get(name, '')}")
    given = [name for name in sorted(idle) if resolved.origins.get(name, "").startswith(("--set", "command", "file"))]
    if given:
        say(f"without effect on {config.method} here: {', '.join(given)}")


def _cost(preset: str | None, config: RunConfig, facts: DataFacts, runs: list[Any]) -> dict[str, Any]:
    known, memory = estimate(config, runs), memory_bytes(config)
    sized = sized_for(preset, config) if known is None and preset is not None else None
    return {
        "seconds": known.seconds if known else sized,
        "like_run": known.run.id if known else None,
        "like_runs": [run.id for run in known.runs] if known else [],
        "evaluations_known": known is None or known.evaluations_known,
        "memory_bytes": None if memory is None else memory + facts.bytes,
        "disk_bytes": disk_bytes(config, runs),
    }


def _lines(several: list[Resolved], facts: DataFacts, cost: dict[str, Any]) -> list[tuple[str, str]]:
    config = several[0].config
    each = " each" if len(several) > 1 else ""
    seeds = shown_seeds(tuple(one.config.seed for one in several))
    share = f"{100 * config.data.ratio:g} % of {config.data.set}"
    amount = f"{counted(facts.episodes, 'episode')}, {counted(facts.transitions, 'transition')}"
    time = "not known: no run like it has been here yet"
    if cost["like_run"]:
        like = f"as {cost['like_run']} took"
        if len(cost["like_runs"]) > 1:
            like = f"the median of {counted(len(cost['like_runs']), 'run')} such as {cost['like_run']}"
        without = "" if cost["evaluations_known"] else ", without its evaluations, of which nothing is known"
        time = f"about {duration(cost['seconds'])}{each}, {like}{without}"
    elif cost["seconds"] is not None:
        time = f"about {duration(cost['seconds'])}{each}, what the preset is sized for on two cores"
    own = config.eval
    times = [f"every {counted(own.every, 'step')} over {own.episodes}"] if own.every else []
    times += [f"at the end over {own.final_episodes}"] if own.final_episodes else []
    episodes = plural("episode", own.final_episodes or own.episodes)
    return [
        ("name", config.name),
        ("seed" if not each else "seeds", seeds),
        ("data", f"{share}: {amount}, mean return {facts.returns.mean():,.4g}"),
        ("work", f"{counted(config.optim.steps, 'step')} of {counted(config.optim.batch_size, 'window')}"),
        ("device", config.device),
        ("evaluated", f"{' and '.join(times)} {episodes} per target" if times else "never"),
        ("time", time),
        ("memory", _memory(config, cost["memory_bytes"])),
        ("disk", "not known" if cost["disk_bytes"] is None else f"{file_size(cost['disk_bytes'])}{each}"),
    ]


def _memory(config: RunConfig, guess: int | None) -> str:
    if guess is None:
        return f"not known: the shape of {config.model.backbone} is not known here"
    return f"up to {file_size(guess)}, a guess on the safe side"
