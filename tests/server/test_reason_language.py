"""The language of reasons over HTTP, and what a reason says for machines."""

import pytest

KEYS = {"model", "rank", "because", "fact", "text", "key", "action", "words", "count"}
BODIES = {
    "/v1/recommend": {"user": "person-3", "k": 3},
    "/v1/search": {"text": "red", "k": 3},
    "/v1/similar": {"item": "lamp-2", "k": 3},
    "/v1/rank": {"user": "person-3", "items": ["mug-1", "lamp-7"]},
}


def reasons(client, path, **more):
    answer = client.post(path, json={**BODIES[path], **more})
    assert answer.status_code == 200, answer.text
    return [reason for item in answer.json()["items"] for reason in item["reasons"]]


@pytest.mark.parametrize("path", BODIES)
def test_every_route_writes_reasons_in_the_language_of_the_request(client, path):
    english, german = reasons(client, path), reasons(client, path, language="de-AT")
    assert [reason["key"] for reason in english] == [reason["key"] for reason in german]
    assert all(set(reason) == KEYS for reason in english)
    assert not {reason["text"] for reason in english} & {reason["text"] for reason in german}


@pytest.mark.parametrize("language", ["xx", "", 5, "deutsch", "de" * 200])
def test_language_without_sentences_is_refused(client, language):
    answer = client.post("/v1/recommend", json={"language": language})
    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == "language"
