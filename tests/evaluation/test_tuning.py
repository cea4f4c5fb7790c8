"""Searching settings, on validation targets alone."""

import os
import signal
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from plait.errors import InputError, ProtocolError, StorageError
from plait.evaluation.evaluate import evaluate
from plait.evaluation.protocol import Protocol
from plait.evaluation.tuning.search import SHARE, STARTERS, tune, with_settings
from plait.evaluation.tuning.validation_data import some_users, without_test
from plait.pipeline.recipe import Recipe, build_stage, load_recipe, recipe_names
from plait.pipeline.recipe_toml import recipe_toml
from plait.pipeline.search_space import (
    Choice,
    Range,
    get_setting,
    recipe_search_space,
    search_space,
)
from tests.dataset_fixtures import random_rows, world
from tests.evaluation.fake_stages import Halting, Knob, recipe, witness

optuna = pytest.importorskip("optuna")


def clock(users=80, length=9):
    return world(
        [
            (f"u{user}", f"i{(user + step) % 40:02}", step + user / 100)
            for user in range(users)
            for step in range(length)
        ]
    )


def silent(*_told):
    pass


def search(folder, data=None, toy=None, trials=6, protocol=None, **more):
    told = more.pop("told", silent)
    return tune(
        data or clock(),
        toy or recipe("Knob", steps=()),
        protocol or Protocol(k=(1,)),
        metric=more.pop("metric", "ndcg@1"),
        trials=trials,
        folder=folder,
        progress=silent,
        told=told,
        **more,
    )


def test_what_can_be_searched_is_said_where_it_is_declared():
    assert search_space(Knob.Config) == {
        "turn": Range(0.0, 1.0),
        "steps": Range(1, 9),
        "mode": Choice(("plain", "other")),
    }
    assert Range(1, 9).whole
    assert not Range(0.0, 1.0).whole
    found = recipe_search_space(load_recipe("default"))
    assert {
        "linear.l2",
        "neighbours.source_popularity_exponent",
        "content.svd_weight",
        "fuse.log_offset",
    } <= set(found)


@pytest.mark.parametrize("name", recipe_names())
def test_defaults_lie_in_their_ranges(name):
    shipped = load_recipe(name)
    for key, space in recipe_search_space(shipped).items():
        stage, _, field = key.partition(".")
        settings = {**shipped.models, **shipped.steps}[stage]
        assert space.holds(get_setting(build_stage(stage, settings).config, field)), key


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_survives_as_toml(name, tmp_path):
    found = load_recipe(name)
    (tmp_path / "again.toml").write_text(recipe_toml(found, ["a comment"]), encoding="utf-8")
    assert load_recipe(tmp_path / "again.toml") == found


def test_strange_words_survive_as_toml(tmp_path):
    odd = Recipe.of(
        {
            "name": 'a "b"\\\n\x7fü',
            "event_weights": {"add to cart": 0.1, "ü": 1e-7},
            "models": {"popular": {"segment_by": "x\ty", "half_life_days": None}},
            "steps": {"fuse": {"weights": {"*": 1.0, "a.b": 2.0}, "history_length_bands": [0, 3]}},
        }
    )
    (tmp_path / "odd.toml").write_text(recipe_toml(odd), encoding="utf-8")
    again = load_recipe(tmp_path / "odd.toml")
    assert again.name == odd.name
    assert again.event_weights == odd.event_weights
    assert again.steps == {
        "fuse": {"weights": {"*": 1.0, "a.b": 2.0}, "history_length_bands": [0, 3]}
    }


def test_a_better_setting_is_found_and_loads_again_with_the_same_score(tmp_path):
    data = clock()
    found = search(tmp_path, data, trials=10)
    assert found.start is not None
    assert found.value > found.start
    assert found.recipe.models["knob"]["turn"] > 0.2
    assert found.recipe.name.endswith("-tuned")
    (tmp_path / "best.toml").write_text(recipe_toml(found.recipe), encoding="utf-8")
    protocol = Protocol(k=(1,)).resolved(data, found.recipe)
    inner, validation = without_test(data, protocol, {})
    again = evaluate(inner, [load_recipe(tmp_path / "best.toml")], validation)
    assert again.result("fused").metrics["ndcg@1"].value == found.value


