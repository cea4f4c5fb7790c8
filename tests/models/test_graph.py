"""Vectors over the graph: worlds with a right answer, the fold-in, and what entities lend."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from plait.data.types import Triples
from plait.errors import InputError
from plait.models.graph.graph import Graph, GraphConfig, _groups, _normal
from plait.testing.queries import ask, changed, listed, scores, state_with
from plait.testing.synthetic_data import checkerboard, late_arrivals, make_dataset, market
from plait.training.config import TrainingConfig

TRAINING = TrainingConfig(epochs=30, batch_size=64, learning_rate=0.02)


def graph(dataset, **settings):
    told = {"training": TRAINING, "embedding_dim": 16, "dropout": 0.3, **settings}
    return Graph(GraphConfig(**told), name="graph").fit(dataset)


@pytest.fixture(scope="module")
def late():
    return graph(late_arrivals())


def test_users_are_given_what_they_lack_of_their_colour():
    dataset = checkerboard()
    stage = graph(dataset, use_triples=False)
    histories = dataset.histories()
    for user in range(dataset.n_users):
        ids = [dataset.catalogue.id(one) for one in histories[user]]
        queries = replace(ask(dataset.catalogue, ids), blocked=histories.slice(user, user + 1))
        best = listed(stage.retrieve(queries, 1), dataset.catalogue)[0][0]
        assert best.partition("-")[0] == ids[0].partition("-")[0]


def test_vectors_that_cannot_fit_into_memory_are_refused_before_the_start():
    with pytest.raises(InputError, match=r"would need about .* GB of memory") as it:
        graph(market(), embedding_dim=10**12)
    assert (it.value.field, it.value.hint) == ("embedding_dim", "make embedding_dim smaller")


def test_a_user_is_the_decayed_sum_of_what_the_history_lends():
    dataset = market()
    stage = graph(dataset, use_triples=False, basket_decay=0.5)
    history = ["item-1", "item-3", "item-1"]
    queries = ask(dataset.catalogue, history)
    numbers = dataset.catalogue.numbers(history)
    user = np.array([0.25, 0.5, 1.0]) @ stage._lent[numbers]
    expected = stage._items @ (user / np.linalg.norm(user))
    found = stage.score_all(queries)[0]
    assert found == pytest.approx(expected, abs=1e-5, nan_ok=True)
    lengths = np.linalg.norm(stage._items, axis=1)
    assert lengths[~np.isnan(lengths)] == pytest.approx(1)


def test_known_and_unseen_users_go_one_road(late):
    dataset = late_arrivals()
    queries = ask(dataset.catalogue, ["black-1", "black-3"])
    known = replace(queries, users=np.array([0], np.int32))
    ids = dataset.catalogue.ids
    found, mine = (scores(late, one, dataset.catalogue, *ids) for one in (queries, known))
    assert (found == mine).all()


def test_what_nobody_took_stands_where_its_entities_stand(late):
    dataset = late_arrivals()
    queries = ask(dataset.catalogue, ["black-1", "black-3"], ["white-1"], ["black-late"])
    found = scores(late, queries, dataset.catalogue, "black-late", "white-late", "black-2")
    assert found[0, 0] > found[0, 1]
    assert found[1, 1] > found[1, 0]
    assert found[2, 0] > found[2, 1]
    assert found[2, 2] > 0


def test_without_knowledge_what_nobody_took_is_unknown():
    dataset = late_arrivals()
    stage = graph(dataset, use_triples=False)
    queries = ask(dataset.catalogue, ["black-1"], ["black-late"], [])
    found = scores(stage, queries, dataset.catalogue, "black-late", "black-2")
    assert np.isnan(found).tolist() == [[True, False], [True, True], [True, True]]
    assert stage.update(dataset.catalogue, dataset.version, None) is None


def test_an_item_that_came_after_the_fit_is_known_by_its_entities(late):
    dataset = late_arrivals()
    new = {"new": {"brand": "white works"}, "odd": {"brand": "nobody"}}
    catalogue = changed(dataset.catalogue, dataset.version, new)
    live = state_with(late, dataset, catalogue)
    queries = ask(catalogue, ["white-1", "white-2"], ["black-1"], ["new"], live=live)
    found = scores(late, queries, catalogue, "new", "odd", "white-3", "black-3")
    assert found[0, 0] > found[1, 0]
    assert np.isnan(found[:, 1]).all()
    assert found[2, 2] > found[2, 3]


def test_without_a_user_of_two_events_and_without_knowledge_nothing_is_known():
    dataset = make_dataset([(f"user-{one}", f"item-{one % 3}", one) for one in range(9)])
    stage = graph(dataset)
    found = scores(stage, ask(dataset.catalogue, ["item-1"]), dataset.catalogue, "item-1", "item-2")
    assert np.isnan(found).all()


def test_it_learns_the_same_in_bfloat16_but_for_rounding():
    dataset = checkerboard()
    queries = ask(dataset.catalogue, ["black-1", "black-2"])
    ids = dataset.catalogue.ids
    half, whole = (
        scores(
            graph(dataset, training=replace(TRAINING, precision=one)),
            queries,
            dataset.catalogue,
            *ids,
        )
        for one in ("bfloat16", "float32")
    )
    assert half == pytest.approx(whole, abs=0.05)


def test_what_several_relations_say_counts_by_relation():
    """One maker and four colours: the maker is not drowned by how many colours there are."""
    dataset = checkerboard()
    ids = dataset.catalogue.ids
    told = [
        (number, *one)
        for number, item in enumerate(ids)
        for one in [("made by", item.partition("-")[0]), *[("in", f"c{n}") for n in range(12)]]
        if one[0] == "made by" or (number + int(one[1][1:])) % 3 == 0
    ]
    heads, relations, tails = zip(*told, strict=True)
    facts = Triples(
        np.array(heads, np.int32),
        relations,
        tails,
        np.full(len(told), -1, np.int32),
        tuple(ids[one] for one in heads),
    )
    late = dataset.catalogue.number("black-2")
    taken = dataset.keep(dataset.interactions.items != late)
    stage = graph(replace(taken, triples=facts))
    words = np.array(stage._sides.words)
    expected = np.zeros(stage._entities.shape[1])
    for relation in ("made by>", "in>"):
        mine = [f"{r}>{t}" for h, r, t in told if h == late and f"{r}>" == relation]
        places = np.flatnonzero(np.isin(words, mine))
        expected += stage._entities[places].sum(axis=0) / np.sqrt(len(places))
    assert stage._items[late] == pytest.approx(expected / np.linalg.norm(expected), abs=1e-5)


def test_facts_are_edges_too():
    dataset = checkerboard()
    ids = dataset.catalogue.ids
    heads = np.arange(len(ids), dtype=np.int32)
    facts = Triples(
        heads,
        ("made by",) * len(ids),
        tuple(one.partition("-")[0] for one in ids),
        np.full(len(ids), -1, np.int32),
        tuple(ids),
    )
    taken = dataset.keep(dataset.interactions.items != dataset.catalogue.number("black-2"))
    stage = graph(replace(taken, triples=facts))
    found = scores(
        stage, ask(dataset.catalogue, ["black-1"], ["white-1"]), dataset.catalogue, "black-2"
    )
    assert found[0, 0] > found[1, 0]


def test_it_names_the_item_that_speaks_loudest(late):
    dataset = late_arrivals()
    queries = ask(dataset.catalogue, ["black-1", "white-1"])
    numbers = dataset.catalogue.numbers(["black-3", "white-3"])[None, :]
    named = late.explain(queries, numbers)[0]
    assert [dataset.catalogue.id(one) for one in named] == ["black-1", "white-1"]


def test_edges_are_divided_by_the_roots_of_both_degrees():
    matrix = sparse.csr_matrix(np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]]))
    assert _normal(matrix).toarray() == pytest.approx(
        np.array([[2**-0.5, 0.5, 0], [0, 2**-0.5, 0]])
    )


def test_a_relation_is_what_stands_before_the_sign():
    words = ["brand=a", "brand=b", "made by<x", "made by>ann", "tags=c>d"]
    assert [one.tolist() for one in _groups(words)] == [[0, 1], [2], [3], [4]]
