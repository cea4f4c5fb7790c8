"""The stage `sequence`: it predicts the next item, knows new items, and resumes when stopped."""

import os
import signal
from dataclasses import replace

import numpy as np
import pytest

from plait.data.ragged import Ragged
from plait.data.types import ABSENT
from plait.errors import ConflictError, InputError
from plait.models.sequential.sequential_recommender import Sequence, SequenceConfig
from plait.pipeline.fit_context import FitContext, ValidationSet
from plait.testing.catalogue_changes import changed, state_with
from plait.testing.queries import ask, listed, scores
from plait.testing.synthetic_data import (
    clock,
    late_arrivals,
    make_dataset,
    positions_only,
    two_topics,
)
from plait.training.config import TrainingConfig
from tests.training.training_runs import RecordingTracker

FAST = TrainingConfig(epochs=40, learning_rate=0.01, batch_size=16, patience=0)
NETWORKS = ("sasrec", "gru", "lstm", "bert4rec", "hstu")


def sequence(*, training=FAST, **changes):
    settings = {"embedding_dim": 16, "dropout": 0.1, **changes}
    return Sequence(SequenceConfig(training=training, **settings), name="sequence")


def training_of(network):
    """A masked network has fewer targets in an epoch, and so needs more epochs."""
    return replace(FAST, epochs=120) if network == "bert4rec" else FAST


def hours(last):
    """Three hours, the last one included."""
    return [f"hour-{(last - age) % 12}" for age in (2, 1, 0)]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("timed", [True, False])
def test_every_network_predicts_the_next_hour(network, timed):
    dataset = clock() if timed else positions_only()
    stage = sequence(network=network, training=training_of(network)).fit(dataset)
    starts = [0, 3, 7, 11]
    queries = ask(dataset.catalogue, *(hours(start) for start in starts))
    retrieved = listed(stage.retrieve(queries, 1), dataset.catalogue)
    assert retrieved == [[f"hour-{(start + 1) % 12}"] for start in starts]


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
def test_every_loss_predicts_the_next_hour(changes):
    dataset = clock()
    stage = sequence(**changes).fit(dataset)
    queries = ask(dataset.catalogue, ["hour-4", "hour-5"])
    assert listed(stage.retrieve(queries, 1), dataset.catalogue) == [["hour-6"]]


@pytest.mark.parametrize("network", ["sasrec", "hstu", "bert4rec"])
def test_eight_layers_train_stably(network):
    dataset = clock()
    stage = sequence(network=network, num_layers=8, training=training_of(network)).fit(dataset)
    queries = ask(dataset.catalogue, *(hours(hour) for hour in range(12)))
    retrieved = listed(stage.retrieve(queries, 1), dataset.catalogue)
    n_right = sum(row == [f"hour-{(hour + 1) % 12}"] for hour, row in enumerate(retrieved))
    assert n_right >= 10  # one is expected by chance


def test_scores_depend_on_the_order_of_events():
    events = []
    for user in range(40):
        first, second, third = ("a", "b", "c") if user % 2 else ("b", "a", "d")
        items = (first, second, third)
        events += [(f"u{user}", item, float(day)) for day, item in enumerate(items)]
    dataset = make_dataset(events)
    stage = sequence().fit(dataset)
    queries = ask(dataset.catalogue, ["a", "b"], ["b", "a"])
    result = scores(stage, queries, dataset.catalogue, "c", "d")
    assert result[0, 0] > result[0, 1]
    assert result[1, 1] > result[1, 0]


def test_scores_depend_on_the_time_between_events():
    events = []
    for user in range(60):
        soon = user % 2
        gap = 0.01 if soon else 90.0
        last = "case" if soon else "battery"
        events += [(f"u{user}", "shop", 0.0), (f"u{user}", "phone", gap), (f"u{user}", last, 200.0)]
    dataset = make_dataset(events)
    stage = sequence(network="hstu", max_length=5).fit(dataset)
    queries = ask(dataset.catalogue, ["shop", "phone"], ["shop", "phone"])
    times = queries.history.times.copy()
    times[1], times[3] = times[0] + 864_000_000, times[2] + 90 * 86_400_000_000
    queries = replace(queries, history=replace(queries.history, times=times))
    result = scores(stage, queries, dataset.catalogue, "case", "battery")
    assert result[0, 0] > result[0, 1]
    assert result[1, 1] > result[1, 0]


def test_an_empty_history_has_no_scores_and_unknown_items_are_ignored():
    dataset = clock()
    stage = sequence().fit(dataset)
    queries = ask(dataset.catalogue, [], ["hour-3"])
    assert np.isnan(scores(stage, queries, dataset.catalogue, "hour-4")).tolist() == [
        [True],
        [False],
    ]
    assert listed(stage.retrieve(queries, 3), dataset.catalogue)[0] == []
    beyond = ask(dataset.catalogue, ["hour-3", "hour-3"], ["hour-3"])
    beyond.history.items[0] = 99
    result = scores(stage, beyond, dataset.catalogue, "hour-4", "hour-5")
    np.testing.assert_array_equal(result[0], result[1])


