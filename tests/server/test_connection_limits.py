"""Clients that are slow, endless or no clients at all: each is answered, or hung up on, in time."""

import http.client
import json
import shutil
import socket
import time

import pytest

from plait.server.http.connection_limits import LONGEST_HEAD
from tests.polling import until
from tests.server.fixtures import KEY, served

PATIENCE = 0.4


@pytest.fixture(scope="module")
def hasty(fitted, tmp_path_factory):
    """A server, ready to answer, that gives a client `PATIENCE` seconds for a request."""
    home = shutil.copytree(fitted, tmp_path_factory.mktemp("hasty") / "home")
    with served(home, client_timeout_ms=int(PATIENCE * 1000), body_limit=300_000) as client:
        until(lambda: client.get("/ready").status_code == 200)
        yield client


@pytest.fixture
def wire(hasty):
    address = (hasty.base_url.host, hasty.base_url.port)
    with socket.create_connection(address, timeout=20) as connection:
        yield connection


def head(path="/v1/recommend", method="POST", key=KEY, **headers):
    lines = [f"{method} {path} HTTP/1.1", "host: plait", f"x-api-key: {key}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def rest_of(connection):
    """Everything until the server hangs up."""
    received = b""
    while True:
        try:
            piece = connection.recv(65536)
        except ConnectionResetError:
            return received
        if not piece:
            return received
        received += piece


def is_cut_off(connection, piece):
    """Whether the server hangs up on who sends a piece now and then."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            connection.sendall(piece)
        except OSError:  # a reset or a broken pipe
            return True
        time.sleep(0.05)
    return False


def assert_told(raw, status, code):
    first, _, body = raw.partition(b"\r\n\r\n")
    assert first.split()[1] == str(status).encode(), raw
    assert b"connection: close" in first.lower()
    error = json.loads(body)["error"]
    assert set(error) == {"code", "message", "hint", "field"}
    assert error["code"] == code
    return error


def test_half_a_body(wire):
    wire.sendall(head(content_length=100) + b'{"user":')
    assert assert_told(rest_of(wire), 408, "timeout")["field"] == "body"


def test_a_body_that_trickles(wire):
    wire.sendall(head(content_length=1000))
    assert is_cut_off(wire, b"{")


def test_a_body_that_comes_steadily_may_take_longer(wire):
    body = b'{"user":"person-1"' + b" " * 200_000 + b"}"
    wire.sendall(head(content_length=len(body), connection="close") + body[:100_000])
    time.sleep(2 * PATIENCE)
    wire.sendall(body[100_000:])
    assert rest_of(wire).startswith(b"HTTP/1.1 200")


def test_half_a_head(wire):
    wire.sendall(b"GET /health HTTP/1.1\r\nhost: pl")
    assert_told(rest_of(wire), 408, "timeout")


@pytest.mark.parametrize("sent", [b"", b"\r\n"])
def test_nothing_at_all(wire, sent):
    wire.sendall(sent)
    assert rest_of(wire) == b""


def test_what_nobody_reads_holds_no_connection(wire):
    wire.sendall(head(method="GET", path="/health", content_length=10**9))
    assert is_cut_off(wire, b"x")


def status_of(connection):
    """The status of the next response, which is read whole: it may come in several pieces."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    response.read()
    return response.status


def test_an_idle_connection_is_kept(wire):
    for _ in range(2):
        wire.sendall(head(method="GET", path="/health"))
        assert status_of(wire) == 200
        time.sleep(2 * PATIENCE)
    wire.sendall(head(content_length=11) + b'{"user": "u')
    assert status_of(wire) == 400


@pytest.mark.parametrize(
    "pieces",
    [
        [b"GET /health HTTP/1.1\r\n", *[b"x-a: " + b"y" * 1000 + b"\r\n"] * 80, b"\r\n"],
        [b"GET /health HTTP/1.1\r\nx-a: ", *[b"y" * 10_000] * 20],
        [b"GET /", *[b"y" * 10_000] * 20],
    ],
    ids=["many headers", "a long header", "a long path"],
)
def test_a_head_that_is_too_long(wire, pieces):
    for piece in pieces:
        try:
            wire.sendall(piece)
        except OSError:
            break
        time.sleep(0.002)
    raw = rest_of(wire)
    if raw:  # what it had not read yet may have reset the connection before we could read
        error = assert_told(raw, 431, "request_header_fields_too_large")
        assert str(LONGEST_HEAD) in error["message"]


def test_a_long_head_is_answered(wire):
    wire.sendall(head(method="GET", path="/health", x_a="y" * (LONGEST_HEAD + 1)))
    assert_told(rest_of(wire), 431, "request_header_fields_too_large")


def test_what_is_no_http_is_told_so(wire):
    wire.sendall(b"\x00\x01\x02\r\n\r\n")
    assert_told(rest_of(wire), 400, "bad_request")


def test_a_client_that_takes_no_answer(hasty):
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(20)
    connection.connect((hasty.base_url.host, hasty.base_url.port))
    asked = 4000
    with connection:
        try:
            connection.sendall(head(method="GET", path="/openapi.json") * asked)
        except OSError:
            return  # it hung up while we still asked
        time.sleep(4 * PATIENCE)
        assert rest_of(connection).count(b"HTTP/1.1 200") < asked
    assert hasty.get("/health").status_code == 200


@pytest.mark.parametrize("header", ["x-api-key", "authorization"])
def test_a_trailer_is_no_header(wire, header):
    value = KEY if header == "x-api-key" else f"Bearer {KEY}"
    head_lines = ["GET /v1/info HTTP/1.1", "host: plait", "connection: close"]
    lines = [*head_lines, "transfer-encoding: chunked", "", "0"]
    wire.sendall("\r\n".join([*lines, f"{header}: {value}", "", ""]).encode())
    assert rest_of(wire).startswith(b"HTTP/1.1 401")


def answered(wire, lines, body=b""):
    """Everything the server sends to a request, which ends the connection."""
    wire.sendall("\r\n".join([*lines, "", ""]).encode() + body)
    return rest_of(wire)


@pytest.mark.parametrize(
    "lines",
    [
        ["GET /health HTTP/1.1"],
        ["GET /health HTTP/1.1", "host: plait", "host: plait"],
        ["GET /health HTTP/1.1", "Host: plait", "HOST: elsewhere"],
        ["GET /health HTTP/1.0", "host: plait", "host: plait"],
        *(["GET /health HTTP/1.1", f"host: {host}"] for host in (
            *("a b", "a/b", "user@plait", "plait:80a", "plait:80:80", "[::1", "a%2", "pl\u00e4it"),
            *("plait, elsewhere", "http://plait", "[plait]", "a\\b", "a\"b"),
        )),
        ["GET /health HTTP/2.0", "host: plait"],
        ["GET /health HTTP/0.9", "host: plait"],
        ["GET /health"],
        ["GET /health HTTP/3.0", "host: plait"],
    ],
    ids=lambda lines: " | ".join(lines).encode("ascii", "replace").decode(),
)  # fmt: skip
def test_a_head_without_the_one_valid_host_or_version_is_refused(wire, lines):
    assert_told(answered(wire, lines), 400, "bad_request")


@pytest.mark.parametrize(
    "host",
    ["", "plait", "plait:80", "plait:", "127.0.0.1:8000", "[::1]:80", "a_b.%c3%a4", "[v1.a:b]"],
)
def test_a_host_of_rfc_3986_is_taken(wire, host):
    lines = ["GET /health HTTP/1.1", f"host: {host}", "connection: close"]
    assert answered(wire, lines).startswith(b"HTTP/1.1 200")


def test_http_1_0_needs_no_host(wire):
    assert answered(wire, ["GET /health HTTP/1.0"]).startswith(b"HTTP/1.1 200")


def test_the_second_of_two_pipelined_requests_needs_a_host_too(wire):
    wire.sendall(head(path="/health", method="GET"))
    assert wire.recv(65536).startswith(b"HTTP/1.1 200")
    assert_told(answered(wire, ["GET /health HTTP/1.1"]), 400, "bad_request")


@pytest.mark.parametrize(
    "path", ["/health", "/ready", "/docs", "/openapi.json", "/metrics", "/v1/info"]
)
def test_head_is_answered_like_get_without_a_body(wire, hasty, path):
    raw = answered(wire, head(path, "HEAD", connection="close").decode().split("\r\n")[:-2])
    first, _, body = raw.partition(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 200")
    assert body == b""
    expected = hasty.get(path).headers["content-type"]
    assert f"content-type: {expected}".encode() in first.lower()


def test_head_needs_a_key_where_get_does(wire):
    raw = answered(
        wire, head("/v1/info", "HEAD", key="wrong", connection="close").decode().split("\r\n")[:-2]
    )
    assert raw.startswith(b"HTTP/1.1 401")
    assert raw.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/v1/info", "GET, HEAD"),
        ("/v1/items/a", "DELETE, GET, HEAD, PATCH, PUT"),
        ("/v1/next", "POST"),
    ],
)
def test_a_refused_method_names_all_that_there_are(hasty, path, methods):
    answer = hasty.request("TRACE", path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == methods


def test_a_client_that_closes_its_sending_side_gets_its_answer(wire):
    body = b'{"events": [{"kind": "view", "user": "u", "item": "lamp-1"}]}'
    wire.sendall(head("/v1/events", content_length=len(body)) + body)
    wire.shutdown(socket.SHUT_WR)
    raw = rest_of(wire)
    assert raw.startswith(b"HTTP/1.1 200")
    assert json.loads(raw.partition(b"\r\n\r\n")[2])["rows"][0]["status"] == "stored"


def test_a_client_that_closes_its_sending_side_gets_all_answers_it_asked_for(wire):
    wire.sendall(head(path="/health", method="GET") * 3)
    wire.shutdown(socket.SHUT_WR)
    assert rest_of(wire).count(b"HTTP/1.1 200") == 3


@pytest.mark.parametrize("sent", [b"", b"GET /health HT", head(content_length=100) + b'{"user":'])
def test_a_client_that_closes_its_sending_side_too_early_is_hung_up_on(wire, sent):
    wire.sendall(sent)
    wire.shutdown(socket.SHUT_WR)
    assert b"HTTP/1.1 200" not in rest_of(wire)
