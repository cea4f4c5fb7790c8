"""Item neighbours: direction, distance, anchors, evidence, what is lent to new items."""

import numpy as np
import pytest

from plait.errors import InputError
from plait.eventlog.snapshot import from_arrays
from plait.features.tfidf import TfidfConfig
from plait.models.item_item.neighbours import Neighbours, NeighboursConfig
from plait.testing.check_change import renumbered
from plait.testing.queries import ask, changed, listed, scores, state_with
from plait.testing.synthetic_data import (
    checkerboard,
    clock,
    late_arrivals,
    make_dataset,
    positions_only,
)

ALIKE = TfidfConfig(min_df=1)


def neighbours(dataset, **settings):
    return Neighbours(NeighboursConfig(**settings), name="neighbours").fit(dataset)


def best(stage, queries, dataset, k=1):
    return listed(stage.retrieve(queries, k), dataset.catalogue)


@pytest.mark.parametrize("dataset", [clock(), positions_only()], ids=["times", "positions"])
def test_the_next_hour_comes_first_and_the_last_one_is_worth_less(dataset):
    stage = neighbours(dataset)
    for hour in range(12):
        queries = ask(dataset.catalogue, [f"hour-{hour}"])
        assert best(stage, queries, dataset) == [[f"hour-{(hour + 1) % 12}"]]
        around = (f"hour-{(hour + 1) % 12}", f"hour-{(hour - 1) % 12}")
        after, before = scores(stage, queries, dataset.catalogue, *around)[0]
        assert before == pytest.approx(0.4 * after, rel=1e-5)


def test_without_direction_both_neighbours_are_equal():
    dataset = clock()
    found = scores(
        neighbours(dataset, backward=1.0),
        ask(dataset.catalogue, ["hour-5"]),
        dataset.catalogue,
        "hour-6",
        "hour-4",
    )
    assert found[0, 0] == pytest.approx(found[0, 1])


def test_a_step_further_counts_less():
    dataset = clock()
    queries = ask(dataset.catalogue, ["hour-0"])
    one, two, three, far = scores(
        neighbours(dataset, discount=0.5),
        queries,
        dataset.catalogue,
        "hour-1",
        "hour-2",
        "hour-3",
        "hour-7",
    )[0]
    assert one > two > three > far == 0


def test_counts_by_hand():
    # a then b in two histories, a with c in one basket; popularity a 3, b 2, c 1.
    dataset = make_dataset(
        [("u", "a", 0), ("u", "b", 1), ("v", "a", 0), ("v", "b", 1), ("w", "a", 5), ("w", "c", 5)]
    )
    stage = neighbours(
        dataset,
        basket_norm=0.5,
        damp_long_histories=False,
        source_popularity_exponent=0.5,
        target_popularity_exponent=0.25,
    )
    found = scores(stage, ask(dataset.catalogue, ["a"]), dataset.catalogue, "a", "b", "c")[0]
    b = 2 / 3**0.5 / 2**0.25  # twice, over the root of a's popularity and the fourth root of b's
    c = 0.5 / 3**0.5  # each of the two shares the basket: (1 / sqrt 2) squared
    assert found == pytest.approx(
        [0, b, c] if not np.isnan(found[0]) else [np.nan, b, c], nan_ok=True
    )


def test_the_missing_item_of_the_own_colour_comes_first():
    dataset = checkerboard()
    stage = neighbours(dataset)
    histories = dataset.histories()
    for user in range(dataset.n_users):
        name = dataset.users.id(user)
        ids = [dataset.catalogue.id(one) for one in histories[user]]
        brought = best(stage, ask(dataset.catalogue, ids), dataset, 6)[0]
        assert all(one.startswith(name[:5]) for one in brought)
        missing = [one for one in brought if one not in ids]
        assert missing == [f"{name[:5]}-{user // 2 % 6}"]


def test_nothing_speaks_for_the_other_colour():
    dataset = checkerboard()
    found = scores(
        neighbours(dataset),
        ask(dataset.catalogue, ["black-1"], []),
        dataset.catalogue,
        "black-2",
        "white-2",
    )
    assert found[0, 0] > 0
    assert found[0, 1] == 0
    assert np.isnan(found[1]).all()  # an empty history says nothing


def test_newer_items_of_the_history_weigh_more():
    dataset = clock()
    stage = neighbours(dataset, basket_decay=0.1)
    queries = ask(dataset.catalogue, ["hour-0", "hour-6"], ["hour-6", "hour-0"])
    assert best(stage, queries, dataset) == [["hour-7"], ["hour-1"]]


def test_anchors_stand_before_the_history():
    dataset = clock()
    stage = neighbours(dataset)
    queries = ask(dataset.catalogue, ["hour-0"], ["hour-0"], anchors=[["hour-6"], []])
    assert best(stage, queries, dataset) == [["hour-7"], ["hour-1"]]


def test_because_names_the_item_that_adds_most():
    dataset = clock()
    stage = neighbours(dataset, basket_decay=0.9)
    queries = ask(dataset.catalogue, ["hour-0", "hour-6"], anchors=[[]])
    numbers = dataset.catalogue.numbers(["hour-1", "hour-7", "hour-6"])[None, :]
    named = [
        dataset.catalogue.id(one) if one >= 0 else None
        for one in stage.explain(queries, numbers)[0]
    ]
    assert named[:2] == ["hour-0", "hour-6"]


def lending(dataset):
    return neighbours(dataset, content_smoothing=0.5, content_neighbors=3, content=ALIKE)


