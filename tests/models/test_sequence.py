"""The stage `sequence`: it learns what follows what, knows new items, and goes on when stopped."""

import os
import signal
from dataclasses import replace

import numpy as np
import pytest

from plait.data.ragged import Ragged
from plait.data.types import ABSENT
from plait.errors import BundleError, ConflictError, InputError
from plait.models.sequential.sequence import Sequence, SequenceConfig
from plait.pipeline.array_files import write_arrays
from plait.pipeline.fit_context import FitContext, ValidationSet
from plait.testing.queries import ask, changed, listed, scores, state_with
from plait.testing.synthetic_data import (
    clock,
    late_arrivals,
    make_dataset,
    positions_only,
    two_topics,
)
from plait.training.config import TrainingConfig

FAST = TrainingConfig(epochs=80, learning_rate=0.01, batch_size=16, patience=0)
NETWORKS = ("sasrec", "gru", "lstm", "bert4rec", "hstu")


def made(*, training=FAST, **changes):
    given = {"embedding_dim": 16, "dropout": 0.1, **changes}
    return Sequence(SequenceConfig(training=training, **given), name="sequence")


def patient(network):
    """A masked network is asked less in each epoch, and so needs more of them."""
    return replace(FAST, epochs=200) if network == "bert4rec" else FAST


def hours(last):
    """Three hours, the last one included."""
    return [f"hour-{(last - back) % 12}" for back in (2, 1, 0)]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("timed", [True, False])
def test_the_next_hour_comes_next(network, timed):
    dataset = clock() if timed else positions_only()
    stage = made(network=network, training=patient(network)).fit(dataset)
    starts = [0, 3, 7, 11]
    asked = ask(dataset.catalogue, *(hours(one) for one in starts))
    found = listed(stage.retrieve(asked, 1), dataset.catalogue)
    assert found == [[f"hour-{(one + 1) % 12}"] for one in starts]


@pytest.mark.parametrize(
    "changes",
    [
        {"loss": "sampled", "num_negatives": 8},
        {"loss": "sampled", "num_negatives": 8, "negative_popularity_exponent": 0.75},
        {"loss": "softmax", "label_smoothing": 0.1},
        {"bf16_logits": False},
        {"use_item_features": False},
    ],
)
def test_every_loss_learns(changes):
    dataset = clock()
    stage = made(**changes).fit(dataset)
    asked = ask(dataset.catalogue, ["hour-4", "hour-5"])
    assert listed(stage.retrieve(asked, 1), dataset.catalogue) == [["hour-6"]]


@pytest.mark.parametrize("network", ["sasrec", "hstu", "bert4rec"])
def test_eight_layers_stay_stable(network):
    dataset = clock()
    stage = made(network=network, num_layers=8, training=patient(network)).fit(dataset)
    asked = ask(dataset.catalogue, *(hours(one) for one in range(12)))
    found = listed(stage.retrieve(asked, 1), dataset.catalogue)
    right = sum(row == [f"hour-{(one + 1) % 12}"] for one, row in enumerate(found))
    assert right >= 10  # chance finds one


def test_order_matters_and_not_only_what_is_there():
    events = []
    for user in range(40):
        first, second, third = ("a", "b", "c") if user % 2 else ("b", "a", "d")
        events += [(f"u{user}", one, float(day)) for day, one in enumerate((first, second, third))]
    dataset = make_dataset(events)
    stage = made().fit(dataset)
    asked = ask(dataset.catalogue, ["a", "b"], ["b", "a"])
    found = scores(stage, asked, dataset.catalogue, "c", "d")
    assert found[0, 0] > found[0, 1]
    assert found[1, 1] > found[1, 0]


def test_the_time_between_two_events_matters():
    events = []
    for user in range(60):
        soon = user % 2
        gap = 0.01 if soon else 90.0
        last = "case" if soon else "battery"
        events += [(f"u{user}", "shop", 0.0), (f"u{user}", "phone", gap), (f"u{user}", last, 200.0)]
    dataset = make_dataset(events)
    stage = made(network="hstu", max_length=5).fit(dataset)
    asked = ask(dataset.catalogue, ["shop", "phone"], ["shop", "phone"])
    times = asked.history.times.copy()
    times[1], times[3] = times[0] + 864_000_000, times[2] + 90 * 86_400_000_000
    asked = replace(asked, history=replace(asked.history, times=times))
    found = scores(stage, asked, dataset.catalogue, "case", "battery")
    assert found[0, 0] > found[0, 1]
    assert found[1, 1] > found[1, 0]


def test_no_history_no_answer_and_unknown_items_are_passed_over():
    dataset = clock()
    stage = made().fit(dataset)
    asked = ask(dataset.catalogue, [], ["hour-3"])
    assert np.isnan(scores(stage, asked, dataset.catalogue, "hour-4")).tolist() == [[True], [False]]
    assert listed(stage.retrieve(asked, 3), dataset.catalogue)[0] == []
    beyond = ask(dataset.catalogue, ["hour-3", "hour-3"], ["hour-3"])
    beyond.history.items[0] = 99
    found = scores(stage, beyond, dataset.catalogue, "hour-4", "hour-5")
    np.testing.assert_array_equal(found[0], found[1])


