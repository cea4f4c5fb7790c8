"""Running workers swap to an earlier bundle within a second, without a failed question."""

import threading
import time

import httpx
import pytest

import plait.workspace
from tests.server.fixtures import RECIPE, bearer, served
from tests.server.server_process import Server


def answering(server, n_questions=12):
    """The bundles that answer now; every question may meet another worker."""
    return {server.ask(body={"k": 3}).json()["bundle"] for _ in range(n_questions)}


def within(seconds, holds):
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
    return holds()


def test_workers_follow_a_rollback_and_no_question_fails(home):
    with Server(home, workers=2).ready() as server:
        statuses, stop = [], threading.Event()

        def ask():
            with httpx.Client(base_url=server.url, headers=bearer(server.key)) as client:
                while not stop.is_set():
                    statuses.append(client.post("/v1/recommend", json={"k": 3}).status_code)

        asking = threading.Thread(target=ask)
        asking.start()
        with plait.workspace.open(home) as shop:
            (first,) = answering(server)
            second = shop.fit()
            assert within(10, lambda: answering(server) == {second})
            start = time.monotonic()
            assert shop.rollback() == first
            assert within(10, lambda: answering(server, 4) == {first})
            seconds = time.monotonic() - start
            assert shop.recipe_of_next_fit().recipe == RECIPE
        stop.set()
        asking.join()
        assert server.stop() == 0
    assert set(statuses) == {200}
    assert seconds < 5  # a second where the machine is not shared


@pytest.mark.alone
def test_workers_follow_a_rollback_within_a_second(home):
    with served(home) as client, plait.workspace.open(home) as shop:
        first = client.post("/v1/recommend", json={}).json()["bundle"]
        second = shop.fit()

        def answers_from(bundle):
            return client.post("/v1/recommend", json={}).json()["bundle"] == bundle

        assert within(10, lambda: answers_from(second))
        shop.rollback()
        assert within(1, lambda: answers_from(first))
