"""Messages between processes over pipes: a JSON header, then raw bytes such as a picture's pixels.

A message is two big-endian 32-bit lengths, the header in UTF-8 and the payload. Nothing else is ever sent; there is no
pickle, and a message that is longer than the limits ends the conversation.
"""

from __future__ import annotations

import select
import struct
from collections.abc import Callable
from typing import IO, Any, Protocol

from lamo_core.runs.records import encode
from lamo_core.untrusted.parsing import parse_json

Header = dict[str, Any]

_LENGTHS = struct.Struct(">II")
_MOST_HEADER, _MOST_PAYLOAD = 64 << 20, 256 << 20


class ProtocolError(ValueError):
    """What came was no message of this protocol."""


class Readable(Protocol):
    """Where messages are read from."""

    def read(self, size: int, /) -> bytes | None:
        """Return up to so many bytes, none at the end."""

    def fileno(self) -> int:
        """Return the number of the pipe."""


def write_message(
    stream: IO[bytes],
    header: Header,
    payload: bytes | memoryview = b"",
    *,
    encode: Callable[[Any], str] = encode,
) -> None:
    """Send a message; raises `OSError` when nobody listens any more."""
    text = encode(header).encode()
    stream.write(_LENGTHS.pack(len(text), len(payload)) + text)
    if len(payload):
        stream.write(payload)
    stream.flush()


def read_message(stream: Readable, patience: float | None = None) -> tuple[Header, bytes] | None:
    """Wait for a message; None when the other side has gone.

    `patience` are seconds in which some of it must come, of a pipe that is read without a buffer. Raises
    `ProtocolError`, and `TimeoutError` when nothing came.
    """
    start = _exactly(stream, _LENGTHS.size, patience)
    if start is None:
        return None
    header_length, payload_length = _LENGTHS.unpack(start)
    if header_length > _MOST_HEADER or payload_length > _MOST_PAYLOAD:
        raise ProtocolError(f"a message of {header_length} + {payload_length} bytes is too long")
    text = _exactly(stream, header_length, patience)
    payload = b"" if not payload_length else _exactly(stream, payload_length, patience)
    if text is None or payload is None:
        return None
    try:
        header = parse_json(text)
    except ValueError as error:
        raise ProtocolError("a message's header is no JSON") from error
    if not isinstance(header, dict):
        raise ProtocolError("a message's header is no JSON object")
    return header, payload


def _exactly(stream: Readable, count: int, patience: float | None) -> bytes | None:
    parts = []
    while count:
        if patience is not None and not select.select([stream], [], [], patience)[0]:
            raise TimeoutError
        part = stream.read(count)
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
