"""How a real stage, `sequence`, feeds the loop: what counts, where it lies, what is refused."""

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
    NetworkShape,
    NextItemModel,
    SequentialNetwork,
)
from plait.models.sequential.sequence import Sequence, SequenceConfig
from plait.pipeline.fit_context import FitContext
from plait.testing.queries import ask
from plait.testing.synthetic_data import clock, make_dataset
from plait.training.config import TrainingConfig

MAPS = Path("/proc/self/maps")
STILL = {"embedding_dim": 8, "dropout": 0.0, "bf16_logits": False, "use_item_features": False}


def made(training, **changes):
    config = SequenceConfig(training=training, **{**STILL, **changes})
    return Sequence(config, name="sequence")


def short_and_long():
    """Many users of two events, a few of thirty who take other items."""
    events = [
        (f"short-{user}", f"a{user % 3 + step}", step) for user in range(60) for step in (0, 1)
    ]
    for user in range(6):
        events += [(f"long-{user}", f"b{(user * step) % 5}", step) for step in range(30)]
    return make_dataset(events)


def answers(stage, dataset):
    """Scores of all items after a few histories."""
    asked = ask(dataset.catalogue, ["a1"], ["b3", "b1"], ["a2", "b4"])
    return stage.score(asked, np.tile(np.arange(dataset.n_items, dtype=np.int32), (3, 1)))


def test_short_and_long_histories_accumulated_equal_one_large_batch():
    dataset = short_and_long()
    told = {"optimizer": "sgd", "learning_rate": 1.0, "epochs": 5, "patience": 0}
    start = answers(made(TrainingConfig(**{**told, "learning_rate": 0.0})).fit(dataset), dataset)
    large = answers(made(TrainingConfig(batch_size=66, **told)).fit(dataset), dataset)
    small = answers(
        made(TrainingConfig(batch_size=6, gradient_accumulation_steps=11, **told)).fit(dataset),
        dataset,
    )
    np.testing.assert_allclose(small, large, rtol=1e-4, atol=1e-4)
    assert np.abs(large - start).max() > 0.1  # it went somewhere


@pytest.mark.parametrize("network", ["sasrec", "bert4rec"])
def test_a_batch_counts_what_it_asks_for(network):
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
    asked = [len(module(batch)[2]) for _ in range(30)]
    counted = module.targets({"items": rows})
    assert counted == pytest.approx(np.mean(asked), rel=0.0 if network == "sasrec" else 0.02)
    halves = [module.targets({"items": half}) for half in (rows[::2], rows[1::2])]
    assert sum(halves) == pytest.approx(counted)


@pytest.mark.skipif(not MAPS.exists(), reason="the system does not tell what is mapped")
def test_with_a_folder_it_is_fed_from_mapped_rows(tmp_path):
    dataset = clock(users=12)
    mapped = []

    class Looks:
        def begin(self, run, settings):
            mapped.append(str(tmp_path / "rows.safetensors") in MAPS.read_text())

        def report(self, epoch, values):
            mapped.append(str(tmp_path / "rows.safetensors") in MAPS.read_text())

        def end(self):
            """Nothing to do."""

    stage = made(TrainingConfig(epochs=2, batch_size=4))
    found = stage.train(dataset, FitContext(folder=tmp_path, trackers=(Looks(),)))
    assert mapped == [True] * 3
    held = stage.train(dataset, FitContext())
    for name, one in held._weights.items():
        np.testing.assert_array_equal(found._weights[name], one)


def test_rows_that_cannot_be_written_are_named(tmp_path):
    (tmp_path / "rows.safetensors").mkdir()
    stage = made(TrainingConfig(epochs=1))
    with pytest.raises(StorageError, match="rows to train on cannot be written"):
        stage.train(clock(users=4), FitContext(folder=tmp_path))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_none_does_no_harm(value):
    dataset = clock(users=12)
    price, brand = np.arange(12, dtype=np.float64), np.array(["a", "b"] * 6, object)
    price[3] = value
    columns = {"price": Column("number", price), "brand": Column("category_weight", brand)}
    dataset = replace(dataset, catalogue=replace(dataset.catalogue, columns=columns))
    fields = TfidfConfig(fields=("price", "brand"), min_df=1)
    stage = made(
        TrainingConfig(epochs=1, batch_size=4), use_item_features=True, features=fields
    ).fit(dataset)
    asked = ask(dataset.catalogue, ["hour-2", "hour-3"])
    assert np.isfinite(stage.score(asked, np.arange(12, dtype=np.int32)[None])).all()


@pytest.mark.parametrize("name", ["bigram_weight", "category_weight", "set_member_weight"])
@pytest.mark.parametrize("worth", [np.nan, np.inf, 1e30])
def test_features_of_a_worth_that_is_no_number_are_refused(name, worth):
    with pytest.raises(InputError, match=f"{name} is ") as it:
        made(
            TrainingConfig(epochs=1), use_item_features=True, features=TfidfConfig(**{name: worth})
        )
    assert it.value.field == f"sequence.features.{name}"
