"""The run directory: its files, and how one is found."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lamo_core.config import RunConfig
from lamo_core.errors import StorageError, UsageError
from lamo_core.places import runs_dir
from lamo_core.runs.records import decode, number
from lamo_core.settings.strict import hint_of, ranges, words_and
from lamo_core.untrusted.plain_text import is_utf8, shown
from lamo_core.untrusted.regular_file import RUN_FILE, links_in, read_regular
from lamo_core.wording import counted

SCHEMA = 1
"""Version of the layout; readers tolerate unknown keys, so it rises only when old keys change."""

STATUS_FILE = "status.json"
ELSEWHERE = "LAMO_RUNS=FOLDER"
REMOVED = ".removed-"
"""What the name of a run begins with while it is deleted."""
MOST_BYTES = 4 << 20
"""Of a JSON file that is read as a whole; ours have some thousand."""
_KINDS: dict[str, type] = {"origins": dict, "versions": dict, "machine": dict, "argv": list}
"""What run.json holds under names that readers look into."""
_NUMBERS = frozenset(name for name in ranges(RunConfig) if hint_of(RunConfig, name) in (int, float))
_WORDS = {name: frozenset(words_and(hint_of(RunConfig, name))[0]) for name in ranges(RunConfig)}
"""What settings of numbers may say instead of one, such as `auto`."""
_EXACT = 2**53
_PLAIN = frozenset({type(None), str, bool, list})
_TEXTS = frozenset({"name", "method", "device", "task.name", "data.set", "data.source", "model.backbone"})


@dataclass(frozen=True)
class RunDirectory:
    """The paths of one run."""

    path: Path

    @cached_property
    def id(self) -> str:
        """The folder's name, which is unique and sorts by creation time."""
        return self.path.name

    @property
    def run_file(self) -> Path:
        """What the run is; never changes."""
        return self.path / RUN_FILE

    @property
    def status_file(self) -> Path:
        """How the run is doing; replaced as a whole."""
        return self.path / STATUS_FILE

    @property
    def launch_file(self) -> Path:
        """The detached process that was started for this run, written before it takes over."""
        return self.path / "launch.json"

    @property
    def queue_file(self) -> Path:
        """That the run waits for a device; gone once its process is started."""
        return self.path / "queue.json"

    @property
    def metrics_file(self) -> Path:
        """One record per step and per evaluation."""
        return self.path / "metrics.jsonl"

    @property
    def events_file(self) -> Path:
        """Everything else that happened."""
        return self.path / "events.jsonl"

    @property
    def log_file(self) -> Path:
        """Plain text for people."""
        return self.path / "log.txt"

    @property
    def control(self) -> Path:
        """Commands to the run, one file each."""
        return self.path / "control"

    @property
    def checkpoints(self) -> Path:
        """Saved policies."""
        return self.path / "checkpoints"

    @property
    def last_checkpoint(self) -> Path:
        """The newest state, from which the run is resumed."""
        return self.checkpoints / "last.pt"

    @property
    def best_checkpoint(self) -> Path:
        """The policy with the best evaluation so far."""
        return self.checkpoints / "best.pt"

    @property
    def asked_file(self) -> Path:
        """Returns that its policy was asked for and achieved, if somebody wanted to know."""
        return self.path / "asked.json"

    @property
    def reliance_file(self) -> Path:
        """What its policy's decisions are made from, if somebody wanted to know."""
        return self.path / "reliance.json"

    @property
    def replays(self) -> Path:
        """Recorded episodes."""
        return self.path / "replays"

    def read_info(self) -> dict[str, Any]:
        """Return the content of run.json; raises `UsageError` when it is missing or damaged."""
        try:
            info = decode(read_regular(self.run_file, MOST_BYTES))
        except OSError as error:
            raise UsageError(f"{self.path} is no run: could not read run.json ({error.strerror})") from error
        if info is None or not is_sound(info.get("config")):
            raise UsageError(f"{self.run_file} is damaged: it holds no config that a run could have")
        return {key: value for key, value in info.items() if isinstance(value, _KINDS.get(key, object))}

    def read_config(self) -> RunConfig:
        """Return the run's config as it was created; raises `UsageError`."""
        return RunConfig.from_dict(self.read_info()["config"])


