"""A disk that is full: an error says so, nothing that was acknowledged is lost, and it goes on."""

import resource

import plait.workspace
from tests.server.fixtures import ids
from tests.server.server_process import Server


def rows(turn):
    note = "x" * 2000
    return [
        {
            "id": f"full-{turn}-{row}",
            "kind": "view",
            "user": "u",
            "item": "lamp-1",
            "time": "2026-01-02T03:04:05Z",
            "fields": {"note": note},
        }
        for row in range(50)
    ]


def test_it_says_so_and_goes_on_when_there_is_room_again(home):
    with Server(home) as server, server.client() as client:
        server.ready()
        first = client.post("/v1/recommend", json={"k": 2})
        files = [entry.stat().st_size for entry in home.glob("plait.db*")]
        room = max(files) + 300_000
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (room, -1))
        acknowledged, answer = [], None
        for turn in range(200):
            answer = client.post("/v1/events", json={"events": rows(turn)})
            if answer.status_code != 200:
                break
            acknowledged += [entry["id"] for entry in answer.json()["rows"]]
        assert acknowledged
        assert answer.status_code == 507
        assert answer.json()["error"]["code"] == "storage"
        assert client.post("/v1/recommend", json={"k": 2}).status_code == 200
        more = client.post("/v1/next", json={"request_id": first.json()["request_id"], "k": 2})
        assert more.status_code in (200, 507)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (-1, -1))
        again = client.post("/v1/events", json={"events": rows(turn)})
        assert {entry["status"] for entry in again.json()["rows"]} == {"stored"}
        after = client.post("/v1/next", json={"request_id": first.json()["request_id"], "k": 2})
        assert after.status_code == 200
        shown = [*ids(first), *ids(after), *(ids(more) if more.status_code == 200 else [])]
        assert len(shown) == len(set(shown))
        assert server.stop() == 0
    with plait.workspace.open(home) as shop:
        for start in range(0, len(acknowledged), 50):
            turn = start // 50
            _, statuses = shop.post(rows(turn))
            assert {entry["status"] for entry in statuses} == {"duplicate"}
