"""`next`, asked by many at once: nothing of a chain is shown twice, whoever continues it."""

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

import plait.workspace
from plait.errors import InputError, NotFoundError, StorageError
from plait.eventlog import Impression
from plait.workspace.impression_pagination import ImpressionChains, InMemoryImpressions
from tests.server.fixtures import bearer, ids
from tests.server.server_process import Server

ROOT = "0" * 32


def at_once(calls):
    """The answers of all calls, which begin in the same moment."""
    gate = threading.Barrier(len(calls))

    def run(call):
        gate.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return [future.result() for future in [threads.submit(run, call) for call in calls]]


def assert_no_repeats(first, answers, least):
    shown = [*first, *(item_id for answer_ids in answers for item_id in answer_ids)]
    assert len(shown) == len(set(shown))
    assert len(shown) >= least


def test_threads_of_one_worker(home):
    with plait.workspace.open(home) as shop:
        for _ in range(5):
            first = shop.recommend(k=2)
            answers = at_once([lambda answer=first: shop.next(answer.request_id, k=2)] * 8)
            assert_no_repeats(first.ids, [answer.ids for answer in answers], 14)


def test_workers_on_one_log(home):
    """Shops of their own are what worker processes have: they meet in the store alone."""
    shops = [plait.workspace.open(home).start() for _ in range(4)]
    try:
        for _ in range(10):
            first = shops[0].recommend(k=2)
            calls = [
                lambda shop=shop, entry=first: shop.next(entry.request_id, k=3) for shop in shops
            ]
            answers = at_once(calls)
            assert_no_repeats(first.ids, [entry.ids for entry in answers], 14)
            assert len({entry.request_id for entry in answers}) == len(answers)
            for shop, answer in zip(shops, reversed(answers), strict=True):
                explained = shop.why(answer.request_id)
                assert [entry["id"] for entry in explained["items"]] == answer.ids
                assert explained["worker"] == answer.worker
    finally:
        for shop in shops:
            shop.close()


@pytest.mark.alone
def test_a_server_of_several_workers(home):
    with Server(home, workers=3) as server:
        server.ready()
        headers = {**bearer(server.key), "connection": "close"}

        def more(request_id):
            body = {"request_id": request_id, "k": 2}
            return httpx.post(f"{server.url}/v1/next", json=body, headers=headers, timeout=30)

        for _ in range(5):
            first = server.ask(body={"k": 2})
            request_id = first.json()["request_id"]
            calls = [lambda entry=request_id: more(entry)] * 6
            answers = at_once(calls)
            assert {entry.status_code for entry in answers} == {200}
            assert_no_repeats(ids(first), [ids(entry) for entry in answers], 14)
        assert server.stop() == 0


class Refusing:
    """Keeps impressions, unless the disk is full."""

    def __init__(self, rows):
        self._rows = rows
        self.full = False

    def __getattr__(self, name):
        return getattr(self._rows, name)

    def flush(self):
        if self.full:
            raise StorageError("the disk is full")
        self._rows.flush()


def test_where_nothing_can_be_stored_nothing_is_shown(home):
    with plait.workspace.open(home) as shop:
        rows = shop.chains.rows = Refusing(shop.chains.rows)
        first = shop.recommend(k=2)
        rows.full = True
        for _ in range(2):
            with pytest.raises(StorageError, match="full"):
                shop.next(first.request_id, k=2)
        rows.full = False
        more = shop.next(first.request_id, k=2)
        assert_no_repeats(first.ids, [more.ids], 4)


def test_a_chain_has_an_end():
    chains = ImpressionChains(InMemoryImpressions(), max_length=3)
    for name in (ROOT, f"{ROOT}-1", f"{ROOT}-2"):
        chains.add(Impression(name, 0, -1, "next", "b", 1, "{}"))
    assert len(chains.chain(ROOT)) == 3
    assert chains.claim_continuation(Impression(f"{ROOT}-3", 0, -1, "next", "b", 1, "{}"))
    with pytest.raises(InputError, match="ask the question again"):
        chains.chain(ROOT)


@pytest.mark.parametrize("name", ["\0", "a\0b", "0" * 31 + "\0", "x" * 100_000])
def test_what_no_request_is_called(home, name):
    with plait.workspace.open(home) as shop:
        with pytest.raises(NotFoundError):
            shop.next(name)
        with pytest.raises(NotFoundError):
            shop.why(name)