def test_only_the_newest_events_are_read():
    dataset = clock()
    stage = sequence(max_length=3).fit(dataset)
    long = [f"hour-{hour % 12}" for hour in range(40)]
    queries = ask(dataset.catalogue, long, long[-3:], long[-2:])
    times = queries.history.times - queries.history.times[queries.history.offsets[1:] - 1].repeat(
        queries.history.lengths
    )
    queries = replace(queries, history=replace(queries.history, times=times))
    result = scores(stage, queries, dataset.catalogue, "hour-4", "hour-7")
    np.testing.assert_allclose(result[0], result[1], rtol=1e-5)
    assert not np.allclose(result[0], result[2])


def test_users_of_one_event_leave_a_stage_without_scores():
    alone = two_topics()
    stage = sequence().fit(alone)
    queries = ask(alone.catalogue, ["garden-1"])
    assert np.isnan(scores(stage, queries, alone.catalogue, "garden-2")).all()
    assert listed(stage.retrieve(queries, 3), alone.catalogue) == [[]]


def test_items_without_interactions_have_the_vectors_of_their_fields():
    dataset = late_arrivals(users=40)
    words = replace(SequenceConfig().features, min_df=1, max_df=1.0)
    stage = sequence(features=words).fit(dataset)
    queries = ask(dataset.catalogue, ["black-1", "black-2", "black-3"])
    result = scores(stage, queries, dataset.catalogue, "black-late", "white-late")
    assert result[0, 0] > result[0, 1]
    plain = sequence(use_item_features=False).fit(dataset)
    queries = ask(dataset.catalogue, ["black-1", "black-2", "black-3"])
    assert np.isnan(scores(plain, queries, dataset.catalogue, "black-late")).all()
    assert plain.update(dataset.catalogue, dataset.version, None) is None


def test_an_item_added_after_the_fit_is_retrieved_and_read():
    dataset = late_arrivals(users=40)
    words = replace(SequenceConfig().features, min_df=1, max_df=1.0)
    stage = sequence(features=words).fit(dataset)
    fields = {"title": "night coal ink", "brand": "black works"}
    catalogue = changed(dataset.catalogue, dataset.version, {"new": fields})
    live = state_with(stage, dataset, catalogue)
    queries = ask(catalogue, ["black-1", "black-2"], ["new"], live=live)
    assert "new" in listed(stage.retrieve(queries, 9), catalogue)[0]
    result = scores(stage, queries, catalogue, "black-4", "white-4")
    assert result[1, 0] > result[1, 1]
    assert stage.explain(queries, np.full((2, 1), catalogue.number("new"), np.int32))[1, 0] == (
        catalogue.number("new")
    )


def test_explain_names_the_nearest_item_of_the_history():
    dataset = late_arrivals(users=40)
    words = replace(SequenceConfig().features, min_df=1, max_df=1.0)
    stage = sequence(features=words).fit(dataset)
    queries = ask(dataset.catalogue, ["white-1", "black-1"], [])
    candidates = dataset.catalogue.numbers(["black-2", "white-2"])
    explained_by = stage.explain(queries, np.stack([candidates, candidates]))
    expected = dataset.catalogue.numbers(["black-1", "white-1"]).tolist()
    assert explained_by[0].tolist() == expected
    assert (explained_by[1] == ABSENT).all()


def validation_set(dataset):
    """Queries of every third hour, whose target is the hour after it."""
    hours = list(range(0, 12, 3))
    queries = ask(dataset.catalogue, *([f"hour-{hour}"] for hour in hours))
    targets = dataset.catalogue.numbers([f"hour-{(hour + 1) % 12}" for hour in hours])
    return ValidationSet(queries, Ragged.from_rows(targets[:, None].tolist()))


def all_scores(stage, dataset):
    queries = ask(dataset.catalogue, *([f"hour-{hour}"] for hour in range(12)))
    return stage.score(queries, np.tile(np.arange(12, dtype=np.int32), (12, 1)))


def test_a_refit_takes_the_best_number_of_epochs_of_early_stopping():
    dataset = clock()
    training = replace(FAST, patience=3, epochs=400)
    trackers = RecordingTracker(), RecordingTracker()
    context = FitContext(held=validation_set(dataset), trackers=trackers[:1])
    first = sequence(training=training).train(dataset, context.for_stage("sequence"))
    (_, name, _), *_, (epochs, _), _ = trackers[0].calls
    assert name == "sequence"
    assert epochs < 400
    refitted = first.train(dataset, FitContext(trackers=trackers[1:]))
    assert trackers[1].calls[-2][0] == epochs - 3
    np.testing.assert_array_equal(all_scores(refitted, dataset), all_scores(first, dataset))


