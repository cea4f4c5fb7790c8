"""Early stopping, refits and resumed fits of `graph` and `factors` with neumf."""

import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

from plait.errors import ConflictError
from plait.features.item_vocabulary import Vocabulary
from plait.models.factorization.matrix_factorization import Factors, FactorsConfig
from plait.models.graph.graph_recommender import Graph, GraphConfig
from plait.pipeline.fit_context import FitContext, ValidationSet
from plait.splitting.splits import leave_one_out
from plait.testing.synthetic_data import checkerboard, market
from plait.training.config import TrainingConfig
from plait.training.ranking_validation import RankingValidation
from tests.training.training_runs import RecordingTracker

FAST = TrainingConfig(epochs=30, batch_size=64, learning_rate=0.01, patience=3)
MODELS = ("graph", "neumf")


def model(name, *, training=FAST, **changes):
    if name == "graph":
        settings = {"embedding_dim": 8, "use_triples": False, **changes}
        return Graph(GraphConfig(training=training, **settings), name="stage")
    settings = {"method": "neumf", "factors": 8, **changes}
    return Factors(FactorsConfig(training=training, **settings), name="stage")


def split_of(dataset):
    """The training data, and held-out queries in which seen items are blocked."""
    split = leave_one_out(dataset, "validation")
    return split.train, ValidationSet(
        replace(split.queries, blocked=split.queries.seen), split.targets
    )


def all_scores(stage, dataset):
    queries = replace(leave_one_out(dataset).queries, cache={})
    numbers = np.arange(dataset.n_items, dtype=np.int32)
    return stage.score(queries, np.tile(numbers, (len(queries), 1)))


class MetricTracker(RecordingTracker):
    """Records the metric of every epoch."""

    @property
    def metrics(self):
        return [values.get("ndcg@10") for _, values in self.calls[1:-1]]


class InterruptingTracker(RecordingTracker):
    """Sends Ctrl-C after two epochs."""

    def report(self, epoch, values):
        if epoch == 2:
            os.kill(os.getpid(), signal.SIGINT)


def ndcg(stage, validation):
    """The mean NDCG@10 of the items that a stage retrieves, for one target a query."""
    retrieved = stage.retrieve(replace(validation.queries, cache={}), 10).item_numbers
    targets = validation.targets.values
    ranks = [np.flatnonzero(row == target) for row, target in zip(retrieved, targets, strict=True)]
    return np.mean([1 / np.log2(rank[0] + 2) if len(rank) else 0 for rank in ranks])


