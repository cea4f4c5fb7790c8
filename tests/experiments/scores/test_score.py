"""Metrics of any lists: definitions, ties, flags, frames of other libraries."""

from itertools import pairwise, permutations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import plait
from plait import models
from plait.errors import InputError, NotFoundError
from plait.experiments.scores.metric_definitions import METRIC_NAMES

TEST = [("u", "b"), ("u", "d"), ("u", "x"), ("v", "a")]
LISTS = {"u": ["a", "b", "c", "d"], "v": ["c", "b"]}


def value(metric, k=3, lists=LISTS, test=TEST, **options):
    return plait.score({"m": lists}, test, k=k, metrics=metric, **options).value(
        "m", f"{metric}@{k}"
    )


def test_definitions_on_a_list_that_can_be_counted_by_hand():
    gain = 1 / np.log2(3)
    ideal = 1 + 1 / np.log2(3) + 1 / np.log2(4)
    assert value("recall") == pytest.approx(1 / 3 / 2)
    assert value("recall@min", k=2) == pytest.approx(1 / 2 / 2)
    assert value("precision") == pytest.approx(1 / 3 / 2)
    assert value("hit_rate") == pytest.approx(1 / 2)
    assert value("mrr") == pytest.approx(1 / 2 / 2)
    assert value("ndcg") == pytest.approx(gain / ideal / 2)
    assert value("ndcg@rectools", k=4) == pytest.approx(
        (gain + 1 / np.log2(5)) / (ideal + 1 / np.log2(5)) / 2
    )
    assert value("map", k=4) == pytest.approx((1 / 2 + 2 / 4) / 3 / 2)
    assert value("map@rectools", k=2) == pytest.approx((1 / 2) / 3 / 2)
    assert value("rbp") == pytest.approx(0.2 * 0.8 / 2)


@given(
    scores=st.lists(st.integers(0, 3), min_size=1, max_size=5),
    targets=st.sets(st.integers(0, 6), min_size=1, max_size=4),
    k=st.integers(1, 6),
)
def test_equal_scores_count_as_the_mean_over_their_orders(scores, targets, k):
    items = [str(number) for number in range(len(scores))]
    test = [("u", str(target)) for target in targets]
    tied = pl.DataFrame({"user": "u", "item": items, "score": scores})
    orders = {
        tuple(order)
        for order in permutations(range(len(scores)))
        if all(scores[a] >= scores[b] for a, b in pairwise(order))
    }
    metrics = ["ndcg", "recall", "mrr", "map", "hit_rate", "rbp", "ndcg@lenskit", "map@lenskit"]
    lists = {str(order): {"u": [items[place] for place in order]} for order in orders}
    table = plait.score({"tied": tied} | lists, test, k=k, metrics=metrics, resamples=2)
    for metric in metrics:
        name = f"{metric}@{k}"
        mean = np.mean([table.value(model, name) for model in lists])
        assert table.value("tied", name) == pytest.approx(mean)


def test_rank_decides_before_score_and_columns_of_other_libraries_are_found():
    rows = {"user_id": [1, 1, 2], "item_id": [7, 8, 9], "rank": [2, 1, 1], "score": [9.0, 1.0, 3.0]}
    test = pd.DataFrame({"user_id": [1, 2], "item_id": [8, 9]})
    for table in (pl.DataFrame(rows), pd.DataFrame(rows), rows):
        assert plait.score(table, test, k=1).value("lists", "ndcg@1") == 1.0


def test_seen_items_leave_lists_and_targets():
    table = plait.score({"m": LISTS}, TEST, k=2, seen=[("u", "a"), ("u", "x")], metrics="recall")
    assert table.per_user("m")["recall@2"].to_list() == [0.5, 0.0]
    assert any("seen" in flag for flag in table.rows["m"].flags)


def test_users_without_a_list_count_as_zero_and_are_flagged():
    table = plait.score({"m": {"v": ["a"]}}, TEST, k=1)
    assert table.value("m", "ndcg@1") == 0.5
    assert any("no list" in flag for flag in table.rows["m"].flags)


