"""The bytes behind an address from an offset on: http, https and file, over the standard library alone.

No redirect leaves http and https, and none leads from https back to http. Content is asked for as it is stored, so that
offsets and lengths mean the same to both sides.
"""

from __future__ import annotations

import email.message
import http.client
import os
import queue
import re
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import IO, Any

TIMEOUT = 30.0
"""Seconds without a byte after which a connection counts as broken."""
_AGENT = "lamo (offline reinforcement learning workbench)"
_LONGEST_WAIT = 60
_NO_WAY_ON = (407, 502, 503, 504)
"""What a proxy answers that does not reach further."""


class TransferProblem(Exception):
    """Why an address did not give its bytes; the message goes on after the address."""

    def __init__(self, reason: str, *, permanent: bool = False, wait: float = 0.0, reached: bool = True) -> None:
        super().__init__(reason)
        self.permanent = permanent
        """Whether asking again is useless."""
        self.reached = reached
        """Whether the address was reached: something there answered, whatever it said."""
        self.wait = wait
        """Seconds that the server asked to wait."""


@dataclass(frozen=True)
class ByteStream:
    """An open answer."""

    read: Callable[[int], bytes]
    """Returns up to that many bytes, none at the end."""
    start: int
    """Offset of the first byte: the one asked for, or 0 from a server that ignores ranges."""
    total: int | None
    """Bytes of the whole content, where the server says so."""
    validator: str
    """What names this version of the content: a strong ETag or the time of its last change; empty without."""


@contextmanager
def open_stream(url: str, offset: int = 0, validator: str = "", wait: float = TIMEOUT) -> Iterator[ByteStream]:
    """Open `url` at `offset`; with a `validator`, only if the content is still that version, else at 0.

    An address that has not begun to answer after `wait` seconds counts as not reached. Raises `TransferProblem`, also
    when the stream is read.
    """
    with ExitStack() as closing:
        with _as_problems():
            stream = _open(url, offset, validator, wait, closing)
        yield replace(stream, read=lambda count: _read(stream.read, count))


def _open(url: str, offset: int, validator: str, wait: float, closing: ExitStack) -> ByteStream:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme.lower() == "file":
        path = urllib.request.url2pathname(parts.path)
        return _file_stream(closing.enter_context(open(path, "rb")), offset, validator)
    if parts.scheme.lower() in ("http", "https"):
        return _web_stream(closing.enter_context(_answer(url, offset, validator, wait)), offset)
    raise TransferProblem("is no http, https or file address", permanent=True)


def _read(read: Callable[[int], bytes], count: int) -> bytes:
    with _as_problems():
        return read(count)


@contextmanager
def _as_problems() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise TransferProblem("is no file", permanent=True) from error
    except urllib.error.HTTPError as error:
        with error:
            raise _refusal(error) from error
    except TimeoutError as error:
        raise TransferProblem(f"sent nothing for {TIMEOUT:.0f} s") from error
    except (http.client.HTTPException, OSError) as error:
        raise TransferProblem(f"broke off ({str(error) or type(error).__name__})") from error
    except ValueError as error:
        raise TransferProblem(f"is no usable address ({error})", permanent=True) from error


class RangeRefused(TransferProblem):
    """The server has no bytes at the offset (status 416); `total` is how many it has."""

    def __init__(self, total: int | None) -> None:
        super().__init__("has no bytes from that offset on")
        self.total = total


