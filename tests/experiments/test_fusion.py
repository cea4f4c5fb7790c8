"""`plait.fuse`: weights of fitted models in worlds where the right ones are known."""

import numpy as np
import pytest

import plait
from plait import models
from plait.errors import InputError
from plait.pipeline.recipe import Recipe, recipe_from
from tests.experiments.toy_models import Next, Noise, NoiseStage, circle


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
    with pytest.raises(InputError):
        fusion.save(tmp_path)
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


@pytest.mark.parametrize(
    ("change", "field"),
    [
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
