"""The one training loop of everything that has gradients.

Devices, mixed precision, gradient scaling and data parallel are accelerate's. Started by its
launcher, every process takes its share of the rows of each batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import nn

from plait.errors import PlaitError
from plait.pipeline.fit_context import Progress, Tracker, no_progress
from plait.training.checkpoints import FILE, read_checkpoint, write_checkpoint
from plait.training.config import Batch, Batches, Targets, TrainingConfig, TrainingResult, rows_of
from plait.training.device_batches import (
    accelerator_of,
    group_batches,
    require_finite,
    shard,
    to_device,
)
from plait.training.ema import WeightEMA
from plait.training.optim import optimizer_of, rate
from plait.training.process_group import ProcessGroup
from plait.training.progress import ThroughputMeter
from plait.training.run_state import RunState, packed, unpacked
from plait.utils.interrupts import Interrupts

__all__ = ["Objective", "Validate", "train"]

Objective = Callable[[nn.Module, Mapping[str, torch.Tensor]], torch.Tensor]
"""From the module and a batch on its device to a loss, a mean over what the batch holds.

All that has gradients must come out of `module(...)`: it may be wrapped, for several processes.
"""

Validate = Callable[[nn.Module], float]
"""From the module, in evaluation mode, to the metric: the larger the better."""


def train(
    module: nn.Module,
    batches: Batches,
    objective: Objective,
    training: TrainingConfig,
    *,
    validate: Validate | None = None,
    metric: str = "metric",
    targets: Targets = rows_of,
    seed: int = 0,
    until: int | None = None,
    folder: Path | None = None,
    identity: Mapping[str, Any] | None = None,
    report: Progress = no_progress,
    trackers: Sequence[Tracker] = (),
    run: str = "run",
) -> TrainingResult:
    """Train `module` in place; it ends with the best weights, in evaluation mode.

    `validate` gives the metric that early stopping watches. `targets` says over how many targets
    the objective of a batch is a mean: the batches of one step count by it, and the speed is so
    many a second. `until` stops after so many epochs of a schedule that is drawn for
    `training.epochs`. With a `folder` an interrupted run (Ctrl-C, kill) is taken up where it stood
    and ends exactly as if it had never been interrupted; `identity` says what else than settings
    and shapes makes it the same run (a vocabulary). The global random state of torch is left as it
    was. Of several processes the first one alone reports, also to `trackers`.

    Raises InputError for NaN in a batch or float16 on a CPU, PlaitError for a loss, gradient or
    weights that are not finite or too little memory, ConflictError for a checkpoint of another run,
    KeyboardInterrupt once a step is whole.
    """
    training.check()
    who = {
        **(identity or {}),
        "seed": seed,
        "training": training.identity(),
        "shapes": {name: list(one.shape) for name, one in module.state_dict().items()},
    }
    with torch.random.fork_rng(), Interrupts() as interrupts:
        torch.manual_seed(seed)
        going = _TrainingRun(
            module, batches, (objective, targets), training, (folder, who), interrupts
        )
        going.resume()
        if not going.first:
            report, trackers = no_progress, ()
        going.meter = ThroughputMeter(report, going.total(until), going.done, metric)
        for one in trackers:
            one.begin(run, who)
        try:
            going.train(validate, metric, trackers, until)
        finally:
            for one in trackers:
                one.end()
        return going.finish()


class _TrainingRun:
    """One run: what moves is in `at` (counters) and in the tensors of module and optimiser."""

    def __init__(
        self,
        module: nn.Module,
        batches: Batches,
        task: tuple[Objective, Targets],
        training: TrainingConfig,
        kept: tuple[Path | None, Mapping[str, Any]],
        interrupts: Interrupts,
    ) -> None:
        self._training, self._batches = training, batches
        self._objective, self._targets = task
        self._folder, self._identity = kept
        self._interrupts = interrupts
        self._accelerator = accelerator_of(training)
        self._module = self._accelerator.prepare(module)
        self._bare = module
        optimizer = optimizer_of(module.parameters(), training)
        self._optimizer = self._accelerator.prepare(optimizer)
        self._average = WeightEMA(module, training.ema_decay)
        self._best: dict[str, torch.Tensor] = {}
        self._resumed = False
        self.at = RunState()
        self.meter = ThroughputMeter(no_progress, 0, 0, "")

    @property
    def first(self) -> bool:
        """Whether this is the process that speaks and writes."""
        return bool(self._accelerator.is_main_process)

    @property
    def done(self) -> int:
        """Batches done."""
        return self.at.epoch * len(self._batches) + self.at.step

    def total(self, until: int | None) -> int:
        """Batches there are at most."""
        return self._last(until) * len(self._batches)

    def resume(self) -> None:
        """Take up the run that the folder holds, if there is one."""
        found = None if self._folder is None else read_checkpoint(self._folder, self._identity)
        if found is None:
            return
        self.at = RunState(**found.notes)
        self._best = found.part("best")
        unpacked(found, self._bare, self._optimizer, self._average)
        self._resumed = True

    def train(
        self,
        validate: Validate | None,
        metric: str,
        trackers: Sequence[Tracker],
        until: int | None,
    ) -> None:
        """Epoch after epoch, until the last one or no validation has been better for long."""
        while self.at.epoch < self._last(until) and not self._is_stale():
            self._epoch()
            told = {"loss": self.at.loss, "learning_rate": self._rate()}
            self.at.close_epoch()
            if validate is not None and self._is_due(until):
                told[metric] = self._validated(validate)
            self.at.history.append({"epoch": float(self.at.epoch), **told})
            for one in trackers:
                speed = {"items_per_second": self.meter.items_per_second}
                one.report(self.at.epoch, {**told, **speed})
            self._checkpoint_or_stop()

    def finish(self) -> TrainingResult:
        """Put the best weights in place."""
        self._check_weights()
        self._keep(now=True)  # a run that is over need not be repeated, whatever comes after it
        if not self._best:
            self._best = self._answering()
        unwrapped = self._accelerator.unwrap_model(self._module, keep_fp32_wrapper=False)
        unwrapped.load_state_dict(self._best)
        unwrapped.eval()
        self.meter.close(self.at.history[-1]["loss"] if self.at.history else math.nan)
        best = self.at.best_epoch or self.at.epoch
        history = tuple(self.at.history)
        return TrainingResult(self.at.epoch, best, self.at.best, history, self._resumed)

    def _epoch(self) -> None:
        self._bare.train()
        batches = self._batches.epoch(self.at.epoch, self.at.step)
        for window in group_batches(batches, self._training.gradient_accumulation_steps):
            counts = [self._targets(batch) for batch in window]
            for place, (batch, count) in enumerate(zip(window, counts, strict=True), 1):
                stepping = place == len(window)
                loss = self._batch(require_finite(batch, self.at), sum(counts), stepping=stepping)
                self.at.add(loss, rows_of(batch))
                self.meter.step(count, self.at.loss)
            self._checkpoint_or_stop()

    def _batch(self, batch: Batch, together: float, *, stepping: bool) -> float:
        """Forward, backward and, where gradients are whole, a step; the loss.

        `together`: the targets of all batches of the step. Each of them, in whichever batch and
        process, counts the same: a mean counts by its share of them.
        """
        accelerator = self._accelerator
        part = shard(batch, accelerator.process_index, accelerator.num_processes)
        # Gradients are the mean over processes, a batch that is too small to share is in each.
        processes = 1 if part is batch else accelerator.num_processes
        share = processes * self._targets(part) / (together or 1)
        quiet = nullcontext() if stepping else accelerator.no_sync(self._module)
        try:
            with quiet:
                loss = self._objective(self._module, to_device(part, accelerator.device))
                value = float(loss.detach())
                if not math.isfinite(value):
                    raise self._not_finite("loss", value)
                accelerator.backward(loss * share)
            if stepping:
                self._step()
        except (MemoryError, torch.OutOfMemoryError) as problem:
            raise PlaitError(
                f"a batch of {rows_of(batch)} rows does not fit into memory: {problem}",
                hint="make batch_size smaller, and gradient_accumulation_steps larger by as much",
                field="batch_size",
            ) from problem
        return value

    def _step(self) -> None:
        length = float(self._slope())
        # Where gradients are scaled, the scaler itself leaves out a step that would overflow.
        if not math.isfinite(length) and self._accelerator.scaler is None:
            raise self._not_finite("gradient", length)
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate()
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._average.update(self._bare)
        self.at.updates += 1

    def _slope(self) -> Any:
        """The norm of the gradient, before it is clipped."""
        if self._training.max_grad_norm:
            parameters = self._module.parameters()
            return self._accelerator.clip_grad_norm_(parameters, self._training.max_grad_norm)
        slopes = [one.grad for one in self._bare.parameters() if one.grad is not None]
        return torch.stack(torch._foreach_norm(slopes)).norm()

    def _rate(self) -> float:
        a_step = -(-len(self._batches) // self._training.gradient_accumulation_steps)
        return rate(self._training, self.at.updates, a_step * self._training.epochs)

    def _checkpoint_or_stop(self) -> None:
        """Between two steps: is it time for a checkpoint, or to stop?"""
        if self._interrupts.wanted:
            self._keep(now=True)
            raise KeyboardInterrupt
        self._keep()

    def _keep(self, *, now: bool = False) -> None:
        """Write a checkpoint if the last one is old, by the first process alone."""
        due = now or self.at.seconds_kept() >= self._training.checkpoint_seconds
        if self._folder is None or not due or not self.first:
            return
        self._check_weights()
        found = packed(self._bare, self._optimizer, self._average, self._best, self.at)
        write_checkpoint(self._folder, found, self._identity)
        self.at.kept()

    def _validated(self, validate: Validate) -> float:
        """Ask for the metric, with the weights that would answer; remember the best."""
        self._check_weights()
        self._bare.eval()
        with self._average.in_place(self._bare), torch.no_grad():
            value = ProcessGroup.here().told(float(validate(self._bare)))  # they stop together
        if not math.isfinite(value):
            raise PlaitError(f"the metric is {value} after epoch {self.at.epoch}")
        if self.at.judge(value):
            self._best = self._answering()
        self.meter.best = self.at.best
        return value

    def _answering(self) -> dict[str, torch.Tensor]:
        """A copy of the weights that answer now."""
        with self._average.in_place(self._bare):
            return {name: one.detach().clone() for name, one in self._bare.state_dict().items()}

    def _last(self, until: int | None) -> int:
        return self._training.epochs if until is None else min(until, self._training.epochs)

    def _is_due(self, until: int | None) -> bool:
        """Whether this epoch ends with a validation; the last one always does."""
        return self.at.epoch % self._training.validate_every == 0 or self.at.epoch == self._last(
            until
        )

    def _is_stale(self) -> bool:
        return 0 < self._training.patience <= self.at.worse

    def _check_weights(self) -> None:
        """Raise PlaitError for weights that nobody could go on from."""
        for name, one in self._bare.named_parameters():
            if not torch.isfinite(one.detach()).all():
                raise self._broken(f"{name} is not finite after step {self.at.updates}")

    def _not_finite(self, what: str, value: float) -> PlaitError:
        at = f"epoch {self.at.epoch + 1}, batch {self.at.step + 1}"
        return self._broken(f"the {what} is {value} in {at}")

    def _broken(self, what: str) -> PlaitError:
        there = self._folder is not None and (self._folder / FILE).exists()
        return PlaitError(
            f"{what}; the last checkpoint is intact" if there else what,
            hint="a smaller learning_rate, some clip or warmup, or precision float32",
            field="learning_rate",
        )
