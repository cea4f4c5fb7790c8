"""Tests of `content`: similarity, free text, new and changed items, explanations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import sparse

from plait.errors import InputError
from plait.features.sparse_topk import filter_entries, row_topk, row_topk_mask
from plait.features.tfidf import Tfidf, TfidfConfig
from plait.models.content import Content, ContentConfig
from plait.testing.catalogue_changes import changed, state_with
from plait.testing.queries import ask, listed, scores
from plait.testing.synthetic_data import chinese, make_dataset, market, two_topics


def content(dataset, **settings):
    return Content(
        ContentConfig(**{"min_df": 1, "svd_components": 0, **settings}), name="content"
    ).fit(dataset)


@pytest.mark.parametrize("components", [0, 4])
def test_retrieves_items_of_the_topic_of_the_history(components):
    dataset = two_topics()
    stage = content(dataset, svd_components=components)
    queries = ask(dataset.catalogue, ["garden-1"], ["kitchen-5"])
    lists = listed(stage.retrieve(queries, 8), dataset.catalogue)
    for topic, item_ids in zip(("garden", "kitchen"), lists, strict=True):
        assert len(item_ids) == 8
        assert all(item_id.startswith(topic) for item_id in item_ids)


def test_scores_are_cosines_of_tfidf_vectors():
    dataset = two_topics()
    _, vectors = Tfidf.fit(TfidfConfig(min_df=1), dataset.catalogue)
    rows = vectors.toarray()
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(16))
    stage = content(dataset)
    queries = ask(dataset.catalogue, ["garden-1"])
    cosines = scores(stage, queries, dataset.catalogue, *dataset.catalogue.ids)[0]
    number = dataset.catalogue.number("garden-1")
    assert cosines == pytest.approx(rows @ rows[number], abs=1e-6)
    assert cosines[number] == pytest.approx(1)


def test_scores_of_texts_equal_tfidf_cosines_computed_by_hand():
    # idf = ln((1 + 2) / (1 + df)) + 1: "mug" occurs in both, "red" and "blue" in one.
    dataset = make_dataset([], items={"a": {"title": "red mug"}, "b": {"title": "blue mug"}})
    stage = content(dataset, bigram_weight=0)
    rare, common = np.log(3 / 2) + 1, np.log(3 / 3) + 1
    queries = ask(dataset.catalogue, texts=["red", "mug", "blue mug"])
    red, mug, blue_mug = scores(stage, queries, dataset.catalogue, "a", "b")
    length = np.hypot(rare, common)
    assert red == pytest.approx([rare / length, 0])
    assert mug == pytest.approx([common / length, common / length])
    assert blue_mug == pytest.approx([common**2 / length**2, 1])


def test_text_overrides_seed_items_and_seed_items_override_history():
    dataset = two_topics()
    stage = content(dataset)
    queries = ask(
        dataset.catalogue,
        ["garden-1"],
        ["garden-1"],
        ["garden-1"],
        texts=["kettle", None, None],
        anchors=[[], ["kitchen-1"], []],
    )
    topics = [
        row[0].partition("-")[0] for row in listed(stage.retrieve(queries, 3), dataset.catalogue)
    ]
    assert topics == ["kitchen", "kitchen", "garden"]


def test_scores_are_nan_for_unknown_words_and_items_without_words():
    items = {"a": {"title": "red mug"}, "wordless": {"price": 2.0}}
    dataset = make_dataset([("u", "a", 0), ("u", "wordless", 1)], items=items)
    stage = content(dataset)
    queries = ask(dataset.catalogue, [], ["wordless"], texts=["zebra"])
    assert np.isnan(scores(stage, queries, dataset.catalogue, "a", "wordless")).all()
    row = scores(stage, ask(dataset.catalogue, ["a"]), dataset.catalogue, "a", "wordless")[0]
    assert np.isnan(row).tolist() == [False, True]


def test_features_below_min_df_are_dropped():
    dataset = make_dataset([], items={"a": {"title": "red mug"}, "b": {"title": "blue mug"}})
    queries = ask(dataset.catalogue, texts=["red", "mug"])
    red, mug = scores(content(dataset, min_df=2), queries, dataset.catalogue, "a", "b")
    assert np.isnan(red).all()
    assert mug == pytest.approx([1, 1])


def test_svd_space_relates_items_that_share_no_word():
    # "sofa" and "couch" never co-occur, but both occur with "cushion" and "lounge".
    titles = [
        "sofa cushion",
        "couch cushion",
        "sofa lounge",
        "couch lounge",
        "drill bit",
        "drill saw",
    ]
    titles += ["saw bit", "hammer drill", "sofa", "couch"]
    items = {f"{index}": {"title": title} for index, title in enumerate(titles)}
    dataset = make_dataset([], items=items)
    plain = content(dataset, bigram_weight=0)
    latent = content(dataset, bigram_weight=0, svd_components=2, svd_weight=0.5)
    queries = ask(dataset.catalogue, texts=["sofa"])
    assert scores(plain, queries, dataset.catalogue, "9")[0, 0] == 0
    queries = ask(dataset.catalogue, texts=["sofa"])
    couch, drill = scores(latent, queries, dataset.catalogue, "9", "4")[0]
    assert couch > 0.4
    assert drill < 0.1


def test_item_added_after_the_fit_scores_like_its_twin_for_history_text_and_seeds():
    dataset = two_topics()
    stage = content(dataset, svd_components=4)
    twin = dataset.catalogue.fields(dataset.catalogue.number("garden-2"))
    catalogue = changed(dataset.catalogue, dataset.version, {"new": twin})
    live = state_with(stage, dataset, catalogue)
    queries = ask(catalogue, ["garden-3"], [], ["new"], texts=[None, "tulip"], live=live)
    cosines = scores(stage, queries, catalogue, "new", "garden-2", "kitchen-2")
    assert cosines[:, 0] == pytest.approx(cosines[:, 1])
    assert cosines[2, 1] == pytest.approx(1)
    assert cosines[2, 2] < 0.1
    assert "new" in listed(stage.retrieve(queries, 9), catalogue)[0]


def test_item_whose_fields_changed_is_scored_by_the_new_fields():
    dataset = two_topics()
    stage = content(dataset)
    kitchen = dataset.catalogue.fields(dataset.catalogue.number("kitchen-1"))
    catalogue = changed(dataset.catalogue, dataset.version, {"garden-1": kitchen})
    live = state_with(stage, dataset, catalogue)
    queries = ask(catalogue, ["kitchen-1"], ["garden-1"], live=live)
    cosines = scores(stage, queries, catalogue, "garden-1", "kitchen-1", "garden-2")
    assert cosines[:, :2] == pytest.approx(np.ones((2, 2)))
    assert cosines[:, 2] == pytest.approx([0, 0])


def test_update_skips_items_whose_read_fields_did_not_change():
    dataset = two_topics()
    stage = content(dataset)
    prices = {item_id: {"price": 5.0} for item_id in dataset.catalogue.ids}
    catalogue = changed(dataset.catalogue, dataset.version, prices, patch=True)
    assert len(stage.update(catalogue, dataset.version, None).item_numbers) == 0


def test_deleted_item_is_unknown():
    dataset = two_topics()
    stage = content(dataset)
    catalogue = changed(dataset.catalogue, dataset.version, {"garden-1": None})
    live = state_with(stage, dataset, catalogue)
    queries = ask(catalogue, ["garden-2"], live=live)
    cosines = scores(stage, queries, catalogue, "garden-1", "garden-3")[0]
    assert np.isnan(cosines).tolist() == [True, False]


def test_explain_names_the_most_similar_item_of_the_history():
    dataset = two_topics()
    stage = content(dataset)
    queries = ask(dataset.catalogue, ["garden-1", "kitchen-1"], ["garden-1"], texts=[None, "pan"])
    numbers = np.tile(dataset.catalogue.numbers(["garden-2", "kitchen-2"]), (2, 1))
    by_history, by_text = stage.explain(queries, numbers).tolist()
    assert [dataset.catalogue.id(number) for number in by_history] == ["garden-1", "kitchen-1"]
    assert by_text == [-1, -1]


def test_chinese_text_matches_items_by_word():
    dataset = chinese()
    stage = content(dataset)
    queries = ask(dataset.catalogue, texts=["茶杯"])
    assert set(listed(stage.retrieve(queries, 2), dataset.catalogue)[0]) == {"商品1", "商品3"}


def test_baskets_beyond_max_baskets_are_not_read():
    dataset = market()
    stage = content(dataset, max_baskets=2)
    queries = ask(dataset.catalogue, ["item-2", "item-4", "item-6"], ["item-4", "item-6"])
    long, short = scores(stage, queries, dataset.catalogue, *dataset.catalogue.ids)
    assert long == pytest.approx(short, nan_ok=True)


def test_unknown_field_is_an_error():
    with pytest.raises(InputError) as caught:
        content(two_topics(), fields=("titel",))
    assert caught.value.field == "fields"


blocks = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9),
    elements=st.sampled_from([-1, 0, 0, 0.5, 1, 1, 2]),
)


@given(blocks, st.integers(0, 10), st.randoms(use_true_random=False))
def test_row_topk_keeps_the_largest_and_of_ties_the_smallest_tiebreak(block, count, random):
    ties = np.array(random.sample(range(99), block.shape[1]), np.uint64)
    expected = np.zeros_like(block)
    for row, values in enumerate(block):
        for column in np.lexsort((ties, -values))[:count]:
            expected[row, column] = max(values[column], 0)
    assert (row_topk(block, count, ties).toarray() == expected).all()
    positive = sparse.csr_matrix(np.maximum(block, 0))
    top = filter_entries(positive, row_topk_mask(positive, count, ties))
    assert (top.toarray() == expected).all()
