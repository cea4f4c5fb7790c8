"""The training loop: it learns, it goes on exactly where it stopped, and says what is wrong."""

import itertools
import os
import signal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.errors import ConflictError, InputError, PlaitError, StorageError
from plait.training.checkpoints import FILE
from plait.training.config import ArrayBatches, TrainingConfig
from plait.training.optim import rate
from tests.training.training_runs import (
    Line,
    closeness,
    counted,
    objective,
    points,
    run,
    same,
    uneven,
    weighed,
    weights,
)


class Stops:
    """An objective that sends Ctrl-C in its `at`-th batch."""

    def __init__(self, at):
        self.at, self.seen = at, 0

    def __call__(self, module, batch):
        self.seen += 1
        if self.seen == self.at:
            os.kill(os.getpid(), signal.SIGINT)
        return objective(module, batch)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_it_finds_the_line(optimizer, schedule):
    module, outcome = run(
        epochs=40, optimizer=optimizer, schedule=schedule, dropout=0.0, validate=closeness
    )
    assert outcome.metric > -0.01
    assert outcome.history[-1]["loss"] < outcome.history[0]["loss"] / 100
    assert not module.training


@pytest.mark.parametrize("at", [1, 5, 7, 14, 28])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimizer": "sgd", "schedule": "cosine", "warmup_ratio": 0.2, "max_grad_norm": 0.5},
        {"ema_decay": 0.9, "gradient_accumulation_steps": 5},
    ],
)
def test_interrupted_and_resumed_equals_left_alone(tmp_path, at, changes):
    alone, expected = run(validate=closeness, **changes)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, goal=Stops(at), validate=closeness, **changes)
    module, outcome = run(tmp_path, validate=closeness, **changes)
    assert same(weights(module), weights(alone))
    assert outcome.history == expected.history
    assert (outcome.epochs, outcome.best_epoch) == (expected.epochs, expected.best_epoch)
    assert outcome.resumed
    assert not expected.resumed


def test_a_run_that_dies_goes_on_from_its_last_checkpoint(tmp_path):
    alone, _ = run(checkpoint_seconds=0.0)

    class Dies(Stops):
        def __call__(self, module, batch):
            self.seen += 1
            if self.seen == self.at:
                raise SystemExit  # nothing is saved on the way out, as under kill -9
            return objective(module, batch)

    with pytest.raises(SystemExit):
        run(tmp_path, goal=Dies(12), checkpoint_seconds=0.0)
    counted = Stops(10**9)
    module, outcome = run(tmp_path, goal=counted, checkpoint_seconds=0.0)
    assert same(weights(module), weights(alone))
    assert outcome.resumed
    assert counted.seen == 4 * 7 - 11