def test_only_the_newest_events_are_read():
    dataset = clock()
    stage = made(max_length=3).fit(dataset)
    long = [f"hour-{one % 12}" for one in range(40)]
    asked = ask(dataset.catalogue, long, long[-3:], long[-2:])
    times = asked.history.times - asked.history.times[asked.history.offsets[1:] - 1].repeat(
        asked.history.lengths
    )
    asked = replace(asked, history=replace(asked.history, times=times))
    found = scores(stage, asked, dataset.catalogue, "hour-4", "hour-7")
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)
    assert not np.allclose(found[0], found[2])


def test_users_of_one_event_teach_nothing_and_hurt_nobody():
    alone = two_topics()
    stage = made().fit(alone)
    asked = ask(alone.catalogue, ["garden-1"])
    assert np.isnan(scores(stage, asked, alone.catalogue, "garden-2")).all()
    assert listed(stage.retrieve(asked, 3), alone.catalogue) == [[]]


def test_items_without_interactions_stand_where_their_words_say():
    dataset = late_arrivals(users=40)
    words = replace(SequenceConfig().features, min_df=1, max_df=1.0)
    stage = made(features=words).fit(dataset)
    asked = ask(dataset.catalogue, ["black-1", "black-2", "black-3"])
    found = scores(stage, asked, dataset.catalogue, "black-late", "white-late")
    assert found[0, 0] > found[0, 1]
    plain = made(use_item_features=False).fit(dataset)
    asked = ask(dataset.catalogue, ["black-1", "black-2", "black-3"])
    assert np.isnan(scores(plain, asked, dataset.catalogue, "black-late")).all()
    assert plain.update(dataset.catalogue, dataset.version, None) is None


def test_an_item_that_came_after_the_fit_is_brought_and_read():
    dataset = late_arrivals(users=40)
    words = replace(SequenceConfig().features, min_df=1, max_df=1.0)
    stage = made(features=words).fit(dataset)
    fields = {"title": "night coal ink", "brand": "black works"}
    catalogue = changed(dataset.catalogue, dataset.version, {"new": fields})
    live = state_with(stage, dataset, catalogue)
    asked = ask(catalogue, ["black-1", "black-2"], ["new"], live=live)
    assert "new" in listed(stage.retrieve(asked, 9), catalogue)[0]
    found = scores(stage, asked, catalogue, "black-4", "white-4")
    assert found[1, 0] > found[1, 1]
    assert stage.explain(asked, np.full((2, 1), catalogue.number("new"), np.int32))[1, 0] == (
        catalogue.number("new")
    )


def test_reasons_are_the_nearest_of_the_history():
    dataset = late_arrivals(users=40)
    words = replace(SequenceConfig().features, min_df=1, max_df=1.0)
    stage = made(features=words).fit(dataset)
    asked = ask(dataset.catalogue, ["white-1", "black-1"], [])
    wanted = dataset.catalogue.numbers(["black-2", "white-2"])
    found = stage.explain(asked, np.stack([wanted, wanted]))
    assert found[0].tolist() == dataset.catalogue.numbers(["black-1", "white-1"]).tolist()
    assert (found[1] == ABSENT).all()


def held(dataset):
    """Every third hour is asked for what follows it."""
    hours = list(range(0, 12, 3))
    queries = ask(dataset.catalogue, *([f"hour-{one}"] for one in hours))
    targets = dataset.catalogue.numbers([f"hour-{(one + 1) % 12}" for one in hours])
    return ValidationSet(queries, Ragged.from_rows(targets[:, None].tolist()))


def answers(stage, dataset):
    asked = ask(dataset.catalogue, *([f"hour-{one}"] for one in range(12)))
    return stage.score(asked, np.tile(np.arange(12, dtype=np.int32), (12, 1)))


def test_it_stops_early_and_a_refit_takes_as_many_epochs():
    dataset = clock()
    told = []

    class Listens:
        def begin(self, run, settings):
            told.append(run)

        def report(self, epoch, values):
            told.append(epoch)

        def end(self):
            told.append("end")

    training = replace(FAST, patience=3, epochs=400)
    context = FitContext(held=held(dataset), trackers=(Listens(),)).for_stage("sequence")
    first = made(training=training).train(dataset, context)
    epochs = told[-2]
    assert told[0] == "sequence"
    assert epochs < 400
    told.clear()
    again = first.train(dataset, FitContext(trackers=(Listens(),)))
    assert told[-2] == epochs - 3
    np.testing.assert_array_equal(answers(again, dataset), answers(first, dataset))


class Stops:
    """Sends Ctrl-C after two epochs."""

    def begin(self, run, settings):
        """Nothing to do."""

    def report(self, epoch, values):
        if epoch == 2:
            os.kill(os.getpid(), signal.SIGINT)

    def end(self):
        """Nothing to do."""


