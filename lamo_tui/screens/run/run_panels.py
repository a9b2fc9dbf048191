"""The texts of the Run screen: head, events, settings, system. Pure functions from data to lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from textwrap import wrap
from typing import Any

from rich.style import Style
from rich.text import Text

from lamo_core.config import RunConfig
from lamo_core.evaluation.intervals import bracketed
from lamo_core.runs.compare import flatten
from lamo_core.runs.evaluations import shown_value
from lamo_core.runs.index import RunSummary
from lamo_core.runs.queue.entry import this_host
from lamo_core.runs.records import number
from lamo_core.runs.status import FREED
from lamo_core.settings.field_docs import field_docs
from lamo_tui.format import clock_time, counted, duration, rate
from lamo_tui.keys.bindings import with_keys
from lamo_tui.screens.rows import Row
from lamo_tui.state.run_series import evaluation_seconds, phase_shares, started_event
from lamo_tui.state.snapshot import RunData
from lamo_tui.state.system import GpuStats, SystemStats
from lamo_tui.text import (
    bar,
    figure,
    fit,
    inked,
    lost_text,
    normalised,
    share_done,
    short_name,
    size,
    spark,
    state_text,
    time_left,
)
from lamo_tui.themes import LETTERS, Palette

_MOST_REASON = 5
"""Lines of the reason for which a run failed; the log has all of it."""


def head(run: RunSummary, data: RunData | None, width: int, colours: Palette) -> Text:
    """Draw the lines above the charts: what it is, how far it is, how good it is, or why it failed, in full."""
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append_text(_title(run, width, colours)).append("\n")
    text.append_text(_progress(run, width, colours)).append("\n")
    reason = wrap(run.status.message, width)[:_MOST_REASON] if run.state == "failed" else []
    if not reason or run.status.standing.counting is not None:
        text.append_text(_scores(run, data, width, colours)).append("\n" if reason else "")
    return text.append("\n".join(reason), Style(bold=True, color=colours.bad))


def _title(run: RunSummary, width: int, colours: Palette) -> Text:
    state = Style(color=colours.state(run.state), bold=True)
    line = inked(f"{LETTERS.get(run.state, '?')} {state_text(run)}", state)
    line.append("  ").append(short_name(run), Style(bold=True)).append("  ")
    line.append(run.id, colours.dim)
    if run.status.message and run.state != "failed" and (run.state == "paused" or not run.derived.active):
        line.append(f"  {run.status.message}", colours.dim)
    line.truncate(width, overflow="ellipsis")
    return line


def _progress(run: RunSummary, width: int, colours: Palette) -> Text:
    status = run.status
    facts = f"{status.step:,}/{counted(status.total, 'step')}"
    if status.rate is not None:
        facts += f"   {rate(status.rate)} steps/s"
    if (left := time_left(run)) is not None:
        facts += f"   {duration(left)} left"
    facts += f"   {duration(status.seconds)} worked"
    if status.freed:
        facts = f"{FREED}   {facts}"
    elif status.phase not in ("", "training", "paused") and run.derived.active:
        done = f" {status.phase_done:,}/{status.phase_total:,}" if status.phase_total else ""
        facts = f"{status.phase}{done}   {facts}"
    room = max(6, min(40, width - len(facts) - 9))
    full, empty = bar(share_done(run), room)
    line = inked(full, colours.state(run.state))
    line.append(empty, colours.faint).append(f" {100 * share_done(run):3.0f} %   ")
    line.append(facts, colours.dim)
    line.truncate(width, overflow="ellipsis")
    return line


def _scores(run: RunSummary, data: RunData | None, width: int, colours: Palette) -> Text:
    line, counting = Text(), run.status.standing.counting
    dim = Style(color=colours.dim)
    if counting is not None:
        best = max((*run.status.evaluations, counting), key=lambda point: point.mean)
        line.append("return ", dim).append(figure(counting.mean), Style(bold=True, color=colours.primary))
        if counting.step < run.status.step and counting == run.status.final:
            line.append(f" at step {counting.step:,}", dim)
        line.append(f"  best {figure(best.mean)} at step {best.step:,}", dim)
        line.append("   normalised ", dim).append(normalised(counting.normalised)).append("   ")
    else:
        line.append("not evaluated yet   ", dim)
    line.append("loss ", dim).append(figure(run.status.loss)).append("   ")
    line.append(run.status.device or "device unknown", dim)
    if data is not None and data.alerts:
        line.append("   ").append(f"! {data.alerts[-1].text}", Style(color=colours.warn, bold=True))
    elif data is not None and data.loading:
        line.append("   reading the record…", dim)
    line.truncate(width, overflow="ellipsis")
    return line


def tabs(names: Sequence[str], chosen: str, alerts: int, note: str, width: int, colours: Palette) -> Text:
    """Draw the names of the panels, which can be clicked, and how the charts are drawn."""
    text = Text(" ")
    for name in names:
        here = Style(bold=True, reverse=True, color=colours.primary) if name == chosen else Style(color=colours.dim)
        text.append(f" {name} ", here + Style(meta={"@click": f"screen.show_panel('{name}')"}))
        if name == "events" and alerts:
            text.append(f"!{alerts} ", Style(bold=True, color=colours.warn))
    text.append(f"   {note}", colours.dim)
    text.truncate(width, overflow="ellipsis")
    return text


def tabs_width(names: Sequence[str], alerts: int) -> int:
    """Return the columns that the names of the panels take, with the gap behind them."""
    return 1 + sum(len(name) + 2 for name in names) + (len(f"!{alerts} ") if alerts else 0) + 3


def event_rows(run: RunSummary, data: RunData, keymap: Mapping[str, str], colours: Palette) -> list[Row]:
    """Return the run's events and alerts, oldest first."""
    found: list[tuple[float, int, str, str]] = []
    for event in data.events:
        moment, step = event.get("t"), event.get("step")
        kind, text = describe(event)
        found.append((number(moment) or 0.0, _whole(step), kind, text))
    found += [(alert.time, alert.step, "alert", alert.text) for alert in data.alerts]
    if run.state == "stalled":
        silent = state_text(run).removeprefix("stalled ")
        found.append((run.status.heartbeat, run.status.step, "alert", f"nothing heard of the process for {silent}"))
    if run.state == "failed" and not any(event.get("event") == "Stopped" for event in data.events):
        # it failed before training began, so no event says why
        found.append((run.status.heartbeat, run.status.step, "alert", run.status.message))
    if run.state == "lost":
        found.append((run.status.heartbeat, run.status.step, "alert", with_keys(lost_text(run), keymap, "run")))
    inks = {"alert": colours.warn, "eval": colours.primary, "checkpoint": colours.dim, "end": colours.good}
    rows = []
    for index, (moment, step, kind, text) in enumerate(sorted(found, key=lambda item: item[0])):
        line = inked(f"{clock_time(moment, '%H:%M:%S') if moment else '':8}", colours.dim)
        line.append(f" {step:>8,}  ", colours.dim).append("! " if kind == "alert" else "  ", colours.warn)
        rows.append(Row(str(index), fixed(line.append(text, inks.get(kind, colours.text)))))
    return rows


