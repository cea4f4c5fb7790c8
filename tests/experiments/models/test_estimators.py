"""Single models: settings, lists of many users, scores of pairs, similar items."""

from collections import Counter

import numpy as np
import pandas as pd
import polars as pl
import pytest

import plait
from plait import models
from plait.errors import InputError, NotFoundError, RecipeError

WITH_ARGUMENTS = {"FromStage", "Given", "Vectors", "load"}
CORE = ["EASE", "Linear", "ItemKNN", "Popular", "Content"]
NETWORKS = ["SASRec", "GRU4Rec", "BERT4Rec", "HSTU", "LightGCN"]


@pytest.fixture(scope="module")
def data():
    generator = np.random.default_rng(1)
    rows = [
        {"user": f"u{user}", "item": f"i{(start + step) % 12}", "time": 100 * user + step}
        for user, start in enumerate(generator.integers(0, 12, 60))
        for step in range(5)
    ]
    titles = [
        {"item": f"i{number}", "title": f"thing {'red' if number < 6 else 'blue'}"}
        for number in range(12)
    ]
    return plait.Dataset.of(rows, items=titles)


@pytest.mark.parametrize(
    "name", sorted({*models.__all__} - {"FromStage", "Given", "Vectors", "load"})
)
def test_settings_are_attributes_and_make_a_clone(name):
    model = getattr(models, name)()
    again = model.clone()
    assert again is not model
    assert again.get_params() == model.get_params()
    assert repr(again) == f"{name}()"
    for setting in model.get_params():
        assert f"{setting}:" in type(model).__doc__


def test_set_params_checks_names_and_values():
    model = models.EASE()
    assert model.set_params(l2=50.0).l2 == 50.0
    assert repr(model) == "EASE(l2=50.0)"
    with pytest.raises(InputError):
        model.set_params(alpha=1)
    with pytest.raises(RecipeError):
        model.set_params(l2=-1.0)
    assert model.l2 == 50.0


def test_numbers_of_numpy_are_numbers():
    assert models.SASRec(dim=np.int64(32), dropout=np.float32(0.5)).get_params()["dim"] == 32


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("SASRec", {}, (100, 2, "convolution")),
        ("SASRec", {"local_branch": "none"}, (100, 2, "none")),
        ("SASRec", {"loss": "bce"}, (100, 2, "none")),
        ("SASRec", {"layers": 3, "max_length": 7}, (7, 3, "convolution")),
        ("GRU4Rec", {}, (100, 2, "none")),
    ],
)
def test_networks_follow_the_data_where_settings_are_left_out(name, settings, expected):
    pytest.importorskip("torch")
    users, steps = np.divmod(np.arange(6 * 60), 60)
    train = plait.Dataset.from_arrays(users, (7 * users + steps) % 11, steps)
    shape = getattr(models, name)(dim=8, epochs=1, **settings).fit(train).stage.describe()
    assert (shape["max_length"], shape["num_layers"], shape["local_branch"]) == expected


def test_a_local_branch_of_another_network_is_refused():
    with pytest.raises(InputError) as caught:
        models.GRU4Rec(local_branch="convolution")
    assert caught.value.field == "gru4rec.local_branch"


@pytest.mark.parametrize("name", CORE)
def test_lists_leave_out_what_was_seen_and_ranks_count_from_one(name, data):
    fitted = getattr(models, name)().fit(data)
    lists = fitted.recommend(k=4)
    seen = set(data.to_frame().select("user", "item").iter_rows())
    assert len(lists)
    assert not seen & set(lists.select("user", "item").iter_rows())
    for _, rows in lists.group_by("user"):
        assert rows["rank"].to_list() == list(range(1, len(rows) + 1))
        assert (rows["score"].diff().drop_nulls() <= 1e-6).all()


def test_ease_equals_the_closed_form(data):
    frame = data.to_frame()
    matrix = np.zeros((data.n_users, data.n_items))
    matrix[data.users.numbers(frame["user"]), data.catalogue.numbers(frame["item"])] = 1
    inverse = np.linalg.inv(matrix.T @ matrix + 10 * np.eye(data.n_items))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    pairs = [(user, item) for user in data.user_ids[:5] for item in data.item_ids]
    scores = models.EASE(l2=10.0).fit(data).scores(pairs)["score"].to_numpy()
    expected = (matrix @ weights)[data.users.numbers(data.user_ids[:5])]
    expected = expected[:, data.catalogue.numbers(data.item_ids)].ravel()
    np.testing.assert_allclose(scores, expected, rtol=1e-3, atol=1e-5)


def test_item_knn_is_the_cosine_of_users(data):
    frame = data.to_frame()
    users = {item: set(rows["user"]) for (item,), rows in frame.group_by("item")}
    fitted = models.ItemKNN(k=12).fit(data)
    neighbours = fitted.similar(["i0"], k=3)
    cosines = {
        item: len(users["i0"] & users[item]) / (len(users["i0"]) * len(users[item])) ** 0.5
        for item in users
        if item != "i0"
    }
    best = sorted(cosines.values(), reverse=True)[:3]
    assert [round(cosines[item], 6) for item in neighbours["similar"]] == pytest.approx(best)


