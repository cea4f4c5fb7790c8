"""Tests of `neighbours`: direction, distance, seed items, explanations, content smoothing."""

import json

import numpy as np
import pytest

from plait.errors import InputError
from plait.eventlog.dataset_builder import from_arrays
from plait.features.tfidf import TfidfConfig
from plait.models.item_item.neighbours import Neighbours, NeighboursConfig
from plait.testing.catalogue_changes import changed, state_with
from plait.testing.check_renumbering import renumbered
from plait.testing.queries import ask, listed, scores
from plait.testing.synthetic_data import (
    checkerboard,
    clock,
    late_arrivals,
    make_dataset,
    positions_only,
)

CONTENT = TfidfConfig(min_df=1)


def neighbours(dataset, **settings):
    return Neighbours(NeighboursConfig(**settings), name="neighbours").fit(dataset)


def best(stage, queries, dataset, k=1):
    return listed(stage.retrieve(queries, k), dataset.catalogue)


@pytest.mark.parametrize("dataset", [clock(), positions_only()], ids=["times", "positions"])
def test_next_item_scores_highest_and_previous_one_by_the_backward_weight(dataset):
    stage = neighbours(dataset)
    for hour in range(12):
        queries = ask(dataset.catalogue, [f"hour-{hour}"])
        assert best(stage, queries, dataset) == [[f"hour-{(hour + 1) % 12}"]]
        around = (f"hour-{(hour + 1) % 12}", f"hour-{(hour - 1) % 12}")
        after, before = scores(stage, queries, dataset.catalogue, *around)[0]
        assert before == pytest.approx(0.4 * after, rel=1e-5)


def test_next_and_previous_item_score_the_same_with_backward_1():
    dataset = clock()
    stage, queries = neighbours(dataset, backward=1.0), ask(dataset.catalogue, ["hour-5"])
    after, before = scores(stage, queries, dataset.catalogue, "hour-6", "hour-4")[0]
    assert after == pytest.approx(before)


def test_score_falls_with_distance():
    dataset = clock()
    stage, queries = neighbours(dataset, discount=0.5), ask(dataset.catalogue, ["hour-0"])
    hours = (f"hour-{hour}" for hour in (1, 2, 3, 7))
    first, second, third, far = scores(stage, queries, dataset.catalogue, *hours)[0]
    assert first > second > third > far == 0


def test_scores_equal_counts_computed_by_hand():
    # a then b in two histories, a with c in one basket; popularity: a 3, b 2, c 1.
    dataset = make_dataset(
        [("u", "a", 0), ("u", "b", 1), ("v", "a", 0), ("v", "b", 1), ("w", "a", 5), ("w", "c", 5)]
    )
    stage = neighbours(
        dataset,
        basket_norm=0.5,
        damp_long_histories=False,
        source_popularity_exponent=0.5,
        target_popularity_exponent=0.25,
        pair_shrinkage=0.0,
    )
    row = scores(stage, ask(dataset.catalogue, ["a"]), dataset.catalogue, "a", "b", "c")[0]
    b = 2 / 3**0.5 / 2**0.25  # twice, over the root of a's popularity and the fourth root of b's
    c = 0.5 / 3**0.5  # each of the two shares the basket: (1 / sqrt 2) squared
    assert row == pytest.approx([0, b, c])


def test_missing_item_of_the_same_colour_is_retrieved():
    dataset = checkerboard()
    stage = neighbours(dataset)
    histories = dataset.histories()
    for user in range(dataset.n_users):
        name = dataset.users.id(user)
        ids = [dataset.catalogue.id(number) for number in histories[user]]
        item_ids = best(stage, ask(dataset.catalogue, ids), dataset, 6)[0]
        assert all(item_id.startswith(name[:5]) for item_id in item_ids)
        missing = [item_id for item_id in item_ids if item_id not in ids]
        assert missing == [f"{name[:5]}-{user // 2 % 6}"]


