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
from plait.evaluation.tuning.search import STARTERS, tune, with_settings
from plait.evaluation.tuning.tuning_data import SHARE
from plait.evaluation.tuning.without_test_targets import sample_users, validation_data
from plait.pipeline.recipe import Recipe, build_stage, load_recipe, recipe_names
from plait.pipeline.recipe_writer import recipe_toml
from plait.pipeline.search_space import (
    Choice,
    Range,
    get_setting,
    recipe_search_space,
    search_space,
)
from plait.utils.no_op_callbacks import ignore
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


def search(folder, data=None, toy=None, trials=6, protocol=None, **more):
    on_trial = more.pop("on_trial", ignore)
    return tune(
        data or clock(),
        toy or recipe("Knob", steps=()),
        protocol or Protocol(k=(1,)),
        metric=more.pop("metric", "ndcg@1"),
        trials=trials,
        folder=folder,
        progress=ignore,
        on_trial=on_trial,
        **more,
    )


def test_search_space_holds_the_declared_settings():
    assert search_space(Knob.Config) == {
        "turn": Range(0.0, 1.0),
        "steps": Range(1, 9),
        "mode": Choice(("plain", "other")),
    }
    assert Range(1, 9).whole
    assert not Range(0.0, 1.0).whole
    space = recipe_search_space(load_recipe("default"))
    assert {
        "linear.l2",
        "neighbours.source_popularity_exponent",
        "content.svd_weight",
        "fuse.log_offset",
    } <= set(space)


@pytest.mark.parametrize("name", recipe_names())
def test_settings_of_shipped_recipes_lie_in_their_ranges(name):
    shipped = load_recipe(name)
    for key, space in recipe_search_space(shipped).items():
        stage, _, field = key.partition(".")
        settings = {**shipped.models, **shipped.steps}[stage]
        assert space.holds(get_setting(build_stage(stage, settings).config, field)), key


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_survives_as_toml(name, tmp_path):
    shipped = load_recipe(name)
    (tmp_path / "again.toml").write_text(recipe_toml(shipped, ["a comment"]), encoding="utf-8")
    assert load_recipe(tmp_path / "again.toml") == shipped


def test_quotes_and_control_characters_survive_as_toml(tmp_path):
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
    best = search(tmp_path, data, trials=10)
    assert best.start is not None
    assert best.value > best.start
    assert best.recipe.models["knob"]["turn"] > 0.2
    assert best.recipe.name.endswith("-tuned")
    (tmp_path / "best.toml").write_text(recipe_toml(best.recipe), encoding="utf-8")
    protocol = Protocol(k=(1,)).resolved(data, best.recipe)
    inner, validation = validation_data(data, protocol, {})
    again = evaluate(inner, [load_recipe(tmp_path / "best.toml")], validation)
    assert again.result("fused").metrics["ndcg@1"].value == best.value


def test_tune_continues_a_study(tmp_path):
    heard = []
    first = search(tmp_path, trials=3, on_trial=lambda trial, _best: heard.append(trial.number))
    assert len(first.trials) == 3
    again = search(tmp_path, trials=5, on_trial=lambda trial, _best: heard.append(trial.number))
    assert [trial.number for trial in again.trials] == heard == [0, 1, 2, 3, 4]
    assert [trial.settings for trial in again.trials[:3]] == [
        trial.settings for trial in first.trials
    ]
    nothing = search(tmp_path, trials=5, on_trial=lambda *_args: pytest.fail("no trial was left"))
    assert nothing.value == again.value
    other = search(tmp_path, trials=1, protocol=Protocol(k=(1,), seed=1))
    assert len(other.trials) == 1


def test_an_interrupt_keeps_finished_trials(tmp_path):
    def stop(trial, _best):
        if trial.number == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, trials=9, on_trial=stop)
    assert [trial.number for trial in search(tmp_path, trials=2).trials] == [0, 1]


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
def test_an_interrupt_within_optuna_is_deferred(tmp_path, place, whole):
    """Trial 0 is put in line, begun and ended, each by one update; trial 1 is only ended by one."""
    heard = []
    with signalled(place) as seen, pytest.raises(KeyboardInterrupt):
        search(tmp_path, trials=9, on_trial=lambda trial, _best: heard.append(trial.number))
    assert len(seen) >= place
    assert heard == list(range(whole))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    again = search(tmp_path, trials=2)
    assert len(again.trials) == 2
    assert None not in [trial.value for trial in again.trials]


def test_the_first_trial_is_the_recipe_after_an_interrupt(tmp_path):
    toy = recipe("Halting", steps=())
    Halting.next_one = True
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, toy=toy, trials=2)
    tuned = search(tmp_path, toy=toy, trials=2)
    usual = build_stage("halting", toy.models["halting"]).config
    assert tuned.trials[0].settings["halting.turn"] == usual.turn
    assert tuned.start == tuned.trials[0].value is not None


