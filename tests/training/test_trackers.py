"""Records of runs: TensorBoard's files are read back; others ask for their extra."""

from importlib.util import find_spec

import pytest

from plait.errors import InputError, MissingExtraError
from plait.training.trackers import TRACKERS, tracker
from tests.training.training_runs import closeness, run


def test_tensorboard_holds_every_epoch(tmp_path):
    run(trackers=[tracker("tensorboard", tmp_path)], validate=closeness, metric="closeness")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(tmp_path / "run"))
    found.Reload()
    names = {"loss", "learning_rate", "items_per_second", "closeness"}
    assert names <= set(found.Tags()["scalars"])
    assert [one.step for one in found.Scalars("loss")] == [1, 2, 3, 4]


@pytest.mark.parametrize("name", sorted(TRACKERS))
def test_a_tracker_is_made_or_asks_for_its_extra(name, tmp_path):
    if find_spec(name):
        assert tracker(name, tmp_path)
    else:
        with pytest.raises(MissingExtraError, match=rf"plait\[{name}\]"):
            tracker(name, tmp_path)


def test_an_unknown_tracker_is_named(tmp_path):
    with pytest.raises(InputError, match="no tracker 'excel'"):
        tracker("excel", tmp_path)
