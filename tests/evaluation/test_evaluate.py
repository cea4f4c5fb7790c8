"""From a data set and recipes to a report."""

import json
import math

import numpy as np
import pytest

from plait.errors import InputError, ProtocolError
from plait.evaluation.evaluate import evaluate
from plait.evaluation.protocol import Protocol
from plait.pipeline.recipe import Recipe
from tests.dataset_fixtures import random_rows, world
from tests.evaluation.fake_stages import recipe, witness


def clock(users=30, length=8, items=30):
    """Everybody goes round in a circle: what follows is certain."""
    return world(
        [
            (f"u{user}", f"i{(user + step) % items:02}", step + user / 100)
            for user in range(users)
            for step in range(length)
        ]
    )


def test_a_model_that_knows_the_circle_is_always_right():
    report = evaluate(clock(), [recipe("Follows", "Counts")], Protocol(k=(1, 3)))
    sure = report.result("follows").metrics
    assert sure["recall@1"].value == sure["recall@1"].low == sure["recall@1"].high == 1
    assert sure["mrr@3"].value == 1
    assert report.result("popular-all").metrics["recall@1"].value < 0.5
    assert report.result("fused").metrics["recall@3"].value > 0.5


def test_report_has_all_rows_metrics_and_slices():
    report = evaluate(world(random_rows()), [recipe("Counts", "Follows")], Protocol(k=(5, 10)))
    names = [(row.model, row.baseline) for row in report.results]
    assert names == [
        ("fused", False),
        ("counts", False),
        ("follows", False),
        ("popular-recent", True),
        ("popular-all", True),
    ]
    plain = ("recall", "ndcg", "mrr", "hit_rate", "precision", "f1", "map", "coverage", "novelty")
    for row in report.results:
        for name in plain:
            interval = row.metrics[f"{name}@10"]
            assert interval.low <= interval.value <= interval.high
            assert math.isfinite(interval.value)
        assert "recall@10|history:5-19" in row.metrics
        assert "ndcg@5|tail" in row.metrics
        assert row.peak_mb > 10
    assert report.result("fused").fit_seconds >= report.result("counts").fit_seconds


def test_report_to_dict_has_the_documented_keys():
    report = evaluate(world(random_rows()), [recipe("Counts")], Protocol())
    document = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert len(document["protocol"]["hash"]) == 12
    assert document["protocol"]["seen"] == "remove"
    assert set(document["results"][0]) == {
        "model",
        "baseline",
        "fit_seconds",
        "evaluate_seconds",
        "peak_mb",
        "metrics",
    }
    assert set(document["results"][0]["metrics"]["recall@10"]) == {"value", "low", "high"}


def test_a_counting_model_equals_popular_all():
    report = evaluate(world(random_rows()), [recipe("Counts")], Protocol(seen="keep"))
    baseline = report.result("popular-all").metrics
    for name, interval in report.result("counts").metrics.items():
        assert baseline[name].value == pytest.approx(interval.value, abs=1e-9), name


def test_seen_items_are_removed_without_rules_in_the_recipe():
    report = evaluate(world(random_rows()), [recipe("Counts")], Protocol(seen="remove"))
    baseline = report.result("popular-all").metrics
    for name, interval in report.result("counts").metrics.items():
        assert baseline[name].value == pytest.approx(interval.value, abs=1e-9), name


def test_several_recipes_share_baselines_and_are_compared():
    toys = [recipe("Counts", name="plain"), recipe("Counts", "Follows", name="both")]
    report = evaluate(clock(), toys, Protocol())
    names = [row.model for row in report.results]
    assert names == [
        "plain/fused",
        "plain/counts",
        "both/fused",
        "both/counts",
        "both/follows",
        "popular-recent",
        "popular-all",
    ]
    against = {
        (difference.model, difference.against)
        for difference in report.paired
        if difference.metric == "recall@10"
    }
    assert ("both/fused", "plain/fused") in against


def test_recipes_of_equal_names_are_numbered():
    report = evaluate(clock(), [recipe("Counts"), recipe("Follows")], Protocol())
    assert report.result("toy#2/follows")


def test_the_difference_to_the_best_other_row_has_an_interval():
    report = evaluate(clock(), [recipe("Counts", "Nothing")], Protocol(k=(3,)))
    gap = next(difference for difference in report.paired if difference.metric == "ndcg@3")
    best = max(report.results[1:], key=lambda row: row.metrics["ndcg@3"].value)
    assert gap.against == best.model
    ours = report.result("fused").metrics["ndcg@3"].value
    assert gap.difference.value == pytest.approx(ours - best.metrics["ndcg@3"].value)


def test_a_single_model_needs_no_fusion():
    report = evaluate(clock(), [recipe("Follows", steps=())], Protocol(k=(1,)))
    assert report.result("fused").metrics["recall@1"].value == 1


def test_two_models_without_fusion_have_a_row_each_and_none_for_both():
    report = evaluate(clock(), [recipe("Counts", "Follows", steps=())], Protocol())
    assert [row.model for row in report.results][:2] == ["counts", "follows"]
    assert "fused" not in [row.model for row in report.results]
    alone = evaluate(clock(), [recipe("Follows", steps=())], Protocol())
    value = alone.result("fused").metrics["ndcg@10"].value
    assert report.result("follows").metrics["ndcg@10"].value == value
    assert report.paired == []