def test_the_second_interrupt_does_not_wait():
    def impatient(module, batch):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("not reached")

    with pytest.raises(KeyboardInterrupt):
        run(goal=impatient)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_seeds_decide_everything_and_the_callers_chance_is_left_alone():
    lines = [Line() for _ in range(3)]
    before = torch.get_rng_state()
    one, two, other = (
        weights(run(module=line, seed=seed)[0]) for line, seed in zip(lines, (3, 3, 4), strict=True)
    )
    assert same(one, two)
    assert not same(one, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_early_stopping_keeps_the_best_weights():
    asked = []

    def falls_after_two(module):
        asked.append(weights(module))
        return -abs(len(asked) - 2)

    module, outcome = run(epochs=30, patience=3, validate=falls_after_two)
    assert (outcome.epochs, outcome.best_epoch, outcome.metric) == (5, 2, 0)
    assert same(weights(module), asked[1])


def test_a_metric_of_nothing_is_no_reason_to_stop():
    reached = iter([0, 0, 0, 0, 0.1, 0.3, 0.2, 0.0, 0.1, 0.4])
    _, outcome = run(epochs=30, patience=3, validate=lambda _module: next(reached))
    assert (outcome.epochs, outcome.best_epoch, outcome.metric) == (9, 6, 0.3)
    _, nothing = run(epochs=7, patience=3, validate=lambda _module: 0.0)
    assert (nothing.epochs, nothing.best_epoch) == (7, 7)


def test_until_ends_a_longer_schedule_early():
    half, _ = run(epochs=8, until=4, schedule="cosine")
    whole, outcome = run(epochs=4, schedule="cosine")
    assert outcome.epochs == 4
    assert not same(weights(half), weights(whole))


@pytest.mark.parametrize(
    "task",
    [
        {"arrays": points(48)},
        {"arrays": points(50)},  # the last batch has two rows
        {"arrays": uneven(), "goal": weighed, "targets": counted},
    ],
)
def test_accumulated_batches_equal_one_large_batch(task):
    one, _ = run(batch_size=8, gradient_accumulation_steps=7, dropout=0.0, **task)
    other, _ = run(batch_size=50, dropout=0.0, **task)
    for name, found in weights(one).items():
        torch.testing.assert_close(found, weights(other)[name])


def test_batches_that_are_left_over_make_up_a_whole_step():
    # 7 batches by 6: the last one is a step of its own, and as long as any.
    changes = {"optimizer": "sgd", "momentum": 0.0, "learning_rate": 0.1, "dropout": 0.0}
    module, _ = run(epochs=1, batch_size=8, gradient_accumulation_steps=6, **changes)
    by_hand = Line(0.0)
    batches = list(ArrayBatches(points(), 8).epoch(0))
    for part in (batches[:6], batches[6:]):
        given = [{name: torch.from_numpy(one) for name, one in batch.items()} for batch in part]
        loss = sum(objective(by_hand, batch) for batch in given) / len(part)
        parameters = list(by_hand.parameters())
        with torch.no_grad():
            for one, slope in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
                one.sub_(0.1 * slope)
    for name, found in weights(module).items():
        torch.testing.assert_close(found, weights(by_hand)[name])


def test_l2_pulls_weights_down_and_clipping_bounds_a_step():
    free, _ = run(dropout=0.0, epochs=60)
    bound, _ = run(dropout=0.0, epochs=60, weight_decay=1.0)
    assert bound.layer.weight.norm() < free.layer.weight.norm()
    small, _ = run(epochs=1, batch_size=50, optimizer="sgd", max_grad_norm=0.1, learning_rate=1.0)
    moved = torch.cat([one.flatten() for one in weights(small).values()])
    assert float(moved.norm()) == pytest.approx(0.1, rel=1e-4)


def test_bfloat16_learns_and_weights_stay_float32():
    module, outcome = run(epochs=40, precision="bfloat16", dropout=0.0, validate=closeness)
    assert outcome.metric > -0.1
    assert {one.dtype for one in module.parameters()} == {torch.float32}
    with torch.no_grad():
        assert module({"x": torch.ones(1, 3)}).dtype == torch.float32


def test_float16_is_refused_on_a_cpu():
    with pytest.raises(InputError, match="precision is float16") as it:
        run(precision="float16")
    assert it.value.field == "precision"
    assert "bfloat16" in it.value.hint


def test_nan_in_a_feature_is_named():
    arrays = points()
    arrays["x"][7, 1] = np.nan
    with pytest.raises(InputError, match=r"x is not finite in row \d+ of batch \d+, epoch 1") as it:
        run(arrays=arrays)
    assert it.value.field == "x"


def test_nan_in_the_loss_is_named_and_the_last_checkpoint_stays(tmp_path):
    class Breaks(Stops):
        def __call__(self, module, batch):
            self.seen += 1
            return objective(module, batch) * (float("nan") if self.seen == 10 else 1)

    with pytest.raises(PlaitError, match="loss is nan in epoch 2, batch 3; the last") as it:
        run(tmp_path, goal=Breaks(0), checkpoint_seconds=0.0)
    assert it.value.field == "learning_rate"
    module, outcome = run(tmp_path, checkpoint_seconds=0.0)
    assert outcome.resumed
    assert same(weights(module), weights(run(checkpoint_seconds=0.0)[0]))


@pytest.mark.parametrize("clip", [0.0, 0.5])
def test_nan_in_a_gradient_is_named_and_the_last_checkpoint_stays(tmp_path, clip):
    class Breaks(Stops):
        def __call__(self, module, batch):
            self.seen += 1
            loss = objective(module, batch)
            if self.seen == self.at:
                loss = loss + (0 * module(batch)).abs().sqrt().sum()  # 0, with a slope of 0 / 0
                assert torch.isfinite(loss)
            return loss

    changes = {"checkpoint_seconds": 0.0, "dropout": 0.0, "max_grad_norm": clip}
    with pytest.raises(PlaitError, match="gradient is nan in epoch 2, batch 3; the last"):
        run(tmp_path, goal=Breaks(10), **changes)
    module, outcome = run(tmp_path, **changes)
    assert outcome.resumed
    assert same(weights(module), weights(run(**changes)[0]))


@pytest.mark.parametrize("kept", [True, False])
def test_weights_that_overflow_are_neither_kept_nor_handed_out(tmp_path, kept):
    changes = {"optimizer": "sgd", "batch_size": 50, "epochs": 1, "dropout": 0.0}
    folder = tmp_path if kept else None
    with pytest.raises(PlaitError, match=r"layer\.weight is not finite after step 1") as it:
        run(folder, learning_rate=3e38, **changes)
    assert "intact" not in str(it.value)
    assert not (tmp_path / FILE).exists()


def test_an_interrupt_when_all_is_done_but_the_last_checkpoint_is_heard(tmp_path):
    class Late:
        def begin(self, run, settings):
            """Nothing to do."""

        def report(self, epoch, values):
            """Nothing to do."""

        def end(self):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, trackers=[Late()])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    counted = Stops(10**9)
    module, _ = run(tmp_path, goal=counted)
    assert counted.seen == 0
    assert same(weights(module), weights(run()[0]))


