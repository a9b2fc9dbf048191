"""Every key of the dashboard in one table: bindings, key bar, help, settings and command palette are made from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Key:
    """One thing that a key does."""

    id: str
    """Where it works and what it does, such as `runs.stop`; the name to remap it by."""
    keys: str
    """Textual key names, separated by commas."""
    action: str
    label: str
    """A word for the key bar."""
    text: str
    """A sentence for the help."""
    bar: int = 0
    """Rank in the key bar, 1 first; 0 keeps it out."""


APP = (
    Key("app.runs", "1", "mode('runs')", "runs", "List all runs."),
    Key("app.run", "2", "mode('run')", "run", "Show the run that was opened last."),
    Key("app.new", "n,3", "mode('new')", "new", "Set up a new run.", 5),
    Key("app.data", "4", "mode('data')", "data", "Show the data sets and their cards."),
    Key("app.replay", "5", "mode('replay')", "replay", "Show the episode that was opened last."),
    Key("app.matrix", "6", "mode('matrix')", "matrix", "Compare scores: ablations, methods, tasks, shares of data."),
    Key("app.help", "question_mark,f1", "mode('help')", "help", "Show all keys.", 8),
    Key("app.palette", "ctrl+p", "command_palette", "palette", "Search every action, run and preset.", 9),
    Key("app.settings", "comma,f2", "mode('settings')", "settings", "Choose theme, characters and keys."),
    Key("app.theme", "ctrl+t", "next_theme", "theme", "Take the next colour theme."),
    Key("app.screenshot", "ctrl+s", "save_picture", "picture", "Save this screen as an SVG picture."),
    Key("app.quit", "q,ctrl+q", "leave", "leave", "Leave the dashboard; training goes on.", 9),
)
"""Keys that work on every screen."""

RUNS = (
    Key("runs.open", "enter", "open", "open", "Open the run under the cursor.", 1),
    Key("runs.replay", "P", "replay", "play", "Watch its policy play, live or recorded.", 3),
    Key("runs.asked", "t", "asked", "asked", "Play for returns over its data's range; draw asked against achieved."),
    Key("runs.filter", "slash", "filter", "filter", "Filter: words, state:running, ratio<0.1, -seed=3.", 2),
    Key(
        "runs.select",
        "space",
        "select",
        "select",
        "Select the run; actions then apply to those selected and in view.",
        3,
    ),
    Key("runs.pin", "asterisk", "pin", "pin", "Pin the run to the top and keep its curves shown."),
    Key("runs.clear", "escape", "clear", "clear", "Clear the filter, then the selection."),
    Key("runs.pause", "p", "pause", "pause", "Pause a running run, let a paused one go on.", 4),
    Key("runs.free", "F", "free", "free GPU", "Pause and free the GPU; also when it is paused already."),
    Key("runs.stop", "s", "stop", "stop", "Stop after the step under way, with a checkpoint.", 4),
    Key("runs.resume", "r", "resume", "resume", "Continue a stopped, failed or lost run from its checkpoint.", 5),
    Key("runs.delete", "delete,D", "delete", "delete", "Delete runs and their checkpoints, after a question.", 6),
    Key("runs.undelete", "u", "undelete", "undelete", "Bring back the runs that were deleted last."),
    Key("runs.sort", "o", "sort", "order", "Order by the next column: age, return, score, best and more."),
    Key("runs.columns", "C", "columns", "columns", "Choose the columns of the list."),
    Key("runs.table", "T", "table", "table", "Show results beside all settings in which the listed runs differ.", 6),
    Key("runs.seeds", "m", "seeds", "mean", "Draw the mean and range over all seeds of a preset, or each run.", 6),
    Key("runs.diff", "d", "diff", "diff", "Show the settings in which the selected runs differ.", 6),
)

RUN = (
    Key("run.back", "escape", "back", "back", "Go back to the list.", 1),
    Key("run.replay", "P", "replay", "play", "Watch its policy play, live or recorded.", 2),
    Key("run.asked", "t", "asked", "asked", "Play for returns over its data's range; draw asked against achieved.", 7),
    Key("run.next-panel", "tab", "panel(1)", "panel", "Show the next panel.", 2),
    Key("run.previous-panel", "shift+tab", "panel(-1)", "panel", "Show the panel before."),
    Key("run.next-chart", "right_square_bracket", "chart(1)", "chart", "Go to the next chart.", 3),
    Key("run.previous-chart", "left_square_bracket", "chart(-1)", "chart", "Go to the chart before."),
    Key(
        "run.maximise", "enter", "maximise", "whole", "Show the chosen chart alone, or all; a line of a list whole.", 3
    ),
    Key("run.smoother", "plus,equals_sign", "smooth(1)", "smoother", "Smooth curves more; the raw line stays, dim.", 4),
    Key("run.rougher", "minus", "smooth(-1)", "less smooth", "Smooth curves less.", 4),
    Key("run.raw", "0", "smooth(0)", "raw", "Show curves as they were recorded."),
    Key(
        "run.log-y", "y", "log_y", "log y", "Switch the chosen chart's y axis: linear, or logarithmic, also below 0.", 5
    ),
    Key("run.x-axis", "x", "x_axis", "x axis", "Draw over steps, time, or windows seen.", 5),
    Key("run.log-x", "X", "log_x", "log x", "Switch the x axes between linear and logarithmic."),
    Key("run.follow", "f", "follow", "follow", "Keep the newest point in view.", 6),
    Key("run.pause", "p", "pause", "pause", "Pause the run, or let it go on.", 6),
    Key("run.free", "F", "free", "free GPU", "Pause and free the GPU; also when it is paused already."),
    Key("run.stop", "s", "stop", "stop", "Stop after the step under way, with a checkpoint.", 5),
    Key("run.resume", "r", "resume", "resume", "Continue a stopped, failed or lost run."),
    Key("run.save", "c", "command('checkpoint')", "checkpoint", "Ask for a checkpoint now."),
    Key("run.eval", "e", "command('eval')", "evaluate", "Ask for an evaluation now."),
    Key("run.change", "v", "change", "change", "Change a setting while it runs: evaluations, checkpoints, lambda."),
    Key("run.diff", "d", "diff", "diff", "Show the settings in which it differs from another run."),
    Key("run.search", "slash", "search", "search", "Search the log.", 7),
    Key("run.level", "L", "level", "level", "Show all of the log, its warnings and errors, or errors alone.", 7),
    Key("run.full", "a", "full_config", "all settings", "Show all settings, or those that are not default."),
    Key("run.export", "w", "export", "export", "Write all numbers as CSV, the chosen chart as SVG and PNG.", 7),
)

CHART = (
    Key("chart.cursor-left", "left", "cursor(-1)", "cursor", "Move the cursor to the left, in all charts."),
    Key("chart.cursor-right", "right", "cursor(1)", "cursor", "Move the cursor to the right."),
    Key("chart.cursor-first", "home", "cursor_end(False)", "first", "Put the cursor on the first point."),
    Key("chart.cursor-newest", "end", "cursor_end(True)", "newest", "Put the cursor on the newest point."),
    Key("chart.cursor-off", "escape", "cursor_off", "no cursor", "Put the cursor away."),
    Key("chart.zoom-in", "z,ctrl+up", "zoom(True)", "zoom in", "Zoom in, at the newest point or around the cursor."),
    Key("chart.zoom-out", "Z,ctrl+down", "zoom(False)", "zoom out", "Zoom out."),
    Key("chart.pan-left", "shift+left,h", "pan(-0.2)", "pan", "Pan to the left."),
    Key("chart.pan-right", "shift+right,l", "pan(0.2)", "pan", "Pan to the right."),
    Key("chart.reset", "backspace", "reset_view", "whole", "Show the whole curve."),
    Key("chart.marker", "m", "marker", "marker", "Draw with braille, blocks or letters, for fonts without braille."),
)
"""Keys of the chosen chart; the mouse zooms with its wheel, pans by dragging and pins the cursor by a click."""

ASKED = (
    Key("asked.back", "escape", "back", "back", "Go back; what plays goes on, and says when it is done.", 1),
    Key("asked.again", "r", "again", "ask again", "Play anew, with the newest checkpoint.", 2),
    Key("asked.stop", "s", "stop", "stop", "Stop playing.", 3),
    Key("asked.export", "w", "export", "export", "Write the numbers as CSV, the chart as SVG and PNG.", 4),
)
"""Keys of the returns asked for and achieved; those of a chart work, too."""

NEW = (
    Key("new.start", "enter", "start", "start", "Start the run in the background and open it.", 1),
    Key("new.next", "tab,right,l", "move(1)", "next list", "Go to the next list.", 2),
    Key("new.previous", "shift+tab,left,h", "move(-1)", "list before", "Go to the list before."),
    Key("new.toggle", "space", "mark", "choose", "Lay an ablation over the preset, or take it away.", 3),
    Key("new.search", "slash", "search", "search", "Search in the list; Enter or Esc ends it.", 3),
    Key("new.queue", "w", "queue", "queue", "Let it wait until the device is free, then start.", 2),
    Key("new.seeds", "s", "seeds", "seeds", "Choose the seeds, such as 0-4: one run each, through the queue.", 3),
    Key("new.seed-up", "plus,equals_sign", "seed(1)", "seed +1", "Take the next seed.", 4),
    Key("new.seed-down", "minus", "seed(-1)", "seed -1", "Take the seed before.", 4),
    Key("new.edit", "e", "edit", "edit", "Change any setting.", 5),
    Key("new.reset", "u", "reset", "undo edits", "Forget changed settings."),
    Key("new.copy", "c", "copy", "copy", "Copy the command line that does the same.", 6),
    Key("new.back", "escape", "back", "back", "Go back to the list of runs."),
)

LISTS = (
    Key("list.up", "up,k", "step(-1)", "up", "Go up."),
    Key("list.down", "down,j", "step(1)", "down", "Go down."),
    Key("list.page-up", "pageup", "page(-1)", "page up", "Go up one page."),
    Key("list.page-down", "pagedown", "page(1)", "page down", "Go down one page."),
    Key("list.top", "home,g", "edge(0)", "top", "Go to the first line."),
    Key("list.end", "end,G", "edge(1)", "end", "Go to the last line."),
)
"""Keys of every list and text."""

MATRIX = (
    Key("matrix.open", "enter", "open", "open", "Open the runs of the cell; set up a run for an empty one.", 1),
    Key("matrix.view", "v", "view(1)", "axes", "Span the matrix by other settings: ablation, method, task, share.", 2),
    Key("matrix.next", "right_square_bracket", "page(1)", "next page", "Go to the next task, or share of data.", 2),
    Key("matrix.previous", "left_square_bracket", "page(-1)", "page before", "Go to the task or share before.", 2),
    Key("matrix.other", "m", "other", "other method", "Hold the next method, or the next ablation, of the runs.", 3),
    Key("matrix.train", "t", "train", "train", "Let one more seed of this cell wait in the queue.", 3),
    Key("matrix.everything", "a", "everything", "all rows", "Show every row that could be, or those with runs.", 4),
    Key("matrix.back", "escape", "back", "back", "Go back to the list of runs.", 5),
)

CELLS = (
    Key("cells.up", "up,k", "move(-1, 0)", "up", "Go to the cell above."),
    Key("cells.down", "down,j", "move(1, 0)", "down", "Go to the cell below."),
    Key("cells.left", "left,h", "move(0, -1)", "left", "Go to the cell to the left."),
    Key("cells.right", "right,l", "move(0, 1)", "right", "Go to the cell to the right."),
)
"""Keys of a heat map; the mouse chooses a cell by a click and opens it by another."""

DATA = (
    Key("data.train", "enter,n", "train", "train", "Set up a run on the set under the cursor.", 1),
    Key("data.back", "escape", "back", "back", "Go back to the list of runs.", 2),
)

REPLAY = (
    Key("replay.play", "space", "play", "play", "Play or pause; fires while you play yourself.", 1),
    Key("replay.pause", "p", "pause", "pause", "Play or pause, also while you play yourself."),
    Key("replay.step-back", "comma", "step(-1)", "back", "Go one decision back."),
    Key("replay.step", "full_stop", "step(1)", "step", "Go one decision on; at the end the policy makes a new one.", 3),
    Key("replay.left", "left", "arrow('left')", "scrub", "Go ten decisions back; steers while you play yourself.", 4),
    Key("replay.right", "right", "arrow('right')", "scrub", "Go ten decisions on, as far as was played; or steer."),
    Key("replay.far-left", "shift+left", "scrub(-100)", "far back", "Go a hundred decisions back."),
    Key("replay.far-right", "shift+right", "scrub(100)", "far on", "Go a hundred decisions on."),
    Key("replay.begin", "home", "edge(0)", "begin", "Go to the beginning."),
    Key("replay.end", "end", "edge(1)", "end", "Go to the end of what was played."),
    Key("replay.slower", "left_square_bracket", "speed(-1)", "slower", "Play slower."),
    Key("replay.faster", "right_square_bracket", "speed(1)", "faster", "Play faster."),
    Key("replay.next-reward", "n", "event('reward', 1)", "reward", "Go to the next reward.", 5),
    Key("replay.previous-reward", "N", "event('reward', -1)", "reward before", "Go to the reward before."),
    Key("replay.next-loss", "m", "event('loss', 1)", "lost life", "Go to the next lost life."),
    Key("replay.previous-loss", "M", "event('loss', -1)", "loss before", "Go to the lost life before."),
    Key("replay.target", "t", "target", "target", "Ask for another return from here on, also while it plays.", 2),
    Key("replay.more", "up", "arrow('up')", "ask more", "Ask for a little more; steers while you play yourself."),
    Key("replay.less", "down", "arrow('down')", "ask less", "Ask for a little less; steers while you play yourself."),
    Key("replay.outlook", "v", "outlook", "value", "Draw the value that the policy expects, or the return so far.", 5),
    Key("replay.next-layer", "a", "look('layer', 1)", "layer", "Show the attention of the next layer, or of all.", 6),
    Key("replay.previous-layer", "A", "look('layer', -1)", "layer before", "Show the attention of the layer before."),
    Key("replay.next-head", "h", "look('head', 1)", "head", "Show the attention of the next head, or of all."),
    Key("replay.previous-head", "H", "look('head', -1)", "head before", "Show the attention of the head before."),
    Key("replay.branch", "b", "branch", "branch", "Leave the track here: what follows is decided anew.", 3),
    Key("replay.undo", "u", "swap", "undo branch", "Go back to the track before the branch, and again."),
    Key("replay.control", "c", "control", "control", "Take the controls, or hand them back.", 2),
    Key("replay.beside", "o", "beside", "beside", "Play another checkpoint beside it, same seed; again closes it.", 5),
    Key("replay.side", "tab", "side", "other side", "Choose the other of two episodes, to steer and to save."),
    Key("replay.save", "s", "save", "save", "Keep the episode as GIF, MP4, asciicast or replay file.", 4),
    Key("replay.list", "l", "sources", "list", "List what can be played: checkpoints and recorded episodes.", 4),
    Key("replay.next-seed", "r", "reseed(1)", "next seed", "Play another episode: the next seed.", 6),
    Key("replay.previous-seed", "R", "reseed(-1)", "seed before", "Play the episode of the seed before."),
    Key("replay.full", "f", "full", "full", "Show the frame alone, or everything.", 6),
    Key("replay.pixels", "g", "pixels", "pixels", "Draw with real pixels or half blocks, where the terminal can."),
    Key("replay.back", "escape", "back", "back", "Leave the full frame, hand back, or go back to the run.", 7),
)
"""Keys of an episode; the mouse puts the playhead on a place of the timeline."""

SETTINGS = (
    Key(
        "settings.take",
        "enter",
        "take",
        "choose",
        "Choose the theme or characters under the cursor, or another key.",
        1,
    ),
    Key("settings.next", "tab,right,l", "move(1)", "list", "Go to the next list.", 2),
    Key("settings.previous", "shift+tab,left,h", "move(-1)", "list before", "Go to the list before."),
    Key("settings.search", "slash", "search", "filter", "Show the keys that fit words: a name, a screen, a key.", 3),
    Key("settings.add", "a", "add", "one more", "Give the action one more key.", 4),
    Key("settings.default", "backspace,delete", "default", "default", "Go back to the default.", 2),
    Key("settings.back", "escape", "back", "back", "Give the old theme back, clear the filter, or leave.", 1),
)

HELP = (
    Key("help.back", "escape", "back", "back", "Go back.", 1),
    Key("help.names", "i", "names", "names", "Show the names to move keys by, or what keys do.", 2),
)

PLACES: Mapping[str, tuple[str, tuple[Key, ...]]] = {
    "app": ("Everywhere", APP),
    "list": ("In lists and texts", LISTS),
    "runs": ("Runs", RUNS),
    "run": ("Run", RUN),
    "chart": ("In a chart", CHART),
    "asked": ("Asked and achieved", ASKED),
    "new": ("New run", NEW),
    "data": ("Data", DATA),
    "matrix": ("Matrix", MATRIX),
    "cells": ("In a matrix", CELLS),
    "replay": ("Replay", REPLAY),
    "settings": ("Settings", SETTINGS),
    "help": ("Help", HELP),
}
"""Place to its title and keys."""

PARTS: Mapping[str, tuple[str, ...]] = {
    "runs": ("list", "chart"),
    "run": ("list", "chart"),
    "asked": ("chart",),
    "new": ("list",),
    "data": ("list",),
    "matrix": ("cells",),
    "replay": (),
    "settings": ("list",),
    "help": ("list",),
}
"""Screen to those places in it that have keys of their own."""
