"""A small web server on this machine that serves files from memory and misbehaves on demand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Misbehaviour:
    """What goes wrong with one path; each number counts down to good behaviour."""

    cut_after: int = 0
    """Bytes after which a connection is closed."""
    cuts: int = 0
    statuses: list[int] = field(default_factory=list)
    """Answered before anything else, one per request."""
    ignore_range: bool = False
    claimed: int | None = None
    """Content-Length instead of the true one."""
    no_length: bool = False
    ignore_condition: bool = False
    """Goes on from an offset although the content is another one than the client has."""
    changes: bool = False
    """Another ETag at each request."""
    wrong_range: bool = False
    redirect: str = ""


@dataclass
class Site:
    """Files by path, what goes wrong with them, and what was asked for."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    wrong: dict[str, Misbehaviour] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    """Path and Range header of each request, in order."""
    sent: int = 0


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    site: Site

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up, as killed ones do."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _QuietServer

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        site, path = self.server.site, self.path.lstrip("/")
        asked = self.headers.get("Range", "")
        site.requests.append((path, asked))
        wrong = site.wrong.get(path, Misbehaviour())
        status = wrong.statuses.pop(0) if wrong.statuses else 200
        if wrong.redirect:
            self._end(302, {"Location": wrong.redirect, "Content-Length": "0"})
        elif status != 200 or path not in site.files:
            self._end(status if status != 200 else 404, {"Content-Length": "0"})
        else:
            self._serve(site, site.files[path], asked, wrong)

    def _end(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _serve(self, site: Site, content: bytes, asked: str, wrong: Misbehaviour) -> None:
        version = f"{len(site.requests)}" if wrong.changes else ""
        headers = {"ETag": f'"{sha256(content).hexdigest()[:8]}{version}"', "Accept-Ranges": "bytes"}
        valid = wrong.ignore_condition or self.headers.get("If-Range", headers["ETag"]) == headers["ETag"]
        first = int(asked.removeprefix("bytes=").rstrip("-")) if asked and valid and not wrong.ignore_range else 0
        if first and first >= len(content):
            self._end(416, {"Content-Range": f"bytes */{len(content)}", "Content-Length": "0"})
            return
        body = content[first:]
        if first:
            shown = first + 1 if wrong.wrong_range else first
            headers["Content-Range"] = f"bytes {shown}-{len(content) - 1}/{len(content)}"
        claimed = len(body) if wrong.claimed is None else wrong.claimed
        headers |= {"Connection": "close"} if wrong.no_length else {"Content-Length": str(claimed)}
        self._end(206 if first else 200, headers)
        if wrong.cuts:
            wrong.cuts -= 1
            body = body[: wrong.cut_after]
        self.wfile.write(body)
        site.sent += len(body)
        self.close_connection = True


@contextmanager
def serving() -> Iterator[Site]:
    """Serve on 127.0.0.1 until the block ends."""
    site = Site()
    server = _QuietServer(("127.0.0.1", 0), _Handler)
    server.site = site
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Published:
    """A server with small files in the place of the published ones."""

    site: Site
    addresses: Path
    """The file that LAMO_SOURCES names."""

    def d4rl(self, name: str, content: bytes, **facts: str | int) -> None:
        """Serve `content` as the file of a set of D4RL."""
        path = f"d4rl/{name}.hdf5"
        self.site.files[path] = content
        facts = {"sha256": sha256(content).hexdigest(), "bytes": len(content), **facts}
        lines = [f"[d4rl.sets.{name}]", f'mirrors = ["{self.site.url}/{path}"]']
        lines += [f"{key} = {value!r}" for key, value in facts.items()]
        self._append(lines)

    def dqn(self, game: str, run: int, files: dict[str, bytes]) -> None:
        """Serve the files of a slice, by name."""
        for file, content in files.items():
            self.site.files[f"dqn/{game}/{run}/{file}"] = content
        self._append(["[dqn-replay]", f'mirrors = ["{self.site.url}/dqn/{{game}}/{{run}}/{{file}}"]'])

    def unplugged(self, game: str, file: str, content: bytes) -> None:
        """Serve a file of records of RL Unplugged."""
        self.site.files[f"rlu/{game}/{file}"] = content
        self._append(["[rl-unplugged]", f'mirrors = ["{self.site.url}/rlu/{{game}}/{{file}}"]'])

    def minari(self, name: str, folder: Path) -> None:
        """Serve the files in a folder as a Minari data set."""
        for path in folder.iterdir():
            self.site.files[f"minari/{name}/{path.name}"] = path.read_bytes()
        self._append(["[minari]", f'mirrors = ["{self.site.url}/minari/{{id}}/{{file}}"]'])

    def _append(self, lines: list[str]) -> None:
        text = self.addresses.read_text()
        if lines[0] not in text:
            self.addresses.write_text("\n".join([text, *lines, ""]))
