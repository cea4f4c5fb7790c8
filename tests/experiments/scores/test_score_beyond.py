"""Metrics beyond accuracy, slices and sampled candidates of `plait.score`."""

import numpy as np
import pytest

import plait
from plait.errors import InputError
from plait.experiments.scores.beyond_accuracy import BEYOND_ACCURACY

TRAIN = [("u", "a"), ("v", "a"), ("w", "a"), ("v", "b"), ("w", "b"), ("w", "c")]
ITEMS = {
    "item": ["a", "b", "c", "d", "e"],
    "price": [1.0, 2.0, 4.0, None, 16.0],
    "brand": ["x", "x", "y", "y", "z"],
}
USERS = {"user": ["u", "v"], "country": ["DE", "FR"]}
TEST = [("u", "b"), ("u", "c"), ("v", "c"), ("n", "e")]
LISTS = {"u": ["a", "c", "b"], "v": ["d", "c"], "n": ["e", "a", "b"]}


def score(metrics, k=3, lists=LISTS, **options):
    options = {"train": TRAIN, "items": ITEMS, "users": USERS} | options
    return plait.score({"m": lists}, TEST, k=k, metrics=metrics, resamples=10, **options)


def per_user(metric, k=3, **options):
    frame = score(metric, k, **options).per_user("m")
    return dict(zip(frame["user"], frame[f"{metric}@{k}"], strict=True))


def test_popularity_and_novelty_are_means_over_the_list():
    assert per_user("popularity") == {"u": 2.0, "v": 0.5, "n": pytest.approx(5 / 3)}
    shares = {item: (count + 1) / 11 for item, count in zip("abcde", (3, 2, 1, 0, 0), strict=True)}
    information = -np.log2([shares["d"], shares["c"]])
    assert per_user("novelty")["v"] == pytest.approx(information.mean())
    assert per_user("novelty@rectools")["v"] == pytest.approx(np.log2(3))


def test_serendipity_counts_hits_that_popularity_would_not_place_there():
    # c of v: rank 2 of 5, (5 + 1 - 2) / 5; by popularity the third, (5 + 1 - 3) / 5.
    assert per_user("serendipity")["v"] == pytest.approx((4 / 5 - 3 / 5) / 2)
    assert per_user("serendipity")["n"] == pytest.approx(1 / 3)


def test_revenue_is_the_sum_of_a_field_over_the_hits():
    assert per_user("revenue:price", k=2) == {"u": 4.0, "v": 4.0, "n": 16.0}
    with pytest.raises(InputError) as problem:
        per_user("revenue:brand")
    assert problem.value.field == "metrics"


def test_debiased_metrics_weigh_targets_by_inverse_popularity():
    half, whole = 2**-0.5, 1.0
    assert per_user("recall@ips", k=2)["u"] == pytest.approx(whole / (half + whole))
    gain = whole / np.log2(3) + half / np.log2(4)
    assert per_user("ndcg@ips")["u"] == pytest.approx(gain / (whole + half / np.log2(3)))
    for debiased, plain in (("recall@ips", "recall"), ("ndcg@ips", "ndcg")):
        unweighted = per_user(debiased, propensity=0)
        assert unweighted == {user: pytest.approx(v) for user, v in per_user(plain).items()}


def test_intra_list_similarity_is_the_mean_cosine_of_two_items():
    lists = {"u": ["a", "b"], "v": ["a", "c"], "n": ["e"]}
    similarity = per_user("intra_list_similarity", k=2, lists=lists)
    assert similarity["u"] == pytest.approx(1)
    assert similarity["v"] == pytest.approx(0)
    assert similarity["n"] is None
    assert score("intra_list_similarity", 2, lists).value("m", "intra_list_similarity@2") == (
        pytest.approx(0.5)
    )


def test_coverage_and_gini_belong_to_all_lists():
    assert per_user("coverage", k=1) == dict.fromkeys("uvn", 3 / 5)
    assert per_user("gini", k=1)["u"] == pytest.approx(0.4)


