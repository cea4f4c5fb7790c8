"""Ratings and clicks, from a data set to a report."""

import json
from dataclasses import replace

import numpy as np
import pytest

from plait.errors import InputError, ProtocolError
from plait.evaluation.evaluate import evaluate
from plait.evaluation.pointwise.platt_scaling import Calibration
from plait.evaluation.pointwise.ratings import rating_pipeline
from plait.evaluation.protocol import Protocol
from plait.evaluation.results.run_store import write_report
from plait.pipeline.recipe import Recipe
from plait.utils.timestamps import DAY
from tests.dataset_fixtures import random_rows, world
from tests.evaluation.fake_stages import recipe, witness


def rated(noise=0.0, users=60, events=1500):
    """Item number i is worth i % 5 + 1 to everybody, give or take `noise`."""
    data = world(random_rows(users=users, events=events))
    chance = np.random.default_rng(0).normal(0, noise, events) if noise else 0
    values = data.interactions.items % 5 + 1 + chance
    return replace(data, interactions=replace(data.interactions, values=values.astype("f4")))


RATINGS = Protocol(name="ratings", test_share=0.2)


def test_a_perfect_model_has_no_error():
    report = evaluate(rated(), [recipe("Mean", steps=())], RATINGS)
    for row in ("fused", "mean", "item-mean"):
        assert report.result(row).metrics["rmse"].value == pytest.approx(0, abs=1e-6)
        assert report.result(row).metrics["r2"].value == pytest.approx(1)
    assert report.result("user-item-bias").metrics["rmse"].value < 0.45
    assert report.result("global-mean").metrics["r2"].value == pytest.approx(0, abs=0.02)
    events = rated().interactions
    pairs = set(zip(events.users.tolist(), events.items.tolist(), strict=True))
    assert report.data["targets"] == round(0.2 * len(pairs)) < 300
    assert report.data["scale"] == [1, 5]


def test_rating_report_has_all_rows_and_slices():
    report = evaluate(rated(0.5), [recipe("Mean", "Taste", steps=())], RATINGS)
    names = [(row.model, row.baseline) for row in report.results]
    assert names == [
        ("fused", False),
        ("mean", False),
        ("taste", False),
        ("global-mean", True),
        ("user-mean", True),
        ("item-mean", True),
        ("user-item-bias", True),
    ]
    metrics = report.result("fused").metrics
    assert {"rmse", "mae", "r2", "known", "rmse|popularity:20-99"} <= set(metrics)
    assert metrics["rmse"].low < metrics["rmse"].value < metrics["rmse"].high


def test_the_blend_follows_the_better_model():
    report = evaluate(rated(0.5), [recipe("Mean", "Taste", steps=())], RATINGS)
    blend, good, poor = (
        report.result(name).metrics["rmse"].value for name in ("fused", "mean", "taste")
    )
    assert poor > 2
    assert blend == pytest.approx(good, abs=0.02)


def test_ratings_of_the_test_reach_no_fit_and_no_history():
    data = rated()
    test = data.keep(np.arange(1500) % 6 == 0)
    evaluate(data, [recipe("Mean", steps=())], RATINGS, test=test)
    held = set(zip(test.interactions.users.tolist(), test.interactions.items.tolist(), strict=True))
    for fitted in witness.fits:
        rows = fitted.interactions
        assert not held & set(zip(rows.users.tolist(), rows.items.tolist(), strict=True))
    for queries in witness.asked:
        users = queries.users[queries.history.rows].tolist()
        assert not held & set(zip(users, queries.history.items.tolist(), strict=True))


def test_unknown_ratings_are_replaced_by_biases():
    data = rated()
    new = data.interactions.items == data.n_items - 1
    test = data.keep(new)
    report = evaluate(data, [recipe("Mean", steps=())], RATINGS, test=test)
    assert report.result("mean").metrics["known"].value == 0
    biases = report.result("user-item-bias").metrics["rmse"].value
    assert report.result("mean").metrics["rmse"].value == pytest.approx(biases)
    assert "rmse|new-items" in report.result("mean").metrics
    (flag,) = (flag for flag in report.flags if flag.name == "knows-nothing")
    assert flag.raised
    assert "mean" in flag.text
    knows = evaluate(data, [recipe("Mean", steps=())], RATINGS)
    assert "knows-nothing" not in {flag.name for flag in knows.flags}


