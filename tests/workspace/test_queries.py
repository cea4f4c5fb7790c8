import datetime as dt

import numpy as np
import polars as pl
import pytest

import plait
from plait import Query
from plait.errors import FilterError, InputError, NotFoundError, NotReadyError, TooLargeError
from tests.workspace.workspace_fixtures import LAMPS, MUGS


def test_a_user_gets_what_people_of_the_same_taste_took_next(shop):
    answer = shop.recommend("user1", k=3)
    assert set(answer.ids) <= set(MUGS)
    assert not set(answer.ids) & set(MUGS[:4])  # seen
    first = answer.items[0].reasons[0]
    assert first["model"] == "neighbours"
    assert first["because"] in MUGS[:4]
    assert first["text"].startswith("Because you ")
    assert (answer.bundle, answer.version, answer.degraded) == (
        shop.info()["bundle"]["id"],
        180,
        [],
    )


def test_an_unknown_user_is_answered_from_the_session_or_else_by_what_is_popular(shop):
    assert set(shop.recommend("nobody", k=3, history=["lamp0"]).ids) <= set(LAMPS)
    assert len(shop.recommend(k=3)) == 3
    assert shop.recommend("nobody", k=3).ids == shop.recommend(k=3).ids
    assert "lamp1" not in shop.recommend("nobody", k=20, history=["lamp1", "never heard of"]).ids


def test_an_empty_id_is_unknown(shop):
    assert shop.recommend("", k=3).ids == shop.recommend("nobody", k=3).ids
    history = ["", "lamp0"]
    with_empty = shop.recommend("", k=3, history=history, exclude=[""]).ids
    assert with_empty == shop.recommend("nobody", k=3, history=history[1:]).ids
    assert shop.rank("user1", ["", "mug7"]).ids == ["mug7", ""]
    with pytest.raises(NotFoundError):
        shop.similar("")


def test_ids_come_from_any_iterable(shop):
    expected = shop.recommend(k=3, history=["lamp0", "lamp1"]).ids
    for history in (("lamp0", "lamp1"), iter(["lamp0", "lamp1"]), {"lamp0": 1, "lamp1": 2}):
        assert shop.recommend(k=3, history=history).ids == expected


def test_words_find_and_users_steer(shop):
    assert shop.search("red mug", k=2).ids[0] in ("mug0", "mug5")
    assert shop.search("lamp", user="user1", k=1, filter="price < 6").ids == ["lamp0"]


def test_similar_leaves_the_item_itself_out(shop):
    answer = shop.similar("lamp3", k=4)
    assert set(answer.ids) <= set(LAMPS) - {"lamp3"}
    with pytest.raises(NotFoundError, match="no item 'lamp99'"):
        shop.similar("lamp99")


def test_rank_orders_every_known_item_and_puts_unknown_ones_last(shop):
    answer = shop.rank("user1", ["lamp1", "who", "mug7", "lamp1", "what"])
    assert answer.ids == ["mug7", "lamp1", "who", "what"]
    assert [item.score for item in answer.items[2:]] == [None, None]
    assert answer.items[2].reasons[0]["text"] == "unknown item"
    assert shop.rank("user1", ["lamp1", "who", "mug7"], exclude=["mug7"]).ids == ["lamp1", "who"]
    assert shop.rank("user1", ["lamp1", "who", "mug7"], k=1).ids == ["mug7"]
    assert shop.rank(None, ["who"]).ids == ["who"]


def test_seen_items_come_back_if_asked_for(shop):
    assert set(MUGS[:4]) & set(shop.recommend("user1", k=20, seen="keep").ids)
    assert not set(MUGS[:4]) & set(shop.recommend("user1", k=20, seen="remove").ids)


def test_more_than_there_is_gives_all_there_is(shop):
    assert sorted(shop.recommend("nobody", k=1000).ids) == sorted([*LAMPS, *MUGS])


def test_excluded_items_do_not_come(shop):
    first = shop.recommend("user1", k=5).ids
    assert not set(first[:2]) & set(shop.recommend("user1", k=5, exclude=first[:2]).ids)


