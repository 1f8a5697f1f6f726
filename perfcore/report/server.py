"""The page live on this machine: a few fixed routes on 127.0.0.1, and nothing of the disk behind them.

The law is decided by ``perfcore.verdict``, as for ``perfcore check``. What a stranger could try from a web page in the
same browser is refused: other names for this machine (DNS rebinding), other origins, forms, frames.
"""

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from perfcore.errors import PerfcoreError
from perfcore.report.page import SLOW, Contents, alone, page, policy, slow_section
from perfcore.report.questions import MOST_BYTES, answer, read_json, read_query

__all__ = ["HOST", "Server"]

HOST = "127.0.0.1"
MOST_CONNECTIONS = 32
READ_S = 10.0  # for a whole request
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": policy(live=True),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
JSON, HTML, TEXT = "application/json", "text/html; charset=utf-8", "text/plain; charset=utf-8"


class _RefusedError(Exception):
    """A request that is answered with a status and a line."""

    def __init__(self, status: int, line: str) -> None:
        self.status, self.line = status, line
        super().__init__(line)


class Server(ThreadingHTTPServer):
    """The server: it counts its connections and cuts those that are slow to say what they want."""

    daemon_threads = True
    allow_reuse_address = os.name == "posix"  # elsewhere it would let two servers share a port
    request_queue_size = 64

    def __init__(self, port: int, contents: Contents | None = None) -> None:
        self.contents = contents or Contents()
        self.connections: dict[socket.socket, float | None] = {}  # until when each may take to ask
        self.made: tuple[date, bytes] | None = None
        self.guard, self.paging, self.making = threading.Lock(), threading.Lock(), threading.Lock()
        try:
            super().__init__((HOST, port), _Handler)
        except (OSError, OverflowError) as problem:
            said = getattr(problem, "strerror", None) or problem
            raise PerfcoreError(f"--port: {port} cannot be had ({said}); give another, or 0 for any free one") from None

    @property
    def sections(self) -> list[str]:
        """Return the names of the slow sections that are shown."""
        return [name for name in SLOW if name not in self.contents.without]

    @property
    def address(self) -> str:
        """Return where the page is."""
        return f"http://{HOST}:{self.server_port}/"

    @property
    def names(self) -> set[str]:
        """Return what a browser may call this server."""
        ends = (f":{self.server_port}", "") if self.server_port == 80 else (f":{self.server_port}",)
        return {f"{name}{end}" for name in (HOST, "localhost") for end in ends}

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take a connection; where there are many, in place of the one that has been silent for longest."""
        with self.guard:
            asking = [one for one, until in self.connections.items() if until is not None]
            full = len(self.connections) >= MOST_CONNECTIONS
            if full and asking:  # the oldest first
                del self.connections[asking[0]]
                _cut(asking[0])
            if not full or asking:
                self.connections[request] = time.monotonic() + READ_S
        if full and not asking:
            self.shutdown_request(request)
        else:
            super().process_request(request, client_address)

    def has_asked(self, connection: socket.socket) -> None:
        """Note that a request has come in whole: from here on it is we who take time."""
        with self.guard:
            if connection in self.connections:
                self.connections[connection] = None

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection and close it."""
        with self.guard:
            self.connections.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Cut connections that have taken too long; called between requests."""
        now = time.monotonic()
        with self.guard:
            late = [one for one, until in self.connections.items() if until is not None and until < now]
        for one in late:
            _cut(one)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that has gone, and one line of anything else."""
        problem = sys.exception()
        if not isinstance(problem, OSError):
            print(f"perfcore: {type(problem).__name__} in a request: {problem}", file=sys.stderr)

    def close(self, seconds: float = 2.0) -> None:
        """Take no more connections, and give those that are being answered a moment to end."""
        self.server_close()
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            with self.guard:
                answering = [one for one, until in self.connections.items() if until is None]
            if not answering:
                break
            time.sleep(0.02)
        with self.guard:
            left = list(self.connections)
        for one in left:
            _cut(one)

    def page(self) -> bytes:
        """Return the page of today, made once a day."""
        today = date.today()
        with self.paging:
            if self.made is None or self.made[0] != today:
                self.made = today, page(self.contents, live=True, today=today).encode()
            return self.made[1]

    def section(self, name: str) -> bytes:
        """Return one of the slow sections as a page of its own, made once."""
        with self.making:
            slow_section(name)
        return alone(name).encode()


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):  # it may have gone by itself
        connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """One request: its origin is checked, then one of the fixed routes answers."""

    server: Server
    server_version, sys_version = "perfcore", ""
    timeout = READ_S

    def do_GET(self) -> None:
        """Answer a page, a section or a question in the query."""
        self._answered(self._get)

    def do_HEAD(self) -> None:
        """Answer as to GET, without the body."""
        self._answered(self._get)

    def do_POST(self) -> None:
        """Answer a question in the body."""
        self._answered(self._post)

    def _other(self) -> None:
        self._answered(_no_method)

    do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_TRACE = do_CONNECT = _other  # noqa: N815

    def _answered(self, route: Callable[..., tuple[str, bytes]]) -> None:
        """Send what a route answers, or its refusal; nothing that goes wrong ends the server."""
        try:
            self._is_from_here()
            kind, body = route() if route is not _no_method else route(self)
            self._send(200, kind, body)
        except _RefusedError as refused:
            self._refuse(refused.status, refused.line)
        except PerfcoreError as mistake:
            self._refuse(400, "; ".join(mistake.lines))
        except OSError:
            self.close_connection = True
        except Exception as problem:
            print(
                f"perfcore: {type(problem).__name__} in {self.command} {self.path[:80]!r}: {problem}", file=sys.stderr
            )
            self._refuse(500, "perfcore failed at this; the terminal it runs in says how")

    def _is_from_here(self) -> None:
        """Refuse what was not sent to this machine by its name, or by the page of another."""
        if self.request_version == "HTTP/0.9":
            raise _RefusedError(400, "found HTTP/0.9, whose answers carry no headers; allowed: HTTP/1.0 and later")
        hosts = self.headers.get_all("Host") or []
        if len(hosts) != 1 or hosts[0].strip().lower() not in self.server.names:
            raise _RefusedError(403, f"this server is {self.server.address} and answers to no other name")
        own = {f"http://{name}" for name in self.server.names}
        if not {origin.lower() for origin in self.headers.get_all("Origin", [])} <= own:
            raise _RefusedError(403, "a page of another origin may not ask")

    def _get(self) -> tuple[str, bytes]:
        self.server.has_asked(self.connection)
        path, query = self._target()
        if path == "/":
            return HTML, self.server.page()
        self._same_origin()
        name = path.removeprefix("/section/")
        if path.startswith("/section/") and name in self.server.sections:
            return HTML, self.server.section(name)
        if path == "/api/check":
            return JSON, _document(answer(read_query(query), self.server.contents.rules))
        raise _RefusedError(404, "there is nothing here; the page is at /")

    def _target(self) -> tuple[str, str]:
        """Return path and query of what is asked for; an address in full, as for a proxy, would name another host."""
        path, _, query = self.path.partition("#")[0].partition("?")
        return path, query

    def _post(self) -> tuple[str, bytes]:
        if self._target()[0] != "/api/check":
            raise _RefusedError(404, "there is nothing to post to but /api/check")
        self._same_origin()
        if self.headers.get_content_type() != JSON or len(self.headers.get_all("Content-Type", [])) > 1:
            raise _RefusedError(415, f"found {self.headers.get_content_type()[:60]}; allowed: {JSON}, once")
        raw = self._body()
        self.server.has_asked(self.connection)
        return JSON, _document(answer(read_json(raw), self.server.contents.rules))

    def _same_origin(self) -> None:
        if not set(self.headers.get_all("Sec-Fetch-Site", [])) <= {"same-origin", "none"}:
            raise _RefusedError(403, "a page of another site may not ask")

    def _body(self) -> bytes:
        """Read a body of a stated, small size."""
        lengths = self.headers.get_all("Content-Length") or []
        if "Transfer-Encoding" in self.headers or not lengths:
            raise _RefusedError(411, "found no Content-Length; allowed: a body of a stated size")
        if len(lengths) > 1 or not (lengths[0].isascii() and lengths[0].isdigit()):
            raise _RefusedError(400, f"Content-Length: found {lengths[0][:40]!r}; allowed: one whole number")
        size = int(lengths[0][:20])
        if size > MOST_BYTES:
            raise _RefusedError(413, f"found {size:,} bytes; allowed: at most {MOST_BYTES:,}")
        raw = self.rfile.read(size)
        if len(raw) < size:
            raise _RefusedError(400, f"found {len(raw):,} bytes; Content-Length says {size:,}")
        return raw

    def _refuse(self, status: int, line: str) -> None:
        said = " ".join(line.split())
        with suppress(OSError):
            self._send(status, JSON, _document({"error": said}))
            if self.command == "POST":
                self._drain()

    def _drain(self) -> None:
        """Read on a little: where the rest of a body is not read, some systems drop the answer with it."""
        self.connection.settimeout(0.5)
        self.connection.shutdown(socket.SHUT_WR)
        for _ in range(64):
            if not self.connection.recv(65536):
                return

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what the standard library could not read, in the same form."""
        self._refuse(int(code), message or "this is not a request")

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        if status == 405:
            self.send_header("Allow", "GET, HEAD, POST")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing of requests."""


def _no_method(handler: _Handler) -> tuple[str, bytes]:
    raise _RefusedError(405, f"found {handler.command[:20]}; allowed: GET, HEAD and POST")


def _document(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
