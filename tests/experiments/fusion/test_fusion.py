"""`plait.fuse`: weights of fitted models in worlds where the right ones are known."""

import numpy as np
import polars as pl
import pytest

import plait
from plait import models
from plait.errors import InputError
from plait.experiments.models.recipe_model import FromRecipe
from plait.pipeline.recipe import Recipe, recipe_from
from tests.experiments.toy_models import Next, Noise, NoiseStage, circle

FIXED = "settings.fixed.weights"
TRANSFORMS = "settings.transforms"
BOTH = {"fixed": {"weights": {"Noise": [1.0]}}}


@pytest.fixture(scope="module")
def parts():
    return circle().split_last(2)


@pytest.fixture(scope="module")
def fitted(parts):
    return {"Next (exact)": Next().fit(parts[0]), "Noise": Noise().fit(parts[0])}


@pytest.fixture(scope="module")
def fusion(fitted, parts):
    return plait.fuse(fitted, validation=parts[1])


def test_a_model_of_chance_has_hardly_any_weight(fusion):
    weights = fusion.weights
    assert weights.columns == ["history_from", "queries", "Next (exact)", "Noise"]
    assert weights["queries"].sum() == 240
    assert (weights["Next (exact)"] > 0.3).all()
    assert (weights["Noise"] < 0.05 * weights["Next (exact)"]).all()


def test_the_fusion_ranks_as_the_model_that_knows(fusion, fitted, parts):
    first = fusion.recommend(parts[2], k=1)
    assert first["item"].equals(fitted["Next (exact)"].recommend(parts[2], k=1)["item"])


def test_weights_differ_by_length_of_history():
    """Short histories lead to the popular item, long ones to the next."""
    walks = circle().to_frame().select("user", "item").rows()
    short = [(f"s{user}", item) for user in range(240) for item in (f"i{3 + user % 20}", "i0")]
    crowd = [(f"c{user}", "i0") for user in range(200)]
    data = plait.Dataset.from_arrays(*zip(*walks, *short, *crowd, strict=True))
    train, validation = data.split_last()
    members = {"next": Next().fit(train), "popular": models.Popular().fit(train)}
    settings = {"history_length_bands": (0, 3), "min_band_queries": 100}
    weights = plait.fuse(members, validation=validation, settings=settings).weights
    assert weights["history_from"].to_list() == [0, 3]
    share = weights["popular"] / (weights["popular"] + weights["next"])
    assert share[0] > 0.5 > share[1]


def test_nothing_is_fitted_again(fitted, parts):
    before = NoiseStage.fits
    plait.fuse(fitted, validation=parts[1]).ablate(parts[2], k=3)
    assert NoiseStage.fits == before


def test_the_score_of_a_pair_is_that_of_the_list_and_independent_of_other_pairs(fitted, parts):
    fusion = plait.fuse(fitted, validation=parts[1], candidates_per_model=4)
    lists = fusion.recommend(["u0", "u1"], k=4)
    pairs = lists.select("user", "item")
    assert fusion.scores(pairs)["score"].to_list() == lists["score"].to_list()
    every = [("u0", item) for item in parts[0].item_ids]
    together = fusion.scores(every)["score"].to_list()
    alone = [fusion.scores([pair])["score"].item() for pair in every]
    assert together == alone
    assert None not in together


def test_fixed_weights_need_no_validation(fitted, parts):
    fusion = plait.fuse(fitted, weights={"Next (exact)": 0, "Noise": np.float32(2)})
    assert fusion.weights.row(0) == (0, 0, 0.0, 2.0)
    lists = fusion.recommend(parts[2], k=5).select("user", "item")
    assert lists.equals(fitted["Noise"].recommend(parts[2], k=5).select("user", "item"))


def test_more_items_than_candidates_are_retrieved_if_asked_for(fitted, parts):
    fusion = plait.fuse(fitted, validation=parts[1], candidates_per_model=2)
    assert len(fusion.recommend(["u0"], k=9)) == 9


