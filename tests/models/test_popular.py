"""What everybody takes: decay, contexts, and nothing of what nobody took."""

import numpy as np
import pytest

from plait.errors import InputError
from plait.models.popularity.popular import Popular, PopularConfig
from plait.testing.queries import ask, listed, scores
from plait.testing.synthetic_data import make_dataset, positions_only


def popular(dataset, **settings):
    return Popular(PopularConfig(**settings), name="popular").fit(dataset)


def test_an_event_counts_half_after_half_life_days():
    dataset = make_dataset([("a", "old", 0), ("b", "new", 10)])
    found = scores(
        popular(dataset, half_life_days=10),
        ask(dataset.catalogue, []),
        dataset.catalogue,
        "old",
        "new",
    )
    assert found[0] == pytest.approx([1 / 3, 2 / 3])
    found = scores(
        popular(dataset, half_life_days=5),
        ask(dataset.catalogue, []),
        dataset.catalogue,
        "old",
        "new",
    )
    assert found[0] == pytest.approx([0.2, 0.8])


def test_without_half_life_or_times_nothing_decays():
    dataset = make_dataset([("a", "old", 0), ("b", "new", 10)])
    found = scores(
        popular(dataset, half_life_days=0),
        ask(dataset.catalogue, []),
        dataset.catalogue,
        "old",
        "new",
    )
    assert found[0] == pytest.approx([0.5, 0.5])
    dataset = positions_only()
    found = scores(
        popular(dataset), ask(dataset.catalogue, []), dataset.catalogue, *dataset.catalogue.ids
    )
    assert found[0] == pytest.approx(np.full(12, 1 / 12))


def test_the_weights_of_kinds_count():
    dataset = make_dataset([("a", "seen", 0), ("b", "bought", 0)], kinds=["view", "purchase"])
    weighed = dataset.weighted({"view": 1.0, "purchase": 3.0})
    found = scores(
        popular(weighed), ask(dataset.catalogue, []), dataset.catalogue, "seen", "bought"
    )
    assert found[0] == pytest.approx([0.25, 0.75])


def test_unknown_items_are_nan_and_not_brought():
    dataset = make_dataset(
        [("a", "taken", 0)], items={"taken": {"price": 1.0}, "never": {"price": 1.0}}
    )
    stage, queries = popular(dataset), ask(dataset.catalogue, [])
    found = scores(stage, queries, dataset.catalogue, "taken", "never")
    assert np.isnan(found[0]).tolist() == [False, True]
    assert listed(stage.retrieve(queries, 5), dataset.catalogue) == [["taken"]]


def countries():
    events = [(f"de-{one}", "beer", 0) for one in range(3)] + [
        (f"cn-{one}", "tea", 0) for one in range(3)
    ]
    events += [("de-0", "rice", 0), ("cn-0", "rice", 0), ("cn-1", "rice", 0)]
    return make_dataset(events, users={user: {"country": user[:2]} for user, _, _ in events})


def test_a_context_mixes_its_own_table_with_that_of_all():
    dataset = countries()
    stage = popular(dataset, segment_by="country", segment_weight=0.5)
    asked = [{"country": "de"}, {"user": {"country": "cn"}}, {"country": "fr"}, {}]
    found = scores(
        stage, ask(dataset.catalogue, contexts=asked), dataset.catalogue, "beer", "tea", "rice"
    )
    everywhere = [3 / 9, 3 / 9, 3 / 9]
    assert found[0] == pytest.approx([(3 / 9 + 3 / 4) / 2, 3 / 18, (3 / 9 + 1 / 4) / 2])
    assert found[1] == pytest.approx([3 / 18, (3 / 9 + 3 / 5) / 2, (3 / 9 + 2 / 5) / 2])
    assert found[2] == pytest.approx(everywhere)
    assert found[3] == pytest.approx(everywhere)


def test_each_context_gets_its_own_list():
    dataset = countries()
    stage = popular(dataset, segment_by="country", segment_weight=1.0)
    queries = ask(dataset.catalogue, contexts=[{"country": "de"}, {"country": "cn"}])
    best = [row[0] for row in listed(stage.retrieve(queries, 3), dataset.catalogue)]
    assert best == ["beer", "tea"]


def test_equals_go_by_the_hash_of_their_ids_and_not_by_number():
    names = [f"item-{one}" for one in range(9)]
    lists = []
    for order in (names, names[::-1]):
        dataset = make_dataset([(f"user-{one}", one, 0) for one in order])
        queries = ask(dataset.catalogue, [])
        lists.append(listed(popular(dataset).retrieve(queries, 4), dataset.catalogue))
    assert lists[0] == lists[1]


def test_a_field_that_nobody_has_is_no_slip_that_goes_unsaid():
    dataset = make_dataset([("a", "old", 0)], users={"a": {"country": "UK"}})
    with pytest.raises(InputError, match="there is no field 'land'") as caught:
        popular(dataset, segment_by="land")
    assert "country" in caught.value.hint
