"""Set up runs: pick task, share of data, method, ablations, seeds and device, and see at once what that means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rich.text import Text
from textual import events, work
from textual.app import ComposeResult
from textual.containers import Horizontal

from lamo_core.config import RunConfig, field_names
from lamo_core.engine.run_spec import METHOD
from lamo_core.errors import LamoError
from lamo_core.runs.compare import flatten
from lamo_core.seeds import parse_seeds, shown_seeds
from lamo_core.settings.preset_parts import PLAIN, all_presets
from lamo_core.settings.presets import preset_names
from lamo_core.wording import counted
from lamo_tui.dashboard import new_run_model, obstacles, run_actions
from lamo_tui.dashboard.new_run_model import DataFacts, NewRuns
from lamo_tui.keys.bindings import bindings_of
from lamo_tui.screens.base import LamoScreen
from lamo_tui.screens.dialogs import Entry
from lamo_tui.screens.new_run import run_plan
from lamo_tui.screens.picker import Option, Picker
from lamo_tui.screens.rows import Rows
from lamo_tui.screens.settings.settings_list import SettingsList
from lamo_tui.state.snapshot import Snapshot
from lamo_tui.text import percent
from lamo_tui.widgets.words import Static, entitle

_ORDER = ("task", "ratio", "method", "ablation", "variant", "device")
_CRAMPED = 80
"""Columns below which not all lists can be read at once."""
_TITLES = {"ratio": "data", "ablation": "ablations"}


class NewRunScreen(LamoScreen):
    """The lists, and what follows from them."""

    PLACE = "new"
    BINDINGS = bindings_of("new")
    AUTO_FOCUS = "#task PickerRows"

    def __init__(self) -> None:
        super().__init__()
        self.choice = NewRuns()
        self.facts: DataFacts | None = None
        self.problem = ""
        self._facts_of: tuple[object, ...] = ()
        self._known: tuple[object, ...] = ()
        self._offered = self.choice.parts.task
        self._judged: tuple[object, ...] = ()

    def compose_body(self) -> ComposeResult:
        """The lists in a row, the outcome below."""
        with Horizontal(id="pickers"):
            for name in _ORDER:
                yield Picker(
                    _TITLES.get(name, name),
                    [Option(key, title) for key, title in _options(name)],
                    multiple=name == "ablation",
                    id=name,
                )
        with Horizontal(id="outcome"):
            yield Static(id="plan", classes="panel")
            yield Static(id="data", classes="panel")

    def on_mount(self) -> None:
        """Start from the smallest sensible choice."""
        entitle(self.query_one("#plan"), "this run")
        entitle(self.query_one("#data"), "data")
        self._draw_pickers()
        self._show_choice()

    def choose(self, choice: NewRuns) -> None:
        """Take over a choice that was made elsewhere."""
        self.pickers["ablation"].marked = list(choice.spec.ablations)
        self._take(choice)
        self._draw_pickers()

    @property
    def pickers(self) -> dict[str, Picker]:
        """The lists by name."""
        return {name: self.query_one(f"#{name}", Picker) for name in _ORDER}

    def _draw_pickers(self) -> None:
        pickers, choice = self.pickers, self.choice
        values = {"task": choice.parts.task, "ratio": repr(choice.ratio), "method": choice.method}
        values |= {"variant": choice.parts.variant, "device": choice.spec.device or new_run_model.DEVICES[0]}
        for name, picker in pickers.items():
            picker.draw(self.colours)
            if name in values and values[name] != picker.chosen:
                picker.choose(values[name])

    def _offer_ratios(self) -> None:
        """Offer the shares of data that fit the task; they stay in view while the task does."""
        picker, choice = self.pickers["ratio"], self.choice
        if self._offered != choice.parts.task or repr(choice.ratio) not in {option.key for option in picker.options}:
            self._offered = choice.parts.task
            picker.options = tuple(Option(key, title) for key, title in _ratio_options(choice))
            picker.draw(self.colours)

    def recolour(self) -> None:
        """Draw again in other colours."""
        self._draw_pickers()
        self._show_choice()

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """The estimate may know more when runs came or ended."""
        known = tuple((run.id, run.state) for run in snapshot.runs)
        if known != self._known:
            self._known = known
            self._show_choice()

    def on_picker_picked(self, message: Picker.Picked) -> None:
        """Take over what was picked."""
        pickers = self.pickers
        self._take(
            self.choice.picking(
                pickers["task"].chosen,
                float(pickers["ratio"].chosen),
                variant=pickers["variant"].chosen,
                method=pickers["method"].chosen,
                device=pickers["device"].chosen,
                ablations=tuple(pickers["ablation"].marked),
            )
        )

    def _take(self, choice: NewRuns) -> None:
        if choice != self.choice:
            self.choice = choice
            self._offer_ratios()
            self._show_choice()

    def _show_choice(self) -> None:
        plan, data = self.query_one("#plan", Static), self.query_one("#data", Static)
        try:
            config = self.choice.resolve().config
        except LamoError as error:
            self.problem = str(error)
            plan.update(Text(self.problem, self.colours.bad))
            data.update("")
            return
        if self._facts_of and self._facts_of[0] != (config.data, config.seed):
            self.facts, self.problem = None, ""
        self._draw_outcome(config)
        self._judge()
        if not self._facts_of or self._facts_of[0] != (config.data, config.seed):
            self._facts_of = ((config.data, config.seed),)
            self._look_up(config)

    def _draw_outcome(self, config: RunConfig) -> None:
        plan, data = self.query_one("#plan", Static), self.query_one("#data", Static)
        width, height = plan.content_size
        runs = self.lamo.snapshot.runs
        lacks = obstacles.obstacle(self.choice)
        drawn = run_plan.obstacle_text(lacks, self._explained(), self.colours)
        height -= len(drawn.wrap(self.app.console, max(24, width))) if drawn else 0
        told = run_plan.plan_text(self.choice, config, self.facts, runs, max(24, width), height, self.colours)
        plan.update(drawn.append_text(told))
        width, height = data.content_size
        data.update(run_plan.data_text(config, self.facts, self.problem, max(24, width), height, self.colours))

    def _explained(self) -> tuple[str, str]:
        """Return the ablation under the cursor, while the keys are there, and what it does."""
        picker = self.pickers["ablation"]
        if not picker.rows.has_focus or picker.rows.key is None:
            return "", ""
        name = picker.rows.key
        lacks = f"; {picker.lacking[name]}" if name in picker.lacking else ""
        return name, f"{new_run_model.description_of(name, 'ablations')}{lacks}"

    def on_rows_moved(self, message: Rows.Moved) -> None:
        """Explain the ablation that the cursor went to."""
        if message.rows is self.pickers["ablation"].rows:
            self._show_choice()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Explain the line under the cursor when the keys go to the ablations, and no more when they leave."""
        self._show_choice()

    def _judge(self) -> None:
        """Find out which options lack something here, for another choice than before."""
        choice = self.choice
        of = (choice.parts, choice.method)
        if of != self._judged:
            self._judged = of
            self._find_lacking(choice, {name: [option.key for option in p.options] for name, p in self.pickers.items()})

    @work(thread=True, exclusive=True, group="lacking", exit_on_error=False)
    def _find_lacking(self, choice: NewRuns, options: Mapping[str, Sequence[str]]) -> None:
        """Find out what options lack; some tenths of a second."""
        found = {name: obstacles.option_obstacles(choice, name, keys) for name, keys in options.items()}
        self.app.call_from_thread(self._mark_lacking, choice, found)

    def _mark_lacking(self, choice: NewRuns, found: Mapping[str, Mapping[str, str]]) -> None:
        if self._judged == (choice.parts, choice.method):
            for name, picker in self.pickers.items():
                if picker.lacking != found[name]:
                    picker.lacking = found[name]
                    picker.draw(self.colours)

    def on_resize(self, event: events.Resize) -> None:
        """Draw in the new size, once the panels have theirs."""
        self.set_class(event.size.width < _CRAMPED, "-cramped")
        self.call_after_refresh(self._show_choice)

    @work(thread=True, exclusive=True, group="facts", exit_on_error=False)
    def _look_up(self, config: RunConfig) -> None:
        """Find out what the share holds; reading a data set takes a moment."""
        try:
            facts, problem = new_run_model.data_facts(config.data, config.seed), ""
        except LamoError as error:
            facts, problem = None, str(error)
        self.app.call_from_thread(self._know, config, facts, problem)

    def _know(self, config: RunConfig, facts: DataFacts | None, problem: str) -> None:
        if self._facts_of == ((config.data, config.seed),):
            self.facts, self.problem = facts, problem
            self._show_choice()

    # what keys do

    def action_move(self, by: int) -> None:
        """Go to another list."""
        names = list(_ORDER)
        focused = next((name for name, picker in self.pickers.items() if picker.rows.has_focus), names[0])
        self.pickers[names[(names.index(focused) + by) % len(names)]].rows.focus()

    def action_mark(self) -> None:
        """Mark an ablation."""
        for picker in self.pickers.values():
            if picker.rows.has_focus:
                picker.toggle()

    def action_search(self) -> None:
        """Search in the list that has the keys."""
        for picker in self.pickers.values():
            if picker.rows.has_focus:
                picker.begin_search()

    def action_seed(self, by: int) -> None:
        """Take the next seeds, as many as there are."""
        by = max(by, -self.choice.seeds[0])
        self._take(replace(self.choice, seeds=tuple(seed + by for seed in self.choice.seeds)))

    def action_seeds(self) -> None:
        """Type which seeds are run."""

        def entered(text: str | None) -> None:
            if text is not None:
                self._take(replace(self.choice, seeds=parse_seeds(text)))

        hint = "one run each, such as 3 or 0-4; several wait for each other in the queue"
        self.app.push_screen(Entry("seeds", shown_seeds(self.choice.seeds), parse_seeds, hint), entered)

    def action_edit(self) -> None:
        """Choose a setting and give it another value."""
        try:
            values = flatten(self.choice.resolve().config.to_dict())
        except LamoError as error:
            self.notify(str(error), severity="error")
            return
        self.app.push_screen(SettingsList({name: values[name] for name in field_names()}), self._edit_value)

    def _edit_value(self, name: str | None) -> None:
        if name is None:
            return

        def entered(text: str | None) -> None:
            if text is not None:
                self._take(self.choice.with_edit(name, text))

        value = flatten(self.choice.resolve().config.to_dict())[name]
        shown = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        self.app.push_screen(Entry(name, shown, lambda text: self.choice.with_edit(name, text)), entered)

    def action_reset(self) -> None:
        """Forget edits."""
        self._take(replace(self.choice, spec=replace(self.choice.spec, settings=())))

    def action_copy(self) -> None:
        """Copy the command line."""
        try:
            self.app.copy_to_clipboard(self.choice.command())
        except LamoError as error:
            self.notify(str(error), severity="error")
            return
        self.notify("copied the command line")

    def action_start(self) -> None:
        """Start the run and open it; several seeds go through the queue."""
        self.lamo.try_to(self._start if len(self.choice.seeds) == 1 else self._queue)

    def action_queue(self) -> None:
        """Let the runs wait until their device is free."""
        self.lamo.try_to(self._queue)

    def _start(self) -> str:
        run = run_actions.start(self.lamo.root, *self.choice.runs())
        self.lamo.open_run(run.id)
        return f"started {run.id}"

    def _queue(self) -> str:
        runs = run_actions.wait_in_queue(self.lamo.root, self.choice.runs())
        self.lamo.action_mode("runs")
        several = f"{counted(len(runs), 'run')} wait for their device"
        return several if len(runs) > 1 else f"{runs[0].id} waits for its device"

    def action_back(self) -> None:
        """Go back to the list of runs."""
        self.lamo.action_mode("runs")


def _options(name: str) -> list[tuple[str, str]]:
    """Return key and title of the options of a list."""
    parts = all_presets()
    if name == "task":
        tasks = dict.fromkeys(part.task for part in parts)
        return [(task, task.removeprefix("atari-").removeprefix("mujoco-")) for task in tasks]
    if name == "variant":
        found = dict.fromkeys(part.variant for part in parts)
        return [(variant, variant) for variant in sorted(found, key=lambda variant: variant != PLAIN)]
    if name == "ratio":
        return _ratio_options(NewRuns())
    if name == "method":
        methods = sorted(preset_names("methods"), key=lambda method: (method != METHOD, method))
        return [(method, method) for method in methods]
    if name == "device":
        return [(device, device) for device in new_run_model.DEVICES]
    return [(ablation, ablation) for ablation in preset_names("ablations")]


def _ratio_options(choice: NewRuns) -> list[tuple[str, str]]:
    return [(repr(ratio), percent(ratio)) for ratio in choice.ratios]
