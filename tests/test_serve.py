"""``perfcore serve``: the same verdict as ``check``, for this machine alone, whatever is thrown at it."""

import contextlib
import http.client
import json
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import perfcore
from perfcore.errors import PerfcoreError
from perfcore.markup import Html, el, section
from perfcore.report import server as module
from perfcore.report.page import SLOW, Contents, contents_of, slow_section
from perfcore.report.questions import MOST_BYTES, answer, read_json, read_query
from perfcore.report.server import Server

JSON = {"Content-Type": "application/json"}
DAYS = ("2022-10-21", "2023-11-16", "2023-11-17", "2024-12-02", "2026-02-01")
ROOT = Path(__file__).resolve().parents[1]


class Answer:
    """What the server answered."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@contextlib.contextmanager
def running(contents: Contents | None = None) -> Iterator[Server]:
    """Run a server in a thread, and see that it ends."""
    server = Server(0, contents or Contents(without=tuple(SLOW)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.close()
        thread.join(10)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def serving() -> Iterator[Server]:
    with running() as server:
        yield server


def ask(
    server: Server, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    connection = http.client.HTTPConnection(module.HOST, server.server_port, timeout=20)
    try:
        connection.request(method, path, body, dict(headers or {}))
        return Answer(connection.getresponse())
    finally:
        connection.close()


def post(server: Server, question: Any) -> Answer:
    return ask(server, "POST", "/api/check", json.dumps(question).encode(), JSON)


def raw(server: Server, request: bytes, seconds: float = 20.0) -> bytes:
    """Send bytes and return all that comes back."""
    with socket.create_connection((module.HOST, server.server_port), timeout=seconds) as connection:
        connection.sendall(request)
        found = b""
        while part := connection.recv(65536):
            found += part
        return found


def design_file(folder: Path, facts: Mapping[str, Any]) -> Path:
    """Write the same design as a user would."""
    lines = ['name = "A design"']
    for name, value in facts.items():
        if isinstance(value, dict):
            lines.append(f"{name} = {{ low = {value['low']!r}, high = {value['high']!r} }}")
        else:
            lines.append(f"{name} = {str(value).lower()}")
    path = folder / "design.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def random_design(chance: random.Random) -> dict[str, Any]:
    """Draw a design, often on a threshold, with some of it unknown or an interval."""
    facts: dict[str, Any] = {"tpp": chance.choice([1600, 2400, 4800, 4799.99, round(chance.uniform(500, 9000), 3)])}
    if chance.random() < 0.85:
        density = chance.choice([1.6, 3.2, 5.92, chance.uniform(0.5, 9)])
        facts["applicable_die_area_mm2"] = round(facts["tpp"] / density, 6)
    if chance.random() < 0.15:
        facts["tpp"] = {"low": 1500.5, "high": chance.choice([1599, 2400, 5000.25])}
    if chance.random() < 0.7:
        facts["io_bandwidth_gb_s"] = chance.choice([599.999, 600, 900, 64])
    if chance.random() < 0.6:
        facts["dram_bandwidth_gb_s"] = chance.choice([1399, 1400, 4000])
    if chance.random() < 0.4:
        facts["transistors_billion"] = chance.choice([30, 50, 208])
    if chance.random() < 0.8:
        facts["datacenter"] = chance.random() < 0.5
    return facts


def test_many_designs_get_the_verdict_of_check(serving: Server, tmp_path: Path) -> None:
    chance = random.Random(7)
    seen = set()
    for _ in range(120):
        facts, on = random_design(chance), chance.choice(DAYS)
        got = post(serving, {"on": on, "facts": facts})
        assert got.status == 200, got.body
        want = perfcore.check(design_file(tmp_path, facts), on=on).to_dict()
        assert got.json["results"] == [json.loads(json.dumps(want))]
        seen.add(want["status"])
    assert seen == {"controlled", "excluded", "not_controlled", "undetermined"}


def test_numbers_as_text_are_the_decimals_that_are_written(serving: Server, tmp_path: Path) -> None:
    """2,400 / 5.92 rounded down in the 17th digit is above the line by less than a float can show."""
    for area, status in (("810.8108108108108108", "controlled"), ("810.810810810810811", "controlled")):
        facts = {"tpp": "4800", "applicable_die_area_mm2": area, "datacenter": "true"}
        got = post(serving, {"on": "2024-01-01", "facts": facts}).json["results"][0]
        assert got["status"] == status
        assert ("3A090.a.2" in got["paragraphs"]) == (area == "810.8108108108108108")


def test_queries_ask_the_same(serving: Server) -> None:
    query = urlencode({"chip": "h20", "on": "2024-01-01", "tpp": "2400", "destination": "cn"})
    got = ask(serving, "GET", f"/api/check?{query}").json["results"][0]
    want = perfcore.check("h20", on="2024-01-01", facts={"tpp": 2400, "destination": "cn"}).to_dict()
    assert got == json.loads(json.dumps(want))
    interval = ask(serving, "GET", "/api/check?on=2024-01-01&tpp=4000..5000&applicable_die_area_mm2=600..900").json
    assert interval["results"][0]["metrics"]["tpp"] == {"low": 4000.0, "high": 5000.0}


def test_without_a_date_there_is_a_timeline(serving: Server) -> None:
    got = post(serving, {"chip": "a800"}).json
    assert got["results"] == json.loads(json.dumps(perfcore.check("a800").to_dict()))["results"]
    assert "Analysis, not legal advice" in got["notice"]


def test_rules_of_ones_own_are_asked_too(tmp_path: Path) -> None:
    bill = tmp_path / "my_bill.toml"
    bill.write_text(
        "name = 'A bill'\nlayer = 'proposal'\n[[version]]\nsource = { title = 'A bill' }\n"
        "[[version.paragraph]]\nid = 'sec. 1'\nall_of = { tpp = { at_least = 1000 } }\n"
    )
    contents = contents_of(rules=[bill], without=tuple(SLOW))
    got = answer({"on": "2024-01-01", "chip": "h20"}, contents.rules)["results"][0]
    assert got == perfcore.check("h20", on="2024-01-01", rules=bill).to_dict()
    assert [other["paragraph"] for other in got["also"] if other["rule"] == "my_bill"] == ["sec. 1"]


def test_the_page_is_not_kept_waiting_by_a_slow_section(serving: Server) -> None:
    with serving.making:
        assert ask(serving, "GET", "/").status == 200
        assert ask(serving, "GET", "/api/check?chip=h20&on=2024-01-01").status == 200


def test_a_slow_section_stands_on_a_page_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def make() -> Html:
        made.append("once")
        return section("claims", "Claims", el("p", "made here ", el("a", "x", href="#source-x")))

    slow_section.cache_clear()
    monkeypatch.setitem(SLOW, "claims", SLOW["claims"]._replace(make=make))
    with running(Contents(without=("measured", "stacking"))) as server:
        got = [ask(server, "GET", "/section/claims") for _ in range(3)]
        assert [one.status for one in got] == [200] * 3
        assert b"made here" in got[0].body
        assert b'href="/#source-x"' in got[0].body  # the documents stand on the whole page
        assert b'<a href="/">The whole page</a>' in got[0].body
        assert ask(server, "GET", "/section/measured").status == 404
        assert ask(server, "GET", "/section/claims", headers={"Sec-Fetch-Site": "cross-site"}).status == 403
        assert ask(server, "GET", "/", headers={"Sec-Fetch-Site": "cross-site"}).status == 200  # a link to the page
    assert made == ["once"]
    slow_section.cache_clear()


WRONG: list[tuple[bytes, str]] = [
    (b"", "not JSON"),
    (b"{", "not JSON"),
    (b"\xff\xfe", "not JSON"),
    (b"[" * 15_000, "not JSON"),
    (b"[1]", "no object"),
    (b'"x"', "no object"),
    (b'{"on": 3}', "on: allowed: a text"),
    (b'{"facts": []}', "facts: allowed: an object"),
    (b'{"design": {}}', "not a known key"),
    (b'{"on": "2024-01-01", "on": "2024-01-02"}', "given twice"),
    (b'{"on": "2024-13-01", "facts": {"tpp": 1}}', "a date"),
    (b'{"on": "2024-01-01", "facts": {}}', "says nothing about a chip"),
    (b'{"on": "2024-01-01", "facts": {"tpp": NaN}}', "found NaN"),
    (b'{"on": "2024-01-01", "facts": {"tpp": Infinity}}', "found Infinity"),
    (b'{"on": "2024-01-01", "facts": {"tpp": 1e999999}}', "tpp: found"),
    (b'{"on": "2024-01-01", "facts": {"tpp": ' + b"9" * 5000 + b"}}", "not JSON"),
    (b'{"on": "2024-01-01", "facts": {"tpp": -1}}', "tpp: found -1"),
    (b'{"on": "2024-01-01", "facts": {"tpp": 0}}', "tpp: found 0"),
    (b'{"on": "2024-01-01", "facts": {"tpp": true}}', "tpp: found"),
    (b'{"on": "2024-01-01", "facts": {"tpp": [1]}}', "tpp: found"),
    (b'{"on": "2024-01-01", "facts": {"tpp": "many"}}', "tpp: found"),
    (b'{"on": "2024-01-01", "facts": {"tpp": "1_000"}}', "tpp: found"),
    (b'{"on": "2024-01-01", "facts": {"tpp": {"low": 5, "high": 4}}}', "tpp"),
    (b'{"on": "2024-01-01", "facts": {"tpp": 1, "tppp": 2}}', "did you mean tpp"),
    (b'{"on": "2024-01-01", "facts": {"tpp": 1, "x y": 2}}', "the name of a fact"),
    (b'{"on": "2024-01-01", "facts": {"tpp": 1, "classified": "3A090.a"}}', "not a fact that can be given"),
    (b'{"on": "2024-01-01", "facts": {"tpp": 1, "datacenter": "perhaps"}}', "datacenter: found"),
    (b'{"on": "2024-01-01", "chip": "h1000"}', "h100"),
    (b'{"on": "2024-01-01", "chip": ""}', "nothing of the catalogue"),
    (b'{"on": "2024-01-01", "chip": "' + b"h" * 5000 + b'"}', "at most 80"),
    (b'{"on": "2024-01-01", "chip": "pyproject.toml"}', "nothing of the catalogue"),
    (b'{"on": "2024-01-01", "chip": "../../../../etc/passwd"}', "nothing of the catalogue"),
    (b'{"on": "2024-01-01", "chip": "specs/chips/nvidia_h20_sxm_96gb.toml"}', "nothing of the catalogue"),
]


@pytest.mark.parametrize(("body", "said"), WRONG, ids=[body[:60].decode("latin-1") for body, _ in WRONG])
def test_a_mistake_is_one_line(serving: Server, body: bytes, said: str) -> None:
    got = ask(serving, "POST", "/api/check", body, JSON)
    assert got.status == 400
    assert list(got.json) == ["error"]
    assert said in got.json["error"]
    assert "\n" not in got.json["error"]
    assert "Traceback" not in got.json["error"]
    assert len(got.json["error"]) < 1500


TRAVERSALS = [
    *("/../pyproject.toml", "/..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/assets/page.css", "/page.py"),
    *("//etc/passwd", "/section/../../etc/passwd", "/section/", "/section/measured/", "/section/page", "/./"),
    *("/index.html", "/api", "/api/", "/api/check/", "/api/check/../../x", "/\\..\\..\\x", "/%00"),
    *("/..%252f..%252fetc/passwd", "/..%5c..%5cx", "/api/check%00", "/api%2fcheck?chip=h20", "//127.0.0.1/api/check"),
    *(
        "http://evil.example/",
        "http://evil.example/api/check?chip=h20",
        "http://[",
        "http://[::1/api/check",
        "api/check",
    ),
    *("http://127.0.0.1/", "*", "/section/%6deasured", "/favicon.ico", "/.git/config", "/specs/sources.toml"),
]


@pytest.mark.parametrize("path", TRAVERSALS)
def test_there_is_nothing_but_the_fixed_routes(serving: Server, path: str) -> None:
    host = f"Host: 127.0.0.1:{serving.server_port}\r\n"
    got = raw(serving, f"GET {path} HTTP/1.1\r\n{host}\r\n".encode())
    assert got.startswith(b"HTTP/1.0 404 "), got[:200]
    assert b"root:" not in got


def test_the_page_is_there_with_its_headers(serving: Server) -> None:
    got = ask(serving, "GET", "/")
    assert got.status == 200
    assert got.body.startswith(b"<!doctype html>")
    assert b'id="form"' in got.body
    csp = got.headers["Content-Security-Policy"]
    assert "default-src 'none'" in csp
    assert "connect-src 'self'" in csp
    assert "frame-ancestors 'none'" in csp
    assert "unsafe" not in csp
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert got.headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in got.headers
    assert "Python" not in got.headers["Server"]
    head = ask(serving, "HEAD", "/")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(got.body))


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(serving: Server, method: str) -> None:
    got = ask(serving, method, "/api/check")
    assert got.status == 405
    assert got.headers["Allow"] == "GET, HEAD, POST"
    assert "Access-Control-Allow-Origin" not in got.headers


def test_pages_are_not_posted_to(serving: Server) -> None:
    assert ask(serving, "POST", "/", b"{}", JSON).status == 404


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "localhost:1", "127.0.0.1.evil.example:{port}", ""]
)
def test_another_name_for_this_machine_is_refused(serving: Server, host: str) -> None:
    """DNS rebinding: a page of evil.example whose name was pointed at 127.0.0.1."""
    got = ask(serving, "GET", "/api/check?chip=h20", headers={"Host": host.format(port=serving.server_port)})
    assert got.status == 403
    assert b"results" not in got.body


def test_its_own_names_are_answered(serving: Server) -> None:
    for name in ("127.0.0.1", "localhost", "LOCALHOST"):
        got = ask(
            serving, "GET", "/api/check?chip=h20&on=2024-01-01", headers={"Host": f"{name}:{serving.server_port}"}
        )
        assert got.status == 200


def test_one_host_and_only_one(serving: Server) -> None:
    own = f"Host: 127.0.0.1:{serving.server_port}\r\n"
    for hosts in ("", own + "Host: evil.example\r\n", own + own):
        assert raw(serving, f"GET / HTTP/1.1\r\n{hosts}\r\n".encode()).startswith(b"HTTP/1.0 403 ")


def test_a_header_given_twice_is_not_believed_by_its_first(serving: Server) -> None:
    host = f"127.0.0.1:{serving.server_port}"
    body = b'{"chip": "h20", "on": "2024-01-01"}'
    start = f"POST /api/check HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n"
    kind = "Content-Type: application/json\r\n"
    for more, status in (
        (kind, 200),
        (f"{kind}Origin: http://{host}\r\n", 200),
        (f"{kind}Origin: http://{host}\r\nOrigin: https://evil.example\r\n", 403),
        (f"{kind}Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site\r\n", 403),
        (f"{kind}Content-Type: text/plain\r\n", 415),
    ):
        got = raw(serving, f"{start}{more}\r\n".encode() + body)
        assert got.startswith(f"HTTP/1.0 {status} ".encode()), (more, got[:200])


def test_what_answers_without_headers_is_not_spoken(serving: Server) -> None:
    """HTTP/0.9 has no headers, so its answer would come without the policy."""
    got = raw(serving, f"GET /\r\nHost: 127.0.0.1:{serving.server_port}\r\n\r\n".encode())
    assert "HTTP/0.9" in json.loads(got)["error"]


def test_a_second_request_on_a_connection_is_not_read(serving: Server) -> None:
    one = f"GET /api/check?chip=h20&on=2024-01-01 HTTP/1.1\r\nHost: 127.0.0.1:{serving.server_port}\r\n\r\n".encode()
    assert raw(serving, one * 3).count(b"HTTP/1.0 ") == 1


def test_pages_of_another_host_are_not_posted_to(serving: Server) -> None:
    for where in ("http://evil.example/api/check", "http://[", "/api/check/"):
        request = f"POST {where} HTTP/1.1\r\nHost: 127.0.0.1:{serving.server_port}\r\nContent-Length: 0\r\n\r\n"
        assert raw(serving, request.encode()).startswith(b"HTTP/1.0 404 "), where


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_other_pages_may_not_ask(serving: Server, headers: dict[str, str]) -> None:
    for method, body in (("GET", None), ("POST", b'{"chip": "h20"}')):
        assert ask(serving, method, "/api/check?chip=h20", body, {**JSON, **headers}).status == 403


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_what_a_form_of_another_page_can_send_is_refused(serving: Server, kind: str) -> None:
    """These need no preflight, so a page of any site can send them."""
    assert ask(serving, "POST", "/api/check", b'{"chip": "h20"}', {"Content-Type": kind}).status == 415


def test_large_bodies_are_refused_unread(serving: Server) -> None:
    got = ask(serving, "POST", "/api/check", b" " * (MOST_BYTES + 1), JSON)
    assert got.status == 413
    sending = ask(serving, "POST", "/api/check", b" " * 3_000_000, JSON)
    assert sending.status == 413
    start = f"POST /api/check HTTP/1.1\r\nHost: localhost:{serving.server_port}\r\nContent-Type: application/json\r\n"
    claimed = raw(serving, f"{start}Content-Length: {10**15}\r\n\r\n".encode())
    assert claimed.startswith(b"HTTP/1.0 413 ")
    just = b'{"on": "2024-01-01", "chip": "h20"}'.ljust(MOST_BYTES)
    assert ask(serving, "POST", "/api/check", just, JSON).status == 200


@pytest.mark.parametrize(
    ("lengths", "status"),
    [
        ("", 411),
        ("Transfer-Encoding: chunked\r\n", 411),
        ("Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", 411),
        ("Content-Length: -1\r\n", 400),
        ("Content-Length: two\r\n", 400),
        ("Content-Length: ²\r\n", 400),
        ("Content-Length: 2\r\nContent-Length: 3\r\n", 400),
        ("Content-Length: " + "9" * 5000 + "\r\n", 413),
    ],
)
def test_lengths_are_one_plain_number(serving: Server, lengths: str, status: int) -> None:
    start = f"POST /api/check HTTP/1.1\r\nHost: localhost:{serving.server_port}\r\nContent-Type: application/json\r\n"
    got = raw(serving, (start + lengths + "\r\n{}").encode("latin-1"))
    assert got.startswith(f"HTTP/1.0 {status} ".encode()), got[:200]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", b"431"),
        (b"GET / HTTP/9.9\r\n\r\n", b"505"),
        (b"NONSENSE\r\n\r\n", b"400"),
        (b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", b"501"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
    ],
    ids=["long line", "many headers", "long header", "version", "nonsense", "method", "a TLS greeting"],
)
def test_what_is_no_request_is_refused_in_a_line(serving: Server, request_: bytes, status: bytes) -> None:
    got = raw(serving, request_)
    assert got.startswith(b"HTTP/1.0 " + status) or json.loads(got)["error"], got[:200]
    assert b"Traceback" not in got
    assert ask(serving, "GET", "/api/check?chip=h20&on=2024-01-01").status == 200


def test_slow_clients_are_cut_and_keep_nobody_waiting(serving: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then would keep a connection open for ever; the whole request has a limit."""
    monkeypatch.setattr(module, "READ_S", 0.6)
    with socket.create_connection((module.HOST, serving.server_port), timeout=10) as slow:
        start, sent = time.monotonic(), 0
        slow.sendall(b"GET / HTTP/1.1\r\n")
        assert ask(serving, "GET", "/api/check?chip=h20&on=2024-01-01").status == 200
        try:
            while time.monotonic() - start < 8:
                slow.sendall(b"X")
                sent += 1
                time.sleep(0.1)
        except OSError:
            pass
        assert sent < 40
        assert time.monotonic() - start < 6


