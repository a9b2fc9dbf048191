"""Commands to a run as files in its `control` folder: they work across sessions, users and machines.

A command is written under a temporary name and renamed, so the run sees it whole or not at all; the run
deletes it once it is taken. Repeating a command changes nothing: pausing a paused run leaves it paused.
"""

from __future__ import annotations

import getpass
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, get_args

from lamo_core.config import RunConfig, parse_setting, unknown_key
from lamo_core.errors import LamoError, UsageError
from lamo_core.files import replace_file
from lamo_core.runs.directory import ELSEWHERE, MOST_BYTES, RunDirectory, require_no_links, storage_error
from lamo_core.runs.queue.entry import this_host
from lamo_core.runs.records import decode, encode
from lamo_core.training.events import Changed, Event, Note
from lamo_core.untrusted.regular_file import read_regular

CommandName = Literal["pause", "resume", "stop", "checkpoint", "eval", "set"]
COMMANDS: tuple[str, ...] = get_args(CommandName)

SETTINGS: tuple[str, ...] = (
    "eval.every",
    "eval.episodes",
    "eval.final_episodes",
    "checkpoint.every",
    "checkpoint.keep",
    "language.weight",
    "optim.clip",
)
"""Settings that may change while a run goes on; everything else would make it another run."""

_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Command:
    """Something that a run is asked to do."""

    name: CommandName
    setting: str = ""
    """For `set`: the dotted name of a setting."""
    value: str = ""
    """For `set`: its new value as text."""
    sender: str = ""
    """`user@host` of whoever sent it."""
    free: bool = False
    """For `pause`: whether the run is to give its device back meanwhile."""


def send(run: RunDirectory, name: CommandName, setting: str = "", value: str = "", *, free: bool = False) -> Command:
    """Leave a command for a run; raises `UsageError` for a bad setting, or `StorageError`."""
    require_no_links(run)
    command = Command(name, setting, value, sender=f"{_user()}@{this_host()}", free=free)
    if name == "set":
        changed_config(run.read_config(), setting, value)
    target = run.control / f"{time.time_ns():020d}-{secrets.token_hex(3)}.json"
    try:
        run.control.mkdir(exist_ok=True)
    except OSError as error:
        raise storage_error(target, error) from error
    replace_file(target, lambda file: file.write((encode(command) + "\n").encode()), ELSEWHERE)
    return command


def changed_config(config: RunConfig, setting: str, value: str) -> RunConfig:
    """Return the config with one setting changed; raises `UsageError` where training cannot."""
    if setting not in SETTINGS:
        raise unknown_key(setting, list(SETTINGS), "setting that can change while training,")
    if setting == "language.weight" and config.language.weight == 0:
        raise UsageError("language.weight cannot change in a run that began without a language loss; start a new run")
    values = config.to_dict()
    group, leaf = setting.split(".")
    values[group][leaf] = parse_setting(setting, value)
    changed = RunConfig.from_dict(values)
    if setting == "language.weight" and changed.language.weight == 0:
        raise UsageError("language.weight must stay above 0 while training; start a new run without the loss")
    return changed