class InterruptingTracker(RecordingTracker):
    """Sends Ctrl-C after two epochs."""

    def report(self, epoch, values):
        if epoch == 2:
            os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupted_fit_resumes(tmp_path):
    dataset = clock()
    training = replace(FAST, epochs=6)
    whole = sequence(training=training).train(dataset, FitContext(held=validation_set(dataset)))
    context = FitContext(held=validation_set(dataset), folder=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        sequence(training=training).train(
            dataset, replace(context, trackers=(InterruptingTracker(),))
        )
    resumed = sequence(training=training).train(dataset, context)
    np.testing.assert_array_equal(all_scores(resumed, dataset), all_scores(whole, dataset))


def slower(dataset):
    """The same events, twice as far apart."""
    events = dataset.interactions
    return replace(dataset, interactions=replace(events, times=2 * events.times))


@pytest.mark.parametrize(
    ("other", "changes", "fields"),
    [
        (clock(hours=11), {}, {"histories"}),
        (slower(clock()), {}, {"histories"}),
        (clock(), {"dropout": 0.2}, {"settings.dropout"}),
        (clock(), {"training": replace(FAST, learning_rate=0.02)}, {"training.learning_rate"}),
    ],
)
def test_a_checkpoint_of_other_settings_or_data_is_rejected(tmp_path, other, changes, fields):
    context = FitContext(folder=tmp_path, trackers=(InterruptingTracker(),))
    with pytest.raises(KeyboardInterrupt):
        sequence().train(clock(), context)
    with pytest.raises(ConflictError) as error:
        sequence(**changes).train(other, FitContext(folder=tmp_path))
    assert error.value.field in fields


def test_a_checkpoint_of_items_with_other_fields_is_rejected(tmp_path):
    words = replace(SequenceConfig().features, min_df=1, max_df=1.0)
    dataset = late_arrivals()
    brands = dataset.catalogue.columns["brand"]
    assert len(set(brands.values)) > 1
    other = {**dataset.catalogue.columns, "brand": replace(brands, values=brands.values[::-1])}
    with pytest.raises(KeyboardInterrupt):
        sequence(features=words).train(
            dataset, FitContext(folder=tmp_path, trackers=(InterruptingTracker(),))
        )
    changed_items = replace(dataset, catalogue=replace(dataset.catalogue, columns=other))
    with pytest.raises(ConflictError) as error:
        sequence(features=words).train(changed_items, FitContext(folder=tmp_path))
    assert error.value.field == "words"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"num_heads": 3}, "sequence.num_heads"),
        ({"dropout": 1.0}, "sequence.dropout"),
        ({"num_layers": 0}, "sequence.num_layers"),
        ({"mask_probability": 1.0}, "sequence.mask_probability"),
        ({"training": replace(FAST, batch_size=0)}, "sequence.training.batch_size"),
        ({"embedding_dim": 2**31 - 2}, "embedding_dim"),
        ({"max_length": 2**31 - 1}, "max_length"),
        ({"loss": "sampled", "num_negatives": 2**31 - 1}, "num_negatives"),
    ],
)
def test_a_setting_out_of_bounds_or_beyond_memory_is_named(changes, field):
    with pytest.raises(InputError) as error:
        sequence(**changes).fit(clock())
    assert error.value.field == field


def test_a_max_length_beyond_all_histories_needs_no_more_memory():
    dataset = clock()
    training = replace(FAST, epochs=2, batch_size=2**20)
    stage = sequence(max_length=3000, training=training).fit(dataset)
    assert np.isfinite(all_scores(stage, dataset)).all()


def test_long_histories_beyond_memory_are_rejected():
    events = [(f"u{n % 2}", f"i{n % 7}", float(n)) for n in range(100_000)]
    settings = {"num_heads": 16, "num_layers": 8, "training": replace(FAST, epochs=1)}
    with pytest.raises(InputError) as error:
        sequence(max_length=100_000, **settings).fit(make_dataset(events))
    assert (error.value.field, error.value.hint) == ("max_length", "make max_length smaller")


def test_the_seed_decides_the_scores():
    dataset = clock()
    first, second, other = (
        all_scores(sequence(training=replace(FAST, epochs=3)).fit(dataset, seed=seed), dataset)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


@pytest.mark.parametrize("network", NETWORKS)
def test_a_loaded_stage_has_the_same_scores(network, tmp_path):
    dataset = clock()
    stage = sequence(network=network, num_layers=2, training=replace(FAST, epochs=1)).fit(dataset)
    stage.save(tmp_path)
    loaded = Sequence.load(stage.config, "sequence", tmp_path)
    np.testing.assert_array_equal(all_scores(loaded, dataset), all_scores(stage, dataset))