def test_an_ablation_has_the_fusion_without_each_model_and_each_model(fitted, parts):
    members = {**fitted, "popular": models.Popular().fit(parts[0])}
    table = plait.fuse(members, validation=parts[1]).ablate(parts[2], k=(1, 5), metrics="recall")
    assert list(table.rows) == [
        *("fused", "without:Next (exact)", "without:Noise", "without:popular"),
        *("Next (exact)", "Noise", "popular"),
    ]
    best = table.value("Next (exact)", "recall@5")
    assert table.value("without:Noise", "recall@5") == best == 1.0
    assert table.value("without:Next (exact)", "recall@5") < 0.5
    alone = plait.score(
        {"Noise": members["Noise"].recommend(parts[2], k=5)},
        parts[2],
        k=5,
        metrics="recall",
        seen=parts[0],
    )
    assert table.value("Noise", "recall@5") == alone.value("Noise", "recall@5")


def test_an_ablation_of_fixed_weights_keeps_the_others(fitted, parts):
    weights = {"Next (exact)": 1.0, "Noise": 0.2, "popular": 0.1}
    members = {**fitted, "popular": models.Popular().fit(parts[0])}
    table = plait.fuse(members, weights=weights).ablate(parts[2], k=1, metrics="recall")
    rest = plait.fuse(fitted, weights={name: weights[name] for name in fitted})
    lists = rest.recommend(parts[2], k=1)
    score = plait.score(lists, parts[2], k=1, metrics="recall", seen=parts[0])
    assert table.value("without:popular", "recall@1") == score.value("lists", "recall@1")


def test_the_recipe_of_a_fusion_serves_the_same_lists(fusion, parts):
    train = parts[0]
    members = {"linear": models.Linear(l2=5.0).fit(train), "popular": models.Popular().fit(train)}
    fusion = plait.fuse(members, validation=parts[1])
    assert Recipe.of(fusion.recipe().to_dict()) == fusion.recipe() == recipe_from(fusion)
    with plait.open(None, recipe=fusion) as home:
        home.post(train.to_frame().to_dicts())
        home.fit()
        lists = fusion.recommend(train, k=3)
        for user in train.user_ids[:20]:
            served = home.recommend(user=user, k=3).ids
            assert served == lists.filter(lists["user"] == user)["item"].to_list()
        bundle = home.info()["bundle"]
        assert bundle["recipe"] == "fusion"


def test_a_single_model_is_a_recipe_too(parts):
    train = parts[0]
    model = models.Linear(l2=5.0)
    with plait.open(None, recipe=model) as home:
        home.post(train.to_frame().to_dicts())
        home.fit()
        served = home.recommend(user="u0", k=3).ids
    assert served == model.fit(train).recommend(["u0"], k=3)["item"].to_list()
    with pytest.raises(InputError) as problem:
        models.Given({"u0": ["i1"]}).recipe()
    assert problem.value.field == "lists"


def test_lists_of_other_systems_are_fused_but_are_in_no_recipe(fitted, parts):
    lists = fitted["Next (exact)"].recommend(k=10)
    members = {"given": models.Given(lists).fit(parts[0]), "Noise": fitted["Noise"]}
    fusion = plait.fuse(members, validation=parts[1])
    assert fusion.weights["given"][0] > fusion.weights["Noise"][0]
    with pytest.raises(InputError) as problem:
        fusion.recipe()
    assert problem.value.field == "given"


def test_a_fusion_of_loaded_models_is_the_same(parts, tmp_path):
    train, validation, _ = parts
    members = {"linear": models.Linear(l2=5.0).fit(train), "knn": models.ItemKNN().fit(train)}
    fusion = plait.fuse(members, validation=validation)
    for name, member in fusion.fitted.items():
        member.save(tmp_path / name)
    loaded = {name: models.load(tmp_path / name) for name in members}
    again = plait.fuse(loaded, validation=validation)
    assert again.weights.equals(fusion.weights)
    assert again.recommend(k=3).equals(fusion.recommend(k=3))


