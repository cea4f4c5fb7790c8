"""POST /v1/complete over a real server."""

import pytest


def test_completions_of_a_text(client):
    answer = client.post("/v1/complete", json={"text": "la", "k": 3})
    assert answer.status_code == 200, answer.text
    entries = answer.json()["completions"]
    assert 0 < len(entries) <= 3
    assert all(entry["text"].startswith("la") and entry["count"] > 0 for entry in entries)
    assert client.post("/v1/complete", json={"text": ""}).json() == {"completions": []}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "text"),
        ({"text": "a", "k": 0}, "k"),
        ({"text": 1}, "text"),
        ({"text": "a", "x": 1}, "x"),
    ],
)
def test_wrong_bodies_are_refused_by_field(client, body, field):
    answer = client.post("/v1/complete", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == field