def test_items_without_evidence_score_0_and_empty_histories_nan():
    dataset = checkerboard()
    stage, queries = neighbours(dataset), ask(dataset.catalogue, ["black-1"], [])
    black, empty = scores(stage, queries, dataset.catalogue, "black-2", "white-2")
    assert black[0] > 0
    assert black[1] == 0
    assert np.isnan(empty).all()


def test_newer_items_of_the_history_weigh_more():
    dataset = clock()
    stage = neighbours(dataset, basket_decay=0.1)
    queries = ask(dataset.catalogue, ["hour-0", "hour-6"], ["hour-6", "hour-0"])
    assert best(stage, queries, dataset) == [["hour-7"], ["hour-1"]]


def test_seed_items_override_the_history():
    dataset = clock()
    stage = neighbours(dataset)
    queries = ask(dataset.catalogue, ["hour-0"], ["hour-0"], anchors=[["hour-6"], []])
    assert best(stage, queries, dataset) == [["hour-7"], ["hour-1"]]


def test_explain_names_the_item_of_the_history_that_adds_most():
    dataset = clock()
    stage = neighbours(dataset, basket_decay=0.9)
    queries = ask(dataset.catalogue, ["hour-0", "hour-6"], anchors=[[]])
    numbers = dataset.catalogue.numbers(["hour-1", "hour-7"])[None, :]
    explanations = stage.explain(queries, numbers)[0]
    assert [dataset.catalogue.id(number) for number in explanations] == ["hour-0", "hour-6"]


def smoothed(dataset):
    return neighbours(dataset, content_smoothing=0.5, content_neighbors=3, content=CONTENT)


def test_item_without_events_is_unknown_without_content_smoothing():
    dataset = late_arrivals()
    queries = ask(dataset.catalogue, ["black-1"])
    assert np.isnan(scores(neighbours(dataset), queries, dataset.catalogue, "black-late")).all()


def test_item_without_events_is_scored_by_its_content_neighbours():
    dataset = late_arrivals()
    stage = smoothed(dataset)
    queries = ask(dataset.catalogue, ["black-1", "black-2"], ["white-1"])
    black, white = scores(stage, queries, dataset.catalogue, "black-late", "white-late")
    assert black[0] > 0 == black[1]
    assert white[1] > 0 == white[0]


def test_item_added_after_the_fit_scores_about_as_after_a_refit():
    later = late_arrivals()
    known_ids = [item_id for item_id in later.catalogue.ids if not item_id.endswith("late")]
    number = later.catalogue.number("black-late")
    fields = {"black-late": later.catalogue.fields(number)}
    earlier = make_dataset(
        [
            (later.users.id(user), later.catalogue.id(item), day)
            for user, item, day in event_rows(later)
        ],
        items={
            item_id: later.catalogue.fields(later.catalogue.number(item_id))
            for item_id in known_ids
        },
    )
    stage = smoothed(earlier)
    catalogue = changed(earlier.catalogue, earlier.version, fields)
    live = state_with(stage, earlier, catalogue)
    queries = ask(catalogue, ["black-1"], live=live)
    late, known = scores(stage, queries, catalogue, "black-late", "black-2")[0]
    queries = ask(later.catalogue, ["black-1"])
    refitted = scores(smoothed(later), queries, later.catalogue, "black-late")[0, 0]
    assert late == pytest.approx(refitted, rel=0.3)
    assert 0 < late < known


def test_item_described_after_the_fit_is_scored_by_its_content_neighbours():
    dataset = make_dataset(
        [("u", "a", 0), ("u", "b", 1)],
        items={"a": {"title": "red mug"}, "b": {"title": "blue pan"}, "wordless": {"price": 1.0}},
    )
    stage = smoothed(dataset)
    assert np.isnan(
        scores(stage, ask(dataset.catalogue, ["a"]), dataset.catalogue, "wordless")
    ).all()
    catalogue = changed(dataset.catalogue, dataset.version, {"wordless": {"title": "blue pan"}})
    live = state_with(stage, dataset, catalogue)
    assert scores(stage, ask(catalogue, ["a"], live=live), catalogue, "wordless")[0, 0] > 0