def test_a_model_of_values_keeps_its_histories_in_a_fusion(fitted, parts):
    """EASE by value scores a user by the values of the history, the others do not."""
    rows = parts[0].to_frame().with_row_index("value", offset=1)
    train = plait.Dataset.of(rows.select("user", "item", "time", "value"))
    valued = models.EASE(l2=5.0).fit(train, weight="value")
    members = {"valued": valued, "Noise": Noise().fit(train)}
    fusion = plait.fuse(members, weights={"valued": 1.0, "Noise": 0.0})
    alone, fused = (model.recommend(k=3).select("user", "item") for model in (valued, fusion))
    assert fused.equals(alone)
    plain = {"valued": models.EASE(l2=5.0).fit(train), "Noise": members["Noise"]}
    other = plait.fuse(plain, weights={"valued": 1.0, "Noise": 0.0}).recommend(k=3)
    assert not other.select("user", "item").equals(alone)
    with pytest.raises(InputError) as problem:
        fusion.recipe()
    assert problem.value.field == "valued"


def test_similar_items_are_those_of_the_models(parts):
    members = {
        "linear": models.Linear(l2=5.0).fit(parts[0]),
        "knn": models.ItemKNN().fit(parts[0]),
    }
    similar = plait.fuse(members, validation=parts[1]).similar(["i3"], k=4)["similar"].to_list()
    assert set(similar) == {"i1", "i2", "i4", "i5"}


@pytest.fixture(scope="module")
def crossed():
    """Lists of which `switch` says whether `left` or `right` is to be believed, and their targets.

    No weighted sum can express that.
    """
    random = np.random.default_rng(0)
    left, right = random.normal(size=(2, 200, 12))
    switch = np.where(random.random((200, 12)) < 0.5, 1.0, -1.0)
    believed = np.where(switch > 0, left, right)
    taken = (4 * believed + random.gumbel(size=believed.shape)).argmax(axis=1)
    users = np.repeat([f"u{user}" for user in range(200)], 12)
    items = np.tile([f"i{item}" for item in range(12)], 200)
    events = [(f"u{user}", f"i{item}") for user in range(200) for item in (user % 12, taken[user])]
    train, validation = plait.Dataset.from_arrays(*zip(*events, strict=True)).split_last()
    scores = {"left": left, "right": right, "Switch": switch}
    columns = {"user": users, "item": items}
    members = {
        name: models.Given(pl.DataFrame({**columns, "score": values.ravel()})).fit(train)
        for name, values in scores.items()
    }
    return members, validation


def test_a_method_with_a_ranker_learns_it_on_validation(crossed):
    members, validation = crossed
    settings = {"transform": "none", "method": "mixer", "hidden_units": 8}
    fusions = {
        method: plait.fuse(
            members, validation=validation, seen="keep", settings={**settings, "method": method}
        )
        for method in ("weighted", "mixer")
    }
    assert fusions["weighted"].ranker is None
    assert fusions["mixer"].ranker["ndcg"] > fusions["mixer"].ranker["weighted_ndcg"] + 0.05
    assert fusions["mixer"].weights.equals(fusions["weighted"].weights)
    lists = {name: fusion.recommend(k=5, seen="keep") for name, fusion in fusions.items()}
    table = plait.score(lists, validation, k=5, metrics="ndcg")
    assert table.value("mixer", "ndcg@5") > table.value("weighted", "ndcg@5") + 0.05
    fixed = plait.fuse(
        members,
        validation=validation,
        weights=dict.fromkeys(members, 1.0),
        seen="keep",
        settings=settings,
    )
    assert fixed.ranker is not None
    rows = fixed.ablate(validation, k=5, metrics="ndcg").rows
    assert list(rows)[:4] == ["fused", "without:left", "without:right", "without:Switch"]


def test_a_fit_of_the_recipe_of_a_fusion_learns_the_ranker():
    """Models that know nothing, among popular items and others: the ranker sees which are which."""
    random = np.random.default_rng(0)
    shares = np.r_[np.full(10, 9.0), np.full(20, 1.0)]
    draws = random.choice(30, (240, 6), p=shares / shares.sum())
    users = np.repeat([f"u{user}" for user in range(240)], 6)
    data = plait.Dataset.from_arrays(users, [f"i{item}" for item in draws.ravel()])
    train, validation = data.split_last()
    members = {"Noise": Noise().fit(train), "Next": Next().fit(train)}
    settings = {"method": "mixer", "hidden_units": 2}
    fusion = plait.fuse(members, validation=validation, seen="keep", settings=settings)
    assert fusion.recipe().steps["fuse"]["method"] == "mixer"
    fitted = FromRecipe(fusion).fit(train, validation=validation)
    step = next(step for step in fitted.stage.pipeline.steps if step.name == "fuse")
    assert fusion.ranker is not None
    assert step.describe()["ranker"]["hidden_units"] == 3 * 2  # three networks side by side


