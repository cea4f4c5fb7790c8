"""What stages share when they train a network."""

import pytest
import torch

from plait.pipeline.fit_context import FitContext
from plait.training.config import ArrayBatches, TrainingConfig
from plait.training.reproducibility import seeded, train_with_context
from tests.training.training_runs import SETTINGS, Line, objective, points, same, weights


def test_a_seed_decides_and_the_callers_chance_is_left_alone():
    before = torch.get_rng_state()
    drawn = []
    for seed in (3, 3, 4):
        with seeded(seed):
            drawn.append(torch.rand(5))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert torch.equal(torch.get_rng_state(), before)


def test_all_of_the_context_reaches_the_loop(tmp_path):
    told, heard = [], []

    class Stops:
        def begin(self, run, settings):
            heard.append((run, settings["seed"]))

        def report(self, epoch, values):
            if epoch == 2:
                raise KeyboardInterrupt

        def end(self):
            heard.append("end")

    def trained(**changes):
        context = FitContext(5, progress=lambda *one: told.append(one), **changes)
        training = TrainingConfig(**{**SETTINGS, "checkpoint_seconds": 0.0})
        module = Line()
        batches = ArrayBatches(points(), training.batch_size)
        return module, train_with_context(context, module, batches, objective, training, run="it")

    with pytest.raises(KeyboardInterrupt):
        trained(folder=tmp_path, trackers=(Stops(),))
    assert heard == [("it", 5), "end"]
    module, outcome = trained(folder=tmp_path)
    assert outcome.resumed
    assert same(weights(module), weights(trained()[0]))
    assert told[-1][1:] == (4 * 7, 4 * 7)