def _answer(url: str, offset: int, validator: str, wait: float) -> Any:
    """Return the opened answer of a web server."""
    headers = {"User-Agent": _AGENT, "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if validator:
            headers["If-Range"] = validator
    request = _Request(url, headers)
    try:
        return _first_answer(request, wait)
    except urllib.error.HTTPError as error:
        if not _through_proxy(url) or error.code not in _NO_WAY_ON:
            raise
        with error:
            raise TransferProblem(f"{_through_proxy(url)}{_refusal(error)}", reached=False) from error
    except urllib.error.URLError as error:
        raise TransferProblem(f"{_through_proxy(url)}{_reason(error)}", reached=False) from error
    except (TimeoutError, ConnectionError) as error:
        raise TransferProblem(f"{_through_proxy(url)}{error}", reached=request.heard.is_set()) from error


class _Request(urllib.request.Request):
    """A request that knows whether one of the servers on its way has answered, if only to redirect it."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        super().__init__(url, headers=headers)
        self.heard = threading.Event()


def _first_answer(request: _Request, wait: float) -> Any:
    """Return the answer, or raise a `TimeoutError` where none has begun in time.

    In a thread of its own, because the search for a host's address cannot be given a time; it may outlive the call.
    """
    box: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def ask() -> None:
        try:
            box.put(_OPENER.open(request, timeout=TIMEOUT))
        except Exception as error:  # whatever it is, it is the caller's
            box.put(error)

    threading.Thread(target=ask, name="first answer", daemon=True).start()
    answer = _taken(box, request, wait)  # one that comes too late is closed when it is forgotten
    if isinstance(answer, Exception):
        raise answer
    return answer


def _taken(box: queue.SimpleQueue[Any], request: _Request, wait: float) -> Any:
    try:
        return box.get(timeout=wait)
    except queue.Empty:
        if not request.heard.is_set():
            raise TimeoutError(f"gave no answer within {wait:.2g} s") from None
    try:
        return box.get(timeout=TIMEOUT)
    except queue.Empty:
        raise TimeoutError(f"sent nothing for {TIMEOUT:.0f} s") from None


def _reason(error: urllib.error.URLError) -> str:
    return str(getattr(error.reason, "strerror", None) or error.reason)


def _through_proxy(url: str) -> str:
    """Return which proxy stands between, as the first words of what is wrong with it; without its password."""
    parts = urllib.parse.urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme.lower(), "")
    if not proxy or urllib.request.proxy_bypass(parts.hostname or ""):
        return ""
    return f"(through the proxy {proxy.rpartition('@')[2].removeprefix(f'{parts.scheme}://')}) "


def _file_stream(file: IO[bytes], offset: int, validator: str) -> ByteStream:
    total, changed = file.seek(0, 2), f"{os.fstat(file.fileno()).st_mtime_ns}"
    start = offset if offset <= total and validator in ("", changed) else 0
    file.seek(start)
    return ByteStream(file.read, start, total, changed)


def _web_stream(answer: Any, offset: int) -> ByteStream:
    headers: email.message.Message = answer.headers
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        raise TransferProblem("sends another encoding than it was asked for", permanent=True)
    start, total = 0, _whole_number(headers.get("Content-Length"))
    if answer.status == 206:
        found = re.fullmatch(r"bytes (\d{1,15})-\d{1,15}/(\d{1,15}|\*)", headers.get("Content-Range", "").strip())
        if found is None or int(found[1]) != offset:
            raise TransferProblem("sends another part than it was asked for", permanent=True)
        start, total = offset, _whole_number(found[2])
    etag = headers.get("ETag", "")
    validator = etag if etag.startswith('"') else headers.get("Last-Modified", "")
    # read1 hands on what has come, so that little is lost when the connection breaks
    return ByteStream(answer.read1, start, total, validator)


def _whole_number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"\d{1,15}", text.strip()) else None


def _refusal(error: urllib.error.HTTPError) -> TransferProblem:
    if error.code == 416:
        found = re.fullmatch(r"bytes \*/(\d{1,15})", (error.headers.get("Content-Range") or "").strip())
        return RangeRefused(int(found[1]) if found else None)
    wait = min(_LONGEST_WAIT, _whole_number(error.headers.get("Retry-After")) or 0)
    permanent = error.code < 500 and error.code not in (408, 425, 429)
    reason = re.sub(r"[^ -~]+", " ", str(error.reason))[:80]
    return TransferProblem(f"answered {error.code} {reason}".rstrip(), permanent=permanent, wait=wait)


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        before, after = (urllib.parse.urlsplit(url).scheme.lower() for url in (req.full_url, newurl))
        if after not in ("http", "https") or (before == "https" and after == "http"):
            raise TransferProblem(f"leads to an address of another kind ({after or 'none'})", permanent=True)
        fresh: Any = super().redirect_request(req, fp, code, msg, headers, newurl)
        if fresh is not None:  # urllib keeps our headers, Range among them
            fresh.timeout, fresh.heard = req.timeout, req.heard
        req.heard.set()
        return fresh


def _build_opener() -> urllib.request.OpenerDirector:
    # Not build_opener: that adds ftp, data and file, to which a server could then redirect.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        _SafeRedirects(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


_OPENER = _build_opener()