def test_own_metrics_get_the_list_and_the_targets():
    def n_hits(items, targets):
        return len(set(items) & targets)

    table = plait.score({"m": LISTS}, TEST, k=4, metrics=["ndcg", n_hits])
    assert table.per_user("m")["n_hits"].to_list() == [2.0, 0.0]
    with pytest.raises(InputError):
        plait.score({"m": LISTS}, TEST, metrics=lambda items, targets: None)


def test_a_table_says_everything_as_frame_markdown_and_latex():
    table = plait.score({"good_one": {"u": ["b", "d"], "v": ["a"]}, "m": LISTS}, TEST, k=2)
    frame = table.to_frame()
    assert frame.columns == ["model", "metric", "value", "low", "high"]
    assert len(frame) == 4
    assert "| good_one | **1.0000** |" in table.to_markdown()
    latex = table.to_latex()
    assert "good\\_one & \\textbf{1.0000}" in latex
    assert latex.count("\\\\") == 3
    assert "bootstrap" in str(table)
    gap = table.compare("good_one", "m")[0]
    assert gap.difference.value == pytest.approx(
        table.value("good_one", "ndcg@2") - table.value("m", "ndcg@2")
    )
    with pytest.raises(NotFoundError):
        table.value("m", "ndcg@99")
    with pytest.raises(NotFoundError):
        table.per_user("nothing")


@pytest.mark.parametrize(
    ("lists", "test", "options"),
    [
        (LISTS, TEST, {"k": 0}),
        (LISTS, TEST, {"k": [True]}),
        (LISTS, TEST, {"metrics": "nodcg"}),
        (pl.DataFrame({"user": ["u"], "thing": ["a"]}), TEST, {}),
        (pl.DataFrame({"user": ["u", "u"], "item": ["a", "a"]}), TEST, {}),
        (pl.DataFrame({"user": ["u"], "item": ["a"], "score": [None]}), TEST, {}),
        (pl.DataFrame({"user": ["u"], "item": [1.5]}), TEST, {}),
        (LISTS, [], {}),
        (LISTS, [("u", "a")], {"seen": [("u", "a")]}),
        ({"u": {"a", "b"}}, TEST, {}),
        ({"u": "ab"}, TEST, {}),
        ({"u": None}, TEST, {}),
        ({"u": ["a", None]}, TEST, {}),
        ({"u": [("a", 0.5), ("a", 0.1)]}, TEST, {}),
        ({"u": [("a", 0.5), "b"]}, TEST, {}),
        ([{"user": "u", "thing": "a"}], TEST, {}),
        ({"u": {"a": "high"}}, TEST, {}),
        ({"u": {"a": 1.0}, "v": ["b"]}, TEST, {}),
        (None, TEST, {}),
        (pl.DataFrame({"user": ["u"], "item": ["a"], "score": ["high"]}), TEST, {}),
        (pd.DataFrame({"user": ["u"] * 2, "item": ["a", "b"], "score": ["high", 1]}), TEST, {}),
        (LISTS, "test", {}),
        (LISTS, TEST, {"seen": 3}),
        (LISTS, TEST, {"seen": [pl.DataFrame({"user": ["u"], "item": ["x"]}), 3]}),
    ],
)
def test_tables_and_options_that_mean_nothing_are_refused(lists, test, options):
    with pytest.raises(InputError):
        plait.score({"m": lists}, test, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"k": "10"},
        {"k": None},
        {"k": 10**9},
        {"resamples": 0},
        {"resamples": "many"},
        {"seed": "a"},
        {"seed": -1},
        {"metrics": None},
        {"metrics": []},
        {"metrics": [3]},
        {"metrics": ["ndcg@10"]},
        {"metrics": [lambda items, targets: 1.0, lambda items, targets: 2.0]},
        {"propensity": "a"},
        {"slices": [3]},
    ],
)
def test_an_option_that_means_nothing_is_named(options):
    with pytest.raises(InputError) as caught:
        plait.score({"m": LISTS}, TEST, **options)
    assert caught.value.field in options