def test_models_that_cannot_predict_ratings_are_left_out():
    rates = {"stage": "factors", "method": "mf", "iterations": 4, "burn_in": 1}
    ranks = {"stage": "factors", "method": "ials", "factors": 4}
    both = Recipe.of({"name": "both", "models": {"rates": rates, "ranks": ranks}})
    assert [model.name for model in rating_pipeline(both).models] == ["rates"]
    report = evaluate(rated(), [both], RATINGS)
    assert "ranks" not in {row.model for row in report.results}
    assert "knows-nothing" not in {flag.name for flag in report.flags}
    with pytest.raises(ProtocolError) as refused:
        rating_pipeline(Recipe.of({"name": "alone", "models": {"ranks": ranks}}))
    assert refused.value.field == "recipe"


def test_predictions_stay_on_the_scale():
    data = rated()
    test = data.keep(np.arange(1500) % 6 == 0)
    high = replace(test, interactions=replace(test.interactions, values=np.full(250, 9.0, "f4")))
    report = evaluate(data, [recipe("Mean", steps=())], RATINGS, test=high)
    assert min(row.metrics["mae"].value for row in report.results) >= 4


def test_recipes_without_rating_models_are_refused():
    with pytest.raises(ProtocolError) as unrated:
        evaluate(rated(), [recipe("Counts")], RATINGS)
    assert unrated.value.field == "recipe"
    with pytest.raises(InputError) as untested:
        evaluate(rated(), [recipe("Counts")], Protocol(), test=rated())
    assert untested.value.field == "test_events"


def clicks(informed=True):
    """What has a high number is clicked; nobody clicks alike."""
    generator = np.random.default_rng(1)
    rows = []
    for number in range(3000):
        item = int(generator.integers(0, 30))
        chance = item / 30 if informed else 0.3
        kind = "click" if generator.random() < chance else "shown"
        rows.append((f"u{generator.integers(0, 40)}", f"i{item:02}", number / 50, kind))
    return world(rows, items=[f"i{number:02}" for number in range(30)])


CLICKS = Protocol(name="clicks", test_days=15)


def test_an_informed_model_beats_the_base_rate_on_clicks():
    report = evaluate(clicks(), [recipe("Oracle", "Counts")], CLICKS)
    assert report.protocol.goal == ("click",)
    assert report.protocol.negative == ("shown",)
    good, base = (report.result(name).metrics for name in ("oracle", "base-rate"))
    assert good["auc"].low > 0.75
    assert good["gauc"].value > 0.75
    assert base["auc"].value == 0.5
    assert good["log_loss"].high < base["log_loss"].low
    assert good["ece"].value < 0.06
    assert report.result("item-rate").metrics["auc"].value > 0.75
    points = report.data["reliability"]["oracle"]
    assert len(points) >= 5
    assert points[0][1] < 0.3 < 0.6 < points[-1][1]


