"""Queries to fitted models: strangers with a history, items, texts, filters, candidates."""

import numpy as np
import pytest

import plait
from plait import Query, models
from plait.errors import InputError, NotFoundError
from tests.experiments.toy_models import Next, circle

CYCLE = 30


@pytest.fixture(scope="module")
def walk():
    return Next().fit(circle())


@pytest.fixture(scope="module")
def shop():
    titles = {"lamp": "red lamp", "bulb": "lamp bulb", "mug": "tea mug", "cup": "tea cup"}
    baskets = {"ann": "lamp bulb", "bob": "lamp bulb mug", "eve": "mug cup", "joe": "lamp"}
    return plait.Dataset.of(
        [
            {"user": user, "item": item, "time": 100 + place, "rating": 5 - place}
            for user, basket in baskets.items()
            for place, item in enumerate(basket.split())
        ],
        items=[{"item": item, "title": title} for item, title in titles.items()],
        users=[{"user": "ann", "country": "de"}],
    )


def items_of(frame, query=0):
    return frame.filter(query=query)["item"].to_list()


def test_a_stranger_gets_what_follows_the_history_of_the_query(walk):
    lists = walk.recommend(Query(history=("i3", "i7")), k=3)
    assert lists.columns == ["query", "user", "item", "rank", "score"]
    assert items_of(lists) == ["i8", "i9", "i10"]
    assert lists["user"].to_list() == [None] * 3


def test_the_history_of_a_query_follows_what_is_known_of_the_user(walk):
    known = walk.dataset.to_frame().filter(user="u5")["item"].to_list()
    last = int(known[-1].removeprefix("i"))
    longer = [f"i{(last + step) % CYCLE}" for step in (1, 2)]
    lists = walk.recommend([Query(user="u5"), Query(user="u5", history=longer)], k=1)
    assert items_of(lists, 0) == [f"i{(last + 1) % CYCLE}"]
    assert items_of(lists, 1) == [f"i{(last + 3) % CYCLE}"]
    assert lists["user"].to_list() == ["u5", "u5"]


def test_queries_of_users_alone_equal_the_lists_of_the_users(shop):
    fitted = models.EASE(l2=1.0).fit(shop)
    users = shop.user_ids
    by_query = fitted.recommend([Query(user=user) for user in users], k=3)
    assert by_query.drop("query").rows() == fitted.recommend(users, k=3).rows()


def test_each_query_has_its_own_k_seen_filter_exclusions_and_candidates(walk):
    queries = [
        Query(history=("i3",), k=2),
        Query(history=("i3",), seen="keep", k=CYCLE),
        Query(history=("i3",), exclude=("i4", "nothing"), k=1),
        Query(history=("i3",), candidates=("i9", "i6", "nothing")),
        Query(history=("i3",), candidates=()),
    ]
    lists = walk.recommend(queries)
    assert items_of(lists, 0) == ["i4", "i5"]
    assert "i3" in items_of(lists, 1)
    assert items_of(lists, 2) == ["i5"]
    assert items_of(lists, 3) == ["i6", "i9"]
    assert items_of(lists, 4) == []
    assert walk.recommend(queries, k=1).group_by("query").len()["len"].to_list() == [1] * 4


def test_a_query_has_items_text_and_a_filter(shop):
    content = models.Content().fit(shop)
    assert items_of(content.recommend(Query(items=("mug",)), k=1)) == ["cup"]
    assert content.similar(["mug"], k=1)["similar"].to_list() == ["cup"]
    words = models.BM25().fit(shop)
    queries = [Query(text="tea"), Query(text="tea", filter='title contains "cup"')]
    lists = words.recommend(queries)
    assert set(items_of(lists, 0)) == {"cup", "mug"}
    assert items_of(lists, 1) == ["cup"]
    assert words.recommend(Query(text="tea"), filter='title contains "mug"')["item"][0] == "mug"


def test_items_of_another_table_are_left_out_unless_a_query_says_otherwise(walk):
    queries = [Query(user="stranger", history=("i3",)), Query(history=("i3",), seen="keep")]
    lists = walk.recommend(queries, k=1, seen=[("stranger", "i4")])
    assert items_of(lists, 0) == ["i5"]
    assert items_of(lists, 1) == ["i4"]


@pytest.mark.parametrize("value", ["i3", 7, [None], [[1]]])
def test_histories_are_lists_of_ids(walk, value):
    with pytest.raises(InputError):
        walk.recommend(Query(history=value))


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"pins": ("i1",)}, "pins"),
        ({"session": "s"}, "session"),
        ({"seen": "no"}, "seen"),
        ({"text": 3}, "text"),
        ({"filter": ["a"]}, "filter"),
        ({"context": "phone"}, "context"),
        ({"k": 0}, "k"),
        ({"time": float("nan")}, "time"),
        ({"user": ["u1"]}, "user"),
    ],
    ids=str,
)
def test_what_a_model_cannot_answer_is_refused_by_name(walk, options, field):
    with pytest.raises(InputError) as refusal:
        walk.recommend([Query(), Query(**options)])
    assert refusal.value.field == field


def test_queries_stand_alone_and_start_from_known_items(walk):
    with pytest.raises(InputError):
        walk.recommend([Query(user="u1"), "u2"])
    with pytest.raises(NotFoundError):
        walk.recommend(Query(items=("nothing",)))


def test_recipes_and_fusions_answer_queries(shop):
    train, validation = shop.split_last()
    fitted = {
        "ease": models.EASE(l2=1.0).fit(train, weight="value"),
        "knn": models.ItemKNN().fit(train),
    }
    fusion = plait.fuse(fitted, weights={"ease": 1, "knn": 1})
    for query in (Query(history=("bulb",)), Query(user="joe", history=("bulb",))):
        alone = [items_of(model.recommend(query, k=1)) for model in fitted.values()]
        assert items_of(fusion.recommend(query, k=1)) in alone
    assert len(validation)


def test_the_context_of_a_query_joins_the_fields_of_its_user(shop):
    fitted = models.Popular().fit(shop)
    queries = [Query(user="ann", context={"device": "phone", "user": {"age": 3}}), Query()]
    assert fitted.recommend(queries, k=2).group_by("query").len().height == 2


def test_a_stranger_has_no_fields_of_another_user():
    """The popular items of a country are those of the users who live there."""
    rows = [{"user": f"u{n}", "item": "x" if n < 9 else "y"} for n in range(12)]
    users = [{"user": f"u{n}", "country": "de" if n < 9 else "fr"} for n in range(12)]
    train = plait.Dataset.of(rows, users=users)
    fitted = models.FromStage("popular", segment_by="country").fit(train)
    french = Query(context={"user": {"country": "fr"}})
    lists = fitted.recommend([Query(user="nobody"), Query(), french], k=1)
    assert lists["item"].to_list() == ["x", "x", "y"]
    assert fitted.recommend(["nobody"], k=1)["item"].to_list() == ["x"]


def test_the_weights_of_values_hold_beside_the_history_of_a_query(shop):
    fitted = models.IALS(factors=2, iterations=2).fit(shop, weight="value")
    alone = fitted.recommend(Query(user="bob", history=("cup",)), seen="keep")
    both = plait.fuse({"a": fitted, "b": models.Popular().fit(shop)}, weights={"a": 1, "b": 0})
    fused = both.recommend(Query(user="bob", history=("cup",)), seen="keep")
    assert items_of(fused)[0] == items_of(alone)[0]
    assert np.isfinite(fused["score"].to_numpy()).all()