def test_popular_items_are_those_of_most_events(data):
    counts = Counter(data.to_frame()["item"])
    lists = models.Popular().fit(data).recommend(["a stranger"], k=3, seen="keep")
    assert [counts[item] for item in lists["item"]] == sorted(counts.values(), reverse=True)[:3]


def test_rejections_are_no_evidence():
    rows = [{"user": f"u{n}", "item": "good", "kind": "view"} for n in range(5)]
    rows += [{"user": f"h{n}", "item": "bad", "kind": "hide"} for n in range(9)]
    fitted = models.Popular().fit(plait.Dataset.of(rows))
    assert fitted.recommend(["new"], k=2)["item"].to_list() == ["good"]


def test_seen_filter_and_users_choose_what_is_recommended(data):
    titled = models.Popular().fit(data)
    with_seen = titled.recommend(["u1"], k=12, seen="keep")
    assert len(with_seen) == 12
    assert len(titled.recommend(["u1"], k=12)) == 7
    red = titled.recommend(["u1"], k=12, seen="keep", filter='title contains "red"')
    assert set(red["item"]) == {f"i{number}" for number in range(6)}
    listed = titled.recommend(["u1"], k=12, seen="keep", items=["i2", "i9", "no item"])
    assert set(listed["item"]) == {"i2", "i9"}
    both = {"filter": 'title contains "red"', "items": pl.DataFrame({"item": ["i2", "i9"]})}
    for users in (["u1"], plait.Query(user="u1")):
        assert titled.recommend(users, k=12, seen="keep", **both)["item"].to_list() == ["i2"]
    train, test = data.split_last()
    assert set(titled.recommend(test, k=1)["user"]) == set(test.user_ids)
    assert len(titled.recommend(["u1"], k=12, seen=train)) == 8


@pytest.mark.parametrize(
    "arguments",
    [
        {"k": 0},
        {"k": "5"},
        {"k": True},
        {"seen": "maybe"},
        {"seen": None},
        {"seen": 3},
        {"users": "u1"},
        {"users": pl.DataFrame({"thing": ["u1"]})},
        {"filter": 3},
        {"items": "i1"},
        {"items": [None]},
        {"items": pl.DataFrame({"user": ["i1"]})},
    ],
)
def test_recommend_refuses_impossible_arguments(data, arguments):
    with pytest.raises(InputError):
        models.Popular().fit(data).recommend(**arguments)


def test_users_and_items_come_from_frames_each_once(data):
    fitted = models.EASE().fit(data)
    columns = {"user_id": ["u2", "u1", "u2"], "item": ["i3", "i1", "i3"]}
    users, items = fitted.recommend(["u2", "u1"], k=2), fitted.similar(["i3", "i1"], k=2)
    frame = pl.DataFrame(columns)
    tables = (frame, frame.lazy(), pd.DataFrame(columns), frame.to_arrow(), columns)
    for table in tables:
        assert fitted.recommend(table, k=2).equals(users)
        assert fitted.similar(table, k=2).equals(items)
    assert fitted.recommend(pd.Series(columns["user_id"]), k=2).equals(users)


def test_seen_may_be_frames_and_several_sources(data):
    fitted = models.Popular().fit(data)
    own = set(data.to_frame().filter(user="u1")["item"])
    other = next(item for item in data.item_ids if item not in own)
    frame = pd.DataFrame({"user": ["u1"], "item": [other]})
    foreign = plait.Dataset.from_arrays(["u1", "u9"], [other, "i-unknown"])
    for seen in (frame, foreign, [("u1", other)]):
        assert set(fitted.recommend(["u1"], 12, seen=seen)["item"]) == set(data.item_ids) - {other}
    both = fitted.recommend(["u1"], 12, seen=["remove", frame, data])
    assert set(both["item"]) == set(data.item_ids) - own - {other}


def test_k_above_the_catalogue_takes_no_memory(data):
    fitted = models.ItemKNN().fit(data)
    assert len(fitted.recommend(["u1"], k=10**12, seen="keep")) <= 12
    assert fitted.similar(["i1"], k=10**12).equals(fitted.similar(["i1"], k=12))


@pytest.mark.parametrize(
    "options",
    [
        {"train": pd.DataFrame({"user": ["u"], "item": ["i"]})},
        {"validation": pd.DataFrame({"user": ["u"], "item": ["i"]})},
        {"seed": -1},
        {"seed": None},
        {"seed": "a"},
        {"event_weights": [1]},
        {"event_weights": {"view": "x"}},
        {"event_weights": {"view": float("nan")}},
    ],
)
def test_fit_names_an_argument_that_is_wrong(data, options):
    with pytest.raises(InputError) as caught:
        models.Popular().fit(**{"train": data, **options})
    assert caught.value.field.partition(".")[0] in options


