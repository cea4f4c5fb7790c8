import pytest

import plait
from plait.errors import NotFoundError
from tests.workspace.workspace_fixtures import LAMPS, MUGS, fitted


def test_next_repeats_nothing_of_the_whole_chain(shop):
    first = shop.recommend("user1", k=4)
    second = shop.next(first.request_id, k=4)
    third = shop.next(first.request_id, k=4)
    fourth = shop.next(second.request_id, k=50)
    shown = [*first.ids, *second.ids, *third.ids, *fourth.ids]
    assert len(shown) == len(set(shown))
    assert set(shown) == set(LAMPS + MUGS) - set(MUGS[:4])
    assert shop.next(fourth.request_id).ids == []


def test_next_asks_the_same_question(shop):
    answer = shop.search("lamp", k=3, filter="price < 12", user="user1")
    more = shop.next(answer.request_id, k=30)
    assert set(answer.ids) | set(more.ids) == set(LAMPS[:7])
    ranked = shop.rank("user1", ["mug1", "lamp1", "who"], k=1)
    assert shop.next(ranked.request_id).ids == ["lamp1", "who"]


def test_another_process_can_go_on(home):
    with plait.open(home) as worker, plait.open(home) as other:
        first = worker.recommend("user1", k=3)
        second = other.next(first.request_id, k=3)
        third = worker.next(first.request_id, k=3)
        assert len({*first.ids, *second.ids, *third.ids}) == 9


def test_why_tells_everything_there_was(shop):
    answer = shop.recommend("user1", k=3, context={"device": "phone"})
    why = shop.why(answer.request_id)
    assert why["user"] == "user1"
    assert why["route"] == "recommend"
    assert why["query"] == {"context": {"device": "phone"}, "k": 3}
    assert (why["bundle"], why["version"]) == (answer.bundle, answer.version)
    assert [item["id"] for item in why["items"]] == answer.ids
    first = why["items"][0]
    assert first["propensity"] == 1.0
    assert first["reasons"] == answer.items[0].reasons
    assert set(first["strands"]) == {"popular", "neighbours"}
    assert first["strands"]["neighbours"]["rank"] >= 1
    assert why["candidates"] >= 3


def test_requests_that_nobody_remembers(shop):
    for name in ("nonsense", "", "a-b-c"):
        with pytest.raises(NotFoundError, match="no request"):
            shop.why(name)
    with pytest.raises(NotFoundError):
        shop.next("0" * 32)


def test_an_erased_user_leaves_no_impression(own):
    answer = own.recommend("user1", k=3)
    own.why(answer.request_id)
    own.chains.rows.flush()
    own.erase_user("user1")
    with pytest.raises(NotFoundError):
        own.why(answer.request_id)


def test_without_impressions_nothing_is_stored_and_next_still_works(tmp_path):
    with fitted(tmp_path, impressions=False) as shop:
        answer = shop.recommend("user1", k=3)
        assert len(shop.next(answer.request_id, k=3)) == 3
        assert shop.why(answer.request_id)["user"] == "user1"
    with plait.open(tmp_path) as shop, pytest.raises(NotFoundError):
        shop.why(answer.request_id)


def test_what_was_shown_outlives_the_process(home):
    with plait.open(home) as shop:
        answer = shop.recommend("user2", k=2)
    with plait.open(home) as shop:
        assert [item["id"] for item in shop.why(answer.request_id)["items"]] == answer.ids
