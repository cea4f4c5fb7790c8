"""Seeds and fingerprints."""

import numpy as np
import pytest
import torch

from plait.pipeline.fit_context import FitContext
from plait.training.batches import ArrayBatches
from plait.training.config import TrainingConfig
from plait.training.run_identity import fingerprint
from plait.training.seeding import seeded
from plait.training.trainer import TrainingTask, train_with_context
from tests.training.training_runs import (
    SETTINGS,
    Line,
    RecordingTracker,
    is_same,
    objective,
    points,
    weights,
)


def test_seeded_decides_what_is_drawn_and_restores_the_random_state():
    before = torch.get_rng_state()
    draws = []
    for seed in (3, 3, 4):
        with seeded(seed):
            draws.append(torch.rand(5))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert torch.equal(torch.get_rng_state(), before)


def test_fingerprint_depends_on_values_types_and_boundaries():
    array = np.arange(4)
    assert fingerprint(array) == fingerprint(array.copy())
    others = [(array + 1,), (array.astype(np.int32),), (array[:2], array[2:])]
    assert len({fingerprint(array), *(fingerprint(*other) for other in others)}) == 4


def test_train_with_context_uses_seed_folder_progress_and_trackers(tmp_path):
    reports = []

    class StopsAfterTwoEpochs(RecordingTracker):
        def report(self, epoch, values):
            if epoch == 2:
                raise KeyboardInterrupt

    def trained(**changes):
        context = FitContext(5, progress=lambda *line: reports.append(line), **changes)
        config = TrainingConfig(**{**SETTINGS, "checkpoint_seconds": 0.0})
        module = Line()
        task = TrainingTask(ArrayBatches(points(), config.batch_size), objective)
        result = train_with_context(context, module, task, config, identity={}, name="line")
        return module, result

    tracker = StopsAfterTwoEpochs()
    with pytest.raises(KeyboardInterrupt):
        trained(folder=tmp_path, trackers=(tracker,))
    (_, name, settings), end = tracker.calls
    assert (name, settings["seed"], end) == ("line", 5, "end")
    module, result = trained(folder=tmp_path)
    assert result.resumed
    assert is_same(weights(module), weights(trained()[0]))
    assert reports[-1][1:] == (4 * 7, 4 * 7)
