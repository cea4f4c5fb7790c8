"""POST /v1/events with one event a line."""

import json
import socket

import pytest

from tests.server.fixtures import KEY

LINES = {"content-type": "application/x-ndjson"}


def view(name, **more):
    return {"id": name, "kind": "view", "user": "anna", "item": "lamp-1", **more}


def post(client, content, headers=LINES):
    return client.post("/v1/events", content=content, headers=headers)


def lines(*rows):
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()


@pytest.mark.parametrize(
    "media", ["application/x-ndjson", "Application/X-NDJSON; charset=utf-8", "application/jsonl"]
)
def test_lines_are_stored_as_a_list_is(client, media):
    at = "2026-01-02T03:04:05Z"
    rows = [view(f"{media}-{number}", time=at, user="zoë 灯") for number in range(3)]
    answer = post(client, lines(*rows), {"content-type": media})
    assert answer.status_code == 200, answer.text
    assert [row["status"] for row in answer.json()["rows"]] == ["stored"] * 3
    again = client.post("/v1/events", json={"events": rows}).json()
    assert [row["status"] for row in again["rows"]] == ["duplicate"] * 3
    assert again["version"] == answer.json()["version"]


def test_a_bad_line_stops_no_other(client):
    deep = b'{"fields":' + b"[" * 100 + b"]" * 100 + b"}"
    body = [
        b"\xef\xbb\xbf" + lines(view("bad-0")),
        b'{"id": "half',
        b"[1]",
        b"",
        b"  \r",
        b'{"id":"bad-3","kind":"view","user":"\xff","item":"lamp-1"}',
        deep,
        lines(view("bad-5", colour=1)) + b"\r",
        lines(view("bad-6")),
    ]
    rows = post(client, b"\n".join(body) + b"\n").json()["rows"]
    statuses = [row["status"] for row in rows]
    assert statuses == ["stored", *["rejected"] * 5, "stored"]
    errors = [row["error"] for row in rows]
    assert "expected one JSON object" in errors[1]
    assert errors[2] == "expected an object"
    assert "expected one JSON object" in errors[3]
    assert "64 levels" in errors[4]
    assert "colour" in errors[5]
    assert [row["id"] for row in rows if row["status"] == "stored"] == ["bad-0", "bad-6"]


def test_an_empty_body_has_no_rows(client):
    for body in (b"", b"\n\n", b"  \n"):
        assert post(client, body).json()["rows"] == []


def test_the_limits_are_those_of_json(client):
    rows = [view(f"many-{number}") for number in range(51)]
    answer = post(client, lines(*rows))
    assert answer.status_code == 413
    assert answer.json()["error"]["field"] == "events"
    assert post(client, lines(*rows[:50])).status_code == 200
    long = post(client, lines(view("long", fields={"note": "x" * 100_000})))
    assert long.status_code == 413
    assert long.json()["error"]["field"] == "body"


def test_too_many_lines_are_refused_while_they_come(client):
    """The rest of the body is never sent: the answer does not wait for it."""
    address = (client.base_url.host, client.base_url.port)
    with socket.create_connection(address, timeout=20) as connection:
        head = (
            f"POST /v1/events HTTP/1.1\r\nhost: p\r\nx-api-key: {KEY}\r\ncontent-length: 99999\r\n"
        )
        connection.sendall(head.encode() + b"content-type: application/x-ndjson\r\n\r\n")
        connection.sendall(lines(*[view(f"never-{number}") for number in range(60)]) + b"\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 413")
    stored = post(client, lines(view("never-0"))).json()["rows"]
    assert stored[0]["status"] == "stored"


def test_lines_are_described(client):
    content = client.get("/openapi.json").json()["paths"]["/v1/events"]["post"]["requestBody"]
    assert content["content"]["application/x-ndjson"]["schema"]["$ref"].endswith("EventRow")
