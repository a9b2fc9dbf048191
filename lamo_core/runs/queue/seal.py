"""Proof that a file in a run folder was written on this machine: a run that was received starts and sends nothing.

An entry names who is to start it, which a stranger can write as well as we. So it is sealed with a secret that never
leaves the user's state folder.
"""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path

from lamo_core.files import locked
from lamo_core.places import state_dir
from lamo_core.runs.directory import storage_error
from lamo_core.runs.records import encode
from lamo_core.untrusted.regular_file import read_regular

_BYTES = 32


def seal_of(*facts: object) -> str:
    """Return the seal of an entry's facts; makes the secret where there is none. Raises `StorageError`."""
    return _sign(_secret(), facts)


def is_sealed(seal: str, *facts: object) -> bool:
    """Return whether a seal was made on this machine, by this user, for these very facts."""
    try:
        secret = read_regular(_secret_file(), _BYTES)
    except OSError:
        return False
    return len(secret) == _BYTES and hmac.compare_digest(seal.encode(), _sign(secret, facts).encode())


def _sign(secret: bytes, facts: tuple[object, ...]) -> str:
    return hmac.new(secret, encode(facts).encode(), "sha256").hexdigest()


def _secret_file() -> Path:
    return state_dir() / "queue.key"


def _secret() -> bytes:
    path = _secret_file()
    with locked(path.with_suffix(".lock"), "LAMO_STATE=FOLDER"):
        try:
            if path.is_file() and path.stat().st_size == _BYTES:
                return read_regular(path, _BYTES)
            path.unlink(missing_ok=True)
            secret = secrets.token_bytes(_BYTES)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(secret)
        except OSError as error:
            raise storage_error(path, error) from error
    return secret
