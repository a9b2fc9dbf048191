"""Publication of a run's policy on the Hugging Face hub: checkpoint, facts, card and a film."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lamo_core.errors import LamoError, MissingError, UsageError
from lamo_core.evaluation.recorder import check_video, write_video
from lamo_core.evaluation.replay_file import load_replay
from lamo_core.exchange.policy_card import policy_card
from lamo_core.exchange.policy_repository import (
    CARD,
    CHECKPOINT,
    FACTS,
    FILM,
    FORMAT,
    VERSION,
    check_facts,
    parse_repository,
    quiet_hub,
)
from lamo_core.network import NO_NETWORK, hub_problem
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.reader import read_events
from lamo_core.runs.records import plain
from lamo_core.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from lamo_core.version import __version__

_SCORE = ("target", "episodes", "mean", "low", "high", "normalised", "length_mean", "context", "action")


@dataclass(frozen=True)
class Pushed:
    """What was published."""

    repository: str
    url: str
    files: tuple[str, ...]
    note: str
    """What was left out, and why; empty where nothing was."""


def push_run(run: RunDirectory, repository: str, *, private: bool = False, film: bool = True) -> Pushed:
    """Publish a run's best policy, or its newest where none is best, in a repository of the hub.

    Raises `UsageError` (no checkpoint, no name of a repository, a language model that is a folder here), `MissingError`
    (no network, not logged in) or `LamoError` (the hub refused).
    """
    named = parse_repository(repository)
    if named is None or named[1] is not None:
        raise UsageError(f"{repository!r} is no repository of the hub; they are such as OWNER/NAME")
    checkpoint = _checkpoint(run)
    if _is_folder(checkpoint.backbone_name.removeprefix("random:")):
        raise UsageError(
            f"the language model of run {run.id} is a folder here, which nobody else has; write a policy that "
            f"plays anywhere with: lamo export {run.id} --out FOLDER"
        )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        note = write_repository(run, checkpoint, folder, named[0], film=film)
        url = _upload(folder, named[0], private=private)
        return Pushed(named[0], url, tuple(sorted(file.name for file in folder.iterdir())), note)


def write_repository(run: RunDirectory, checkpoint: Checkpoint, folder: Path, repository: str, *, film: bool) -> str:
    """Write the files of a repository into an empty folder; returns why a film is not among them, if it is not."""
    write_checkpoint(folder / CHECKPOINT, replace(checkpoint, training=None))
    facts = check_facts(_facts(run, checkpoint, (folder / CHECKPOINT).read_bytes()))
    (folder / FACTS).write_text(json.dumps(plain(facts), indent=1, allow_nan=False) + "\n")
    note = _film(run, folder / FILM) if film else "no film was asked for"
    (folder / CARD).write_text(policy_card(facts, repository, film=not note))
    return note


def _is_folder(backbone: str) -> bool:
    return backbone.startswith((".", "/", "~")) or Path(backbone).is_dir()


def _checkpoint(run: RunDirectory) -> Checkpoint:
    for path in (run.best_checkpoint, run.last_checkpoint):
        if path.is_file():
            return read_checkpoint(path)
    raise UsageError(f"run {run.id} has no checkpoint; take another run of `lamo runs`")


def _facts(run: RunDirectory, checkpoint: Checkpoint, content: bytes) -> dict[str, Any]:
    info, config = run.read_info(), checkpoint.config
    return {
        "format": FORMAT,
        "version": VERSION,
        "made_by": f"lamo {__version__}",
        "run": run.id,
        "task": config.task.name,
        "method": config.method,
        "step": checkpoint.step,
        "backbone": {"name": checkpoint.backbone_name, "hash": checkpoint.backbone_hash},
        "data": checkpoint.data,
        "config": config.to_dict(),
        "command": ["lamo", *map(str, (info.get("argv") or ["lamo"])[1:])],
        "versions": info.get("versions") or {},
        "scores": _scores(run, checkpoint.step),
        "checkpoint_sha256": hashlib.sha256(content).hexdigest(),
    }


def _scores(run: RunDirectory, step: int) -> list[dict[str, Any]]:
    """Return the scores of the newest evaluation of these very weights, one for each target."""
    found: list[Any] = []
    for event in read_events(run.events_file):
        if event.get("event") == "EvalDone" and event.get("step") == step and isinstance(event.get("scores"), list):
            found = event["scores"]
    return [{name: score.get(name) for name in _SCORE} for score in found if isinstance(score, Mapping)]


def _film(run: RunDirectory, path: Path) -> str:
    """Film the newest recorded episode; returns why that is not possible, if it is not."""
    replays = sorted(run.replays.glob("*.npz"))
    if not replays:
        return "no film: the run has no recorded episode"
    try:
        check_video(path)
        replay = load_replay(replays[-1])
        write_video(path, replay.episode, replay.task)
    except LamoError as error:
        path.unlink(missing_ok=True)
        return f"no film: {error}"
    return ""


def _upload(folder: Path, repository: str, *, private: bool) -> str:
    from huggingface_hub import HfApi

    problem = hub_problem()
    if problem:
        raise MissingError(f"could not push to {repository}: {problem}; {NO_NETWORK}")
    try:
        with quiet_hub():
            api = HfApi(library_name="lamo", library_version=__version__)
            api.create_repo(repository, private=private, exist_ok=True)
            api.upload_folder(repo_id=repository, folder_path=folder, commit_message="Push a policy of lamo")
    except Exception as error:  # the hub's client raises errors of several libraries
        raise _refused(repository, error) from error
    return f"{api.endpoint}/{repository}"


def _refused(repository: str, error: Exception) -> LamoError:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403) or type(error).__name__ == "LocalTokenNotFoundError":
        return MissingError(f"the hub does not let you write to {repository}; log in with: hf auth login")
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return LamoError(f"could not push to {repository}: {lines[0][:200]}; try again later")