@pytest.mark.parametrize("apart", [0, 1e-5], ids=["together", "one by one"])
def test_fused_scores_depend_little_on_other_shown_items(apart):
    """Two items at a time, or the same ones each in a question of its own."""
    data = clicks()
    events = data.interactions
    places = np.arange(len(events))
    order = np.argsort(events.times, kind="stable")
    rank = np.empty_like(places)
    rank[order] = places
    pairs = replace(
        events,
        users=(rank // 2 % 40).astype(np.int32),
        times=((rank // 2 / 25 + rank % 2 * apart) * DAY).astype(np.int64),
    )
    pairs = pairs.take(np.lexsort((pairs.times, pairs.users)))
    report = evaluate(replace(data, interactions=pairs), [recipe("Oracle", "Counts")], CLICKS)
    assert report.data["queries"] == 750 // (2 if not apart else 1)
    fused, oracle = (report.result(name).metrics for name in ("fused", "oracle"))
    assert fused["auc"].value == pytest.approx(oracle["auc"].value, abs=0.03)
    assert fused["log_loss"].high < report.result("base-rate").metrics["log_loss"].low


def test_noise_is_no_better_than_the_base_rate():
    report = evaluate(clicks(informed=False), [recipe("Oracle")], CLICKS)
    metrics = report.result("oracle").metrics
    assert metrics["auc"].low <= 0.5 <= metrics["auc"].high
    gap = next(difference for difference in report.paired if difference.metric == "log_loss")
    assert abs(gap.difference.value) < 0.02


def test_undefined_metrics_are_null_in_files(tmp_path):
    """Everybody only clicks or only passes by: no user has an AUC."""
    rows = [
        (f"u{user:02}", f"i{user % 7}", day + user / 100, "click" if user % 2 else "skip")
        for day in range(60)
        for user in range(40)
    ]
    history = tmp_path / "evaluations.jsonl"
    report = evaluate(world(rows), [recipe("Counts")], CLICKS, seeds=2, history=history)
    write_report(tmp_path / "report.json", report)

    def strict(path):
        return json.loads(path.read_text(), parse_constant=pytest.fail)

    assert strict(history)["metrics"]["fused"]["gauc"] is None
    row = strict(tmp_path / "report.json")["results"][0]
    assert row["metrics"]["gauc"]["value"] is None
    assert row["spread"]["gauc"] is None
    assert row["spread"]["auc"] == 0


def test_few_clicks_are_flagged():
    many = evaluate(clicks(), [recipe("Counts")], CLICKS)
    few = evaluate(clicks(), [recipe("Counts")], replace(CLICKS, test_days=3))
    assert "few-outcomes" not in {flag.name for flag in many.flags}
    assert "few-outcomes" in {flag.name for flag in few.flags}


def test_negative_event_types_are_not_clicks_unless_named():
    rows = [(f"u{n % 9}", "i1", n / 9, ("click", "skip", "shown")[n % 3]) for n in range(90)]
    data, toy = world(rows), recipe("Counts")

    def settled(data=data, toy=toy, **options):
        resolved = Protocol(name="clicks", **options).resolved(data, toy)
        return resolved.goal, resolved.negative

    assert settled() == (("click",), ("shown", "skip"))
    assert settled(negative=("skip",)) == (("click",), ("skip",))
    assert settled(goal=("click", "shown"), negative=("skip",)) == (("click", "shown"), ("skip",))
    wanting = replace(toy, target_events=("shown",))
    assert settled(toy=wanting, negative=("skip",)) == (("shown",), ("skip",))
    with pytest.raises(ProtocolError) as refused:
        settled(toy=replace(toy, target_events=("skip", "shown")))
    assert refused.value.field == "goal"


def test_misses_and_later_events_are_not_fitted():
    data = clicks()
    evaluate(data, [recipe("Spy", event_weights={"*": 1})], CLICKS)
    cut = int(data.interactions.times.max()) - 15 * 86_400_000_000
    assert len(witness.fits) == 2
    for fitted in witness.fits:
        assert fitted.interactions.times.max() <= cut
        assert {fitted.event_types[number] for number in fitted.interactions.event_types} == {
            "click"
        }
    shown = [queries for queries in witness.asked if queries.candidates is not None]
    assert shown
    for queries in shown:
        late = queries.history.times >= queries.times[queries.history.rows]
        assert not late.any()


def test_predictions_of_several_seeds_are_averaged():
    report = evaluate(rated(0.3), [recipe("Mean", steps=())], RATINGS, seeds=2)
    assert report.result("mean").spread["rmse"] == 0
    assert report.seeds == (0, 1)


def test_calibration_is_increasing_or_flat():
    scores = np.linspace(-3, 3, 2000)
    clicked = np.random.default_rng(0).random(2000) < 1 / (1 + np.exp(-scores))
    right = Calibration.fit(scores, clicked)
    assert right.probabilities(np.array([-2.0, 0, 2])) == pytest.approx([0.12, 0.5, 0.88], abs=0.04)
    wrong = Calibration.fit(-scores, clicked)
    assert wrong.slope == 0
    unknown = Calibration.fit(np.full(100, np.nan), np.arange(100) < 25)
    assert unknown.probabilities(np.array([np.nan, 1.0])) == pytest.approx(0.25, abs=0.02)