def require_no_links(run: RunDirectory) -> None:
    """Raise `UsageError` before something is written into a run whose links could lead that elsewhere."""
    found = links_in(run.path)
    if found:
        name = found[0].relative_to(run.path)
        raise UsageError(
            f"run {run.id} holds a link, {name}, which is not followed; put what it leads to in its place, or copy the "
            "whole run with: cp -rL"
        )


def is_sound(config: Any) -> bool:
    """Return whether this is a run's config of any version: groups of plain values, and numbers where there must be.

    What is built of it is checked by `RunConfig`; this much is needed to list, compare and draw it.
    """
    return isinstance(config, dict) and _are_sound(config, "")


def _are_sound(values: dict[str, Any], prefix: str) -> bool:
    """Return whether a group's values are; a folder of runs is listed as fast as this is."""
    for key, value in values.items():
        kind, name = type(value), prefix + key
        if kind is dict:
            if not _are_sound(value, f"{name}."):
                return False
        elif name in _TEXTS:
            if kind is not str:
                return False
        elif kind is float or (kind is int and -_EXACT < value < _EXACT):
            continue
        elif name in _WORDS and kind is str:
            if value not in _WORDS[name]:
                return False
        elif (name in _NUMBERS or kind not in _PLAIN) and number(value) is None:
            return False
    return True


def find_run(text: str | Path, root: Path | None = None) -> RunDirectory:
    """Return the run that `text` means: `last`, a path, an id, the beginning of an id or a part of only one.

    Raises `UsageError` with the nearest id, or with the candidates when several fit.
    """
    path, name = Path(text), str(text)
    if name and (path / "run.json").is_file():
        return RunDirectory(Path(os.path.abspath(path)))
    ids = run_ids(root)
    if not ids:
        raise UsageError(f"there are no runs in {root or runs_dir()}; start one with: lamo train --preset NAME")
    if name == "last":
        return _newest(root, ids)
    for fitting in ([i for i in ids if name and i.startswith(name)], [i for i in ids if name and name in i]):
        if len(fitting) == 1:
            return _in(root, fitting[0])
        if len(fitting) > 1:
            newest = ", ".join(fitting[-5:])
            raise UsageError(f"{counted(len(fitting), 'run')} fit {shown(name)}: {newest}; write more of the id")
    near = difflib.get_close_matches(name[:200], ids, n=1, cutoff=0.3)
    hint = f"did you mean {near[0]!r}?" if near else "list them with: lamo runs"
    raise UsageError(f"there is no run {shown(name)} in {root or runs_dir()}; {hint}")


def _newest(root: Path | None, ids: list[str]) -> RunDirectory:
    """Return the run made last; ids tell seconds alone, and several runs may begin within one."""
    second = ids[-1][: len("20260101-000000")]
    return max((_in(root, name) for name in ids if name.startswith(second)), key=_made)


def _made(run: RunDirectory) -> int:
    try:
        return run.run_file.stat().st_mtime_ns
    except OSError:
        return 0


def run_ids(root: Path | None = None) -> list[str]:
    """Return the ids of all runs below `root`, oldest first; a folder that does not exist holds none."""
    try:
        with os.scandir(root or runs_dir()) as entries:
            names = [entry.name for entry in entries if is_run_name(entry.name) and entry.is_dir()]
    except OSError:
        return []
    return sorted(name for name in names if os.path.isfile((root or runs_dir()) / name / "run.json"))


def is_run_name(name: str) -> bool:
    """Return whether a folder of this name can be a run's: it is in sight, and its name is UTF-8."""
    return not name.startswith(".") and is_utf8(name)


def storage_error(path: Path, error: OSError) -> StorageError:
    """Return the error for a file of a run that could not be written."""
    reason = error.strerror or str(error)
    return StorageError(f"could not write {path}: {reason}; free space or choose another folder with {ELSEWHERE}")


def _in(root: Path | None, name: str) -> RunDirectory:
    return RunDirectory(Path(os.path.abspath((root or runs_dir()) / name)))
