"""Repositories of policies on the Hugging Face hub: what files they hold, and how one is fetched.

A repository may come from a stranger. Two files of fixed names are fetched, into the hub's own cache, and a checkpoint
is read as any other: weights alone, no pickled code.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lamo_core.errors import CheckpointError, LamoError, MissingError
from lamo_core.runs.records import decode

CHECKPOINT, FACTS, CARD, FILM = "lamo.pt", "lamo.json", "README.md", "replay.gif"
FORMAT, VERSION = "lamo-policy-repository", 1
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_REPOSITORY = re.compile(rf"(?:hub:)?(?P<id>{_NAME}/{_NAME})(?:@(?P<revision>[A-Za-z0-9][A-Za-z0-9._-]{{0,99}}))?")
_LARGEST = {FACTS: 4 << 20, CHECKPOINT: 16 << 30}
"""Bytes."""
_KINDS: dict[str, type | tuple[type, ...]] = {
    "run": str,
    "task": str,
    "method": str,
    "backbone": dict,
    "step": int,
    "data": dict,
    "config": dict,
    "command": list,
    "scores": list,
    "made_by": str,
    "checkpoint_sha256": str,
}
"""What lamo.json holds beside format and version."""


def parse_repository(text: str) -> tuple[str, str | None] | None:
    """Return the id and revision that `OWNER/NAME[@REVISION]` names, `hub:` before it or not; None for other texts."""
    found = _REPOSITORY.fullmatch(text)
    if found is None or ".." in text or "--" in found["id"]:
        return None
    return found["id"], found["revision"]


def means_repository(text: str) -> bool:
    """Return whether a text names a repository and nothing on this machine, nor something missing in a folder here."""
    return parse_repository(text) is not None and not os.path.lexists(text.partition("/")[0])


def check_facts(facts: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what lamo.json says; raises `ValueError` where it is not as `lamo push` writes it."""
    if facts is None or facts.get("format") != FORMAT:
        raise ValueError(f"it is no {FORMAT}")
    if facts.get("version") != VERSION:
        raise ValueError(f"its version is {facts.get('version')!r}, and this lamo reads {VERSION}")
    wrong = [name for name, kind in _KINDS.items() if not isinstance(facts.get(name), kind)]
    if wrong:
        raise ValueError(f"its {', '.join(wrong)} is missing or of another kind")
    return dict(facts)


def fetch_policy(text: str) -> Path:
    """Return the checkpoint of a repository, from the hub or the hub's cache.

    Raises `MissingError` (not there, or no network) and `CheckpointError` (no policy of lamo's, or another file than
    its facts say).
    """
    # here, as HTTP and TLS take long to load and every command that names runs imports this module
    from lamo_core.network import NO_NETWORK, hub_reached

    named = parse_repository(text)
    assert named is not None
    repository, revision = named
    with hub_reached() as problem:
        try:
            sizes = {} if problem else _sizes(repository, revision)
            _check_sizes(repository, sizes, known=not problem)
            facts, checkpoint = (_fetched(repository, revision, name) for name in (FACTS, CHECKPOINT))
        except LamoError:
            raise
        except Exception as error:  # the hub's client raises errors of several libraries
            if problem:
                raise MissingError(f"could not get {repository}: {problem}; {NO_NETWORK}") from error
            raise MissingError(
                f"there is no policy to be had at {text} ({_first(error)}); check the name, for a private one log in "
                "with `hf auth login`, or name a run of `lamo runs`"
            ) from error
    _check_content(repository, facts, checkpoint)
    return checkpoint


def _sizes(repository: str, revision: str | None) -> dict[str, int]:
    """Return the bytes of the files that are wanted, as the hub counts them."""
    from huggingface_hub import HfApi

    found = HfApi().get_paths_info(repository, list(_LARGEST), revision=revision)
    return {one.path: int(getattr(one, "size", -1)) for one in found}


def _check_sizes(repository: str, sizes: Mapping[str, int], *, known: bool) -> None:
    for name, largest in _LARGEST.items():
        if known and name not in sizes:
            raise CheckpointError(f"{repository} holds no {name}, so it is no policy of `lamo push`; name another one")
        if sizes.get(name, 0) > largest:
            raise CheckpointError(f"{repository} is not taken: its {name} has {sizes[name]:,} bytes, more than any has")


def _fetched(repository: str, revision: str | None, name: str) -> Path:
    from huggingface_hub import hf_hub_download

    with quiet_hub():
        return Path(hf_hub_download(repository, name, revision=revision))


@contextmanager
def quiet_hub() -> Iterator[None]:
    """Keep the progress bars of the hub's client away."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    before = are_progress_bars_disabled()
    disable_progress_bars()
    try:
        yield
    finally:
        if not before:
            enable_progress_bars()


def _check_content(repository: str, facts: Path, checkpoint: Path) -> None:
    try:
        said = check_facts(decode(facts.read_bytes()))
    except ValueError as error:
        raise CheckpointError(f"{repository} is no policy of `lamo push`: of its {FACTS}, {error}") from error
    with checkpoint.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if said["checkpoint_sha256"] != digest:
        raise CheckpointError(f"{repository} is damaged: its {CHECKPOINT} is not the one that its {FACTS} tells of")


def _first(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200]