def test_new_seed_item_retrieves_what_its_content_neighbours_do():
    dataset = late_arrivals()
    stage = smoothed(dataset)
    twin = dataset.catalogue.fields(dataset.catalogue.number("white-2"))
    catalogue = changed(dataset.catalogue, dataset.version, {"new": twin})
    live = state_with(stage, dataset, catalogue)
    queries = ask(catalogue, anchors=[["new"]], live=live)
    item_ids = set(listed(stage.retrieve(queries, 5), catalogue)[0]) - {"new"}
    assert item_ids
    assert all(item_id.startswith("white") for item_id in item_ids)


def test_new_item_without_content_neighbours_is_unknown():
    dataset = late_arrivals()
    stage = smoothed(dataset)
    catalogue = changed(dataset.catalogue, dataset.version, {"odd": {"title": "zebra"}})
    live = state_with(stage, dataset, catalogue)
    assert np.isnan(scores(stage, ask(catalogue, ["black-1"], live=live), catalogue, "odd")).all()


def event_rows(dataset):
    """User number, item number and day of every event."""
    events = dataset.interactions
    days = (events.times - events.times.min()) / 86_400_000_000
    return zip(events.users.tolist(), events.items.tolist(), days.tolist(), strict=True)


def test_fit_beyond_free_memory_is_refused_before_the_start():
    count = 150_000
    zeros = np.zeros(count, np.int64)
    dataset = from_arrays(zeros, np.arange(count), times=zeros)
    with pytest.raises(InputError) as caught:
        neighbours(dataset, top_k=count)
    assert caught.value.field == "top_k"


def test_of_more_pairs_than_fit_into_memory_the_strongest_are_kept():
    """Bread is in every basket, once with each item and three times with a hundred of them."""
    others = np.concatenate([np.arange(20_000), np.repeat(np.arange(100), 2)])
    with_bread = np.stack([np.full(len(others), 20_000), others], axis=1).ravel()
    dataset = from_arrays(np.arange(len(others)).repeat(2), with_bread)
    stage = Neighbours(NeighboursConfig(window=1), name="neighbours")
    matrix = stage._item_matrix(dataset)
    bread = dataset.catalogue.number("20000")
    assert 100 < np.diff(matrix.indptr).max() == matrix[bread].nnz < 10_000
    frequent = [dataset.catalogue.number(str(item)) for item in range(100)]
    assert set(frequent) <= set(matrix[bread].indices.tolist())
    assert matrix[bread].data.min() > 0


def test_ties_at_top_k_do_not_depend_on_the_numbering():
    together = [(f"user-{user}", f"item-{item}", user) for user in range(9) for item in range(9)]
    dataset = make_dataset(together)
    permutation = np.random.default_rng(1).permutation(dataset.n_items).astype(np.int32)
    other = renumbered(dataset, permutation)
    ids = dataset.catalogue.ids
    original, permuted = (
        scores(neighbours(data, top_k=3), ask(data.catalogue, [ids[0]]), data.catalogue, *ids)
        for data in (dataset, other)
    )
    assert (np.nan_to_num(original) > 0).sum() == 3
    assert np.array_equal(original, permuted, equal_nan=True)


def test_pair_of_several_users_outranks_one_of_a_single_user():
    # Four customers took a toner with the printer; one took a coat, and that twice.
    events = [(f"u{user}", item, 0) for user in range(4) for item in ("printer", "toner")]
    events += [("v", item, time) for time in (0, 5) for item in ("printer", "coat")]
    dataset = make_dataset(events)
    before, after = (
        scores(
            neighbours(dataset, pair_shrinkage=shrinkage),
            ask(dataset.catalogue, ["printer"]),
            dataset.catalogue,
            "toner",
            "coat",
        )[0]
        for shrinkage in (0.0, 5.0)
    )
    assert after[0] / after[1] == pytest.approx(before[0] / before[1] * (4 / 9) / (1 / 6))


