"""What a study of `plait tune` is of, and which settings it searches."""

from dataclasses import replace

import numpy as np
import pytest

import plait
from plait.data.types import Triples
from plait.errors import InputError, ProtocolError
from plait.evaluation.protocol import Protocol
from plait.evaluation.results.fingerprint import whole_fingerprint
from plait.evaluation.tuning.search import tune
from plait.pipeline.recipe import Recipe
from plait.pipeline.search_space import Choice, Range
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


def silent(*_told):
    pass


def search(folder, data, toy, protocol, **more):
    more = {"metric": "rmse", "trials": 1, **more}
    return tune(data, toy, protocol, folder=folder, progress=silent, told=silent, **more)


def stars(data):
    values = (data.interactions.items % 5 + 1).astype(np.float32)
    return replace(data, interactions=replace(data.interactions, values=values))


def test_another_test_is_another_study(tmp_path):
    data = stars(world(ROWS))
    tests = [None, *(data.keep(np.arange(400) % 4 == part) for part in (0, 1))]
    for test in tests:
        found = search(tmp_path, data, RATES, RATINGS, test=test)
        fresh = search(tmp_path / "new", data, RATES, RATINGS, test=test)
        assert [one.value for one in found.trials] == [one.value for one in fresh.trials]
    assert len({search(tmp_path, data, RATES, RATINGS, test=one).value for one in tests}) == 3


def test_a_home_keeps_a_study_for_each_test_file(tmp_path):
    events = [
        {"user_id": f"u{n % 20}", "item_id": f"i{n % 13}", "rating": n % 7, "timestamp": n}
        for n in range(260)
    ]
    with plait.open(tmp_path) as shop:
        shop.ingest(events=events)
        one, two = (
            shop.tune(RATES, "ratings", metric="rmse", trials=1, test_events=part)
            for part in (events[:30], events[30:90])
        )
        assert one.value != two.value
        with pytest.raises(InputError, match="ratings protocol"):
            shop.tune(RATES, "leave-one-out", metric="ndcg@10", test_events=events[:9])


def test_a_changed_catalogue_is_another_study(tmp_path):
    toy = Recipe.of(
        {"name": "toy", "models": {"content": {}, "popular": {}}, "steps": {"fuse": {}}}
    )
    said = {f"i{one}": {"kind": "pot" if one < 10 else "hat"} for one in range(20)}
    bare, told = world(ROWS), world(ROWS, item_fields=said)
    one, two = (
        search(tmp_path, data, toy, Protocol(), metric="ndcg@10", only=["content."])
        for data in (bare, told)
    )
    assert one.value != two.value


def variants():
    data = world(ROWS, user_fields={"u1": {"town": "A"}}, item_fields={"i1": {"price": 1.0}})
    names = [data.catalogue.id(one) for one in range(data.n_items)]
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


def test_all_that_a_fit_reads_is_in_the_fingerprint_and_nothing_else():
    found = list(variants())
    hashes = [whole_fingerprint(one) for one in found]
    assert len(set(hashes)) == len(hashes) == 9
    assert hashes == [whole_fingerprint(one) for one in variants()]
    assert whole_fingerprint(replace(found[0], version=7)) == hashes[0]


def test_under_ratings_only_strands_that_predict_are_searched(tmp_path):
    data = stars(world(ROWS))
    found = search(tmp_path, data, RATES, RATINGS, trials=3)
    assert [set(one.settings) for one in found.trials] == [{"mf.factors"}] * 3
    assert found.trials[0].settings == {"mf.factors": 0}
    both = replace(RATES, models={**RATES.models, "ratings": {"iterations": 4, "burn_in": 1}})
    names = set(search(tmp_path, data, both, RATINGS).trials[0].settings)
    assert names == {
        "mf.factors",
        *(
            f"ratings.{one}"
            for one in (
                "factors",
                "use_implicit_feedback",
                "use_side_information",
                "numeric_bins",
                "min_count",
            )
        ),
    }
    with pytest.raises(InputError, match="nothing to search called 'linear"):
        search(tmp_path, data, RATES, RATINGS, only=["linear."])
    with pytest.raises(ProtocolError, match="no strand of the recipe 'toy' predicts"):
        search(tmp_path, data, recipe("Knob"), RATINGS)


@pytest.mark.parametrize(
    ("method", "names"),
    [
        ("ials", {"factors", "l2", "alpha", "decay"}),
        ("bpr", {"factors", "l2", "learning_rate", "decay"}),
        ("neumf", {"factors", "negatives", "dropout", "training.learning_rate"}),
        ("svdpp", {"factors"}),
    ],
)
def test_settings_that_a_method_does_not_read_are_not_searched(method, names):
    from plait.pipeline.recipe import build_stage
    from plait.pipeline.search_space import search_space

    config = build_stage("factors", {"method": method}).config
    assert set(search_space(type(config))) - set(config.inactive_settings) == names


def test_the_first_trial_is_the_recipe_even_outside_the_ranges(tmp_path):
    toy = replace(RATES, models={"mf": {**MF, "factors": 3}})
    found = search(tmp_path, stars(world(ROWS)), toy, RATINGS)
    assert found.trials[0].settings == {"mf.factors": 3}
    assert found.start == found.value


def test_ranges_grow_to_hold_a_setting():
    assert Range(1, 9).including(12) == Range(1, 12)
    assert Range(0.5, 1.0).including(0.25) == Range(0.25, 1.0)
    assert Range(1, 9).including(5) == Range(1, 9)
    assert Range(1, 9, log=True).including(0) == Range(1, 9, log=True)
    assert Range(1, 9).including("many") == Range(1, 9)
    assert Choice((1, 2)).including(3) == Choice((1, 2, 3))
    assert Choice((1, 2)).including(2) == Choice((1, 2))