def test_poor_settings_are_pruned(tmp_path):
    tuned = search(tmp_path, clock(users=200), trials=14)
    assert any(trial.value is None for trial in tuned.trials)
    assert all(trial.value is not None for trial in tuned.trials[:4])


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
    asked = {int(time) for queries in witness.asked for time in queries.times}
    witness.__init__()
    search(
        tmp_path,
        data,
        recipe("Spy", "Knob"),
        trials=2,
        protocol=protocol,
        metric="recall@10",
    )
    seen = {int(number) for fitted in witness.fits for number in fitted.interactions.offsets}
    seen |= {int(time) for queries, _, targets in witness.taught for time in queries.history.times}
    settled = protocol.resolved(data, recipe("Spy"))
    inner, _ = validation_data(data, settled, {})
    fitted = {int(offset) for offset in inner.interactions.offsets}
    events = data.interactions
    held = ~np.isin(events.offsets, list(fitted))
    if protocol.name == "leave-one-out":
        last = np.cumsum(np.bincount(events.users)) - 1
        assert set(np.flatnonzero(held)) == set(last.tolist())
    elif protocol.name == "time":
        assert (events.times[held] > settled.cut(data, protocol.windows)).all()
        assert held.sum() == (events.times > settled.cut(data, protocol.windows)).sum()
    else:
        assert len(np.unique(events.users[held])) == 12
    for dataset in witness.fits:
        assert set(dataset.interactions.offsets.tolist()) <= fitted
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
        users=[data.users.id(number) for number in range(data.n_users)],
        items=[data.catalogue.id(number) for number in range(data.n_items)],
    )
    first_tuned, two = (
        search(
            tmp_path / name,
            dataset,
            recipe("Knob", "Counts"),
            protocol=Protocol(seen="keep"),
            metric="ndcg@10",
            trials=3,
        )
        for name, dataset in (("a", data), ("b", moved))
    )
    assert [trial.value for trial in first_tuned.trials] == [trial.value for trial in two.trials]


def test_tune_refuses_unknown_metrics_and_settings(tmp_path):
    for options, field in (
        ({"metric": "beauty"}, "metric"),
        ({"only": ["linear"]}, "only"),
        ({"toy": recipe("Counts")}, "recipe"),
        ({"trials": 0}, "trials"),
    ):
        with pytest.raises(InputError) as refused:
            search(tmp_path, **options)
        assert refused.value.field == field


def test_only_narrows_the_search(tmp_path):
    tuned = search(tmp_path, trials=2, only=["knob.turn"])
    assert set(tuned.trials[1].settings) == {"knob.turn"}


def test_with_settings_changes_a_copy_of_the_stage():
    toy = recipe("Knob", "Counts")
    changed = with_settings(toy, {"knob.turn": 0.5})
    assert changed.models["knob"]["turn"] == 0.5
    assert "turn" not in toy.models["knob"]


def test_with_settings_changes_nested_tables_and_keeps_their_other_settings(tmp_path):
    full = load_recipe("full")
    assert "sequence.training.learning_rate" in recipe_search_space(full)
    settings = {"sequence.training.learning_rate": 0.004, "popular.half_life_days": None}
    changed = with_settings(with_settings(full, {"sequence.training.epochs": 7}), settings)
    assert not full.models["sequence"]
    (tmp_path / "best.toml").write_text(recipe_toml(changed), encoding="utf-8")
    again = load_recipe(tmp_path / "best.toml")
    config = build_stage("sequence", again.models["sequence"]).config
    usual = build_stage("sequence", {}).config.training
    assert config.training == replace(usual, epochs=7, learning_rate=0.004)


def test_nested_settings_are_searched(tmp_path):
    """The first trial is the recipe as it is, the others draw from the range."""
    training = {"epochs": 1, "batch_size": 512}
    toy = Recipe.of(
        {"models": {"graph": {"use_triples": False, "embedding_dim": 4, "training": training}}}
    )
    tuned = search(tmp_path, toy=toy, trials=3, only=["graph.training."])
    rates = [trial.settings["graph.training.learning_rate"] for trial in tuned.trials]
    assert rates[0] == build_stage("graph", {}).config.training.learning_rate
    assert len(set(rates)) == 3
    best = tuned.recipe.models["graph"]["training"]
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


def test_tune_refuses_a_metric_without_value(tmp_path, caplog):
    toy, clicks = recipe("Knob"), Protocol(name="clicks", test_days=10)
    with pytest.raises(ProtocolError) as refused:
        search(tmp_path, lone(), toy, 3, clicks, metric="gauc")
    assert refused.value.field == "metric"
    assert not [record for record in caplog.records if record.levelname != "INFO"]


def test_no_trial_is_pruned_by_a_metric_that_few_users_leave_undefined(tmp_path):
    """Those who have both clicks and misses are none of the few that are tried first."""
    toy, clicks = recipe("Knob"), Protocol(name="clicks", test_days=10)
    few = np.flatnonzero(sample_users(lone(), SHARE, clicks.seed))
    data = lone(both=np.setdiff1d(np.arange(40), few))
    tuned = search(tmp_path, data, toy, STARTERS + 3, clicks, metric="gauc")
    assert all(trial.value is not None for trial in tuned.trials)


def test_diversity_is_searched_at_the_largest_k_only(tmp_path):
    with pytest.raises(InputError) as refused:
        search(tmp_path, protocol=Protocol(k=(2, 5)), metric="diversity@2")
    assert refused.value.field == "metric"
    tuned = search(tmp_path, protocol=Protocol(k=(2, 5)), metric="diversity@5", trials=1)
    assert 0 <= tuned.value <= 1


@pytest.mark.parametrize("damage", [b"this is no data base" * 300, None], ids=["other", "cut"])
def test_a_damaged_study_raises_a_storage_error(damage, tmp_path):
    search(tmp_path, trials=1)
    path = tmp_path / "studies.db"
    path.write_bytes(damage or path.read_bytes()[:20_000])
    with pytest.raises(StorageError, match=r"studies\.db"):
        search(tmp_path, trials=1)
