"""Networks over users and items stop early, train as long again, and go on when interrupted."""

import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

from plait.errors import ConflictError
from plait.features.vocabulary import Vocabulary
from plait.models.factorization.factors import Factors, FactorsConfig
from plait.models.graph.graph import Graph, GraphConfig
from plait.pipeline.fit_context import FitContext, ValidationSet
from plait.splitting.splits import leave_one_out
from plait.testing.synthetic_data import checkerboard, market
from plait.training.config import TrainingConfig
from plait.training.ranking_validation import RankingValidation

FAST = TrainingConfig(epochs=30, batch_size=64, learning_rate=0.01, patience=3)
KINDS = ("graph", "neumf")


def made(kind, *, training=FAST, **changes):
    if kind == "graph":
        told = {"embedding_dim": 8, "use_triples": False, **changes}
        return Graph(GraphConfig(training=training, **told), name="mine")
    told = {"method": "neumf", "factors": 8, **changes}
    return Factors(FactorsConfig(training=training, **told), name="mine")


def asked(dataset):
    """What may be fitted on, and the questions that are held out, without what was seen."""
    split = leave_one_out(dataset, "validation")
    return split.train, ValidationSet(
        replace(split.queries, blocked=split.queries.seen), split.targets
    )


def answers(stage, dataset):
    queries = replace(leave_one_out(dataset).queries, cache={})
    everything = np.arange(dataset.n_items, dtype=np.int32)
    return stage.score(queries, np.tile(everything, (len(queries), 1)))


class Listens:
    """Keeps what every epoch reached, and sends Ctrl-C after the second one if told to."""

    def __init__(self, *, stops=False):
        self.stops, self.names, self.reached = stops, [], []

    def begin(self, run, settings):
        self.names.append(run)

    def report(self, epoch, values):
        self.reached.append(values.get("ndcg@10"))
        if self.stops and epoch == 2:
            os.kill(os.getpid(), signal.SIGINT)

    def end(self):
        """Nothing to do."""


def ndcg(stage, held):
    """The mean NDCG@10 of what a stage brings, for one target a question."""
    brought = stage.retrieve(replace(held.queries, cache={}), 10).item_numbers
    targets = held.targets.values
    places = [np.flatnonzero(row == one) for row, one in zip(brought, targets, strict=True)]
    return np.mean([1 / np.log2(one[0] + 2) if len(one) else 0 for one in places])


@pytest.mark.parametrize("kind", KINDS)
def test_what_stops_it_is_what_the_stage_answers(kind):
    train, held = asked(market())
    assert (held.targets.lengths == 1).all()
    heard = Listens()
    stage = made(kind).train(train, FitContext(held=held, trackers=(heard,), name="first-mine"))
    assert heard.names == ["first-mine"]
    assert len(set(heard.reached)) > 1
    assert max(heard.reached) == pytest.approx(ndcg(stage, held), abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_it_stops_early_and_a_refit_takes_as_many_epochs(kind, tmp_path):
    dataset = market()
    train, held = asked(dataset)
    heard = Listens()
    training = replace(FAST, epochs=400)
    first = made(kind, training=training).train(train, FitContext(held=held, trackers=(heard,)))
    best = len(heard.reached) - training.patience
    assert best < 400 - training.patience
    assert heard.reached[best - 1] == max(heard.reached)
    first.save(tmp_path)
    for stage in (first, type(first).load(first.config, "mine", tmp_path)):
        again = Listens()
        second = stage.train(train, FitContext(trackers=(again,)))
        assert again.reached == [None] * best
        np.testing.assert_array_equal(answers(second, dataset), answers(first, dataset))
        third = Listens()
        second.train(dataset, FitContext(trackers=(third,)))
        assert len(third.reached) == best


@pytest.mark.parametrize("kind", KINDS)
def test_with_something_held_out_it_finds_anew_when_to_stop(kind):
    train, held = asked(market())
    heard = Listens(), Listens()
    first = made(kind).train(train, FitContext(held=held, trackers=heard[:1]))
    first.train(train, FitContext(held=held, trackers=heard[1:]))
    assert heard[0].reached == heard[1].reached


@pytest.mark.parametrize("kind", KINDS)
def test_without_anything_held_out_all_epochs_are_trained(kind):
    heard = Listens()
    made(kind, training=replace(FAST, epochs=5)).train(market(), FitContext(trackers=(heard,)))
    assert heard.reached == [None] * 5


@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupted_fit_goes_on(kind, tmp_path):
    dataset = market()
    train, held = asked(dataset)
    training = replace(FAST, epochs=6, patience=0)
    whole = made(kind, training=training).train(train, FitContext(held=held))
    context = FitContext(held=held, folder=tmp_path)
    stopped = replace(context, trackers=(Listens(stops=True),))
    with pytest.raises(KeyboardInterrupt):
        made(kind, training=training).train(train, stopped)
    heard = Listens()
    resumed = made(kind, training=training).train(train, replace(context, trackers=(heard,)))
    assert len(heard.reached) == 4
    np.testing.assert_array_equal(answers(resumed, dataset), answers(whole, dataset))


def renamed(dataset):
    """The same events of items under other names, and so in another order."""
    catalogue = dataset.catalogue
    return replace(dataset, catalogue=replace(catalogue, tiebreak=catalogue.tiebreak[::-1]))


@pytest.mark.parametrize(
    ("other", "changes", "named"),
    [
        (renamed(checkerboard()), {}, "vocabulary|histories"),
        (checkerboard(users=18), {}, "histories|shapes"),
        (checkerboard(), {"dropout": 0.4}, "settings.dropout"),
        (checkerboard(), {"training": replace(FAST, learning_rate=0.02)}, "training.learning_rate"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_of_other_data_or_settings_is_refused(kind, other, changes, named, tmp_path):
    context = FitContext(folder=tmp_path, trackers=(Listens(stops=True),))
    with pytest.raises(KeyboardInterrupt):
        made(kind).train(checkerboard(), context)
    with pytest.raises(ConflictError, match=rf"its ({named})(\.\S+)? is"):
        made(kind, **changes).train(other, FitContext(folder=tmp_path))


def test_other_knowledge_is_another_run(tmp_path):
    dataset = market()
    bare = replace(dataset, catalogue=replace(dataset.catalogue, columns={}))
    context = FitContext(folder=tmp_path, trackers=(Listens(stops=True),))
    with pytest.raises(KeyboardInterrupt):
        made("graph", use_triples=True).train(dataset, context)
    with pytest.raises(ConflictError, match=r"its (knowledge|shapes\S*) is"):
        made("graph", use_triples=True).train(bare, FitContext(folder=tmp_path))


def test_some_of_many_questions_are_asked_evenly_spaced():
    train, held = asked(market())
    items = Vocabulary.of(train)
    all_of_them, some = (RankingValidation(held, items.rows, 1, most) for most in (0, 5))
    every = np.concatenate(list(all_of_them.batches(len(items))))
    few = np.concatenate(list(some.batches(len(items))))
    assert len(every) == len(held.queries)
    assert few.tolist() == np.linspace(0, len(every) - 1, 5).astype(int).tolist()
    wanted = items.rows[held.targets.values] - 1
    there = (wanted[few] >= 0).sum()  # a target that nobody took in train is a miss
    scores = torch.zeros((len(every), len(items)))
    scores[few, wanted[few]] = 1.0
    assert some.ndcg_of_scores([(few, scores[few])]) == pytest.approx(there / 5)
    assert all_of_them.ndcg_of_scores([(few, scores[few])]) == pytest.approx(there / len(every))
