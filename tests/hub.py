"""A hub for tests: as much of its protocol as huggingface_hub speaks, over HTTP on the loopback."""

from __future__ import annotations

import hashlib
import json
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "a" * 40


@dataclass
class Faults:
    """What goes wrong with files, by their names.

    Attributes:
        breaks: how many times a download of it breaks off in its middle.
        stalls: it sends half and then nothing; `stalled` says that it has come to that.
        longer: the hub says that it has so many bytes more than it has.
        other: the hub names the hash of other bytes.
    """

    breaks: dict[str, int] = field(default_factory=dict)
    stalls: set[str] = field(default_factory=set)
    longer: dict[str, int] = field(default_factory=dict)
    other: set[str] = field(default_factory=set)


@dataclass
class Repository:
    """Files of one commit; `status` and `code` are those of a refusal (401 of a gated one)."""

    files: dict[str, bytes]
    commit: str = COMMIT
    status: int = 200
    code: str = ""
    faults: Faults = field(default_factory=Faults)


class Hub:
    """The server; `requests` lists what it was asked: method, path, range."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.requests: list[tuple[str, str, str]] = []
        self.stalled = threading.Event()
        self.leaving = threading.Event()
        hub = self

        class Handler(_Handler):
            pass

        Handler.hub = hub
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def serve(self, repository: str, folder: Path | dict[str, bytes]) -> Repository:
        """Serves the files of a folder, or these."""
        files = folder
        if isinstance(folder, Path):
            files = {path.name: path.read_bytes() for path in folder.iterdir()}
        self.repositories[repository] = Repository(dict(files))
        return self.repositories[repository]

    @contextmanager
    def running(self) -> Iterator[Hub]:
        """While the block lasts."""
        self._thread.start()
        try:
            yield self
        finally:
            self.leaving.set()
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Quietly."""

    def do_HEAD(self) -> None:  # noqa: N802
        self._answer(body=False)

    def do_GET(self) -> None:  # noqa: N802
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        path = urllib.parse.unquote(self.path.partition("?")[0]).strip("/")
        self.hub.requests.append((self.command, path, self.headers.get("Range", "")))
        parts = path.split("/")
        if parts[:2] == ["api", "models"] and len(parts) in (4, 6):
            self._info("/".join(parts[2:4]), parts[5] if len(parts) == 6 else "main")
        elif len(parts) >= 5 and parts[2] == "resolve":
            self._file("/".join(parts[:2]), parts[3], "/".join(parts[4:]), body)
        else:
            self._refuse(404, "")

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _found(self, name: str, revision: str) -> Repository | None:
        repository = self.hub.repositories.get(name)
        if repository is None:
            self._refuse(401, "RepoNotFound")
        elif repository.status != 200:
            self._refuse(repository.status, repository.code)
        elif revision not in ("main", "v1", repository.commit):
            self._refuse(404, "RevisionNotFound")
        else:
            return repository
        return None

    def _info(self, name: str, revision: str) -> None:
        repository = self._found(name, revision)
        if repository is None:
            return
        siblings = [{"rfilename": file} for file in repository.files]
        facts = {"id": name, "modelId": name, "sha": repository.commit, "siblings": siblings}
        data = json.dumps({**facts, "private": False, "tags": [], "downloads": 0}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _file(self, name: str, revision: str, file: str, body: bool) -> None:
        repository = self._found(name, revision)
        if repository is None:
            return
        if file not in repository.files:
            self._refuse(404, "EntryNotFound")
            return
        data, faults = repository.files[file], repository.faults
        start = int(self.headers.get("Range", "bytes=0-")[len("bytes=") :].partition("-")[0])
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        hashed = b"others" if file in faults.other else data
        self.send_header("ETag", f'"{hashlib.sha256(hashed).hexdigest()}"')
        self.send_header("X-Repo-Commit", repository.commit)
        self.send_header("X-Linked-Size", str(len(data) + faults.longer.get(file, 0)))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        if body:
            self._send(data, start, file, faults)

    def _send(self, data: bytes, start: int, file: str, faults: Faults) -> None:
        half = start + (len(data) - start) // 2
        self.wfile.write(data[start:half])
        self.wfile.flush()
        if faults.breaks.get(file, 0):
            faults.breaks[file] -= 1
            self.close_connection = True
            return
        if file in faults.stalls:
            self.hub.stalled.set()
            self.hub.leaving.wait(30)
            self.close_connection = True
            return
        self.wfile.write(data[half:])