def describe(event: Mapping[str, Any]) -> tuple[str, str]:
    """Return the kind of an event record and a sentence about it; what is unknown is named."""
    name = event.get("event")
    if name == "EvalDone":
        scores = event.get("scores")
        return "eval", _evaluated([s for s in scores if isinstance(s, dict)] if isinstance(scores, list) else [], event)
    if name == "EvalFailed":
        kind = "final evaluation" if event.get("final") else "evaluation"
        return "alert", f"{kind} failed: {event.get('message')}"
    if name == "Started":
        return "start", (
            f"{'resumed' if _whole(event.get('step')) else 'started'} on {event.get('device')} "
            f"({event.get('precision')}): "
            f"{counted(_whole(event.get('trainable')), 'parameter')} trained, {_whole(event.get('frozen')):,} frozen; "
            f"{_amount(event)}"
        )
    if name == "CheckpointSaved":
        path = str(event.get("path", "")).rpartition("/")[2]
        return "checkpoint", f"checkpoint {path}{' (best so far)' if event.get('best') else ''}"
    if name == "Changed":
        return "note", f"{event.get('name')} = {shown_value(event.get('value'))}"
    if name == "Stopped":
        reason, message = event.get("reason"), event.get("message")
        return "end" if reason == "finished" else "alert", f"{reason}{f': {message}' if message else ''}"
    if name == "Paused":
        freed, message = _real(event.get("freed")), event.get("message")
        given = f", {size(freed)} of its device given back" if freed > 0 else ""
        return "alert" if message else "note", f"paused{given}{f': {message}' if message else ''}"
    words = {"Resumed": "going on", "Note": str(event.get("text", ""))}
    return "note", words.get(str(name), str(name))


def _evaluated(scores: list[dict[str, Any]], event: Mapping[str, Any]) -> str:
    if not scores:
        return "evaluated, no scores"
    best = max(scores, key=lambda score: _real(score.get("mean")))
    interval = bracketed(best.get("low"), best.get("high"), figure)
    kind = "final evaluation" if event.get("final") else "evaluation"
    return (
        f"{kind}: return {figure(_real(best.get('mean')))}{interval} "
        f"for target {figure(_real(best.get('target')))}, "
        f"normalised {normalised(_real(best.get('normalised')))}, {counted(_whole(best.get('episodes')), 'episode')}, "
        f"{duration(_real(event.get('seconds')))}"
    )