class ControlInbox:
    """The run's end of its control folder."""

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock
        self._looked = -float("inf")
        self._stuck: set[str] = set()
        """What could not be deleted, such as a folder: told of once, then passed over."""

    def poll(self) -> list[Command | str]:
        """Take the commands that have come, oldest first; a string says what was found instead of a command.

        Looks into the folder at most every 100 ms, and costs nothing in between.
        """
        now = self._clock()
        if now - self._looked < _POLL_SECONDS:
            return []
        self._looked = now
        return [self._take(self._folder / name) for name in self._names()]

    def discard(self) -> int:
        """Delete what has come so far, such as a stop meant for an earlier process; returns how many."""
        names = self._names()
        for name in names:
            self._remove(self._folder / name)
        return len(names)

    def _names(self) -> list[str]:
        if os.path.islink(self._folder):  # what lies elsewhere is none of ours to take and delete
            return []
        try:
            names = [name for name in os.listdir(self._folder) if name.endswith(".json")]
        except OSError:
            return []
        return sorted(set(names) - self._stuck)

    def _take(self, path: Path) -> Command | str:
        try:
            values = decode(read_regular(path, MOST_BYTES)) or {}
        except OSError:
            values = {}
        self._remove(path)
        texts = {key: value for key, value in values.items() if isinstance(value, str)}
        name = texts.get("name")
        if name not in COMMANDS:
            return f"ignored {path.name} in the control folder: it holds none of {', '.join(COMMANDS)}"
        command: CommandName = name  # type: ignore[assignment]
        told = (texts.get("setting", ""), texts.get("value", ""), texts.get("sender", ""))
        return Command(command, *told, free=values.get("free") is True)

    def _remove(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError:
            self._stuck.add(path.name)


def _stop_reason(command: Command) -> str:
    return command.sender or "an unknown sender"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no name for this user id
        return str(os.getuid()) if hasattr(os, "getuid") else "unknown"


class Wishes(Protocol):
    """What the training loop is asked for; it reads them between two steps."""

    stop: str | None
    checkpoint: bool
    evaluate: bool


class Adjustable(Protocol):
    """What a `set` command changes: a training session."""

    config: RunConfig
    step: int


@dataclass
class Interrupts:
    """What signals have asked for; set by a handler, read by `RunControls`."""

    stop: str | None = None
    """The signal's name, such as `SIGINT`."""
    checkpoint: bool = False


@dataclass
class RunControls:
    """Joins control folder and signals: the loop's driver polls it, also within evaluations and pauses."""

    inbox: ControlInbox
    interrupts: Interrupts
    tell: Callable[[Event], None]
    """Gets a `Changed` or `Note` for what commands did."""
    heartbeat: Callable[[], None] = field(default=lambda: None)
    """Called at every poll, so that a paused run still shows that it lives."""
    clock: Callable[[], float] = time.time
    paused: bool = False
    free: bool = False
    """Whether the pause is to give the device back; whoever does so takes it away."""
    held: list[Command | str] = field(default_factory=list)
    """What came while there was no session to obey; it is taken at the first `poll`."""

    def stop_asked(self) -> bool:
        """Return whether to stop, while there is no session yet; other commands are kept for the first `poll`."""
        for command in self.inbox.poll():
            if isinstance(command, Command) and command.name == "stop":
                self.interrupts.stop = self.interrupts.stop or _stop_reason(command)
            else:
                self.held.append(command)
        return self.interrupts.stop is not None

    def poll(self, requests: Wishes, session: Adjustable) -> None:
        """Put new commands into `requests`, change settings of `session`, and set `paused` and `free`."""
        self.heartbeat()
        if self.interrupts.stop and not requests.stop:
            requests.stop = self.interrupts.stop
        if self.interrupts.checkpoint:
            self.interrupts.checkpoint, requests.checkpoint = False, True
        came, self.held = [*self.held, *self.inbox.poll()], []
        for command in came:
            if isinstance(command, str):
                self._note(session, command)
            else:
                self._obey(command, requests, session)

    def _obey(self, command: Command, requests: Wishes, session: Adjustable) -> None:
        match command.name:
            case "pause":
                self.paused, self.free = True, self.free or command.free
            case "resume":
                self.paused = self.free = False
            case "stop":
                requests.stop = requests.stop or _stop_reason(command)
            case "checkpoint":
                requests.checkpoint = True
            case "eval":
                requests.evaluate = True
            case "set":
                self._set(command, session)

    def _set(self, command: Command, session: Adjustable) -> None:
        try:
            session.config = changed_config(session.config, command.setting, command.value)
        except LamoError as error:
            self._note(session, f"ignored a set command of {command.sender}: {error}")
            return
        value = float(command.value.replace("_", ""))
        self.tell(Changed(session.step, self.clock(), name=command.setting, value=value))

    def _note(self, session: Adjustable, text: str) -> None:
        self.tell(Note(session.step, self.clock(), text=text))
