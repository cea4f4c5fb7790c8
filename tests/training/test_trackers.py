"""Trackers: TensorBoard's files are read back; the others ask for their extra."""

from importlib.util import find_spec

import pytest

from plait.errors import InputError, MissingExtraError
from plait.training.trackers import TRACKERS, tracker
from tests.training.training_runs import closeness, run


def test_tensorboard_holds_the_values_of_every_epoch(tmp_path):
    run(trackers=[tracker("tensorboard", tmp_path)], validate=closeness, metric="closeness")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "run"))
    events.Reload()
    names = {"loss", "learning_rate", "items_per_second", "closeness"}
    assert names <= set(events.Tags()["scalars"])
    assert [scalar.step for scalar in events.Scalars("loss")] == [1, 2, 3, 4]


def test_tensorboard_holds_the_settings_of_a_run(tmp_path):
    run(trackers=[tracker("tensorboard", tmp_path)], epochs=1, identity={"vocabulary": "a"})
    (path,) = (tmp_path / "run").glob("*/hparams.yml")
    lines = path.read_text().splitlines()
    assert {"training.epochs: 1", "training.optimizer: adamw", "vocabulary: a"} <= set(lines)


@pytest.mark.parametrize("name", sorted(TRACKERS))
def test_a_tracker_without_its_package_names_the_extra(name, tmp_path):
    if find_spec(name):
        assert tracker(name, tmp_path)
    else:
        with pytest.raises(MissingExtraError) as error:
            tracker(name, tmp_path)
        assert f"plait[{name}]" in str(error.value)


def test_an_unknown_tracker_is_rejected(tmp_path):
    with pytest.raises(InputError) as error:
        tracker("excel", tmp_path)
    assert error.value.field == "track"