def test_the_best_value_is_bold_where_more_is_better():
    lists = {"one": LISTS, "two": {"u": ["b"]}}
    options = {"train": TRAIN, "items": ITEMS, "resamples": 10}
    table = plait.score(lists, TEST, k=3, metrics=["ndcg", "popularity", "gini"], **options)
    first, second = (line.split("|")[2:5] for line in table.to_markdown().splitlines()[2:])
    assert ["**" in cell for cell in first] == [True, False, False]
    assert not any("**" in cell for cell in second)


def test_items_outside_the_catalogue_are_new():
    lists = {"u": ["unheard", "a"], "v": [], "n": ["a"]}
    table = score(list(BEYOND_ACCURACY), 2, lists)
    assert table.per_user("m")["popularity@2"].to_list() == [1.5, None, 3.0]


def test_metrics_of_train_need_train():
    for metric in ("novelty", "popularity", "serendipity", "recall@ips"):
        with pytest.raises(InputError) as problem:
            plait.score({"m": LISTS}, TEST, metrics=metric)
        assert problem.value.field == "train"


def test_seen_is_train_where_there_is_no_other():
    table = plait.score({"m": LISTS}, TEST, k=3, metrics="popularity", seen=TRAIN)
    assert table.per_user("m")["popularity@3"].to_list() == [1.5, 0.5, pytest.approx(5 / 3)]


def by_slice(slices, metrics="recall"):
    frame = score(metrics, slices=slices).by_slice()
    return {row["slice"]: (row["users"], row["value"]) for row in frame.iter_rows(named=True)}


def test_slices_of_users_hold_their_users():
    assert by_slice("history") == {
        "history:0": (1, 1.0),
        "history:1-4": (2, 1.0),
    }
    assert by_slice(["country"]) == {"country=DE": (1, 1.0), "country=FR": (1, 1.0)}
    assert by_slice("country", "popularity")["country=FR"] == (1, 0.5)


def test_slices_of_targets_hold_the_users_who_have_one():
    lists = {"u": ["c"], "v": ["d"], "n": ["e"]}
    frame = score("recall", 1, lists, slices=["popularity", "item.brand"]).by_slice()
    values = {row["slice"]: (row["users"], row["value"]) for row in frame.iter_rows(named=True)}
    assert values == {
        "new-items": (1, 1.0),
        "popularity:1-4": (2, 0.25),
        "brand=x": (1, 0.0),
        "brand=y": (2, 0.5),
        "brand=z": (1, 1.0),
    }


def test_an_unknown_slice_is_refused():
    with pytest.raises(InputError) as problem:
        score("recall", slices="colour")
    assert problem.value.field == "slices"


def test_sampled_candidates_leave_the_targets_and_as_many_other_items():
    table = score("recall", 1, {"u": list("adecb"), "v": list("abdec")}, candidates="sampled:1")
    lists = dict(zip(table.users, table.rows["m"].items, strict=True))
    assert len(lists["u"]) == 1
    assert table.settings["candidates"] != "all"
    full = {user: list("abcde") for user in LISTS}
    for metric in ("ndcg", "mrr"):
        every = score(metric, 3, full, candidates="sampled:99").value("m", f"{metric}@3")
        assert every == score(metric, 3, full).value("m", f"{metric}@3")


def test_candidates_that_lists_lack_are_flagged():
    row = score("recall", candidates="sampled:4").rows["m"]
    assert any("sampled candidates" in flag for flag in row.flags)


@pytest.mark.parametrize(
    "options",
    [
        {"candidates": "sampled"},
        {"candidates": "sampled:0"},
        {"candidates": "some:9"},
        {"propensity": -1},
        {"propensity": float("nan")},
    ],
)
def test_options_that_mean_nothing_are_refused(options):
    with pytest.raises(InputError) as problem:
        score("recall", **options)
    assert problem.value.field in options