def test_an_error_names_the_argument_and_not_the_setting_of_the_stage():
    for model, setting in ((models.ItemKNN, "k"), (models.SASRec, "dim"), (models.LightGCN, "dim")):
        with pytest.raises(RecipeError) as caught:
            model(**{setting: 0})
        assert caught.value.field == f"{model.__name__.lower()}.{setting}"
    with pytest.raises(RecipeError, match="divisor of dim 10") as caught:
        models.SASRec(dim=10, heads=3)
    assert caught.value.field == "sasrec.heads"


def test_scores_stand_in_the_order_of_the_pairs(data):
    fitted = models.EASE().fit(data)
    pairs = [("u3", "i1"), ("u1", "i2"), ("u3", "i0"), ("nobody", "i0"), ("u1", "no such item")]
    scores = fitted.scores(pairs)
    assert list(scores.select("user", "item").iter_rows()) == pairs
    alone = fitted.scores(pl.DataFrame({"user": ["u3"], "item": ["i0"]}))
    assert scores["score"][2] == pytest.approx(alone["score"][0])
    assert scores["score"].is_null().to_list() == [False, False, False, True, True]


def test_similar_to_an_unknown_item_is_an_error(data):
    with pytest.raises(NotFoundError):
        models.EASE().fit(data).similar(["zz"])


def test_validation_of_other_users_is_refused(data):
    pytest.importorskip("torch")
    other = plait.Dataset.from_arrays(["x"], ["y"])
    with pytest.raises(InputError):
        models.SASRec(epochs=1).fit(data, validation=other)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_train_and_recommend(name, data):
    pytest.importorskip("torch")
    train, validation = data.split_last()
    fitted = getattr(models, name)(dim=8, layers=1, epochs=2).fit(train, validation=validation)
    assert len(fitted.recommend(validation, k=3))


@pytest.mark.parametrize("name", ["IALS", "BPR"])
def test_factors_of_implicit_recommend(name, data):
    pytest.importorskip("implicit")
    fitted = getattr(models, name)(factors=4, iterations=3).fit(data)
    assert len(fitted.recommend(k=3))


def test_svdpp_predicts_ratings():
    rows = [
        {"user": f"u{user}", "item": f"i{item}", "rating": 5.0 if user % 2 == item % 2 else 1.0}
        for user in range(20)
        for item in range(20)
        if (user + 3 * item) % 7
    ]
    fitted = models.SVDpp(factors=4, iterations=60, burn_in=20).fit(plait.Dataset.of(rows))
    ratings = fitted.scores([("u0", "i0"), ("u0", "i7")])["rating"]
    assert ratings[0] > 4
    assert ratings[1] < 2


@pytest.mark.parametrize("model", [models.Popular(), models.EASE()])
def test_whole_numbers_are_ids_however_they_are_written(model):
    users = [user for user in (1, 2, 3) for _ in range(3)]
    fitted = model.fit(plait.Dataset.from_arrays(users, [1, 2, 3, 2, 3, 4, 3, 4, 1]))
    expected = fitted.recommend(["1", "2"], k=2)
    for ids in ([1, 2], [1.0, 2.0], np.array([1.0, 2.0]), pl.Series([1, 2]), [1.0, "2"]):
        assert fitted.recommend(ids, k=2).equals(expected)
    assert fitted.similar([1.0], k=1).equals(fitted.similar(["1"], k=1))
    assert fitted.scores([(1.0, 4)]).equals(fitted.scores([("1", "4")]))


@pytest.mark.parametrize("users", [[float("nan")], [None], [1.5], np.array([1.0, np.nan]), [b"u1"]])
def test_what_is_no_id_is_refused(data, users):
    with pytest.raises(InputError):
        models.Popular().fit(data).recommend(users)


@pytest.mark.parametrize("model", [models.BM25(), models.Content()], ids=repr)
def test_texts_are_searched(data, model):
    fitted = model.fit(data)
    lists = fitted.search(["red", "blue thing", "kettle of steel"], k=3)
    assert lists.columns == ["text", "item", "rank", "score"]
    red = lists.filter(text="red")
    assert red["rank"].to_list() == [1, 2, 3]
    assert {int(item[1:]) for item in red["item"]} <= set(range(6))
    assert not len(lists.filter(text="kettle of steel"))
    filtered = fitted.search(["thing red"], k=20, filter='title contains "blue"')
    assert {int(item[1:]) for item in filtered["item"]} <= set(range(6, 12))


@pytest.mark.parametrize("texts", ["red", [3], [None]])
def test_what_is_no_text_is_not_searched(data, texts):
    with pytest.raises(InputError):
        models.BM25().fit(data).search(texts)


def test_a_model_that_is_not_fitted_says_where_its_lists_are():
    model = models.EASE()
    with pytest.raises(AttributeError, match="fit returns the model that has recommend"):
        model.recommend(["u1"])
    assert not hasattr(model, "item_vectors")
    with pytest.raises(AttributeError, match="no attribute 'recomend'"):
        model.recomend(["u1"])


def test_a_name_that_is_no_model_is_an_attribute_error():
    with pytest.raises(AttributeError):
        models.NoSuchModel  # noqa: B018
