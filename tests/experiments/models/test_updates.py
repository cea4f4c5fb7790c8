"""Fitted models that are updated with new events."""

import numpy as np
import pytest

import plait
from plait import models
from plait.errors import InputError
from plait.experiments.data.dataset_join import joined

COLUMNS = ("user", "item", "time")


def rows(users, steps, n_items=12):
    return [
        {
            "user": f"u{user}",
            "item": f"i{(user + step) % n_items}",
            "time": 100 + step,
            "rating": 1 + (3 * user + step) % n_items % 5,
        }
        for user in users
        for step in steps
    ]


OLD = rows(range(30), range(5))
NEW = rows(range(20, 40), range(5, 8), 14)


@pytest.fixture(scope="module")
def old():
    return plait.Dataset.of(OLD)


@pytest.fixture(scope="module")
def whole():
    return plait.Dataset.of([*OLD, *NEW])


def events(dataset):
    return sorted(dataset.to_frame().select(COLUMNS).rows())


def test_joined_data_are_those_of_all_events(old, whole):
    both = joined(old, plait.Dataset.of(NEW))
    assert events(both) == events(whole)
    assert both.user_ids[:30] == old.user_ids
    assert both.item_ids[: old.n_items] == old.item_ids
    numbers = both.interactions
    assert (np.diff(numbers.users) >= 0).all()
    again = joined(old, plait.Dataset.of(rows([77], range(3), 30)))
    assert again.users.number("u77") == 30
    assert again.users.number("u35") == -1
    assert len(old.interactions) == len(OLD)


def test_new_items_bring_their_fields_and_old_items_retain_theirs():
    first = plait.Dataset.of([{"user": "a", "item": "x"}], items=[{"item": "x", "title": "old"}])
    later = plait.Dataset.of(
        [{"user": "a", "item": "y", "kind": "purchase"}],
        items=[{"item": "x", "title": "other"}, {"item": "y", "title": "new", "price": 2.0}],
    )
    both = joined(first, later)
    fields = {both.catalogue.id(n): both.catalogue.fields(n) for n in range(both.n_items)}
    assert fields["x"] == {"title": "old"}
    assert fields["y"]["title"] == "new"
    assert both.to_frame()["kind"].to_list() == ["view", "purchase"]
    assert both.to_frame()["item"].to_list() == ["x", "y"]


def test_events_without_times_do_not_join_events_with_times(old):
    with pytest.raises(InputError):
        joined(old, plait.Dataset.from_arrays(["u1"], ["i1"]))


def margin(fitted):
    """How much higher the items of users score than others; for ratings: how near they are."""
    frame = fitted.dataset.to_frame()
    scores = fitted.scores(frame)
    if "rating" in scores.columns:
        return -float((scores["rating"] - frame["value"]).pow(2).mean())
    rows = frame.select("user", "item").rows()
    every = [(user, item) for user in frame["user"].unique() for item in frame["item"].unique()]
    others = fitted.scores(sorted({*every} - {*rows}))
    return float(scores["score"].mean() - others["score"].mean())


@pytest.mark.parametrize(
    ("package", "model", "rounds"),
    [
        ("implicit", models.IALS(factors=6, iterations=30), {"iterations": 1}),
        ("implicit", models.BPR(factors=6, iterations=200, learning_rate=0.1), {"iterations": 2}),
        (None, models.SVDpp(factors=2, burn_in=50), {"iterations": 2, "burn_in": 1}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_models_that_learn_go_on_from_what_they_learned(package, model, rounds, old):
    if package:
        pytest.importorskip(package)
    fitted = model.fit(old)
    updated = fitted.update(plait.Dataset.of(NEW), share=0.01)
    assert updated.warm_started
    assert not fitted.warm_started
    short = model.clone().set_params(**rounds).fit(updated.dataset)
    assert margin(updated) > margin(short)
    assert len(updated.recommend(["u39"], k=3)) == 3
    assert len(updated.item_vectors.ids) == 14


@pytest.mark.parametrize(
    "model",
    [
        models.SASRec(dim=16, layers=1, dropout=0.0, epochs=8, batch_size=16),
        models.LightGCN(dim=16, epochs=8),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_network_goes_on_from_its_weights(model, old):
    pytest.importorskip("torch")
    losses = []

    def record(_epoch, values):
        losses.append(values["loss"])

    fitted = model.fit(old, callbacks=record)
    cold_start = losses[0]
    losses.clear()
    updated = fitted.update(NEW, share=0.5, callbacks=record)
    assert updated.warm_started
    assert len(losses) == 4
    assert losses[0] < cold_start
    updated.update(NEW[:1], share=0.5, callbacks=record)
    assert len(losses) == 8  # of the first fit, not of the update
    assert len(updated.recommend(["u39"], k=3)) == 3
    assert "i13" in updated.item_vectors.ids


def test_an_update_is_saved(tmp_path, old):
    updated = models.EASE().fit(old).update(NEW)
    updated.save(tmp_path / "model")
    assert models.load(tmp_path / "model").recommend(k=3).equals(updated.recommend(k=3))
