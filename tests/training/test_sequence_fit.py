"""How the stage `sequence` feeds the training loop: target counts, mapped rows, rejected input."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from plait.data.catalogue import Column
from plait.errors import InputError, StorageError
from plait.features.tfidf import TfidfConfig
from plait.models.sequential.network import (
    ItemEmbedding,
    NextItemModel,
    SequentialNetwork,
)
from plait.models.sequential.sequential_recommender import NetworkShape, Sequence, SequenceConfig
from plait.pipeline.fit_context import FitContext
from plait.testing.queries import ask
from plait.testing.synthetic_data import clock, make_dataset
from plait.training.config import TrainingConfig
from tests.training.training_runs import RecordingTracker

MAPS = Path("/proc/self/maps")
STILL = {"embedding_dim": 8, "dropout": 0.0, "bf16_logits": False, "use_item_features": False}


def sequence(training, **changes):
    config = SequenceConfig(training=training, **{**STILL, **changes})
    return Sequence(config, name="sequence")


def short_and_long_histories():
    """Many users of two events, a few of thirty who interact with other items."""
    events = [
        (f"short-{user}", f"a{user % 3 + step}", step) for user in range(60) for step in (0, 1)
    ]
    for user in range(6):
        events += [(f"long-{user}", f"b{(user * step) % 5}", step) for step in range(30)]
    return make_dataset(events)


def scores_of(stage, dataset):
    """Scores of all items after a few histories."""
    queries = ask(dataset.catalogue, ["a1"], ["b3", "b1"], ["a2", "b4"])
    return stage.score(queries, np.tile(np.arange(dataset.n_items, dtype=np.int32), (3, 1)))


def test_accumulated_batches_of_short_and_long_histories_equal_one_large_batch():
    dataset = short_and_long_histories()
    config = TrainingConfig(optimizer="sgd", learning_rate=1.0, epochs=5, patience=0)

    def fitted_scores(**changes):
        return scores_of(sequence(replace(config, **changes)).fit(dataset), dataset)

    initial = fitted_scores(learning_rate=0.0)
    large = fitted_scores(batch_size=66)
    small = fitted_scores(batch_size=6, gradient_accumulation_steps=11)
    np.testing.assert_allclose(small, large, rtol=1e-4, atol=1e-4)
    assert np.abs(large - initial).max() > 0.1


@pytest.mark.parametrize("network", ["sasrec", "bert4rec"])
def test_targets_of_a_batch_are_as_many_as_the_network_predicts(network):
    shape = NetworkShape(
        network,
        4,
        num_layers=1,
        num_heads=1,
        max_length=9,
        dropout=0.0,
        timed=False,
        mask_probability=0.3,
    )
    module = NextItemModel(SequentialNetwork(shape), ItemEmbedding(7, 4, None, 0.0))
    rows = np.zeros((600, 8), np.int64)
    for row in range(len(rows)):
        rows[row, : 2 + row % 6] = 1 + row % 7
    batch = {"items": torch.from_numpy(rows)}
    predicted = [len(module(batch)[2]) for _ in range(30)]
    targets = module.targets({"items": rows})
    tolerance = 0.0 if network == "sasrec" else 0.02
    assert targets == pytest.approx(np.mean(predicted), rel=tolerance)
    halves = [module.targets({"items": half}) for half in (rows[::2], rows[1::2])]
    assert sum(halves) == pytest.approx(targets)


@pytest.mark.skipif(not MAPS.exists(), reason="the system does not list mapped files")
def test_with_a_folder_training_rows_are_mapped(tmp_path):
    dataset = clock(users=12)
    path = str(tmp_path / "rows.safetensors")
    mapped = []

    class MappedFiles(RecordingTracker):
        def report(self, epoch, values):
            mapped.append(path in MAPS.read_text())

    stage = sequence(TrainingConfig(epochs=2, batch_size=4))
    with_folder = stage.train(dataset, FitContext(folder=tmp_path, trackers=(MappedFiles(),)))
    assert mapped == [True, True]
    in_memory = stage.train(dataset, FitContext())
    queries = ask(dataset.catalogue, ["hour-2", "hour-3"])
    items = np.arange(dataset.n_items, dtype=np.int32)[None]
    np.testing.assert_array_equal(
        with_folder.score(queries, items), in_memory.score(replace(queries, cache={}), items)
    )


def test_training_rows_that_cannot_be_written_are_an_error(tmp_path):
    (tmp_path / "rows.safetensors").mkdir()
    stage = sequence(TrainingConfig(epochs=1))
    with pytest.raises(StorageError) as error:
        stage.train(clock(users=4), FitContext(folder=tmp_path))
    assert str(tmp_path) in str(error.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_item_fields_that_are_not_finite_do_not_spoil_scores(value):
    dataset = clock(users=12)
    price, brand = np.arange(12, dtype=np.float64), np.array(["a", "b"] * 6, object)
    price[3] = value
    columns = {"price": Column("number", price), "brand": Column("category", brand)}
    dataset = replace(dataset, catalogue=replace(dataset.catalogue, columns=columns))
    features = TfidfConfig(fields=("price", "brand"), min_df=1)
    training = TrainingConfig(epochs=1, batch_size=4)
    stage = sequence(training, use_item_features=True, features=features).fit(dataset)
    queries = ask(dataset.catalogue, ["hour-2", "hour-3"])
    assert np.isfinite(stage.score(queries, np.arange(12, dtype=np.int32)[None])).all()


@pytest.mark.parametrize("name", ["bigram_weight", "category_weight", "set_member_weight"])
@pytest.mark.parametrize("weight", [np.nan, np.inf, 1e30])
def test_feature_weights_out_of_bounds_are_rejected(name, weight):
    with pytest.raises(InputError) as error:
        sequence(
            TrainingConfig(epochs=1), use_item_features=True, features=TfidfConfig(**{name: weight})
        )
    assert error.value.field == f"sequence.features.{name}"