def test_without_lending_an_item_without_events_is_unknown():
    dataset = late_arrivals()
    found = scores(
        neighbours(dataset), ask(dataset.catalogue, ["black-1"]), dataset.catalogue, "black-late"
    )
    assert np.isnan(found).all()


def test_an_item_without_events_stands_where_what_it_resembles_stands():
    dataset = late_arrivals()
    stage = lending(dataset)
    queries = ask(dataset.catalogue, ["black-1", "black-2"], ["white-1"])
    found = scores(stage, queries, dataset.catalogue, "black-late", "white-late")
    assert found[0, 0] > 0 == found[0, 1]
    assert found[1, 1] > 0 == found[1, 0]


def test_an_item_that_came_after_the_fit_gets_about_what_a_fit_would_give_it():
    later = late_arrivals()
    known = [one for one in later.catalogue.ids if not one.endswith("late")]
    number = later.catalogue.number("black-late")
    fields = {"black-late": later.catalogue.fields(number)}
    earlier = make_dataset(
        [(f"{later.users.id(u)}", later.catalogue.id(i), t) for u, i, t in _rows(later)],
        items={one: later.catalogue.fields(later.catalogue.number(one)) for one in known},
    )
    stage = lending(earlier)
    catalogue = changed(earlier.catalogue, earlier.version, fields)
    live = state_with(stage, earlier, catalogue)
    found = scores(
        stage, ask(catalogue, ["black-1"], live=live), catalogue, "black-late", "black-2"
    )
    again = scores(
        lending(later), ask(later.catalogue, ["black-1"]), later.catalogue, "black-late", "black-2"
    )
    assert found[0, 0] == pytest.approx(again[0, 0], rel=0.3)
    assert 0 < found[0, 0] < found[0, 1]


def test_an_item_of_the_fit_that_is_described_later_borrows_from_then_on():
    dataset = make_dataset(
        [("u", "a", 0), ("u", "b", 1)],
        items={"a": {"title": "red mug"}, "b": {"title": "blue pan"}, "mute": {"price": 1.0}},
    )
    stage = lending(dataset)
    assert np.isnan(scores(stage, ask(dataset.catalogue, ["a"]), dataset.catalogue, "mute")).all()
    catalogue = changed(dataset.catalogue, dataset.version, {"mute": {"title": "blue pan"}})
    live = state_with(stage, dataset, catalogue)
    assert scores(stage, ask(catalogue, ["a"], live=live), catalogue, "mute")[0, 0] > 0


def test_more_like_a_new_item_starts_from_what_it_resembles():
    dataset = late_arrivals()
    stage = lending(dataset)
    twin = dataset.catalogue.fields(dataset.catalogue.number("white-2"))
    catalogue = changed(dataset.catalogue, dataset.version, {"new": twin})
    live = state_with(stage, dataset, catalogue)
    queries = ask(catalogue, anchors=[["new"]], live=live)
    brought = listed(stage.retrieve(queries, 5), catalogue)[0]
    assert brought
    assert all(one.startswith("white") for one in brought if one != "new")


def test_a_new_item_that_resembles_nothing_is_unknown():
    dataset = late_arrivals()
    stage = lending(dataset)
    catalogue = changed(dataset.catalogue, dataset.version, {"odd": {"title": "zebra"}})
    live = state_with(stage, dataset, catalogue)
    assert np.isnan(scores(stage, ask(catalogue, ["black-1"], live=live), catalogue, "odd")).all()


def _rows(dataset):
    found = dataset.interactions
    days = (found.times - found.times.min()) / 86_400_000_000
    return zip(found.users.tolist(), found.items.tolist(), days.tolist(), strict=True)


def test_pairs_that_cannot_be_held_are_refused_before_the_start():
    count = 150_000
    none = np.zeros(count, np.int64)
    dataset = from_arrays(none, np.arange(count), times=none)
    with pytest.raises(InputError, match="top_k alone takes") as it:
        neighbours(dataset, top_k=count)
    assert it.value.field == "top_k"


def test_of_more_pairs_than_there_is_room_for_the_strongest_are_held():
    """Bread is in every basket, once with each thing and three times with a hundred of them."""
    things = np.concatenate([np.arange(20_000), np.repeat(np.arange(100), 2)])
    with_bread = np.stack([np.full(len(things), 20_000), things], axis=1).ravel()
    dataset = from_arrays(np.arange(len(things)).repeat(2), with_bread)
    stage = Neighbours(NeighboursConfig(window=1), name="neighbours")
    matrix = stage._matrix(dataset)
    bread = dataset.catalogue.number("20000")
    assert 100 < np.diff(matrix.indptr).max() == matrix[bread].nnz < 10_000
    often = [dataset.catalogue.number(str(one)) for one in range(100)]
    assert set(often) <= set(matrix[bread].indices.tolist())
    assert matrix[bread].data.min() > 0


def test_which_of_equal_neighbours_stay_does_not_go_by_numbers():
    together = [(f"user-{user}", f"item-{item}", user) for user in range(9) for item in range(9)]
    dataset = make_dataset(together)
    places = np.random.default_rng(1).permutation(dataset.n_items).astype(np.int32)
    other = renumbered(dataset, places)
    ids = dataset.catalogue.ids
    found = [
        scores(neighbours(one, top_k=3), ask(one.catalogue, [ids[0]]), one.catalogue, *ids)
        for one in (dataset, other)
    ]
    assert (np.nan_to_num(found[0]) > 0).sum() == 3
    assert np.array_equal(found[0], found[1], equal_nan=True)
