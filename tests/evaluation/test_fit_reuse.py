"""Models are fitted once: among recipes, and for other measurements."""

import numpy as np
import pytest

from plait.data.dataset import Dataset
from plait.errors import InputError
from plait.evaluation.evaluate import evaluate
from plait.evaluation.protocol import Protocol
from plait.evaluation.ranking.fitted_recipes import KeptFits
from plait.pipeline.fit_cache import FitCache, content_hash
from plait.pipeline.recipe import recipe_from
from tests.dataset_fixtures import random_rows, world
from tests.evaluation.fake_stages import recipe, witness

DATA = world(random_rows(users=60, events=900))
MODELS = ("Spy", "Follows", "Counts", "Dice")


def without(model):
    return recipe(*(name for name in MODELS if name != model), name=f"without {model}")


def metrics_of(report, row):
    return {name: interval.value for name, interval in report.result(row).metrics.items()}


@pytest.mark.parametrize("options", [{}, {"refit": True}, {"name": "time", "windows": 2}])
def test_an_ablation_of_n_models_fits_each_once_per_data_set(options):
    recipes = [recipe(*MODELS, name="all"), *map(without, MODELS)]
    protocol = Protocol(**options)
    report = evaluate(DATA, recipes, protocol)
    shared = len(witness.fits)
    witness.fits.clear()
    alone = evaluate(DATA, [recipes[0]], protocol)
    assert shared == len(witness.fits)
    assert metrics_of(report, "all/fused") == metrics_of(alone, "fused")
    for left_out in recipes[1:]:
        again = evaluate(DATA, [left_out], protocol)
        assert metrics_of(report, f"{left_out.name}/fused") == metrics_of(again, "fused")


def test_the_cache_counts_fits():
    recipes = [recipe(*MODELS, name="all"), *map(without, MODELS)]
    cache = FitCache.shared_by(recipes)
    evaluate(DATA, recipes, Protocol(), cache=cache)
    assert cache.fitted == len(MODELS)
    assert cache.reused == len(MODELS) * (len(MODELS) - 1)


def test_other_settings_seeds_and_data_are_other_fits():
    cache = FitCache()
    toy = recipe("Spy", "Dice")
    for data, protocol in (
        (DATA, Protocol()),
        (DATA, Protocol(seed=1)),
        (world(random_rows(users=60, events=901)), Protocol()),
    ):
        evaluate(data, [toy], protocol, cache=cache)
    assert (cache.fitted, cache.reused) == (6, 0)
    evaluate(DATA, [toy], Protocol(k=(3,)), cache=cache)
    assert (cache.fitted, cache.reused) == (6, 2)


def test_event_weights_of_a_recipe_are_part_of_its_data():
    toys = [recipe("Spy", name="equal"), recipe("Spy", name="other", event_weights={"*": 2.0})]
    evaluate(DATA, toys, Protocol())
    assert len(witness.fits) == 2


def test_reused_models_report_the_seconds_of_their_fit():
    toys = [recipe("Spy", "Counts", name="a"), recipe("Spy", "Dice", name="b")]
    report = evaluate(DATA, toys, Protocol())
    assert report.result("b/spy").fit_seconds == report.result("a/spy").fit_seconds > 0
    assert report.result("b/fused").fit_seconds >= report.result("b/spy").fit_seconds


def test_a_single_model_is_fitted_once_and_no_weight_is_learned():
    spy = {"spy": {"stage": "tests.evaluation.fake_stages:Spy"}}
    toy = recipe_from({"name": "toy", "models": spy, "steps": {"fuse": {}}})
    report = evaluate(DATA, [toy], Protocol(refit=True))
    assert len(witness.fits) == 1
    assert report.fusion == {}


def test_a_report_measures_its_fits_by_another_k_and_seen_rule():
    report = evaluate(
        DATA, [recipe(*MODELS)], Protocol(seen="remove"), fits=KeptFits(keep=True), seeds=2
    )
    witness.fits.clear()
    again = report.measure(k=(3, 20), seen="keep", resamples=50)
    assert not witness.fits
    assert again.protocol.k == (3, 20)
    assert (report.protocol.seen, again.protocol.seen) == ("remove", "keep")
    fresh = evaluate(DATA, [recipe("Spy")], Protocol(seen="keep", k=(3, 20), resamples=50))
    assert metrics_of(again, "spy") == metrics_of(fresh, "spy")
    same = report.measure()
    assert metrics_of(same, "fused") == metrics_of(report, "fused")


class Records:
    """A tracker that records its calls."""

    def __init__(self):
        self.runs = []

    def begin(self, run, settings):
        self.runs.append((run, settings, []))

    def report(self, epoch, values):
        self.runs[-1][2].append((epoch, values))

    def end(self):
        pass


def test_each_fit_has_a_tracking_run_of_its_own_with_its_settings():
    records = Records()
    toys = [recipe("Tracked", "Counts", name="a/../b"), recipe("Tracked", name="c")]
    report = evaluate(DATA, toys, Protocol(refit=True), seeds=2, trackers=[records])
    names = [run for run, _, _ in records.runs]
    assert len(set(names)) == len(names) == 4  # two seeds, each fitted twice; `c` fits nothing
    assert all(name.startswith(report.run) and "/" not in name for name in names)
    assert {settings["seed"] for _, settings, _ in records.runs} == {0, 1}
    assert all(epochs == [(1, {"loss": 1.0}), (2, {"loss": 0.5})] for *_, epochs in records.runs)


def test_a_callback_stops_the_training_of_every_recipe():
    records = Records()
    toys = [recipe("Tracked", name="a"), recipe("Tracked", "Counts", name="b")]
    stop = [lambda epoch, values: "stop"]
    evaluate(DATA, toys, Protocol(), trackers=[records], callbacks=stop)
    assert [len(epochs) for *_, epochs in records.runs] == [1, 1]  # a stopped fit is not reused


def test_measure_needs_kept_fits_and_no_option_of_a_fit():
    with pytest.raises(InputError) as refused:
        evaluate(DATA, [recipe("Counts")], Protocol()).measure(k=3)
    assert refused.value.field == "keep_fits"
    report = evaluate(DATA, [recipe("Counts")], Protocol(), fits=KeptFits(keep=True))
    with pytest.raises(InputError) as refused:
        report.measure(seed=3)
    assert refused.value.field == "seed"


def test_content_hash_tells_values_apart_that_look_alike():
    values = [
        np.array([1, 2], np.int32),
        np.array([1, 2], np.int64),
        np.array([[1, 2]], np.int64),
        np.array(["1", None], object),
        [1, 2],
        {"a": 1},
        {"a": "1"},
        DATA,
        DATA.keep(np.arange(len(DATA.interactions)) > 0),
    ]
    hashes = [content_hash(value) for value in values]
    assert len(set(hashes)) == len(values)
    assert content_hash(Dataset(**{n: getattr(DATA, n) for n in Dataset.__slots__})) == hashes[-2]
