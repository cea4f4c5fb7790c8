"""Settings of `sequence` that follow the data: the rule, and that a recipe overrides it."""

from dataclasses import replace

import numpy as np
import pytest

from plait.errors import InputError
from plait.models.sequential.data_settings import HistoryStatistics, loss_for, shape_for
from plait.models.sequential.sequential_recommender import Sequence, SequenceConfig
from plait.pipeline.fit_context import FitContext
from plait.testing.synthetic_data import clock, make_dataset
from plait.training.config import TrainingConfig
from plait.training.ema import decay_of

FILMS = HistoryStatistics(n_items=3_416, events_per_item=289.0, long_history=398)
GOODS = HistoryStatistics(n_items=12_068, events_per_item=12.7, long_history=12)


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
    assert HistoryStatistics.of(lengths, 6) == HistoryStatistics(6, 8.0, 5)


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