def test_settings_name_models_as_the_call_does(fitted, parts):
    plain = plait.fuse(fitted, validation=parts[1])
    settings = {"transforms": {"Next (exact)": "rank"}, "require_gain": ["Noise"]}
    fusion = plait.fuse(fitted, validation=parts[1], settings=settings)
    assert fusion.recipe().steps["fuse"]["transforms"] == {"next-exact": "rank"}
    assert fusion.recipe().steps["fuse"]["require_gain"] == ["noise"]
    scores = [model.recommend(["u0"], k=5)["score"] for model in (plain, fusion)]
    assert not scores[0].equals(scores[1])
    table = fusion.ablate(parts[2], k=5, metrics="recall")
    assert table.value("without:Noise", "recall@5") == 1.0


def test_fixed_weights_by_band_come_with_their_bands_and_margin(fitted, parts):
    bands = {"Next (exact)": [0.0, 1.0], "Noise": [1.0, 0.5]}
    fixed = {"history_from": (0, 3), "weights": bands, "margin": -1.5}
    fusion = plait.fuse(fitted, settings={"fixed": fixed})
    assert fusion.weights["history_from"].to_list() == [0, 3]
    assert fusion.weights["Noise"].to_list() == bands["Noise"]
    table = fusion.recipe().steps["fuse"]["fixed"]
    assert table["margin"] == -1.5
    assert table["weights"] == {"next-exact": [0.0, 1.0], "noise": [1.0, 0.5]}
    rows = fusion.ablate(parts[2], k=1, metrics="recall").rows
    assert list(rows) == ["fused", "without:Next (exact)", "Next (exact)", "Noise"]


def test_an_ablation_has_no_row_in_which_all_fixed_weights_are_zero(fitted, parts):
    members = {**fitted, "popular": models.Popular().fit(parts[0])}
    weights = {"Next (exact)": 1.0, "Noise": 0.0, "popular": 0.0}
    table = plait.fuse(members, weights=weights).ablate(parts[2], k=1, metrics="recall")
    rows = ("fused", "without:Noise", "without:popular", *members)
    assert tuple(table.rows) == rows