def test_a_batch_beyond_memory_names_the_setting():
    def hungry(module, batch):
        raise MemoryError("10 TiB")

    with pytest.raises(PlaitError, match="8 rows does not fit") as it:
        run(goal=hungry)
    assert it.value.field == "batch_size"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"identity": {"vocabulary": "b"}}, "vocabulary"),
        ({"learning_rate": 0.1}, "training.learning_rate"),
        ({"warmup_ratio": 0.5}, "training.warmup_ratio"),
        ({"seed": 9}, "seed"),
        ({"module": torch.nn.Sequential(Line())}, "shapes.0.layer.bias"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(tmp_path, changes, field):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, goal=Stops(3), identity={"vocabulary": "a"})
    with pytest.raises(ConflictError, match=f"its {field} is") as it:
        run(tmp_path, **{"identity": {"vocabulary": "a"}, **changes})
    assert it.value.field == field


def test_a_torn_checkpoint_is_refused(tmp_path):
    (tmp_path / FILE).write_bytes(b"\x10\0\0\0\0\0\0\0{")
    with pytest.raises(StorageError, match="no checkpoint of Plait"):
        run(tmp_path)


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, goal=Stops(3))
    before = (tmp_path / FILE).read_bytes()
    (tmp_path / f".draft-{FILE}").mkdir()  # what cannot be written to
    with pytest.raises(StorageError, match="cannot be written"):
        run(tmp_path, checkpoint_seconds=0.0)
    assert (tmp_path / FILE).read_bytes() == before


@pytest.mark.parametrize(
    "changes",
    [
        {"epochs": 0},
        {"epochs": 1.5},
        {"batch_size": True},
        {"learning_rate": float("nan")},
        {"max_grad_norm": -1.0},
        {"ema_decay": 1.0},
        {"optimizer": "foo"},
        {"schedule": "linear"},
        {"precision": "float8"},
        {"device": "gpu"},
    ],
)
def test_settings_that_cannot_be_are_named(changes):
    with pytest.raises(InputError) as it:
        TrainingConfig(**changes).check()
    assert it.value.field == next(iter(changes))
    with pytest.raises(InputError, match=f"{it.value.field} is "):
        run(**changes)


def test_trackers_hear_of_every_epoch_and_of_the_end():
    heard = []

    class Listens:
        def begin(self, run, settings):
            heard.append(("begin", settings["training"]["epochs"]))

        def report(self, epoch, values):
            heard.append((epoch, sorted(values)))

        def end(self):
            heard.append("end")

    run(trackers=[Listens()], validate=closeness, metric="m", epochs=2)
    values = ["items_per_second", "learning_rate", "loss", "m"]
    assert heard == [("begin", 2), (1, values), (2, values), "end"]
    heard.clear()
    with pytest.raises(KeyboardInterrupt):
        run(trackers=[Listens()], goal=Stops(2))
    assert heard[-1] == "end"


@given(st.integers(1, 200), st.floats(0, 0.9), st.sampled_from(["constant", "cosine"]))
def test_the_rate_rises_then_stays_or_falls(steps, warmup, schedule):
    training = TrainingConfig(warmup_ratio=warmup, schedule=schedule, learning_rate=1.0)
    found = [rate(training, step, steps) for step in range(steps)]
    top = round(warmup * steps)
    assert all(0 < one <= 1 for one in found)
    assert found[:top] == sorted(found[:top])
    assert found[top:] == sorted(found[top:], reverse=True)


@settings(max_examples=30)
@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 5), st.integers(0, 9))
def test_batches_hold_each_row_once_and_can_be_taken_up(rows, size, number, start):
    batches = ArrayBatches({"row": np.arange(rows)}, size)
    whole = [one["row"].tolist() for one in batches.epoch(number)]
    assert len(whole) == len(batches)
    assert sorted(itertools.chain(*whole)) == list(range(rows))
    assert [one["row"].tolist() for one in batches.epoch(number, start)] == whole[start:]


def test_arrays_of_different_length_are_refused():
    with pytest.raises(InputError, match="rows"):
        ArrayBatches({"x": np.zeros(3), "y": np.zeros(4)}, 2)