def test_a_study_goes_on_where_it_was(tmp_path):
    heard = []
    first = search(tmp_path, trials=3, told=lambda trial, _best: heard.append(trial.number))
    assert len(first.trials) == 3
    again = search(tmp_path, trials=5, told=lambda trial, _best: heard.append(trial.number))
    assert [one.number for one in again.trials] == heard == [0, 1, 2, 3, 4]
    assert [one.settings for one in again.trials[:3]] == [one.settings for one in first.trials]
    nothing = search(tmp_path, trials=5, told=lambda *_told: pytest.fail("no trial was left"))
    assert nothing.value == again.value
    other = search(tmp_path, trials=1, protocol=Protocol(k=(1,), seed=1))
    assert len(other.trials) == 1


def test_an_interrupt_keeps_what_was_found(tmp_path):
    def stop(trial, _best):
        if trial.number == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, trials=9, told=stop)
    assert [one.number for one in search(tmp_path, trials=2).trials] == [0, 1]


@contextmanager
def signalled(place):
    """A real Ctrl-C while optuna writes the state of a trial for the `place`-th time."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    seen = []

    def hear(_connection, _cursor, statement, *_more):
        if statement.startswith("UPDATE trials SET state"):
            seen.append(statement)
            if len(seen) == place:
                os.kill(os.getpid(), signal.SIGINT)

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", hear)


@pytest.mark.parametrize(("place", "whole"), [(1, 0), (2, 0), (3, 1), (4, 2)])
def test_an_interrupt_within_optuna_waits_for_it(tmp_path, place, whole):
    """Trial 0 is put in line, begun and ended, each by one update; trial 1 is only ended by one."""
    heard = []
    with signalled(place) as seen, pytest.raises(KeyboardInterrupt):
        search(tmp_path, trials=9, told=lambda trial, _best: heard.append(trial.number))
    assert len(seen) >= place
    assert heard == list(range(whole))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    again = search(tmp_path, trials=2)
    assert len(again.trials) == 2
    assert None not in [one.value for one in again.trials]


def test_the_recipe_as_it_is_comes_first_whatever_was_interrupted(tmp_path):
    toy = recipe("Halting", steps=())
    Halting.next_one = True
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, toy=toy, trials=2)
    found = search(tmp_path, toy=toy, trials=2)
    usual = build_stage("halting", toy.models["halting"]).config
    assert found.trials[0].settings["halting.turn"] == usual.turn
    assert found.start == found.trials[0].value is not None


def test_poor_settings_are_given_up_early(tmp_path):
    found = search(tmp_path, clock(users=200), trials=14)
    assert any(one.value is None for one in found.trials)
    assert all(one.value is not None for one in found.trials[:4])


PROTOCOLS = [
    Protocol(),
    Protocol(seen="keep"),
    Protocol(name="time", test_days=10),
    Protocol(name="time", test_days=5, windows=2),
    Protocol(name="held-out-users", test_users=0.2),
]


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=str)
def test_tuning_never_sees_a_test_target(protocol, tmp_path):
    data = world(random_rows(users=60, events=1500))
    evaluate(data, [recipe("Spy")], protocol)
    asked = {int(one) for queries in witness.asked for one in queries.times}
    witness.__init__()
    search(
        tmp_path,
        data,
        recipe("Spy", "Knob"),
        trials=2,
        protocol=protocol,
        metric="recall@10",
    )
    seen = {int(one) for fitted in witness.fits for one in fitted.interactions.offsets}
    seen |= {int(one) for queries, _, targets in witness.taught for one in queries.history.times}
    settled = protocol.resolved(data, recipe("Spy"))
    inner, _ = without_test(data, settled, {})
    fitted = {int(one) for one in inner.interactions.offsets}
    found = data.interactions
    held = ~np.isin(found.offsets, list(fitted))
    if protocol.name == "leave-one-out":
        last = np.cumsum(np.bincount(found.users)) - 1
        assert set(np.flatnonzero(held)) == set(last.tolist())
    elif protocol.name == "time":
        assert (found.times[held] > settled.cut(data, protocol.windows)).all()
        assert held.sum() == (found.times > settled.cut(data, protocol.windows)).sum()
    else:
        assert len(np.unique(found.users[held])) == 12
    for one in witness.fits:
        assert set(one.interactions.offsets.tolist()) <= fitted
    assert asked


def test_changing_the_test_changes_no_trial(tmp_path):
    rows = random_rows(users=60, events=1500)
    data = world(rows)
    last = {row[0]: place for place, row in enumerate(rows)}
    other = list(rows)
    for place in last.values():
        other[place] = (rows[place][0], "i0", rows[place][2])
    moved = world(
        other,
        users=[data.users.id(one) for one in range(data.n_users)],
        items=[data.catalogue.id(one) for one in range(data.n_items)],
    )
    one, two = (
        search(
            tmp_path / name,
            given,
            recipe("Knob", "Counts"),
            protocol=Protocol(seen="keep"),
            metric="ndcg@10",
            trials=3,
        )
        for name, given in (("a", data), ("b", moved))
    )
    assert [trial.value for trial in one.trials] == [trial.value for trial in two.trials]


def test_what_does_not_exist_is_refused(tmp_path):
    with pytest.raises(InputError, match="no metric 'beauty'"):
        search(tmp_path, metric="beauty")
    with pytest.raises(InputError, match="nothing to search called 'linear'"):
        search(tmp_path, only=["linear"])
    with pytest.raises(InputError, match="no setting"):
        search(tmp_path, toy=recipe("Counts"))
    with pytest.raises(InputError, match="0 trials"):
        search(tmp_path, trials=0)


def test_only_narrows_the_search(tmp_path):
    found = search(tmp_path, trials=2, only=["knob.turn"])
    assert set(found.trials[1].settings) == {"knob.turn"}


def test_settings_go_to_their_stage():
    toy = recipe("Knob", "Counts")
    found = with_settings(toy, {"knob.turn": 0.5})
    assert found.models["knob"]["turn"] == 0.5
    assert "turn" not in toy.models["knob"]


def test_settings_go_to_tables_within_and_leave_the_rest(tmp_path):
    full = load_recipe("full")
    assert "sequence.training.learning_rate" in recipe_search_space(full)
    told = {"sequence.training.learning_rate": 0.004, "popular.half_life_days": None}
    found = with_settings(with_settings(full, {"sequence.training.epochs": 7}), told)
    assert not full.models["sequence"]
    (tmp_path / "best.toml").write_text(recipe_toml(found), encoding="utf-8")
    again = load_recipe(tmp_path / "best.toml")
    config = build_stage("sequence", again.models["sequence"]).config
    usual = build_stage("sequence", {}).config.training
    assert config.training == replace(usual, epochs=7, learning_rate=0.004)


def test_a_table_within_is_searched(tmp_path):
    """The first trial is the recipe as it is, the others draw from the range."""
    training = {"epochs": 1, "batch_size": 512}
    toy = Recipe.of(
        {"models": {"graph": {"use_triples": False, "embedding_dim": 4, "training": training}}}
    )
    found = search(tmp_path, toy=toy, trials=3, only=["graph.training."])
    rates = [one.settings["graph.training.learning_rate"] for one in found.trials]
    assert rates[0] == build_stage("graph", {}).config.training.learning_rate
    assert len(set(rates)) == 3
    best = found.recipe.models["graph"]["training"]
    assert {name: best[name] for name in training} == training


def lone(both=()):
    """Everybody only clicks or only passes by, but for `both`."""
    rows = [
        (f"u{user:02}", f"i{user % 7}", day + user / 100, "click" if (user + add) % 2 else "skip")
        for day in range(60)
        for user in range(40)
        for add in ((0, 1) if user in both else (0,))
    ]
    return world(rows)


def test_a_metric_that_nobody_can_be_measured_on_is_refused(tmp_path, caplog):
    toy, clicks = recipe("Knob"), Protocol(name="clicks", test_days=10)
    with pytest.raises(ProtocolError, match="nothing to measure gauc on"):
        search(tmp_path, lone(), toy, 3, clicks, metric="gauc")
    assert not caplog.records


def test_nothing_is_given_up_by_what_cannot_be_measured_on_some(tmp_path):
    """Those who have both clicks and misses are none of the few that are tried first."""
    toy, clicks = recipe("Knob"), Protocol(name="clicks", test_days=10)
    few = some_users(lone(), SHARE, clicks.seed).interactions.users
    data = lone(both=np.setdiff1d(np.arange(40), few))
    found = search(tmp_path, data, toy, STARTERS + 3, clicks, metric="gauc")
    assert all(one.value is not None for one in found.trials)


def test_only_the_longest_lists_have_a_diversity_to_search_by(tmp_path):
    with pytest.raises(InputError, match="no metric 'diversity@2'"):
        search(tmp_path, protocol=Protocol(k=(2, 5)), metric="diversity@2")
    found = search(tmp_path, protocol=Protocol(k=(2, 5)), metric="diversity@5", trials=1)
    assert 0 <= found.value <= 1


@pytest.mark.parametrize("damage", [b"this is no data base" * 300, None], ids=["other", "cut"])
def test_damaged_studies_are_named(damage, tmp_path):
    search(tmp_path, trials=1)
    path = tmp_path / "studies.db"
    path.write_bytes(damage or path.read_bytes()[:20_000])
    with pytest.raises(StorageError, match=r"studies\.db cannot be read"):
        search(tmp_path, trials=1)