def test_a_model_without_scores_has_metrics_of_zero():
    report = evaluate(clock(), [recipe("Counts", "Nothing")], Protocol())
    assert report.result("nothing").metrics["recall@10"].value == 0
    assert report.result("nothing").metrics["coverage@10"].value == 0


def test_models_retrieve_as_many_items_as_the_longest_list():
    report = evaluate(
        clock(), [recipe("Counts", candidates_per_model=2)], Protocol(k=(40,), seen="keep")
    )
    assert report.result("counts").metrics["recall@40"].value == 1


def test_time_reports_new_users_and_items():
    rows = random_rows()
    days = max(row[2] for row in rows)
    rows += [("newcomer", f"i{number}", days - 3) for number in range(3)] + [
        ("u1", "new", days - 4)
    ]
    rows.sort(key=lambda row: row[2])
    report = evaluate(world(rows), [recipe("Counts")], Protocol(name="time", test_days=10))
    metrics = report.result("fused").metrics
    assert metrics["recall@10|new-users"].value > 0
    assert metrics["recall@10|new-items"].value == 0
    assert report.data["queries"] == len({row[0] for row in rows if row[2] > days - 10})


def test_time_protocol_keeps_seen_items_if_repeats_are_frequent():
    habit = [(f"u{user}", f"i{user % 4}", day) for user in range(30) for day in range(0, 40, 4)]
    report = evaluate(world(habit), [recipe("Counts")], Protocol(name="time"))
    assert report.protocol.seen == "keep"
    assert report.protocol.test_days == pytest.approx(36 / 5)
    assert report.result("last-seen").metrics["recall@5"].value == 1


def test_popular_recent_follows_the_drift():
    old = [(f"u{user}", "old", 1 + user / 100) for user in range(80)]
    old += [(f"u{user}", "old", 30 + user / 100) for user in range(20)]
    new = [(f"v{user}", "new", 40 + user) for user in range(60)]
    report = evaluate(
        world(old + new), [recipe("Counts")], Protocol(name="time", test_days=20, k=(1,))
    )
    assert report.result("popular-recent").metrics["recall@1"].value == 1
    assert report.result("popular-all").metrics["recall@1"].value == 0


def test_positions_are_evaluated_by_leaving_one_out():
    rows = [(user, item, place) for place, (user, item, _) in enumerate(random_rows())]
    report = evaluate(world(rows, clock="position"), [recipe("Counts")], Protocol())
    assert report.result("popular-recent").metrics["recall@10"].value > 0


def test_event_types_of_weight_zero_are_seen_but_not_history():
    rows = [(*row, "view" if number % 3 else "buy") for number, row in enumerate(random_rows())]
    toy = recipe("Spy", event_weights={"buy": 1, "*": 0})
    report = evaluate(world(rows), [toy], Protocol())
    assert report.protocol.goal == ("buy",)
    assert any((queries.seen.lengths > queries.history.lengths).any() for queries in witness.asked)


def test_evaluation_is_deterministic_in_its_seed():
    data, toy = world(random_rows()), recipe("Counts", "Follows")
    first, second = (evaluate(data, [toy], Protocol(seed=5)) for _ in range(2))
    assert [row.metrics for row in first.results] == [row.metrics for row in second.results]


def test_progress_is_reported_for_fits_and_queries():
    calls = []
    evaluate(clock(), [recipe("Counts")], Protocol(), progress=lambda *args: calls.append(args))
    assert ("toy: fit", 1, 1) in calls
    assert ("toy: ask", 30, 30) in calls


@pytest.mark.parametrize(
    "rows", [[], [("u", "a", 0)], [("u", "a", 0), ("u", "a", 1), ("u", "a", 2)]]
)
@pytest.mark.parametrize("name", ["leave-one-out", "time"])
def test_data_without_test_queries_are_refused(rows, name):
    with pytest.raises(ProtocolError):
        evaluate(world(rows), [recipe("Counts")], Protocol(name=name, seen="remove"))


def test_no_recipe_is_refused():
    with pytest.raises(InputError) as refused:
        evaluate(clock(), [], Protocol())
    assert refused.value.field == "recipe"


def test_a_catalogue_of_one_item_has_full_coverage():
    rows = [(f"u{user}", "only", day) for user in range(4) for day in range(3)]
    report = evaluate(world(rows), [recipe("Counts")], Protocol(seen="keep", k=(1, 100)))
    assert report.result("fused").metrics["recall@1"].value == 1
    assert report.result("fused").metrics["coverage@1"].value == 1


def test_shipped_models_are_evaluated():
    data = world(random_rows(events=1500))
    real = Recipe.of(
        {
            "name": "real",
            "models": {"popular": {}, "repeat": {}, "neighbours": {}},
            "steps": {"fuse": {}},
        }
    )
    report = evaluate(data, [real], Protocol(name="time"))
    assert report.result("fused").metrics["recall@10"].value > 0
    assert np.isfinite(report.result("repeat").metrics["ndcg@10"].value)


def test_fusion_is_not_learned_without_earlier_events():
    """The window before the test begins before the first event."""
    data = world(random_rows(days=10))
    report = evaluate(data, [recipe("Spy", "Counts")], Protocol(name="time", test_days=6))
    assert not witness.taught
    assert [flag.name for flag in report.flags if flag.name == "unlearned"]
    assert report.data["learned_from"] == 0
