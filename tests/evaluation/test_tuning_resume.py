"""What a study of `plait tune` is of, and which settings it searches."""

from dataclasses import replace

import numpy as np
import pytest

import plait
from plait.data.types import Triples
from plait.errors import InputError, ProtocolError
from plait.evaluation.protocol import Protocol
from plait.evaluation.results.fingerprint import dataset_fingerprint
from plait.evaluation.tuning.search import tune
from plait.pipeline.recipe import Recipe
from plait.pipeline.search_space import Choice, Range
from plait.utils.no_op_callbacks import ignore
from tests.dataset_fixtures import random_rows, world
from tests.evaluation.fake_stages import recipe

pytest.importorskip("optuna")

ROWS = random_rows(users=30, items=20, events=400)
MF = {"stage": "factors", "method": "mf", "iterations": 4, "burn_in": 1}
RATES = Recipe.of(
    {
        "name": "rates",
        "models": {"mf": MF, "linear": {}},
        "steps": {"fuse": {}},
    }
)
RATINGS = Protocol(name="ratings", test_share=0.2)


def search(folder, data, toy, protocol, **more):
    more = {"metric": "rmse", "trials": 1, **more}
    return tune(data, toy, protocol, folder=folder, progress=ignore, on_trial=ignore, **more)


def stars(data):
    values = (data.interactions.items % 5 + 1).astype(np.float32)
    return replace(data, interactions=replace(data.interactions, values=values))


def test_another_test_is_another_study(tmp_path):
    data = stars(world(ROWS))
    tests = [None, *(data.keep(np.arange(400) % 4 == part) for part in (0, 1))]
    for test in tests:
        tuned = search(tmp_path, data, RATES, RATINGS, test=test)
        fresh = search(tmp_path / "new", data, RATES, RATINGS, test=test)
        assert [trial.value for trial in tuned.trials] == [trial.value for trial in fresh.trials]
    assert len({search(tmp_path, data, RATES, RATINGS, test=test).value for test in tests}) == 3


def test_a_home_keeps_a_study_for_each_test_file(tmp_path):
    events = [
        {"user_id": f"u{n % 20}", "item_id": f"i{n % 13}", "rating": n % 7, "timestamp": n}
        for n in range(260)
    ]
    with plait.open(tmp_path) as shop:
        shop.ingest(events=events)
        first_tuned, two = (
            shop.tune(RATES, "ratings", metric="rmse", trials=1, test_events=part)
            for part in (events[:30], events[30:90])
        )
        assert first_tuned.value != two.value
        with pytest.raises(InputError) as refused:
            shop.tune(RATES, "leave-one-out", metric="ndcg@10", test_events=events[:9])
        assert refused.value.field == "test_events"


def test_a_changed_catalogue_is_another_study(tmp_path):
    toy = Recipe.of(
        {"name": "toy", "models": {"content": {}, "popular": {}}, "steps": {"fuse": {}}}
    )
    item_fields = {f"i{number}": {"kind": "pot" if number < 10 else "hat"} for number in range(20)}
    bare, described = world(ROWS), world(ROWS, item_fields=item_fields)
    bare_tuned, two = (
        search(tmp_path, data, toy, Protocol(), metric="ndcg@10", only=["content."])
        for data in (bare, described)
    )
    assert bare_tuned.value != two.value


def variants():
    data = world(ROWS, user_fields={"u1": {"town": "A"}}, item_fields={"i1": {"price": 1.0}})
    names = [data.catalogue.id(number) for number in range(data.n_items)]
    facts = Triples(np.array([0], np.int32), ("of",), ("x",), np.array([-1], np.int32))
    dead = data.catalogue.alive.copy()
    dead[0] = False
    yield data
    yield replace(data, triples=facts)
    yield replace(data, triples=replace(facts, tails=("y",)))
    yield replace(data, event_types=("other",))
    yield replace(data, catalogue=replace(data.catalogue, alive=dead))
    yield world(ROWS, user_fields={"u1": {"town": "B"}}, item_fields={"i1": {"price": 1.0}})
    yield world(ROWS, user_fields={"u1": {"town": "A"}}, item_fields={"i1": {"price": 2.0}})
    yield world(ROWS, user_fields={"u1": {"town": "A"}}, item_fields={"i1": {"cost": 1.0}})
    yield world(
        [(user, "j0" if item == names[0] else item, time) for user, item, time in ROWS],
        user_fields={"u1": {"town": "A"}},
        item_fields={"i1": {"price": 1.0}},
    )


def test_dataset_fingerprint_covers_what_a_fit_reads():
    datasets = list(variants())
    hashes = [dataset_fingerprint(variant) for variant in datasets]
    assert len(set(hashes)) == len(hashes) == 9
    assert hashes == [dataset_fingerprint(variant) for variant in variants()]
    assert dataset_fingerprint(replace(datasets[0], version=7)) == hashes[0]


def test_ratings_protocol_searches_rating_models_only(tmp_path):
    data = stars(world(ROWS))
    tuned = search(tmp_path, data, RATES, RATINGS, trials=3)
    assert [set(trial.settings) for trial in tuned.trials] == [{"mf.factors"}] * 3
    assert tuned.trials[0].settings == {"mf.factors": 0}
    both = replace(RATES, models={**RATES.models, "ratings": {"iterations": 4, "burn_in": 1}})
    names = set(search(tmp_path, data, both, RATINGS).trials[0].settings)
    assert names == {
        "mf.factors",
        *(
            f"ratings.{setting}"
            for setting in (
                "factors",
                "use_implicit_feedback",
                "use_side_information",
                "numeric_bins",
                "min_count",
            )
        ),
    }
    with pytest.raises(InputError) as unsearched:
        search(tmp_path, data, RATES, RATINGS, only=["linear."])
    assert unsearched.value.field == "only"
    with pytest.raises(ProtocolError) as unrated:
        search(tmp_path, data, recipe("Knob"), RATINGS)
    assert unrated.value.field == "recipe"


@pytest.mark.parametrize(
    ("method", "names"),
    [
        ("ials", {"factors", "l2", "alpha", "basket_decay"}),
        ("bpr", {"factors", "l2", "learning_rate", "basket_decay"}),
        ("neumf", {"factors", "num_negatives", "dropout", "training.learning_rate"}),
        ("svdpp", {"factors"}),
    ],
)
def test_inactive_settings_are_not_searched(method, names):
    from plait.pipeline.recipe import build_stage
    from plait.pipeline.search_space import search_space

    config = build_stage("factors", {"method": method}).config
    assert set(search_space(type(config))) - set(config.inactive_settings) == names


def test_the_first_trial_is_the_recipe_even_outside_the_ranges(tmp_path):
    toy = replace(RATES, models={"mf": {**MF, "factors": 3}})
    tuned = search(tmp_path, stars(world(ROWS)), toy, RATINGS)
    assert tuned.trials[0].settings == {"mf.factors": 3}
    assert tuned.start == tuned.value


def test_ranges_grow_to_hold_a_setting():
    assert Range(1, 9).including(12) == Range(1, 12)
    assert Range(0.5, 1.0).including(0.25) == Range(0.25, 1.0)
    assert Range(1, 9).including(5) == Range(1, 9)
    assert Range(1, 9, log=True).including(0) == Range(1, 9, log=True)
    assert Range(1, 9).including("many") == Range(1, 9)
    assert Choice((1, 2)).including(3) == Choice((1, 2, 3))
    assert Choice((1, 2)).including(2) == Choice((1, 2))
