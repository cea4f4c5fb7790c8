"""Settings of `sequence` that follow the data: the rule, and that a recipe overrides it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from plait.data.ragged import Ragged
from plait.errors import BundleError, InputError, StorageError
from plait.models.sequential.data_settings import HistoryStatistics, loss_for, shape_for
from plait.models.sequential.refinement import refined
from plait.models.sequential.sequential_recommender import Sequence, SequenceConfig
from plait.pipeline.fit_context import FitContext, ValidationSet
from plait.testing.queries import ask
from plait.testing.synthetic_data import clock, make_dataset
from plait.training.config import TrainingConfig
from plait.training.ema import decay_of
from tests.training.training_runs import RecordingTracker

FILMS = HistoryStatistics(events_per_item=289.0, long_history=398)
GOODS = HistoryStatistics(events_per_item=12.7, long_history=12)


def suggested(statistics, **settings):
    shape = shape_for(SequenceConfig(**settings), statistics, timed=False)
    return shape.max_length, shape.num_layers, shape.dropout, shape.local_branch


def test_long_histories_of_frequent_items_are_read_whole_by_more_layers_with_less_dropout():
    assert suggested(FILMS) == (200, 2, 0.2, "convolution")
    assert suggested(GOODS) == (50, 1, 0.5, "none")
    between = replace(GOODS, events_per_item=63.0, long_history=51)
    assert suggested(between) == (100, 2, 0.35, "convolution")
    assert suggested(FILMS, network="gru")[3] == "none"


def test_what_a_recipe_names_is_not_changed():
    settings = {"max_length": 7, "num_layers": 3, "dropout": 0.0, "local_branch": "gru"}
    assert suggested(FILMS, **settings) == (7, 3, 0.0, "gru")


def test_statistics_count_events_and_histories():
    lengths = np.array([2] * 9 + [30], np.int64)
    assert HistoryStatistics.of(lengths, 6) == HistoryStatistics(8.0, 5)


@pytest.mark.parametrize(
    ("loss", "n_items", "expected"),
    [("auto", 50_000, "softmax"), ("auto", 50_001, "sampled"), ("bce", 10, "bce")],
)
def test_a_softmax_over_all_items_is_for_small_catalogues(loss, n_items, expected):
    assert loss_for(SequenceConfig(loss=loss), n_items) == expected


@pytest.mark.parametrize(
    ("ema_decay", "steps", "expected"), [(None, 20, 0.99), (None, 500, 0.998), (0.5, 500, 0.5)]
)
def test_an_average_spans_an_epoch_where_its_decay_is_left_out(ema_decay, steps, expected):
    assert decay_of(TrainingConfig(ema_decay=ema_decay), steps) == pytest.approx(expected)


def test_a_later_fit_keeps_the_network_of_the_first_and_describe_shows_it():
    few = make_dataset(
        [(f"u{user}", f"i{(user + step) % 9}", step) for user in range(5) for step in range(70)]
    )
    training = TrainingConfig(epochs=1)
    stage = Sequence(SequenceConfig(training=training), name="sequence")
    assert stage.describe() == {}
    first = stage.train(few, FitContext())
    assert first.describe()["num_layers"] == 2
    assert first.describe()["max_length"] == 100
    later = first.train(clock(), FitContext(warm_start=True))
    assert later.describe() == first.describe()


def test_a_local_branch_of_another_network_is_refused():
    with pytest.raises(InputError) as error:
        Sequence(SequenceConfig(network="gru", local_branch="convolution"), name="sequence")
    assert error.value.field == "sequence.local_branch"


def test_refinement_keeps_what_ranks_better_and_leaves_alone_what_the_recipe_names():
    config = SequenceConfig(num_layers=1)
    start = shape_for(config, GOODS, timed=False)
    tried = []

    def trial(shape, number):
        tried.append((number, shape.num_layers))
        return (shape.local_branch == "convolution") - abs(shape.dropout - 0.6), 1.0

    best = refined(config, start, trial, 100.0)
    assert best == replace(start, local_branch="convolution", dropout=0.6)
    assert tried == [(number, 1) for number in range(5)]


def test_refinement_begins_no_trial_that_would_end_too_late():
    config = SequenceConfig()
    start = shape_for(config, GOODS, timed=False)
    tried = []

    def trial(_shape, number):
        tried.append(number)
        return float(number), 10.0

    refined(config, start, trial, 35.0)
    assert tried == [0, 1, 2]


def test_refinement_leaves_out_what_cannot_be_trained():
    start = shape_for(SequenceConfig(), GOODS, timed=False)

    def trial(shape, _number):
        if shape.embedding_dim > start.embedding_dim or shape.dropout < start.dropout:
            raise InputError("too large", field="embedding_dim")
        return float(shape.num_layers), 1.0

    assert refined(SequenceConfig(), start, trial, 100.0) == replace(start, num_layers=2)

    def full_disk(_shape, number):
        if number:
            raise StorageError("full")
        return 0.0, 1.0

    with pytest.raises(StorageError):
        refined(SequenceConfig(), start, full_disk, 100.0)


def test_a_convolution_too_wide_for_the_memory_is_refused():
    config = SequenceConfig(local_branch="convolution", local_width=10**12)
    with pytest.raises(InputError) as error:
        Sequence(config, name="sequence").fit(clock(users=3))
    assert error.value.field == "sequence.local_width"


def test_a_network_saved_without_a_field_of_its_shape_is_refused_in_a_line(tmp_path):
    config = SequenceConfig(training=TrainingConfig(epochs=1))
    Sequence(config, name="sequence").fit(clock(users=5)).save(tmp_path)
    path = tmp_path / "state.json"
    state = json.loads(path.read_text())
    del state["_shape"][1]["local_branch"]
    path.write_text(json.dumps(state))
    with pytest.raises(BundleError) as error:
        Sequence.load(config, "sequence", tmp_path)
    assert error.value.hint == "fit again"
    assert "\n" not in str(error.value)


def test_a_fit_trains_what_its_trials_chose_and_does_not_repeat_them(tmp_path):
    dataset = clock(users=12)
    queries = ask(dataset.catalogue, ["hour-1", "hour-2"], ["hour-5", "hour-6"])
    targets = Ragged.from_rows([[dataset.catalogue.ids.index(f"hour-{hour}")] for hour in (3, 7)])
    training = TrainingConfig(epochs=4, batch_size=4)
    config = SequenceConfig(embedding_dim=8, refine_seconds=1000.0, training=training)
    runs = []

    class Runs(RecordingTracker):
        def begin(self, run, settings):
            runs.append(run)

    context = FitContext(
        held=ValidationSet(queries, targets), folder=tmp_path, trackers=(Runs(),), name="sequence"
    )
    fitted = Sequence(config, name="sequence").train(dataset, context)
    assert runs == [*(f"sequence-trial-{number}" for number in range(5)), "sequence"]
    chosen = fitted.describe()
    again = Sequence(config, name="sequence").train(dataset, context)
    assert again.describe() == chosen
    refit = fitted.train(dataset, FitContext())
    assert refit.describe()["dropout"] == chosen["dropout"]
