"""Content: topics, free text, new and changed items, evidence."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import sparse

from plait.errors import InputError
from plait.features.blockwise import filter_entries, row_topk_mask
from plait.features.tfidf import Tfidf, TfidfConfig, largest
from plait.models.content import Content, ContentConfig
from plait.testing.queries import ask, changed, listed, scores, state_with
from plait.testing.synthetic_data import chinese, make_dataset, market, two_topics


def content(dataset, **settings):
    return Content(
        ContentConfig(**{"min_df": 1, "svd_components": 0, **settings}), name="content"
    ).fit(dataset)


@pytest.mark.parametrize("components", [0, 4])
def test_the_topic_of_the_history_is_found(components):
    dataset = two_topics()
    stage = content(dataset, svd_components=components)
    queries = ask(dataset.catalogue, ["garden-1"], ["kitchen-5"])
    for topic, brought in zip(
        ("garden", "kitchen"), listed(stage.retrieve(queries, 8), dataset.catalogue), strict=True
    ):
        assert len(brought) == 8
        assert all(one.startswith(topic) for one in brought)


def test_scores_are_cosines_of_tfidf_vectors():
    dataset = two_topics()
    _, vectors = Tfidf.fit(TfidfConfig(min_df=1), dataset.catalogue)
    rows = vectors.toarray()
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(16))
    stage = content(dataset)
    found = scores(
        stage, ask(dataset.catalogue, ["garden-1"]), dataset.catalogue, *dataset.catalogue.ids
    )
    number = dataset.catalogue.number("garden-1")
    assert found[0] == pytest.approx(rows @ rows[number], abs=1e-6)
    assert found[0, number] == pytest.approx(1)


def test_weights_by_hand():
    # idf = ln((1 + 2) / (1 + df)) + 1: "mug" stands in both, "red" and "blue" in one.
    dataset = make_dataset([], items={"a": {"title": "red mug"}, "b": {"title": "blue mug"}})
    stage = content(dataset, bigram_weight=0)
    rare, common = np.log(3 / 2) + 1, np.log(3 / 3) + 1
    found = scores(
        stage, ask(dataset.catalogue, texts=["red", "mug", "blue mug"]), dataset.catalogue, "a", "b"
    )
    length = np.hypot(rare, common)
    assert found[0] == pytest.approx([rare / length, 0])
    assert found[1] == pytest.approx([common / length, common / length])
    assert found[2] == pytest.approx([common**2 / length**2, 1])


def test_text_goes_before_anchors_and_anchors_before_history():
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


def test_words_that_nobody_uses_and_items_without_words_are_unknown():
    dataset = make_dataset(
        [("u", "a", 0), ("u", "mute", 1)], items={"a": {"title": "red mug"}, "mute": {"price": 2.0}}
    )
    stage = content(dataset)
    queries = ask(dataset.catalogue, [], ["mute"], texts=["zebra"])
    assert np.isnan(scores(stage, queries, dataset.catalogue, "a", "mute")).all()
    found = scores(stage, ask(dataset.catalogue, ["a"]), dataset.catalogue, "a", "mute")
    assert np.isnan(found[0]).tolist() == [False, True]


def test_a_rare_feature_counts_from_the_minimum_on():
    dataset = make_dataset([], items={"a": {"title": "red mug"}, "b": {"title": "blue mug"}})
    found = scores(
        content(dataset, min_df=2),
        ask(dataset.catalogue, texts=["red", "mug"]),
        dataset.catalogue,
        "a",
        "b",
    )
    assert np.isnan(found[0]).all()
    assert found[1] == pytest.approx([1, 1])


def test_the_latent_space_finds_what_shares_no_word():
    # "sofa" and "couch" never meet, but both go with "cushion" and "lounge".
    titles = [
        "sofa cushion",
        "couch cushion",
        "sofa lounge",
        "couch lounge",
        "drill bit",
        "drill saw",
    ]
    titles += ["saw bit", "hammer drill", "sofa", "couch"]
    dataset = make_dataset(
        [], items={f"{one}": {"title": title} for one, title in enumerate(titles)}
    )
    plain, latent = (
        content(dataset, bigram_weight=0),
        content(dataset, bigram_weight=0, svd_components=2, svd_weight=0.5),
    )
    queries = ask(dataset.catalogue, texts=["sofa"])
    assert scores(plain, queries, dataset.catalogue, "9")[0, 0] == 0
    found = scores(latent, ask(dataset.catalogue, texts=["sofa"]), dataset.catalogue, "9", "4")
    assert found[0, 0] > 0.4
    assert found[0, 1] < 0.1


def test_an_item_that_came_after_the_fit_is_known_in_all_ways():
    dataset = two_topics()
    stage = content(dataset, svd_components=4)
    twin = dataset.catalogue.fields(dataset.catalogue.number("garden-2"))
    catalogue = changed(dataset.catalogue, dataset.version, {"new": twin})
    live = state_with(stage, dataset, catalogue)
    queries = ask(catalogue, ["garden-3"], [], ["new"], texts=[None, "tulip"], live=live)
    found = scores(stage, queries, catalogue, "new", "garden-2", "kitchen-2")
    assert found[:, 0] == pytest.approx(found[:, 1])
    assert found[2, 1] == pytest.approx(1)
    assert found[2, 2] < 0.1
    assert "new" in listed(stage.retrieve(queries, 9), catalogue)[0]


def test_an_item_that_says_something_else_now_stands_elsewhere():
    dataset = two_topics()
    stage = content(dataset)
    kitchen = dataset.catalogue.fields(dataset.catalogue.number("kitchen-1"))
    catalogue = changed(dataset.catalogue, dataset.version, {"garden-1": kitchen})
    live = state_with(stage, dataset, catalogue)
    queries = ask(catalogue, ["kitchen-1"], ["garden-1"], live=live)
    found = scores(stage, queries, catalogue, "garden-1", "kitchen-1", "garden-2")
    assert found[:, :2] == pytest.approx(np.ones((2, 2)))
    assert found[:, 2] == pytest.approx([0, 0])


def test_a_price_that_changes_encodes_nothing():
    dataset = two_topics()
    stage = content(dataset)
    prices = {one: {"price": 5.0} for one in dataset.catalogue.ids}
    catalogue = changed(dataset.catalogue, dataset.version, prices, patch=True)
    assert len(stage.update(catalogue, dataset.version, None).numbers) == 0


def test_a_deleted_item_says_nothing():
    dataset = two_topics()
    stage = content(dataset)
    catalogue = changed(dataset.catalogue, dataset.version, {"garden-1": None})
    live = state_with(stage, dataset, catalogue)
    found = scores(
        stage, ask(catalogue, ["garden-2"], live=live), catalogue, "garden-1", "garden-3"
    )
    assert np.isnan(found[0]).tolist() == [True, False]


def test_because_names_the_item_most_alike():
    dataset = two_topics()
    stage = content(dataset)
    queries = ask(dataset.catalogue, ["garden-1", "kitchen-1"], ["garden-1"], texts=[None, "pan"])
    numbers = np.tile(dataset.catalogue.numbers(["garden-2", "kitchen-2"]), (2, 1))
    named = stage.explain(queries, numbers)
    assert [dataset.catalogue.id(one) for one in named[0]] == ["garden-1", "kitchen-1"]
    assert named[1].tolist() == [-1, -1]  # it was the words that asked


def test_chinese_words_are_features():
    dataset = chinese()
    stage = content(dataset)
    queries = ask(dataset.catalogue, texts=["茶杯"])
    assert set(listed(stage.retrieve(queries, 2), dataset.catalogue)[0]) == {"商品1", "商品3"}


def test_more_history_than_is_read_changes_nothing():
    dataset = market()
    stage = content(dataset, max_baskets=2)
    queries = ask(dataset.catalogue, ["item-2", "item-4", "item-6"], ["item-4", "item-6"])
    found = scores(stage, queries, dataset.catalogue, *dataset.catalogue.ids)
    assert found[0] == pytest.approx(found[1], nan_ok=True)


def test_a_field_that_no_item_has_is_no_slip_that_goes_unsaid():
    with pytest.raises(InputError, match="there is no field 'titel'"):
        content(two_topics(), fields=("titel",))


blocks = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9),
    elements=st.sampled_from([-1, 0, 0, 0.5, 1, 1, 2]),
)


@given(blocks, st.integers(0, 10), st.randoms(use_true_random=False))
def test_the_largest_are_kept_and_of_equals_the_smallest_tiebreak(block, count, random):
    ties = np.array(random.sample(range(99), block.shape[1]), np.uint64)
    wanted = np.zeros_like(block)
    for row, values in enumerate(block):
        for column in np.lexsort((ties, -values))[:count]:
            wanted[row, column] = max(values[column], 0)
    assert (largest(block, count, ties).toarray() == wanted).all()
    positive = sparse.csr_matrix(np.maximum(block, 0))
    assert (
        filter_entries(positive, row_topk_mask(positive, count, ties)).toarray() == wanted
    ).all()
