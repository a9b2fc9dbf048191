"""A Hugging Face hub on this machine: repositories in memory, made, filled and read by the hub's own client."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """Repositories by id, each files by path; and what was asked for."""

    url: str = ""
    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: dict[str, bool] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    """Sizes that are told of files, where they are not the true ones."""
    refused: bool = False
    """Whether nobody may write."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    hub: Hub


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub, path = self.server.hub, self.path.partition("?")[0].strip("/")
        hub.requests.append(f"{self.command} {path}")
        if path == "":
            return self._answer(200, b"a hub")
        if "/resolve/" in path:
            repository, _, rest = path.partition("/resolve/")
            content = hub.repositories.get(repository, {}).get(rest.partition("/")[2])
            if content is None:
                code = "RepoNotFound" if repository not in hub.repositories else "EntryNotFound"
                return self._answer(404, b"", {"X-Error-Code": code, "X-Repo-Commit": COMMIT})
            etag = hashlib.sha1(content).hexdigest()
            return self._answer(200, content, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT})
        repository = "/".join(path.split("/")[2:4])
        if repository not in hub.repositories:
            return self._answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        self._json({"id": repository, "sha": COMMIT, "private": hub.private[repository], "siblings": []})

    def do_POST(self) -> None:
        hub, path = self.server.hub, self.path.partition("?")[0].strip("/")
        hub.requests.append(f"POST {path}")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = path.split("/")
        if "paths-info" in parts:
            return self._paths_info("/".join(parts[2:4]), body)
        if hub.refused:
            return self._answer(401, b'{"error": "unauthorised"}')
        if path == "api/repos/create":
            asked = json.loads(body)
            repository = f"{asked.get('organization') or 'me'}/{asked['name']}"
            hub.repositories.setdefault(repository, {})
            hub.private[repository] = bool(asked.get("private")) or asked.get("visibility") == "private"
            return self._json({"url": f"{hub.url}/{repository}", "id": repository})
        if "preupload" in parts:
            files = json.loads(body)["files"]
            return self._json(
                {"files": [{"path": one["path"], "uploadMode": "regular", "shouldIgnore": False} for one in files]}
            )
        if "commit" in parts:
            repository = "/".join(parts[2:4])
            for line in body.splitlines():
                said = json.loads(line)
                if said["key"] == "file":
                    content = base64.b64decode(said["value"]["content"])
                    hub.repositories[repository][said["value"]["path"]] = content
            return self._json({"commitUrl": f"{hub.url}/{repository}/commit/{COMMIT}", "commitOid": COMMIT})
        self._json({"valid": True})

    def _paths_info(self, repository: str, body: bytes) -> None:
        hub, files = self.server.hub, self.server.hub.repositories.get(repository)
        if files is None:
            return self._answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        asked = parse_qs(body.decode())["paths"]
        self._json(
            [
                {"type": "file", "path": name, "size": hub.sizes.get(name, len(files[name])), "oid": "0" * 40}
                for name in asked
                if name in files
            ]
        )

    def _json(self, value: Any) -> None:
        self._answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def fake_hub() -> Iterator[Hub]:
    """Run a hub on a free port of this machine."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.hub = Hub(url=f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.hub
    finally:
        server.shutdown()
        server.server_close()