def setting_rows(data: RunData, full: bool, colours: Palette) -> list[Row]:
    """Return the settings with the place that decided each; those that are the default only when `full`."""
    values, defaults = flatten(data.info.get("config", {})), flatten(RunConfig().to_dict())
    origins = data.info.get("origins") or {}
    shown = {name: str(value) for name, value in values.items() if full or value != defaults.get(name)}
    wide = max(map(len, shown), default=0) + 2
    room = min(28, max(map(len, shown.values()), default=0))
    rows = []
    for name, value in shown.items():
        differs = values[name] != defaults.get(name)
        line = inked(f"{name:<{wide}}", colours.text if differs else colours.dim)
        style = Style(bold=differs, color=colours.primary if differs else colours.dim)
        line.append(fit(value, room).ljust(room + 2), style)
        rows.append(Row(name, fixed(line.append(str(origins.get(name, "")), colours.dim))))
    return rows


def setting_whole(data: RunData, name: str) -> str:
    """Return a setting's value, however long, the place that decided it, and what the setting is."""
    origin = (data.info.get("origins") or {}).get(name)
    doc = field_docs(RunConfig).get(name)
    value = flatten(data.info.get("config", {})).get(name)
    return f"{value}{f'   ({origin})' if origin else ''}{f'{chr(10)}{doc}' if doc else ''}"


def system_text(run: RunSummary, data: RunData | None, stats: SystemStats, width: int, colours: Palette) -> Text:
    """Draw the machine's load, the run's process, and where the time of a step goes."""
    dim, strong = Style(color=colours.dim), Style(bold=True, color=colours.primary)
    text = Text()
    text.append("this machine\n", strong)
    cpu = "n/a" if stats.cpu is None else f"{stats.cpu:3.0f} % of {counted(stats.cores, 'core')}"
    text.append("  cpu     ", dim).append(f"{cpu:<20}").append(spark(stats.cpu_history, 20) + "\n", colours.primary)
    used = stats.memory_used
    memory = "n/a" if used is None else f"{size(used)} of {size(stats.memory_total)}"
    text.append("  memory  ", dim).append(f"{memory:<20}").append(
        spark(stats.memory_history, 20) + "\n", colours.primary
    )
    for gpu in stats.gpus:
        text.append_text(_gpu(gpu, dim))
    if not stats.gpus:
        text.append("  gpu     ", dim).append(f"{stats.gpu_note}\n", dim)
    text.append("\nthis run\n", strong)
    process = stats.processes.get(run.status.pid or -1)
    host = "" if run.status.host == this_host() else f" on {run.status.host}"
    where = f"{run.status.pid}{host}" if run.derived.active else "none"
    text.append("  process ", dim).append(f"{where}\n")
    if process is not None:
        text.append("  uses    ", dim).append(f"{process.cpu:.0f} % of a core, {size(process.memory)}\n")
    if data is not None:
        text.append_text(_phases(data, width, colours))
    return text


def _gpu(gpu: GpuStats, dim: Style) -> Text:
    load = "n/a" if gpu.load is None else f"{gpu.load:3.0f} %"
    heat = "" if gpu.celsius is None else f"  {gpu.celsius:.0f} °C"
    line = inked("  gpu     ", dim).append(f"{load}  {size(gpu.memory_used)} of {size(gpu.memory_total)}{heat}  ")
    return line.append(f"{gpu.name}\n", dim)


def _phases(data: RunData, width: int, colours: Palette) -> Text:
    dim, text = Style(color=colours.dim), Text()
    started = started_event(data)
    if started:
        text.append("  data    ", dim)
        text.append(f"{_amount(started)}\n")
        text.append("  trained ", dim)
        text.append(f"{_whole(started.get('trainable')):,} of ")
        text.append(f"{counted(_whole(started.get('trainable')) + _whole(started.get('frozen')), 'parameter')}\n")
    shares = phase_shares(data)
    if not shares:
        return text
    text.append("\ntime of a step\n", Style(bold=True, color=colours.primary))
    room = max(4, min(24, width - 34))
    for index, (name, seconds, share) in enumerate(shares):
        full, empty = bar(share, room)
        text.append(f"  {name:<11}", dim).append(full, colours.series[index % len(colours.series)])
        text.append(empty, colours.faint).append(f" {100 * share:3.0f} %  {_seconds(seconds)}\n")
    count, seconds = evaluation_seconds(data)
    if count:
        text.append(f"  evaluations {count}, {duration(seconds)} in all\n", dim)
    return text


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{1000 * value:.1f} ms"


def fixed(line: Text) -> Callable[[int], Text]:
    """Return a row's drawing function for a line that is the same in every width."""
    return lambda width: line


def _amount(started: Mapping[str, Any]) -> str:
    """Return how much a run is trained on."""
    episodes, transitions = (_whole(started.get(name)) for name in ("episodes", "transitions"))
    return f"{counted(episodes, 'episode')}, {counted(transitions, 'transition')}"


def _whole(value: object) -> int:
    return value if isinstance(value, int) and abs(value) < 2**53 else 0  # Python spells no number however long


def _real(value: object) -> float:
    known = number(value)
    return float("nan") if known is None else known