def test_an_interrupted_fit_goes_on(tmp_path):
    dataset = clock()
    training = replace(FAST, epochs=6)
    whole = made(training=training).train(dataset, FitContext(held=held(dataset)))
    context = FitContext(held=held(dataset), folder=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        made(training=training).train(dataset, replace(context, trackers=(Stops(),)))
    resumed = made(training=training).train(dataset, context)
    np.testing.assert_array_equal(answers(resumed, dataset), answers(whole, dataset))


def slower(dataset):
    """The same events, twice as far apart."""
    found = dataset.interactions
    return replace(dataset, interactions=replace(found, times=2 * found.times))


@pytest.mark.parametrize(
    ("other", "changes", "named"),
    [
        (clock(hours=11), {}, "histories|shapes|vocabulary"),
        (slower(clock()), {}, "histories"),
        (clock(), {"dropout": 0.2}, "settings.dropout"),
        (clock(), {"training": replace(FAST, learning_rate=0.02)}, "training.learning_rate"),
    ],
)
def test_a_checkpoint_of_another_model_or_vocabulary_is_refused(tmp_path, other, changes, named):
    context = FitContext(folder=tmp_path, trackers=(Stops(),))
    with pytest.raises(KeyboardInterrupt):
        made().train(clock(), context)
    with pytest.raises(ConflictError, match=rf"its ({named})(\.\S+)? is"):
        made(**changes).train(other, FitContext(folder=tmp_path))


def test_a_checkpoint_of_items_that_say_something_else_is_refused(tmp_path):
    words = replace(SequenceConfig().features, min_df=1, max_df=1.0)
    dataset = late_arrivals()
    brands = dataset.catalogue.columns["brand"]
    assert len(set(brands.values)) > 1
    other = {**dataset.catalogue.columns, "brand": replace(brands, values=brands.values[::-1])}
    with pytest.raises(KeyboardInterrupt):
        made(features=words).train(dataset, FitContext(folder=tmp_path, trackers=(Stops(),)))
    said = replace(dataset, catalogue=replace(dataset.catalogue, columns=other))
    with pytest.raises(ConflictError, match="its words is"):
        made(features=words).train(said, FitContext(folder=tmp_path))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"num_heads": 3}, "sequence.num_heads"),
        ({"dropout": 1.0}, "sequence.dropout"),
        ({"num_layers": 0}, "sequence.num_layers"),
        ({"mask_probability": 1.0}, "sequence.mask_probability"),
        ({"training": replace(FAST, batch_size=0)}, "sequence.training.batch_size"),
        ({"embedding_dim": 2**33}, "embedding_dim"),
        ({"max_length": 2**36}, "history"),
        ({"loss": "sampled", "num_negatives": 2**40}, "negatives"),
    ],
)
def test_settings_that_cannot_be_or_do_not_fit_are_named(changes, field):
    with pytest.raises(InputError) as it:
        made(**changes).fit(clock())
    assert it.value.field == field


def test_a_history_longer_than_all_takes_no_more_than_there_is():
    dataset = clock()
    training = replace(FAST, epochs=2, batch_size=2**20)
    stage = made(max_length=3000, training=training).fit(dataset)
    assert np.isfinite(answers(stage, dataset)).all()


def test_long_histories_that_do_not_fit_are_refused():
    events = [(f"u{one % 2}", f"i{one % 7}", float(one)) for one in range(100_000)]
    told = {"num_heads": 16, "num_layers": 8, "training": replace(FAST, epochs=1)}
    with pytest.raises(InputError, match="max_length alone takes") as it:
        made(max_length=100_000, **told).fit(make_dataset(events))
    assert (it.value.field, it.value.hint) == ("max_length", "make max_length smaller")


@pytest.mark.parametrize("network", ["sasrec", "hstu", "bert4rec"])
def test_layers_that_shared_what_they_know_of_distances_are_not_taken_for_others(network, tmp_path):
    dataset = clock()
    stage = made(network=network, num_layers=2, training=replace(FAST, epochs=1)).fit(dataset)
    stage.save(tmp_path)
    loaded = Sequence.load(stage.config, "sequence", tmp_path)
    np.testing.assert_allclose(answers(loaded, dataset), answers(stage, dataset), rtol=1e-6)
    arrays = dict(stage._weights)
    arrays["layers.bias.steps"] = arrays["layers.bias.steps"][:2]
    write_arrays(tmp_path / "network.safetensors", arrays)
    with pytest.raises(BundleError, match="one time bias for all layers") as it:
        Sequence.load(stage.config, "sequence", tmp_path)
    assert it.value.hint == "fit again"


def test_seeds_decide():
    dataset = clock()
    one, two, other = (
        answers(made(training=replace(FAST, epochs=3)).fit(dataset, seed=seed), dataset)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, two)
    assert (one != other).any()


def test_loading_needs_no_network_until_it_is_asked(tmp_path):
    dataset = clock()
    stage = made().fit(dataset)
    stage.save(tmp_path)
    loaded = Sequence.load(stage.config, "sequence", tmp_path)
    assert loaded._network is None
    np.testing.assert_allclose(answers(loaded, dataset), answers(stage, dataset), rtol=1e-6)
