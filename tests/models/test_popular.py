"""Tests of `popular`: decay, weights of event types, segments and unknown items."""

import numpy as np
import pytest

from plait.errors import InputError
from plait.models.popularity.popular import Popular, PopularConfig
from plait.models.popularity.robust_counts import user_weight
from plait.testing.queries import ask, listed, scores
from plait.testing.synthetic_data import make_dataset, positions_only


def popular(dataset, **settings):
    return Popular(PopularConfig(**settings), name="popular").fit(dataset)


def shares(dataset, *item_ids, **settings):
    """The scores of items for a query without history."""
    queries = ask(dataset.catalogue, [])
    return scores(popular(dataset, **settings), queries, dataset.catalogue, *item_ids)[0]


@pytest.mark.parametrize(
    ("half_life_days", "expected"), [(10, [1 / 3, 2 / 3]), (5, [0.2, 0.8]), (0, [0.5, 0.5])]
)
def test_weight_of_an_event_halves_after_half_life_days(half_life_days, expected):
    dataset = make_dataset([("a", "old", 0), ("b", "new", 10)])
    found_shares = shares(dataset, "old", "new", half_life_days=half_life_days)
    assert found_shares == pytest.approx(expected)


def test_nothing_decays_without_times():
    dataset = positions_only()
    assert shares(dataset, *dataset.catalogue.ids) == pytest.approx(np.full(12, 1 / 12))


def test_events_count_by_the_weight_of_their_type():
    dataset = make_dataset([("a", "seen", 0), ("b", "bought", 0)], kinds=["view", "purchase"])
    weighted = dataset.weighted({"view": 1.0, "purchase": 3.0})
    assert shares(weighted, "seen", "bought") == pytest.approx([0.25, 0.75])


@pytest.mark.parametrize(
    "weights", [{"hide": 0.0}, {"hide": -1.0}, {"hide": 0.0, "*": 0.5}, {"hide": 0.0, "view": 0.25}]
)
def test_weights_without_a_positive_entry_leave_the_others_their_own(weights):
    kinds = ["view", "view", "hide"]
    dataset = make_dataset([("a", "seen", 0), ("b", "seen", 0), ("b", "hidden", 0)], kinds=kinds)
    actual = shares(dataset.weighted(weights), "seen", "hidden")
    np.testing.assert_allclose(actual, [1.0, np.nan])


@pytest.mark.parametrize(
    ("weights", "expected"),
    [({}, 1.0), ({"hide": -1.0}, 1.0), ({"*": 0.5, "view": 0.25}, 0.5), ({"*": 0.0}, 1.0)],
)
def test_absent_types_weigh_as_the_star_or_1(weights, expected):
    assert user_weight(weights) == expected


def test_items_without_events_are_nan_and_not_retrieved():
    items = {"used": {"price": 1.0}, "unused": {"price": 1.0}}
    dataset = make_dataset([("a", "used", 0)], items=items)
    assert np.isnan(shares(dataset, "used", "unused")).tolist() == [False, True]
    candidates = popular(dataset).retrieve(ask(dataset.catalogue, []), 5)
    assert listed(candidates, dataset.catalogue) == [["used"]]


def countries():
    events = [(f"de-{user}", "beer", 0) for user in range(3)]
    events += [(f"cn-{user}", "tea", 0) for user in range(3)]
    events += [("de-0", "rice", 0), ("cn-0", "rice", 0), ("cn-1", "rice", 0)]
    return make_dataset(events, users={user: {"country": user[:2]} for user, _, _ in events})


def log_count(users):
    """What a day without five items counts: the first user in full, more by their logarithm."""
    return 1 + np.log(users)


def test_scores_mix_the_popularity_of_the_segment_with_that_of_all_users():
    """Who chose beer or tea alone counts half: 2 for beer, 2.5 for tea, 3 for rice."""
    dataset = countries()
    stage = popular(dataset, segment_by="country", segment_weight=0.5)
    contexts = [{"country": "de"}, {"user": {"country": "cn"}}, {"country": "fr"}, {}]
    queries = ask(dataset.catalogue, contexts=contexts)
    de, cn, fr, none = scores(stage, queries, dataset.catalogue, "beer", "tea", "rice")
    overall = log_count(np.array([2, 2.5, 3]))
    overall /= overall.sum()
    german = np.array([log_count(2), 0, log_count(1)]) / (log_count(2) + log_count(1))
    chinese = np.array([0, log_count(2.5), log_count(2)]) / (log_count(2.5) + log_count(2))
    assert de == pytest.approx((overall + german) / 2)
    assert cn == pytest.approx((overall + chinese) / 2)
    assert fr == pytest.approx(overall)
    assert none == pytest.approx(overall)


def test_each_segment_retrieves_its_own_list():
    dataset = countries()
    stage = popular(dataset, segment_by="country", segment_weight=1.0)
    queries = ask(dataset.catalogue, contexts=[{"country": "de"}, {"country": "cn"}])
    best = [row[0] for row in listed(stage.retrieve(queries, 3), dataset.catalogue)]
    assert best == ["beer", "tea"]


def test_ties_are_ordered_by_the_hash_of_ids_and_not_by_number():
    item_ids = [f"item-{number}" for number in range(9)]
    lists = []
    for order in (item_ids, item_ids[::-1]):
        dataset = make_dataset([(f"user-{item_id}", item_id, 0) for item_id in order])
        queries = ask(dataset.catalogue, [])
        lists.append(listed(popular(dataset).retrieve(queries, 4), dataset.catalogue))
    assert lists[0] == lists[1]


def test_unknown_segment_field_is_an_error_that_lists_the_fields():
    dataset = make_dataset([("a", "old", 0)], users={"a": {"country": "UK"}})
    with pytest.raises(InputError) as caught:
        popular(dataset, segment_by="land")
    assert caught.value.field == "segment_by"
    assert "country" in caught.value.hint