@pytest.mark.parametrize("name", MODELS)
def test_the_validation_metric_is_that_of_the_fitted_stage(name):
    train, validation = split_of(market())
    assert (validation.targets.lengths == 1).all()
    tracker = MetricTracker()
    context = FitContext(held=validation, trackers=(tracker,), name="first-stage")
    stage = model(name).train(train, context)
    assert tracker.calls[0][1] == "first-stage"
    assert len(set(tracker.metrics)) > 1
    assert max(tracker.metrics) == pytest.approx(ndcg(stage, validation), abs=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_a_refit_takes_the_best_number_of_epochs_of_early_stopping(name, tmp_path):
    dataset = market()
    train, validation = split_of(dataset)
    tracker = MetricTracker()
    training = replace(FAST, epochs=400)
    context = FitContext(held=validation, trackers=(tracker,))
    first = model(name, training=training).train(train, context)
    best = len(tracker.metrics) - training.patience
    assert best < 400 - training.patience
    assert tracker.metrics[best - 1] == max(tracker.metrics)
    first.save(tmp_path)
    for stage in (first, type(first).load(first.config, "stage", tmp_path)):
        refit_tracker, third_tracker = MetricTracker(), MetricTracker()
        second = stage.train(train, FitContext(trackers=(refit_tracker,)))
        assert refit_tracker.metrics == [None] * best
        np.testing.assert_array_equal(all_scores(second, dataset), all_scores(first, dataset))
        second.train(dataset, FitContext(trackers=(third_tracker,)))
        assert len(third_tracker.metrics) == best


@pytest.mark.parametrize("name", MODELS)
def test_with_a_validation_set_a_second_fit_stops_by_it_again(name):
    train, validation = split_of(market())
    trackers = MetricTracker(), MetricTracker()
    first = model(name).train(train, FitContext(held=validation, trackers=trackers[:1]))
    first.train(train, FitContext(held=validation, trackers=trackers[1:]))
    assert trackers[0].metrics == trackers[1].metrics


@pytest.mark.parametrize("name", MODELS)
def test_without_a_validation_set_all_epochs_are_trained(name):
    tracker = MetricTracker()
    context = FitContext(trackers=(tracker,))
    model(name, training=replace(FAST, epochs=5)).train(market(), context)
    assert tracker.metrics == [None] * 5


@pytest.mark.parametrize("name", MODELS)
def test_an_interrupted_fit_resumes(name, tmp_path):
    dataset = market()
    train, validation = split_of(dataset)
    training = replace(FAST, epochs=6, patience=0)
    uninterrupted = model(name, training=training).train(train, FitContext(held=validation))
    context = FitContext(held=validation, folder=tmp_path)
    interrupted = replace(context, trackers=(InterruptingTracker(),))
    with pytest.raises(KeyboardInterrupt):
        model(name, training=training).train(train, interrupted)
    tracker = MetricTracker()
    resumed = model(name, training=training).train(train, replace(context, trackers=(tracker,)))
    assert len(tracker.metrics) == 4
    np.testing.assert_array_equal(all_scores(resumed, dataset), all_scores(uninterrupted, dataset))


def with_other_ids(dataset):
    """The same events of items with other hashes, and so in another order."""
    catalogue = dataset.catalogue
    return replace(dataset, catalogue=replace(catalogue, tiebreak=catalogue.tiebreak[::-1]))


@pytest.mark.parametrize(
    ("other", "changes", "fields"),
    [
        (with_other_ids(checkerboard()), {}, ("vocabulary", "histories")),
        (checkerboard(users=18), {}, ("histories", "shapes")),
        (checkerboard(), {"dropout": 0.4}, ("settings.dropout",)),
        (
            checkerboard(),
            {"training": replace(FAST, learning_rate=0.02)},
            ("training.learning_rate",),
        ),
    ],
)
@pytest.mark.parametrize("name", MODELS)
def test_a_checkpoint_of_other_data_or_settings_is_rejected(name, other, changes, fields, tmp_path):
    context = FitContext(folder=tmp_path, trackers=(InterruptingTracker(),))
    with pytest.raises(KeyboardInterrupt):
        model(name).train(checkerboard(), context)
    with pytest.raises(ConflictError) as error:
        model(name, **changes).train(other, FitContext(folder=tmp_path))
    assert error.value.field.startswith(fields)


def test_a_checkpoint_of_other_entities_is_rejected(tmp_path):
    dataset = market()
    without_fields = replace(dataset, catalogue=replace(dataset.catalogue, columns={}))
    context = FitContext(folder=tmp_path, trackers=(InterruptingTracker(),))
    with pytest.raises(KeyboardInterrupt):
        model("graph", use_triples=True).train(dataset, context)
    with pytest.raises(ConflictError) as error:
        model("graph", use_triples=True).train(without_fields, FitContext(folder=tmp_path))
    assert error.value.field.startswith(("knowledge", "shapes"))


def test_a_subsample_of_validation_queries_is_evenly_spaced():
    train, validation = split_of(market())
    items = Vocabulary.of(train)
    full, subsampled = (
        RankingValidation(validation, items.rows, 1, max_queries) for max_queries in (0, 5)
    )
    every = np.concatenate(list(full.batches(len(items))))
    few = np.concatenate(list(subsampled.batches(len(items))))
    assert len(every) == len(validation.queries)
    assert few.tolist() == np.linspace(0, len(every) - 1, 5).astype(int).tolist()
    columns = items.rows[validation.targets.values] - 1
    n_hits = (columns[few] >= 0).sum()  # a target without interactions in train is a miss
    scores = torch.zeros((len(every), len(items)))
    scores[few, columns[few]] = 1.0
    assert subsampled.ndcg_of_scores([(few, scores[few])]) == pytest.approx(n_hits / 5)
    assert full.ndcg_of_scores([(few, scores[few])]) == pytest.approx(n_hits / len(every))
