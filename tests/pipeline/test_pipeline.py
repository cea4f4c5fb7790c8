"""A pipeline is checked when it is built; a batch is answered like single queries."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.data.ragged import Ragged
from plait.errors import RecipeError
from plait.pipeline.pipeline import Pipeline
from tests.pipeline.fake_stages import HERE, asked, dataset, listed, recipe

ROWS = [[1, 2, 3], [3, 4], [3, 9], [2, 3]]
histories = st.lists(st.lists(st.integers(0, 9), max_size=4), min_size=1, max_size=6)


def fitted(**changes):
    return Pipeline.build(recipe(**changes)).fit(dataset(ROWS))


@pytest.mark.parametrize(
    ("changes", "field", "named"),
    [
        ({"steps": {"best": {"stage": f"{HERE}:Best"}}}, "best", "'score'"),
        ({"steps": {"end": {"stage": f"{HERE}:Ending"}}}, "end", "'order'"),
        ({"steps": {"none": {"stage": f"{HERE}:WithoutColumns"}}}, "none", "none"),
        ({"models": {"sum": {"stage": f"{HERE}:Sum"}}}, "sum", "sum"),
        ({"models": {"sum": {"stage": f"{HERE}:Counts"}}}, "sum", "'sum'"),
        ({"models": {"pins": {"stage": f"{HERE}:Counts"}}}, "pins", "'pins'"),
        ({"models": {"counts": {"stage": f"{HERE}:Counts", "by": "x"}}}, "counts.by", "'x'"),
        ({"models": {"counts": {"stage": f"{HERE}:Counts", "bye": 1}}}, "bye", "'bye'"),
        ({"models": {"gone": {"stage": f"{HERE}:Gone"}}}, "stage", "Gone"),
        ({"models": {"gone": {"stage": ":"}}}, "stage", "':'"),
        ({"models": {"gone": {"stage": "os:system"}}}, "stage", "os:system"),
    ],
)
def test_wrong_recipe_is_refused_at_build(changes, field, named):
    with pytest.raises(RecipeError) as failure:
        Pipeline.build(recipe(**changes))
    assert failure.value.field == field
    assert named in failure.value.message


def test_run_unites_candidates_scores_and_orders_them():
    items = fitted().run(asked([[5]], k=2))
    assert items.item_numbers[0].tolist() == [1, 2, 3, 4, 5, 6, 7, 9]  # two fives, united
    assert listed(items) == [[3, 4]]  # 4 - 2, then 1 - 1: equal to item 5, whose number is higher
    assert items.column("counts.rank")[0, 2] == 0
    assert items.column("shelf.rank")[0, 4] == 0


@given(histories, st.integers(0, 12))
def test_batch_equals_single(rows, k):
    pipeline = fitted()
    singles = [listed(pipeline.run(asked([row], k)))[0] for row in rows]
    assert listed(pipeline.run(asked(rows, k))) == singles


def test_no_query_and_no_item_give_empty_answers():
    assert listed(fitted().run(asked([]))) == []
    empty = Pipeline.build(recipe()).fit(dataset([], n_items=0))
    assert listed(empty.run(asked([[]]))) == [[]]


def test_the_callers_list_is_ordered_and_nothing_is_added():
    queries = dataclasses.replace(asked([[5]]), candidates=Ragged.from_rows([[9, 3, 0]]))
    items = fitted().run(queries)
    assert items.item_numbers.tolist() == [[9, 3, 0]]
    assert listed(items) == [[3, 9, 0]]


def test_pinned_items_are_among_the_candidates():
    queries = dataclasses.replace(asked([[5], [5]]), pinned=Ragged.from_rows([[0], []]))
    items = fitted().retrieve_and_score(queries)
    assert items.column("pins.rank")[0, items.item_numbers[0] == 0].tolist() == [0]
    assert 0 not in items.item_numbers[1]


def test_shown_items_have_explanations_and_others_have_none():
    steps = {**recipe().steps, "end": {"stage": f"{HERE}:Ending"}}
    items = fitted(steps=steps).run(asked([[5], [7, 2]], k=2))
    shown = items.column("order") >= 0
    assert items.column("ending")[0][shown[0]].tolist() == [5, 5]
    assert items.column("ending")[1][shown[1]].tolist() == [2, 2]
    assert (items.column("ending")[~shown] == -1).all()


def test_excluded_triples_reach_no_stage():
    pipeline = Pipeline.build(recipe(triples={"exclude_relations": ["also_bought"]}))
    data = dataset(ROWS, triples=[(0, "brand", "OPI"), (1, "also_bought", "i2")])
    assert pipeline.fit(data).models[0].triples.relations == ("brand",)
    unfiltered = Pipeline.build(recipe(triples={}))
    assert unfiltered.fit(data).models[0].triples.relations == ("brand", "also_bought")


def test_event_types_of_weight_zero_are_not_counted():
    pipeline = Pipeline.build(recipe(event_weights={"view": 0.0}))
    assert not pipeline.fit(dataset(ROWS)).models[0].counts.any()


def test_fit_changes_nothing_in_place_and_is_repeatable():
    built = Pipeline.build(recipe())
    first, second = built.fit(dataset(ROWS)), built.fit(dataset(ROWS))
    assert built.version == -1
    assert not len(built.models[0].counts)
    assert first.version == second.version == 9
    np.testing.assert_array_equal(first.models[0].counts, second.models[0].counts)


def test_watch_is_called_for_every_stage():
    calls = []
    fitted().run(asked([[1]]), lambda name, seconds: calls.append((name, seconds >= 0)))
    names = ["counts.retrieve", "shelf.retrieve", "counts.score", "shelf.score", "sum", "best"]
    assert calls == [(name, True) for name in names]


def test_without_leaves_a_step_out():
    pipeline = fitted().without("best")
    assert "order" not in pipeline.run(asked([[1]])).columns