def printer_shop():
    """Four customers took a toner with the printer; one took a coat with it, and that six times."""
    events = [(f"u{user}", item, 0) for user in range(4) for item in ("printer", "toner")]
    events += [("v", item, time) for time in range(6) for item in ("printer", "coat")]
    return make_dataset(events)


def anchored_scores(stage, dataset):
    """How similar toner and coat are to the printer."""
    query = ask(dataset.catalogue, [], anchors=[["printer"]])
    return scores(stage, query, dataset.catalogue, "toner", "coat")[0]


def test_pairs_of_few_users_count_less_only_in_queries_that_start_from_items():
    dataset = printer_shop()
    shrunk, plain = (
        neighbours(dataset, item_query_pair_shrinkage=shrinkage) for shrinkage in (5.0, 0.0)
    )
    assert plain._item_query_weights is None
    histories, anchors = (["printer"], [], ["printer"]), [[], ["printer"], ["printer"]]
    after, before = (
        scores(
            stage,
            ask(dataset.catalogue, *histories, anchors=anchors),
            dataset.catalogue,
            "toner",
            "coat",
        )
        for stage in (shrunk, plain)
    )
    user, anchor, both = after
    assert user == pytest.approx(before[0])
    assert anchor == pytest.approx(before[1] * [4 / 9, 1 / 6])
    assert both == pytest.approx(anchor)
    assert anchor[0] > anchor[1]
    assert anchored_scores(shrunk, dataset) == pytest.approx(anchor)


def test_item_queries_replace_the_shrinkage_of_the_others():
    dataset = printer_shop()
    replaced, alone = (
        anchored_scores(neighbours(dataset, **settings), dataset)
        for settings in ({"pair_shrinkage": 2.0}, {})
    )
    assert replaced == pytest.approx(alone)


def test_explain_of_an_item_query_goes_by_its_own_weights():
    events = [(f"u{user}", item, 0) for user in range(2) for item in ("printer", "ink")]
    events += [("v", item, time) for time in range(6) for item in ("coat", "ink")]
    events += [(f"w{user}", "printer", 0) for user in range(3)]
    dataset = make_dataset(events)
    stage, both = neighbours(dataset), ["coat", "printer"]
    numbers = dataset.catalogue.numbers(["ink"])[None, :]
    by_items = stage.explain(ask(dataset.catalogue, [], anchors=[both]), numbers)
    assert dataset.catalogue.id(by_items[0, 0]) == "printer"
    before = neighbours(dataset, item_query_pair_shrinkage=0.0)
    by_items = before.explain(ask(dataset.catalogue, [], anchors=[both]), numbers)
    assert dataset.catalogue.id(by_items[0, 0]) == "coat"


def test_a_bundle_without_weights_of_item_queries_loads(tmp_path):
    dataset = printer_shop()
    stage = neighbours(dataset)
    stage.save(tmp_path)
    loaded = Neighbours.load(stage.config, "neighbours", tmp_path)
    expected = anchored_scores(stage, dataset)
    assert anchored_scores(loaded, dataset) == pytest.approx(expected)
    state = json.loads((tmp_path / "state.json").read_text(encoding="utf-8"))
    del state["_item_query_weights"]
    (tmp_path / "state.json").write_text(json.dumps(state), encoding="utf-8")
    earlier = Neighbours.load(stage.config, "neighbours", tmp_path)
    plain = neighbours(dataset, item_query_pair_shrinkage=0.0)
    assert anchored_scores(earlier, dataset) == pytest.approx(anchored_scores(plain, dataset))
