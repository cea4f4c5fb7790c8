"""Vectors over the graph: planted structure, the vectors of users, and those of entities."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from plait.data.types import Triples
from plait.errors import InputError
from plait.models.graph.graph_fit import normalize_adjacency
from plait.models.graph.graph_recommender import Graph, GraphConfig
from plait.pipeline.fit_context import FitContext
from plait.testing.catalogue_changes import changed, state_with
from plait.testing.queries import ask, listed, scores
from plait.testing.synthetic_data import checkerboard, late_arrivals, make_dataset, market
from plait.training.config import TrainingConfig

TRAINING = TrainingConfig(epochs=30, batch_size=64, learning_rate=0.02)


def graph(dataset, **changes):
    settings = {"training": TRAINING, "embedding_dim": 16, "dropout": 0.3, **changes}
    return Graph(GraphConfig(**settings), name="graph").fit(dataset)


def triples_of(dataset, triples):
    """Triples (item number, relation, value) whose values are no items."""
    heads, relations, values = zip(*triples, strict=True)
    return Triples(
        np.array(heads, np.int32),
        relations,
        values,
        np.full(len(triples), -1, np.int32),
        tuple(dataset.catalogue.ids[head] for head in heads),
    )


@pytest.fixture(scope="module")
def late():
    return graph(late_arrivals())


def test_users_are_recommended_items_of_their_colour():
    dataset = checkerboard()
    stage = graph(dataset, use_triples=False)
    histories = dataset.histories()
    for user in range(dataset.n_users):
        ids = [dataset.catalogue.id(number) for number in histories[user]]
        queries = replace(ask(dataset.catalogue, ids), blocked=histories.slice(user, user + 1))
        best = listed(stage.retrieve(queries, 1), dataset.catalogue)[0][0]
        assert best.partition("-")[0] == ids[0].partition("-")[0]


def test_vectors_beyond_memory_are_rejected_before_training():
    with pytest.raises(InputError) as error:
        graph(market(), embedding_dim=2**31 - 1)
    assert error.value.field == "embedding_dim"
    assert error.value.hint == "make embedding_dim smaller"


def test_a_user_is_the_decayed_sum_of_the_messages_of_the_history():
    dataset = market()
    stage = graph(dataset, use_triples=False, basket_decay=0.5)
    history = ["item-1", "item-3", "item-1"]
    queries = ask(dataset.catalogue, history)
    numbers = dataset.catalogue.numbers(history)
    user = np.array([0.25, 0.5, 1.0]) @ stage._model.messages[numbers]
    expected = stage._model.items @ (user / np.linalg.norm(user))
    assert stage.score_all(queries)[0] == pytest.approx(expected, abs=1e-5, nan_ok=True)
    lengths = np.linalg.norm(stage._model.items, axis=1)
    assert lengths[~np.isnan(lengths)] == pytest.approx(1)


def test_known_and_unknown_users_with_the_same_history_have_the_same_scores(late):
    dataset = late_arrivals()
    unknown = ask(dataset.catalogue, ["black-1", "black-3"])
    known = replace(unknown, users=np.array([0], np.int32))
    ids = dataset.catalogue.ids
    first, second = (scores(late, queries, dataset.catalogue, *ids) for queries in (unknown, known))
    np.testing.assert_array_equal(first, second)


def test_items_without_interactions_have_the_vectors_of_their_entities(late):
    dataset = late_arrivals()
    queries = ask(dataset.catalogue, ["black-1", "black-3"], ["white-1"], ["black-late"])
    result = scores(late, queries, dataset.catalogue, "black-late", "white-late", "black-2")
    assert result[0, 0] > result[0, 1]
    assert result[1, 1] > result[1, 0]
    assert result[2, 0] > result[2, 1]
    assert result[2, 2] > 0


def test_without_triples_items_without_interactions_are_unknown():
    dataset = late_arrivals()
    stage = graph(dataset, use_triples=False)
    queries = ask(dataset.catalogue, ["black-1"], ["black-late"], [])
    result = scores(stage, queries, dataset.catalogue, "black-late", "black-2")
    assert np.isnan(result).tolist() == [[True, False], [True, True], [True, True]]
    assert stage.update(dataset.catalogue, dataset.version, None) is None


def test_an_item_added_after_the_fit_has_the_vector_of_its_entities(late):
    dataset = late_arrivals()
    added = {"new": {"brand": "white works"}, "odd": {"brand": "nobody"}}
    catalogue = changed(dataset.catalogue, dataset.version, added)
    live = state_with(late, dataset, catalogue)
    queries = ask(catalogue, ["white-1", "white-2"], ["black-1"], ["new"], live=live)
    result = scores(late, queries, catalogue, "new", "odd", "white-3", "black-3")
    assert result[0, 0] > result[1, 0]
    assert np.isnan(result[:, 1]).all()
    assert result[2, 2] > result[2, 3]


def test_without_users_of_two_events_and_without_entities_nothing_is_known():
    dataset = make_dataset([(f"user-{n}", f"item-{n % 3}", n) for n in range(9)])
    stage = graph(dataset)
    queries = ask(dataset.catalogue, ["item-1"])
    assert np.isnan(scores(stage, queries, dataset.catalogue, "item-1", "item-2")).all()


def test_bfloat16_and_float32_learn_the_same_up_to_rounding():
    dataset = checkerboard()
    queries = ask(dataset.catalogue, ["black-1", "black-2"])
    ids = dataset.catalogue.ids
    half, single = (
        scores(
            graph(dataset, training=replace(TRAINING, precision=precision)),
            queries,
            dataset.catalogue,
            *ids,
        )
        for precision in ("bfloat16", "float32")
    )
    assert half == pytest.approx(single, abs=0.05)


def test_entities_of_an_item_are_normalised_within_each_relation():
    """With one maker and four colours, the number of colours does not drown the maker."""
    dataset = checkerboard()
    ids = dataset.catalogue.ids
    triples = [(number, "made by", item.partition("-")[0]) for number, item in enumerate(ids)]
    triples += [
        (number, "in", f"c{colour}")
        for number in range(len(ids))
        for colour in range(12)
        if (number + colour) % 3 == 0
    ]
    black = dataset.catalogue.number("black-2")
    others = dataset.keep(dataset.interactions.items != black)
    stage = graph(replace(others, triples=triples_of(dataset, triples)))
    columns = {word: column for column, word in enumerate(stage._model.features.words)}
    expected = np.zeros(stage._model.entity_messages.shape[1])
    for relation in ("made by", "in"):
        words = [(f"{r}>", value) for head, r, value in triples if (head, r) == (black, relation)]
        messages = stage._model.entity_messages[
            [columns[word] for word in words if word in columns]
        ]
        expected += messages.sum(axis=0) / np.sqrt(len(messages))
    assert stage._model.items[black] == pytest.approx(expected / np.linalg.norm(expected), abs=1e-5)


def test_triples_connect_items_without_interactions():
    dataset = checkerboard()
    triples = [
        (number, "made by", item.partition("-")[0])
        for number, item in enumerate(dataset.catalogue.ids)
    ]
    others = dataset.keep(dataset.interactions.items != dataset.catalogue.number("black-2"))
    stage = graph(replace(others, triples=triples_of(dataset, triples)))
    queries = ask(dataset.catalogue, ["black-1"], ["white-1"])
    result = scores(stage, queries, dataset.catalogue, "black-2")
    assert result[0, 0] > result[1, 0]


def test_relations_with_equal_values_are_separate_entities():
    dataset = checkerboard()
    triples = [(n, relation, "a=b") for n in range(4) for relation in ("made by", "made")]
    stage = graph(replace(dataset, triples=triples_of(dataset, triples)))
    assert stage._model.features.words[-2:] == [("made by>", "a=b"), ("made>", "a=b")]


def test_explain_names_the_item_with_the_largest_contribution(late):
    dataset = late_arrivals()
    queries = ask(dataset.catalogue, ["black-1", "white-1"])
    numbers = dataset.catalogue.numbers(["black-3", "white-3"])[None, :]
    explained_by = late.explain(queries, numbers)[0]
    assert [dataset.catalogue.id(number) for number in explained_by] == ["black-1", "white-1"]


def test_a_warm_start_has_the_embeddings_of_the_earlier_fit():
    dataset = late_arrivals()
    earlier = graph(dataset)
    still = replace(earlier.config, training=replace(TRAINING, epochs=1, learning_rate=0.0))
    stage = Graph(still, name="graph")
    stage._model = earlier._model
    assert stage.can_warm_start
    warm = stage.train(dataset, FitContext(seed=7, warm_start=True))._model
    assert warm.items == pytest.approx(earlier._model.items, abs=1e-5, nan_ok=True)
    assert warm.entity_messages == pytest.approx(earlier._model.entity_messages, abs=1e-5)
    cold = stage.train(dataset, FitContext(seed=7))._model
    assert cold.items != pytest.approx(earlier._model.items, abs=1e-2, nan_ok=True)


def test_normalize_adjacency_divides_by_the_roots_of_both_degrees():
    matrix = sparse.csr_matrix(np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]]))
    expected = np.array([[2**-0.5, 0.5, 0], [0, 2**-0.5, 0]])
    assert normalize_adjacency(matrix).toarray() == pytest.approx(expected)
