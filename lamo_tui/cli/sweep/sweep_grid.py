"""The grid that the options of `lamo sweep` describe: of a new sweep, or what is added to one that exists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import typer

from lamo_core.errors import UsageError
from lamo_core.seeds import parse_seeds
from lamo_core.sweep.grid import Grid, fits, parse_tasks, widened
from lamo_core.sweep.named_grids import named_grid
from lamo_tui.cli.output import console

_AXES = ("tasks", "ratios", "methods", "ablations", "seeds")
_FIXED = {
    "setting": "--set",
    "named": "--grid",
    "vary": "--vary",
    "variant": "--variant",
    "ablate_all": "--ablate-all",
    "device": "--device",
}


@dataclass(frozen=True)
class GridOptions:
    """The options of `lamo sweep` that say what to run, as they were typed."""

    tasks: str | None
    ratios: str | None
    methods: str
    ablations: str
    seeds: str
    settings: tuple[str, ...]
    varied: tuple[str, ...]
    variant: str
    device: str
    ablate_all: bool
    named: str | None = None
    """A grid of `named_grids`, whose methods and ablations those are."""

    def grid(self) -> Grid:
        """Return the grid of a new sweep; raises `UsageError`."""
        if self.tasks is None:
            raise UsageError("say what to run: lamo sweep --tasks breakout,hopper --ratios 1% (or --resume NAME)")
        found = parse_tasks(self.tasks, self.ratios, self.variant)
        seeds, methods, ablations = _seeds(self.seeds), _names(self.methods), _names(self.ablations)
        if self.named is not None:
            named = named_grid(self.named)
            methods, ablations = named.methods, named.ablations
        made = Grid(
            found,
            methods,
            ablations,
            seeds,
            self.variant,
            self.settings,
            self.device,
            varied=self.varied,
            ablate_all=self.ablate_all,
        )
        _tell_unfit(made)
        return made

    def wider(self, grid: Grid, given: set[str]) -> Grid:
        """Return a sweep's grid with what the options that were `given` add to it; raises `UsageError`."""
        fixed = [flag for name, flag in _FIXED.items() if name in given]
        if fixed:
            raise UsageError(f"a sweep keeps its {fixed[0]}; plan another one, which skips what is done already")
        more: dict[str, Any] = {}
        if "ratios" in given and "tasks" not in given:
            more["tasks"] = parse_tasks(",".join(task for task, _ in grid.tasks), self.ratios, grid.variant)
        elif self.tasks is not None:
            more["tasks"] = parse_tasks(self.tasks, self.ratios, grid.variant)
        parsed = {"methods": _names(self.methods), "ablations": _names(self.ablations)}
        more |= {name: values for name, values in parsed.items() if name in given}
        if "seeds" in given:
            more["seeds"] = _seeds(self.seeds)
        made = widened(grid, more)
        _tell_unfit(made)
        return made


def given_options(context: typer.Context) -> set[str]:
    """Return the names of the grid's options that were typed."""
    # by name, as typer brings a click of its own or takes the installed one
    found = {name: context.get_parameter_source(name) for name in (*_AXES, *_FIXED)}
    return {name for name, source in found.items() if source is not None and source.name == "COMMANDLINE"}


def _tell_unfit(grid: Grid) -> None:
    for method in grid.methods:
        unfit = [task for task, _ in grid.tasks if not fits(task, method)]
        if unfit:
            console().print(f"left out: {method} cannot choose the actions of {', '.join(unfit)}", markup=False)


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(",")))


def _seeds(text: str) -> tuple[int, ...]:
    return parse_seeds(f"0-{int(text) - 1}" if text.isdecimal() and int(text) > 0 else text)
