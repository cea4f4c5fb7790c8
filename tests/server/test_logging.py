"""The log says what happened, never to whom."""

import logging

import pytest

from tests.server.fixtures import INGEST, KEY, READ, served

SECRETS = ("secret-person", "secret-item", "secret words", "secret-field", KEY, READ, INGEST)


class Recorder(logging.Handler):
    """Keeps the lines of the server's loggers."""

    def __init__(self):
        super().__init__()
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
        self.lines = []

    def emit(self, record):
        self.lines.append(self.format(record))


@pytest.fixture
def handler():
    recorder = Recorder()
    yield recorder
    for name in ("plait", "uvicorn"):
        logging.getLogger(name).removeHandler(recorder)


def listen(handler):
    for name in ("plait", "uvicorn"):
        logging.getLogger(name).addHandler(handler)


def test_no_ids_words_or_keys(home, handler):
    with served(home) as client:
        listen(handler)
        event = {"kind": "view", "user": "secret-person", "item": "secret-item"}
        client.post("/v1/events", json={"events": [event, {"kind": "secret-field"}]})
        client.put("/v1/items/secret-item", json={"title": "secret words"})
        client.put("/v1/users/secret-person", json={"age": "secret words"})
        client.get("/v1/users/secret-person?token=secret-person")
        client.post("/v1/recommend", json={"user": "secret-person", "secret-field": 1})
        client.post("/v1/recommend", json={"user": "secret-person", "filter": "secret-field =="})
        answer = client.post("/v1/search", json={"user": "secret-person", "text": "secret words"})
        client.post("/v1/similar", json={"item": "secret-item-unknown"})
        client.delete("/v1/users/secret-person")
        client.get("/secret-person", headers={"x-api-key": "secret-person"})
        client.get("/v1/info", headers={"authorization": "Bearer secret-person"})
    text = "\n".join(handler.lines)
    for secret in SECRETS:
        assert secret not in text
    assert "POST /v1/events 200" in text
    assert "GET /v1/users/{id} 200" in text
    assert "GET unmatched" in text
    line = next(entry for entry in handler.lines if "/v1/search 200" in entry)
    assert line.endswith(answer.json()["request_id"])
    assert answer.headers["x-request-id"] == answer.json()["request_id"]
