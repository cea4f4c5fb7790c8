"""`kill -9` of workers and of whole servers: nothing that was acknowledged is lost."""

import os
import random
import shutil
import signal
import threading
import time

import httpx
import pytest

import plait.workspace
from tests.server.fixtures import bearer, make_home
from tests.server.server_process import Server, gone_within

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    home = tmp_path_factory.mktemp("fitted") / "home"
    make_home(home)
    return home


@pytest.fixture
def home(fitted, tmp_path):
    return shutil.copytree(fitted, tmp_path / "home")


class Load:
    """Threads that post events and query until `end`; `acknowledged` are the ids stored."""

    def __init__(self, server, turn):
        self.server, self.turn = server, turn
        self.acknowledged, self.answered, self.unexpected = [], [], []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._post, args=(index,)) for index in range(3)]
        self._threads += [threading.Thread(target=self._query) for _ in range(2)]
        for thread in self._threads:
            thread.start()

    def await_more(self):
        """Wait for another acknowledged event and another response."""
        before = len(self.acknowledged), len(self.answered)
        deadline = time.monotonic() + 60
        while len(self.acknowledged) == before[0] or len(self.answered) == before[1]:
            assert time.monotonic() < deadline, "the server does not respond any more"
            time.sleep(0.02)

    def end(self):
        self._over.set()
        for thread in self._threads:
            thread.join()
        assert self.unexpected == []

    def _post(self, thread):
        count = 0
        while not self._over.is_set():
            count += 1
            rows = [
                {
                    "id": f"crash-{self.turn}-{thread}-{count}-{row}",
                    "kind": "view",
                    "user": f"person-{row}",
                    "item": "lamp-1",
                }
                for row in range(3)
            ]
            response = self._send("/v1/events", {"events": rows})
            if response is not None:
                stored = [row["id"] for row in response["rows"] if row["status"] == "stored"]
                self.acknowledged += stored
                if len(stored) != len(rows):
                    self.unexpected.append(response)

    def _query(self):
        while not self._over.is_set():
            response = self._send("/v1/recommend", {"user": "person-1", "k": 3})
            if response is not None:
                self.answered.append(response["request_id"])

    def _send(self, path, body):
        url = f"{self.server.url}{path}"
        headers = {**bearer(self.server.key), "connection": "close"}
        try:
            response = httpx.post(url, json=body, headers=headers, timeout=20)
        except httpx.TransportError:
            time.sleep(0.01)
            return None
        if response.status_code == 503:  # a new worker that is not warm yet
            time.sleep(0.01)
            return None
        if response.status_code != 200:
            self.unexpected.append(response.text)
            return None
        return response.json()


def assert_all_stored(home, acknowledged):
    """Posting the same ids with other content gives a conflict for each."""
    with plait.workspace.open(home) as workspace:
        for start in range(0, len(acknowledged), 1000):
            rows = [
                {
                    "id": event_id,
                    "kind": "view",
                    "user": f"person-{event_id.rpartition('-')[2]}",
                    "item": "mug-7",
                    "time": "2026-01-02T03:04:05Z",
                }
                for event_id in acknowledged[start : start + 1000]
            ]
            _, statuses = workspace.post(rows)
            assert {row["status"] for row in statuses} == {"conflict"}


def test_killing_workers_loses_no_acknowledged_event(home):
    generator = random.Random(7)
    with Server(home, workers=3) as server:
        server.ready()
        load = Load(server, 0)
        for _ in range(5):
            time.sleep(0.5)
            os.kill(generator.choice(server.workers()), signal.SIGKILL)
        load.await_more()
        load.end()
        assert server.stop() == 0
    assert load.acknowledged
    assert load.answered
    assert_all_stored(home, load.acknowledged)


@pytest.mark.parametrize("workers", [1, 3])
def test_killing_the_server_loses_no_acknowledged_event(home, workers):
    acknowledged = []
    for turn in range(4):
        with Server(home, workers=workers) as server:
            server.ready()
            pids = [server.process.pid, *server.workers()]
            load = Load(server, turn)
            load.await_more()
            time.sleep(0.2 * turn)
            victims = pids if turn % 2 else pids[:1]
            for pid in victims:
                os.kill(pid, signal.SIGKILL)
            server.process.wait()
            assert gone_within(pids, 15)
            load.end()
            assert load.acknowledged
            acknowledged += load.acknowledged
    with Server(home, workers=workers) as server:
        server.ready()
        assert server.ask(body={"user": "person-1"}).status_code == 200
        assert server.stop() == 0
    assert_all_stored(home, acknowledged)