def test_models_of_the_same_pairs_with_other_types_values_or_times_are_not_fused():
    rows = circle(users=20).to_frame().select("user", "item", "time").with_columns(value=1.0)
    changed = [
        rows.with_columns(value=2.0),
        rows.with_columns(time=pl.col("time") + pl.duration(days=1)),
        rows.with_columns(event=pl.lit("purchase")),
    ]
    first = Noise().fit(plait.Dataset.of(rows))
    plait.fuse({"a": first, "b": Noise().fit(plait.Dataset.of(rows))}, weights={"a": 1.0, "b": 1.0})
    for frame in changed:
        second = Noise().fit(plait.Dataset.of(frame))
        with pytest.raises(InputError) as problem:
            plait.fuse({"a": first, "b": second}, weights={"a": 1.0, "b": 1.0})
        assert problem.value.field == "fitted.b"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda fitted, parts: {"validation": parts[1].to_frame()}, "validation"),
        (
            lambda fitted, parts: {
                "validation": None,
                "weights": dict.fromkeys(fitted, 1.0),
                "settings": {"method": "mixer"},
            },
            "validation",
        ),
        (lambda fitted, parts: {"settings": ["x"]}, "settings"),
        (lambda fitted, parts: {"settings": {1: "x"}}, "settings"),
        (lambda fitted, parts: {"settings": {"stage": "rules"}}, "stage"),
        (lambda fitted, parts: {"settings": {"fixed": "x"}}, "settings.fixed"),
        (lambda fitted, parts: {"settings": {"fixed": {"weights": {"x": [1]}}}}, FIXED),
        (lambda fitted, parts: {"settings": {"fixed": {"weights": {"Noise": [0]}}}}, FIXED),
        (
            lambda fitted, parts: {"settings": {"fixed": {"weights": {"Noise": [1, 2]}}}},
            f"{FIXED}.Noise",
        ),
        (
            lambda fitted, parts: {"weights": dict.fromkeys(fitted, 1.0), "settings": BOTH},
            "weights",
        ),
        (lambda fitted, parts: {"settings": {"transforms": {"noise": "rank"}}}, TRANSFORMS),
        (lambda fitted, parts: {"settings": {"require_gain": ["EASE"]}}, "settings.require_gain"),
        (lambda fitted, parts: {"fitted": {**fitted, 3: fitted["Noise"]}}, "fitted"),
        (lambda fitted, parts: {"fitted": {**fitted, "fused": fitted["Noise"]}}, "fitted.fused"),
        (
            lambda fitted, parts: {"fitted": {**fitted, "without:Noise": fitted["Noise"]}},
            "fitted.without:Noise",
        ),
        (lambda fitted, parts: {"validation": None}, "validation"),
        (lambda fitted, parts: {"validation": parts[1].filter("item = 'none'")}, "validation"),
        (lambda fitted, parts: {"validation": circle(events=3)}, "validation"),
        (lambda fitted, parts: {"weights": {"Noise": 1.0}}, "weights"),
        (lambda fitted, parts: {"weights": dict.fromkeys(fitted, 0.0)}, "weights"),
        (lambda fitted, parts: {"weights": dict.fromkeys(fitted, "1")}, "weights.Next (exact)"),
        (lambda fitted, parts: {"seen": "sometimes"}, "seen"),
        (lambda fitted, parts: {"fitted": {"Noise": fitted["Noise"]}}, "fitted"),
        (lambda fitted, parts: {"fitted": [*fitted.values()]}, "fitted"),
        (lambda fitted, parts: {"fitted": {**fitted, "b": models.EASE()}}, "fitted.b"),
        (lambda fitted, parts: {"fitted": {**fitted, "b": Noise().fit(parts[1])}}, "fitted.b"),
        (lambda fitted, parts: {"fitted": {**fitted, "b": Noise().fit(circle())}}, "fitted.b"),
        (
            lambda fitted, parts: {
                "fitted": {**fitted, "b": Noise().fit(parts[0], event_weights={"*": 2.0})}
            },
            "fitted.b",
        ),
        (
            lambda fitted, parts: {"fitted": {**fitted, "queries": fitted["Noise"]}},
            "fitted.queries",
        ),
    ],
)
def test_what_cannot_be_fused_is_refused(change, field, fitted, parts):
    arguments = {"fitted": fitted, "validation": parts[1], **change(fitted, parts)}
    with pytest.raises(InputError) as problem:
        plait.fuse(arguments.pop("fitted"), **arguments)
    assert problem.value.field == field


def test_seen_items_of_another_data_set_are_those_of_the_same_ids():
    users, items = ["a", "b", "b", "a", "c", "c", "d"], ["x", "y", "z", "y", "x", "z", "x"]
    train = plait.Dataset.from_arrays(users, items)
    seen = plait.Dataset.from_arrays(["b", "b", "a", "a"], ["z", "y", "x", "not in train"])
    popular = models.Popular().fit(train)
    members = {"popular": popular, "again": models.Popular().fit(train)}
    fusion = plait.fuse(members, weights={"popular": 1.0, "again": 1.0})
    for model in (popular, fusion):
        for past in (seen, seen.filter("item <> 'z'"), train.filter("item = 'x'")):
            lists = model.recommend(["a", "stranger"], 5, seen=past)
            by_user = dict(lists.group_by("user").agg("item").iter_rows())
            assert sorted(by_user["a"]) == ["y", "z"]
            assert sorted(by_user["stranger"]) == ["x", "y", "z"]
    test = [("a", "y"), ("a", "z")]
    table = fusion.ablate(test, k=2, metrics="recall", seen=seen).to_frame()
    assert table.filter(model="fused")["value"].to_list() == [1.0]