def test_a_client_that_goes_while_it_sends_harms_nobody(serving: Server) -> None:
    for request in (b"", b"GE", b"GET / HTTP/1.1\r\nHost", b"POST /api/check HTTP/1.1\r\nContent-Length: 90\r\n\r\n{"):
        with socket.create_connection((module.HOST, serving.server_port), timeout=10) as connection:
            connection.sendall(request)
    assert ask(serving, "GET", "/api/check?chip=h20&on=2024-01-01").status == 200


def test_silent_connections_keep_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more connections than the limit, those that have said nothing for longest are closed."""
    monkeypatch.setattr(module, "MOST_CONNECTIONS", 4)
    with running() as server, contextlib.ExitStack() as idle:
        where = (module.HOST, server.server_port)
        opened = [idle.enter_context(socket.create_connection(where, timeout=5)) for _ in range(60)]
        opened[-1].sendall(b"GET / HT")
        began = time.monotonic()
        assert ask(server, "GET", "/api/check?chip=h20&on=2024-01-01").status == 200
        assert time.monotonic() - began < module.READ_S / 2  # it does not wait for them to run out
        assert [one.recv(10) for one in opened[:56]] == [b""] * 56
        assert len(server.connections) <= 4


def test_connections_beyond_those_being_answered_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CONNECTIONS", 2)
    going, enough = threading.Semaphore(0), threading.Event()

    def wait(*_: object) -> dict[str, str]:
        going.release()
        enough.wait(20)
        return {"at": "last"}

    monkeypatch.setattr(module, "answer", wait)
    with running() as server, ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(ask, server, "GET", "/api/check?chip=h20") for _ in range(2)]
        assert all(going.acquire(timeout=10) for _ in answers)
        with socket.create_connection((module.HOST, server.server_port), timeout=5) as third:
            assert third.recv(10) == b""
        enough.set()
        assert [one.result(20).json for one in answers] == [{"at": "last"}] * 2


def test_many_at_once_get_their_own_answers(serving: Server, tmp_path: Path) -> None:
    chance = random.Random(3)
    asked = [(random_design(chance), chance.choice(DAYS)) for _ in range(60)]
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda one: post(serving, {"facts": one[0], "on": one[1]}), asked))
    for (facts, on), one in zip(asked, got, strict=True):
        assert one.status == 200
        want = perfcore.check(design_file(tmp_path, facts), on=on).to_dict()
        assert one.json["results"][0]["status"] == want["status"]
        assert one.json["results"][0]["paragraphs"] == list(want["paragraphs"])


def test_a_failure_inside_is_a_line_and_the_server_lives(
    serving: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("made for this test")

    with monkeypatch.context() as changed:
        changed.setattr(module, "answer", fail)
        got = ask(serving, "GET", "/api/check?chip=h20")
    assert got.status == 500
    assert "made for this test" not in got.json["error"]
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert ask(serving, "GET", "/api/check?chip=h20&on=2024-01-01").status == 200


FUZZ = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["tpp", "datacenter", "io_bandwidth_gb_s", "destination", "performance_density", "low"])


def answered_or_refused(raw_question: bytes) -> None:
    """Anything but an answer or a refusal in words fails the test."""
    with contextlib.suppress(PerfcoreError):
        assert answer(read_json(raw_question))["results"]


@FUZZ
@given(st.dictionaries(st.sampled_from(["on", "chip", "facts", "x"]), VALUES, max_size=4))
def test_any_json_is_answered_or_refused(question: Any) -> None:
    answered_or_refused(json.dumps(question).encode("utf-8", "surrogatepass"))


@FUZZ
@given(st.dictionaries(NAMES | st.text(max_size=5), VALUES, max_size=5), st.sampled_from(DAYS))
def test_any_facts_are_answered_or_refused(facts: Any, on: str) -> None:
    answered_or_refused(json.dumps({"on": on, "facts": facts}).encode("utf-8", "surrogatepass"))


@FUZZ
@given(st.binary(max_size=200))
def test_any_bytes_are_answered_or_refused(raw_question: bytes) -> None:
    answered_or_refused(raw_question)


@FUZZ
@given(st.text(max_size=60) | st.from_regex(r"(chip|on|tpp|facts)=[0-9a-z.%&=-]{0,30}", fullmatch=True))
def test_any_query_is_answered_or_refused(query: str) -> None:
    with contextlib.suppress(PerfcoreError):
        assert answer(read_query(query))["results"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=120))
def test_any_bytes_on_the_wire_leave_the_server_standing(serving: Server, request: bytes) -> None:
    with socket.create_connection((module.HOST, serving.server_port), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        found = connection.recv(200)
        assert found == b"" or b"200" not in found.partition(b"\n")[0]


def spoiled(request: bytes, chance: random.Random) -> bytes:
    """Put in, take out or change a few bytes of a request."""
    found = bytearray(request)
    pieces = (
        b"\r\n",
        b"\n",
        b"\0",
        b"%00",
        b"..",
        b"\\",
        b"[",
        b"{",
        b'"',
        b"\xff",
        b"9" * 30,
        b"http://",
        b"Host: evil",
    )
    for _ in range(chance.randint(1, 5)):
        at, way = chance.randrange(len(found)), chance.random()
        if way < 0.6:
            found[at:at] = chance.choice(pieces)
        elif way < 0.8:
            del found[at : at + chance.randint(1, 12)]
        else:
            found[at] = chance.randrange(256)
    return bytes(found)


def test_spoiled_requests_are_answered_or_refused(serving: Server, capsys: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(11)
    host = f"Host: 127.0.0.1:{serving.server_port}\r\n"
    body = '{"on": "2024-01-01", "facts": {"tpp": "4800", "applicable_die_area_mm2": 700}}'
    kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    whole = (
        f"POST /api/check HTTP/1.1\r\n{host}{kind}\r\n{body}".encode(),
        f"GET /api/check?chip=h20&on=2024-01-01 HTTP/1.1\r\n{host}Sec-Fetch-Site: same-origin\r\n\r\n".encode(),
    )
    for _ in range(800):
        request = spoiled(chance.choice(whole), chance)
        with socket.create_connection((module.HOST, serving.server_port), timeout=10) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            assert b" 500 " not in connection.recv(100), request
    assert capsys.readouterr().err == ""


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "perfcore", "serve", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly(sign: signal.Signals) -> None:
    with start("--port", "0", "--json", *(f"--without={name}" for name in SLOW)) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        port = json.loads("".join(lines))["port"]
        connection = http.client.HTTPConnection(module.HOST, port, timeout=20)
        connection.request("GET", "/api/check?chip=h20&on=2024-01-01")
        assert connection.getresponse().status == 200
        connection.close()
        process.send_signal(sign)
        _, errors = process.communicate(timeout=15)
    assert process.returncode == 0
    assert errors == "perfcore: stopped\n"
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((module.HOST, port), timeout=2)


@pytest.mark.parametrize("signs", [(signal.SIGTERM,), (signal.SIGINT, signal.SIGTERM, signal.SIGINT)])
def test_it_stops_cleanly_while_it_answers(signs: tuple[signal.Signals, ...]) -> None:
    """Also where the signal is given again; a section that takes seconds is left, and the client let go."""
    with start("--port", "0", "--json", "--without=measured", "--without=claims") as process:
        assert process.stdout is not None
        port = json.loads("".join(process.stdout.readline() for _ in range(4)))["port"]
        with socket.create_connection((module.HOST, port), timeout=20) as waiting:
            waiting.sendall(f"GET /section/stacking HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            time.sleep(0.3)
            for sign in signs:
                process.send_signal(sign)
                time.sleep(0.3)
            _, errors = process.communicate(timeout=15)
    assert (process.returncode, errors) == (0, "perfcore: stopped\n")


def test_a_port_in_use_is_one_line(serving: Server) -> None:
    with start("--port", str(serving.server_port)) as process:
        output, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert output == ""
    assert errors.count("\n") == 1
    assert f"--port: {serving.server_port} cannot be had" in errors


@pytest.mark.parametrize("port", ["65536", "-1", "http"])
def test_ports_that_are_none(port: str) -> None:
    with start("--port", port) as process:
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert errors.count("\n") == 1


def test_only_this_machine_is_listened_to(serving: Server) -> None:
    assert serving.server_address[0] == "127.0.0.1"