@pytest.mark.parametrize("k", [0, -1, 1001, 2.5, "10", True, None])
def test_k_has_limits(shop, k):
    with pytest.raises(InputError) as caught:
        shop.recommend("user1", k=k)
    assert caught.value.field == "k"


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("user", {"user": 1.5}),
        ("history", {"history": "lamp1"}),
        ("history", {"history": [None]}),
        ("exclude", {"exclude": 3}),
        ("context", {"context": ["phone"]}),
        ("seen", {"seen": "sometimes"}),
        ("time", {"time": "yesterday"}),
        ("time", {"time": float("nan")}),
        ("at_least", {"at_least": -1}),
        ("filter", {"filter": 5}),
    ],
)
def test_wrong_questions_are_refused_by_the_name_of_the_field(shop, field, options):
    with pytest.raises(InputError) as caught:
        shop.recommend(**options)
    assert caught.value.field == field


def test_a_filter_that_does_not_parse_is_refused(shop):
    with pytest.raises(FilterError):
        shop.recommend("user1", filter="price <")


@pytest.mark.parametrize(
    ("error", "field", "query"),
    [
        (InputError, "text", lambda shop: shop.search("  ")),
        (TooLargeError, "text", lambda shop: shop.search("mug " * 1000)),
        (TooLargeError, "history", lambda shop: shop.recommend(history=["lamp1"] * 1001)),
        (TooLargeError, "history", lambda shop: shop.recommend(history=["l" * 513])),
        (TooLargeError, "context", lambda shop: shop.recommend(context={"a": "b" * 20_000})),
        (InputError, "context", lambda shop: shop.recommend(context={"a": object()})),
        (InputError, "items", lambda shop: shop.rank("user1", [])),
        (InputError, "items", lambda shop: shop.rank("user1", [None])),
        (TooLargeError, "items", lambda shop: shop.rank("user1", ["lamp1"] * 1001)),
    ],
)
def test_texts_and_lists_have_limits(shop, error, field, query):
    with pytest.raises(error) as caught:
        query(shop)
    assert caught.value.field == field


def test_an_unknown_keyword_is_a_type_error(shop):
    with pytest.raises(TypeError, match="histroy"):
        shop.recommend("user1", histroy=["lamp1"])
    with pytest.raises(TypeError, match="text"):
        shop.recommend("user1", text="a lamp")


def test_ids_may_be_numbers_and_lists_any_iterables(shop):
    history = (f"lamp{number}" for number in range(2))
    assert set(shop.recommend("nobody", k=np.int64(3), history=history).ids) <= set(LAMPS)
    assert len(shop.recommend(np.int32(17), k=3, history=np.array([1, 2])).ids) == 3


def test_times_are_taken_in_every_shape(shop):
    moments = ["2020-09-13T12:26:40", 1_600_000_000, dt.datetime(2020, 9, 13)]  # noqa: DTZ001
    for moment in moments:
        assert len(shop.recommend("user1", k=2, time=moment)) == 2


def test_a_batch_answers_as_single_questions_do(shop):
    queries = [
        Query(user="user1", k=4),
        Query(user="user2", history=("mug1",), k=2),
        Query(user="nobody", seen="keep"),
        Query(text="white lamp"),
        Query(user="user2", candidates=("mug1", "lamp9", "odd")),
        Query(items=("mug3",), exclude=("mug4",)),
    ]
    together = shop.ask(queries)
    alone = [shop.ask([batched])[0] for batched in queries]
    for batched, other in zip(together, alone, strict=True):
        assert batched.ids == other.ids
        assert [item.reasons for item in batched.items] == [item.reasons for item in other.items]
    assert len({batched.request_id for batched in together}) == len(queries)


def test_answers_are_json_and_frames(shop):
    answer = shop.recommend("user1", k=2)
    content = answer.to_dict()
    assert list(content) == ["request_id", "bundle", "version", "worker", "items", "degraded"]
    assert list(content["items"][0]) == ["id", "score", "reasons"]
    frame = answer.to_frame()
    assert isinstance(frame, pl.DataFrame)
    assert frame["id"].to_list() == answer.ids
    assert frame["reason"][0] == answer.items[0].reasons[0]["text"]
    assert shop.rank("user1", ["who"]).to_frame()["score"].to_list() == [None]


def test_a_number_is_taken_for_the_id_that_it_spells(tmp_path):
    with plait.open(tmp_path) as shop:
        shop.post([{"kind": "view", "user": 17850, "item": 42}])
        assert shop.get_user("17850") == {"id": "17850", "fields": {}}
        assert shop.get_item(42)["fields"] == {}


def test_nothing_is_answered_before_something_is_fitted(tmp_path):
    with plait.open(tmp_path) as shop:
        with pytest.raises(NotReadyError, match="nothing is fitted yet"):
            shop.recommend("user1")
        assert shop.readiness() == ["nothing is fitted yet"]
