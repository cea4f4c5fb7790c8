"""kill -9 of workers and of whole servers: nothing that was acknowledged is lost."""

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
    """Threads that post and ask until told to stop; `acknowledged` is what they were promised."""

    def __init__(self, server, turn):
        self.server, self.turn = server, turn
        self.acknowledged, self.answered, self.wrong = [], [], []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._post, args=(one,)) for one in range(3)]
        self._threads += [threading.Thread(target=self._ask) for _ in range(2)]
        for one in self._threads:
            one.start()

    def await_more(self):
        """Until it was promised and answered something more than now."""
        before = len(self.acknowledged), len(self.answered)
        deadline = time.monotonic() + 60
        while len(self.acknowledged) == before[0] or len(self.answered) == before[1]:
            assert time.monotonic() < deadline, "it does not answer any more"
            time.sleep(0.02)

    def end(self):
        self._over.set()
        for one in self._threads:
            one.join()
        assert self.wrong == []

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
            answer = self._send("/v1/events", {"events": rows})
            if answer is not None:
                stored = [row["id"] for row in answer["rows"] if row["status"] == "stored"]
                self.acknowledged += stored
                if len(stored) != len(rows):
                    self.wrong.append(answer)

    def _ask(self):
        while not self._over.is_set():
            answer = self._send("/v1/recommend", {"user": "person-1", "k": 3})
            if answer is not None:
                self.answered.append(answer["request_id"])

    def _send(self, path, body):
        headers = {**bearer(self.server.key), "connection": "close"}
        try:
            answer = httpx.post(f"{self.server.url}{path}", json=body, headers=headers, timeout=20)
        except httpx.TransportError:
            time.sleep(0.01)
            return None
        if answer.status_code == 503:  # a new worker that is not warm yet
            time.sleep(0.01)
            return None
        if answer.status_code != 200:
            self.wrong.append(answer.text)
            return None
        return answer.json()


def assert_all_there(home, acknowledged):
    """Posting the same ids again finds every one of them stored."""
    with plait.workspace.open(home) as shop:
        for start in range(0, len(acknowledged), 1000):
            rows = [
                {
                    "id": one,
                    "kind": "view",
                    "user": f"person-{one.rpartition('-')[2]}",
                    "item": "mug-7",  # other content: what is stored answers as a conflict
                    "time": "2026-01-02T03:04:05Z",
                }
                for one in acknowledged[start : start + 1000]
            ]
            _, found = shop.post(rows)
            assert {row["status"] for row in found} == {"conflict"}


def test_killing_workers_while_they_post_and_answer(home):
    choose = random.Random(7)
    with Server(home, workers=3) as server:
        server.ready()
        load = Load(server, 0)
        for _ in range(5):
            time.sleep(0.5)
            os.kill(choose.choice(server.workers()), signal.SIGKILL)
        load.await_more()
        load.end()
        assert server.stop() == 0
    assert load.acknowledged
    assert load.answered
    assert_all_there(home, load.acknowledged)


@pytest.mark.parametrize("workers", [1, 3])
def test_killing_the_server_again_and_again(home, workers):
    acknowledged = []
    for turn in range(4):
        with Server(home, workers=workers) as server:
            server.ready()
            everybody = [server.process.pid, *server.workers()]
            load = Load(server, turn)
            load.await_more()
            time.sleep(0.2 * turn)
            victims = everybody if turn % 2 else everybody[:1]
            for pid in victims:
                os.kill(pid, signal.SIGKILL)
            server.process.wait()
            assert gone_within(everybody, 15)
            load.end()
            assert load.acknowledged
            acknowledged += load.acknowledged
    with Server(home, workers=workers) as server:
        server.ready()
        assert server.ask(body={"user": "person-1"}).status_code == 200
        assert server.stop() == 0
    assert_all_there(home, acknowledged)
