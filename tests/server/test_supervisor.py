"""Real server processes: one and several, started, spoken to, killed and stopped."""

import os
import re
import signal
import socket
import threading
import time

import httpx
import pytest

from plait.errors import InputError
from plait.server.server import bound
from tests.server.fixtures import MUGS, ids
from tests.server.server_process import Server, gone_within

pytestmark = pytest.mark.alone


def test_the_first_start_says_the_key_and_later_ones_where_it_is(tmp_path):
    with Server(tmp_path / "home", key="") as first:
        key = re.fullmatch(r"key: (\S{20,})", first.lines[0])[1]
        assert first.lines[1].startswith("url: http://127.0.0.1:")
        assert httpx.get(f"{first.url}/health", timeout=30).status_code == 200
        with first.client() as client:
            assert client.get("/v1/info").status_code == 200
            not_ready = client.get("/ready")
        assert not_ready.status_code == 503
        assert not_ready.json()["error"]["code"] == "not_ready"
        assert first.stop() == 0
    with Server(tmp_path / "home", key="") as second:
        assert not any(key in line for line in second.lines)
        assert str(tmp_path / "home" / "key") in second.lines[0]
        assert second.stop() == 0
    assert key not in first.errors.read_text() + second.errors.read_text()


def test_a_port_that_is_taken_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError, match=r"port \d+: .*in use.*port 0"):
            bound("127.0.0.1", taken.getsockname()[1])


def test_modules_of_the_working_directory_are_not_imported(home, tmp_path):
    (tmp_path / "orjson.py").write_text("from pathlib import Path\nPath('imported').touch()\n")
    with Server(home, workers=2, cwd=tmp_path) as server:
        assert server.ready().ask().status_code == 200
        assert not (tmp_path / "imported").exists()


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_told_and_answers_what_is_under_way(home, workers, how):
    with Server(home, workers=workers, stale_wait_ms=5000) as server:
        server.ready()
        answers = []

        def ask():
            answers.append(server.ask(body={"at_least": 10**12}).status_code)

        asking = [threading.Thread(target=ask) for _ in range(4)]
        for thread in asking:
            thread.start()
        time.sleep(2)
        assert server.stop(how) == 0
        for thread in asking:
            thread.join()
        assert answers == [200] * 4
        with pytest.raises(httpx.ConnectError):
            server.ask()


def test_what_was_shown_is_written_before_the_end(home):
    with Server(home) as server:
        server.ready()
        shown = [server.ask(body={"user": "person-1"}).json()["request_id"] for _ in range(5)]
        assert server.stop() == 0
    with Server(home) as server, server.client() as client:
        for request_id in shown:
            assert client.get(f"/v1/requests/{request_id}").status_code == 200
        assert server.stop() == 0


def test_an_event_changes_the_answers_of_every_worker(home):
    with Server(home, workers=3) as server:
        server.ready()
        everybody = seen_workers(server, 3)
        event = {"kind": "view", "user": "fresh", "item": "mug-4"}
        with server.client() as client:
            version = client.post("/v1/events", json={"events": [event]}).json()["version"]
        deadline = time.monotonic() + 30  # how soon it is: benchmarks/live.py
        changed = set()
        while changed != everybody:
            assert time.monotonic() < deadline, f"only {changed} of {everybody}"
            answer = server.ask(body={"user": "fresh", "k": 3})
            if answer.json()["version"] >= version:
                assert set(ids(answer)) <= set(MUGS)
                changed.add(answer.json()["worker"])
        assert server.stop() == 0


def test_the_worker_that_took_an_event_knows_it_at_once(home):
    with Server(home) as server, server.client() as client:
        server.ready()
        for turn in range(20):
            event = {"kind": "view", "user": f"fresh-{turn}", "item": "mug-4"}
            version = client.post("/v1/events", json={"events": [event]}).json()["version"]
            answer = client.post("/v1/recommend", json={"user": f"fresh-{turn}", "k": 3})
            assert answer.json()["version"] >= version
            assert set(ids(answer)) <= set(MUGS)
        assert server.stop() == 0


def seen_workers(server, count):
    """The names of `count` workers, asked until each has answered."""
    workers = set()
    deadline = time.monotonic() + 30
    while len(workers) < count:
        assert time.monotonic() < deadline, f"only {workers} answered"
        answer = server.ask()
        if answer.status_code == 200:
            workers.add(answer.json()["worker"])
    return workers


def test_metrics_are_summed_over_the_workers(home):
    with Server(home, workers=2) as server, server.client() as client:
        server.ready()
        seen_workers(server, 2)
        counted = 'plait_requests_total{method="POST",route="/v1/search",status="200"}'
        for _ in range(20):
            assert server.ask("/v1/search", {"text": "red"}).status_code == 200
        assert f"{counted} 20.0" in client.get("/metrics").text
        time.sleep(1.5)
        assert "plait_ready_workers 2.0" in client.get("/metrics").text
        os.kill(server.workers()[0], signal.SIGKILL)
        deadline = time.monotonic() + 30
        while len(server.workers()) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        for _ in range(5):
            server.ask("/v1/search", {"text": "red"})
        assert f"{counted} 25.0" in client.get("/metrics").text
        assert server.stop() == 0


def test_a_home_that_cannot_be_opened_ends_the_server(home):
    for leftover in home.glob("plait.db*"):
        leftover.unlink()
    (home / "plait.db").write_bytes(b"this is no database" * 1000)
    with Server(home, workers=2) as server:
        assert server.process.wait(60) == 3
    assert "cannot serve" in server.errors.read_text()


def test_workers_end_when_their_parent_was_killed(home):
    with Server(home, workers=2) as server:
        server.ready()
        orphans = server.workers()
        assert len(orphans) == 2
        server.process.kill()
        assert gone_within(orphans, 15)