def test_infinite_scores_are_ordered_like_others():
    items = ["good", "b", "c"]
    for scores in ([np.inf, 1, 0], [0.0, -np.inf, -np.inf]):
        frame = pl.DataFrame({"user": "u", "item": items, "score": scores}, strict=False)
        assert plait.score({"m": frame}, [("u", "good")], k=1).value("m", "ndcg@1") == 1.0
    tied = pl.DataFrame({"user": "u", "item": items, "score": [np.inf, np.inf, 0]}, strict=False)
    assert plait.score({"m": tied}, [("u", "good")], k=1).value("m", "recall@1") == 0.5


def test_scores_by_user_and_item_are_read_as_scores():
    scores = {1: {"b": 0.1, "good": np.float32(0.9)}, "v": {}}
    pairs = {1: [("b", 0.1), ("good", 0.9)], "v": []}
    rows = [{"user": 1, "item": "b", "score": 0.1}, {"user": "1", "item": "good", "score": 0.9}]
    test = [(1, "good"), ("v", "b")]
    for lists in (scores, pairs, rows):
        for named, name in (({"m": lists}, "m"), (lists, "lists")):
            assert plait.score(named, test, k=1).value(name, "ndcg@1") == 0.5


def test_ids_of_several_types_in_one_list_follow_the_rules_of_ingest():
    table = plait.score({"m": {"u": ["b", 3]}}, [("u", "3")], k=2, metrics="recall")
    assert table.value("m", "recall@2") == 1.0


def test_a_fitted_model_is_no_list():
    fitted = models.Popular().fit(plait.Dataset.from_arrays(["u"], ["a"]))
    with pytest.raises(InputError) as caught:
        plait.score({"m": fitted}, TEST)
    assert caught.value.field == "m"


def test_users_whose_targets_are_all_seen_are_counted_as_excluded():
    table = plait.score({"m": LISTS}, TEST, k=1, seen=[("v", "a")])
    assert table.settings["users"] == table.settings["excluded"] == 1
    assert any("not measured" in flag for flag in table.rows["m"].flags)
    assert "excluded" not in plait.score({"m": LISTS}, TEST, k=1).settings


def test_seen_may_be_several_sources():
    pairs = [("u", "a"), ("u", "x")]
    frames = [pd.DataFrame([pair], columns=["user", "item"]) for pair in pairs]
    datasets = [plait.Dataset.from_arrays([user], [item]) for user, item in pairs]
    expected = plait.score({"m": LISTS}, TEST, k=2, seen=pairs, metrics=["recall", "popularity"])
    for seen in (frames, datasets, [frames[0], datasets[1]]):
        table = plait.score({"m": LISTS}, TEST, k=2, seen=seen, metrics=["recall", "popularity"])
        assert table.per_user("m").equals(expected.per_user("m"))


def test_a_difference_reads_as_its_conclusion():
    gap = plait.score({"m": LISTS, "n": LISTS}, TEST, k=1).compare("m", "n")[0]
    assert repr(gap) == gap.conclusion


def test_every_named_metric_is_between_zero_and_one():
    table = plait.score({"m": LISTS}, TEST, k=(1, 3, 9), metrics=METRIC_NAMES)
    assert len(table.rows["m"].values) == 3 * len(METRIC_NAMES)
    assert all(0 <= row["value"] <= 1 for row in table.to_frame().iter_rows(named=True))


def test_ndcg_of_many_lists_is_that_of_the_formula():
    rng = np.random.default_rng(3)
    lists = {f"u{u}": [f"i{i}" for i in rng.permutation(30)[:10]] for u in range(40)}
    test = [(f"u{u}", f"i{i}") for u in range(40) for i in rng.permutation(30)[: 1 + u % 4]]
    table = plait.score({"m": lists}, test, k=5, metrics="ndcg")
    expected = []
    for user, items in lists.items():
        wanted_ids = {item for owner, item in test if owner == user}
        gains = [item in wanted_ids for item in items[:5]]
        discounts = 1 / np.log2(np.arange(2, 7))
        expected.append((gains @ discounts) / discounts[: len(wanted_ids)].sum())
    assert table.value("m", "ndcg@5") == pytest.approx(np.mean(expected), abs=1e-12)
