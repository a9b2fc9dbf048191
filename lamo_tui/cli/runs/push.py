"""`lamo push`: a policy on the Hugging Face hub."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from lamo_core.runs.directory import find_run
from lamo_tui.cli.output import emit_json, note, say
from lamo_tui.cli.runs.steering import JsonOption, RunArgument

PUSH_EPILOG = "Examples:  lamo push last OWNER/hopper-lamo --private   ·   lamo push k3f9 OWNER/breakout --json"


def push(
    run: RunArgument,
    repository: Annotated[str, typer.Argument(metavar="REPO", help="OWNER/NAME on the hub; made if it is missing.")],
    private: Annotated[bool, typer.Option("--private", help="Make a new repository that only you see.")] = False,
    film: Annotated[bool, typer.Option("--film/--no-film", help="Add a film of the newest recorded episode.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Publish a run's best policy with its settings, scores and a card.

    Whoever has lamo then plays it with `lamo eval REPO`.
    """
    found = find_run(run)

    from lamo_core.exchange.push import push_run

    done = push_run(found, repository, private=private, film=film)
    if as_json:
        emit_json(asdict(done))
        return
    say(f"{done.url}  {', '.join(done.files)}")
    if done.note:
        note(done.note)
