"""The training loop of every model that is trained by gradients.

Devices, mixed precision, gradient scaling and data parallelism are accelerate's. Under its launcher
every process takes its share of the rows of each batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from plait.errors import InputError, PlaitError
from plait.pipeline.fit_context import Callback, FitContext, Progress, Tracker
from plait.training.batch_preparation import group_batches, require_finite, shard, to_device
from plait.training.batches import Batch, Batches, CountTargets, row_count
from plait.training.checkpoints import FILE, read_checkpoint, write_checkpoint
from plait.training.config import TrainingConfig, TrainingResult
from plait.training.ema import WeightEMA, decay_of
from plait.training.optim import optimizer_of, scheduler_of
from plait.training.precision import accelerator_of
from plait.training.process_group import ProcessGroup
from plait.training.progress import ThroughputMeter
from plait.training.run_state import RunState, pack_state, restore_state
from plait.utils.interrupts import InterruptFlag
from plait.utils.no_op_callbacks import ignore

__all__ = [
    "Objective",
    "RunOptions",
    "TrainingTask",
    "Validate",
    "train",
    "train_with_context",
]

Objective = Callable[[nn.Module, Mapping[str, torch.Tensor]], torch.Tensor]
"""Maps the module and a batch on its device to a loss, a mean over the targets of the batch.

All that needs gradients must come out of `module(...)`, which several processes wrap.
"""

Validate = Callable[[nn.Module], float]
"""Maps the module, in evaluation mode, to the metric; larger is better."""


@dataclass(frozen=True, slots=True)
class TrainingTask:
    """What a module learns, and how it is validated.

    Attributes:
        batches: The training data.
        objective: The loss of a batch.
        count_targets: Over how many targets the loss of a batch is a mean. The batches of one
            optimizer step are weighted by it, and speed is measured in targets a second.
        validate: The metric that early stopping watches; None: no early stopping.
        metric: The name of that metric.
    """

    batches: Batches
    objective: Objective
    count_targets: CountTargets = row_count
    validate: Validate | None = None
    metric: str = "metric"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run starts, resumes and reports.

    Attributes:
        seed: The seed of everything random.
        max_epochs: Stop after this many epochs of a schedule that is drawn for `config.epochs`.
        folder: Where checkpoints are kept; None: the run cannot be resumed.
        identity: What makes two runs the same beside seed, settings and shapes: a vocabulary.
        progress: Called with a line, batches done and batches in total.
        trackers: Records of the run; only rank 0 reports to them.
        name: The name of the run for trackers.
        callbacks: Called after each epoch with its number and values; "stop" ends the run there.
            Only those of rank 0 are called.
    """

    seed: int = 0
    max_epochs: int | None = None
    folder: Path | None = None
    identity: Mapping[str, Any] = field(default_factory=dict)
    progress: Progress = ignore
    trackers: Sequence[Tracker] = ()
    name: str = "run"
    callbacks: Sequence[Callback] = ()


def train(
    module: nn.Module,
    task: TrainingTask,
    config: TrainingConfig,
    options: RunOptions | None = None,
) -> TrainingResult:
    """Train a module in place; it ends with the best weights, in evaluation mode.

    An interrupted run (Ctrl-C, kill) with a folder resumes from its last checkpoint and ends as if
    it had never been interrupted, bit for bit. The global random state of torch is restored.

    Args:
        module: The module to train.
        task: What it learns.
        config: Optimizer, schedule, precision and the like.
        options: Seed, checkpoints and reports.

    Raises:
        InputError: A setting is out of bounds, a batch holds NaN, or float16 is set on a CPU.
        PlaitError: A loss, gradient or weight is not finite, or memory does not suffice.
        ConflictError: The folder holds a checkpoint of another run.
        KeyboardInterrupt: Ctrl-C was pressed; raised after the current optimizer step.
    """
    config.check()
    options = options or RunOptions()
    identity = {
        **options.identity,
        "seed": options.seed,
        "training": config.identity(),
        "shapes": {name: list(tensor.shape) for name, tensor in module.state_dict().items()},
    }
    with torch.random.fork_rng(), InterruptFlag() as interrupts:
        torch.manual_seed(options.seed)
        run = _TrainingRun(module, task, config, options, identity, interrupts)
        for tracker in run.trackers:
            tracker.begin(options.name, identity)
        try:
            run.train()
        finally:
            for tracker in run.trackers:
                tracker.end()
        return run.finish()


def train_with_context(
    context: FitContext,
    module: nn.Module,
    task: TrainingTask,
    config: TrainingConfig,
    *,
    identity: Mapping[str, Any],
    name: str,
    best_epoch: int = 0,
) -> TrainingResult:
    """Train a module with the seed, folder, progress and trackers of a fit.

    Args:
        context: How the stage is fitted.
        module: The module to train.
        task: What it learns.
        config: Optimizer, schedule, precision and the like.
        identity: What makes two runs the same beside seed, settings and shapes.
        name: The name of the run for trackers, if the context has none.
        best_epoch: The best epoch of an earlier run, 0 for none. Without a validation set training
            takes as long, or the share of it that a warm start has.
    """
    return train(
        module,
        task,
        config.for_fit(context, best_epoch),
        RunOptions(
            seed=context.seed,
            max_epochs=best_epoch if context.held is None and best_epoch else None,
            folder=context.folder,
            identity=identity,
            progress=context.progress,
            trackers=context.trackers,
            name=context.name or name,
            callbacks=context.callbacks,
        ),
    )


class _TrainingRun:
    """One run. What changes is in `state` (counters) and in the tensors of module and optimizer."""

    def __init__(
        self,
        module: nn.Module,
        task: TrainingTask,
        config: TrainingConfig,
        options: RunOptions,
        identity: Mapping[str, Any],
        interrupts: InterruptFlag,
    ) -> None:
        self._task, self._config = task, config
        self._folder, self._identity = options.folder, identity
        self._interrupts = interrupts
        self._accelerator = accelerator_of(config)
        self._wrapped = self._accelerator.prepare(module)
        self._module = module
        self._optimizer = self._accelerator.prepare(optimizer_of(module.parameters(), config))
        n_batches = len(task.batches)
        steps_per_epoch = -(-n_batches // config.gradient_accumulation_steps)
        self._ema = WeightEMA(module, decay_of(config, steps_per_epoch))
        self._best: dict[str, torch.Tensor] = {}
        self._state = RunState()
        self._resumed = self._resume()
        self._scheduler = scheduler_of(
            self._optimizer.optimizer, config, steps_per_epoch * config.epochs, self._state.updates
        )
        limit = config.epochs if options.max_epochs is None else options.max_epochs
        self._max_epochs = min(limit, config.epochs)
        self._is_main = bool(self._accelerator.is_main_process)
        self.trackers = options.trackers if self._is_main else ()
        self._callbacks = options.callbacks
        self._meter = ThroughputMeter(
            options.progress if self._is_main else ignore,
            self._max_epochs * n_batches,
            self._state.epoch * n_batches + self._state.step,
            task.metric,
        )

    def train(self) -> None:
        """Train until the last epoch, or until validations stop improving."""
        state, validate = self._state, self._task.validate
        while state.epoch < self._max_epochs and not state.is_over(self._config):
            self._epoch()
            rate = float(self._scheduler.get_last_lr()[0])
            values = {"loss": state.loss, "learning_rate": rate}
            state.close_epoch()
            is_last = state.epoch == self._max_epochs or state.is_over(self._config)
            if validate is not None and (is_last or state.epoch % self._config.validate_every == 0):
                values[self._task.metric] = self._validated(validate)
            state.history.append({"epoch": float(state.epoch), **values})
            values["items_per_second"] = self._meter.targets_per_second
            for tracker in self.trackers:
                tracker.report(state.epoch, values)
            is_stopped = self._is_stopped(values)
            self._checkpoint_or_stop()
            if is_stopped:
                break

    def _is_stopped(self, values: Mapping[str, float]) -> bool:
        """Whether a callback stops the run; all are called, in the main process."""
        if not self._callbacks:
            return False
        answers: list[Any] = []
        if self._is_main:
            answers = [callback(self._state.epoch, dict(values)) for callback in self._callbacks]
        for answer in answers:
            if answer not in (None, "stop"):
                message = f"a callback returned {answer!r}, expected None or 'stop'"
                raise InputError(message, field="callbacks")
        return bool(ProcessGroup.current().broadcast("stop" in answers))

    def finish(self) -> TrainingResult:
        """Load the best weights into the module."""
        state = self._state
        self._check_weights()
        self._save_checkpoint()  # whatever follows the run, the run itself need not be repeated
        unwrapped = self._accelerator.unwrap_model(self._wrapped, keep_fp32_wrapper=False)
        unwrapped.load_state_dict(self._best or self._current_weights())
        unwrapped.eval()
        self._meter.close(state.history[-1]["loss"] if state.history else math.nan)
        best_epoch = state.best_epoch or state.epoch
        return TrainingResult(
            state.epoch,
            best_epoch,
            state.best,
            tuple(state.history),
            self._resumed,
            state.seconds,
        )

    def _resume(self) -> bool:
        """Restore the checkpoint of the folder; whether there is one."""
        if self._folder is None:
            return False
        checkpoint = read_checkpoint(self._folder, self._identity)
        if checkpoint is None:
            return False
        self._state = RunState(**checkpoint.counters)
        self._best = checkpoint.group("best")
        restore_state(checkpoint, self._module, self._optimizer, self._ema)
        return True

    def _epoch(self) -> None:
        self._module.train()
        batches = self._task.batches.epoch(self._state.epoch, self._state.step)
        for group in group_batches(batches, self._config.gradient_accumulation_steps):
            counts = [self._task.count_targets(batch) for batch in group]
            for number, (batch, count) in enumerate(zip(group, counts, strict=True), 1):
                checked = require_finite(batch, self._state)
                loss = self._batch(checked, sum(counts), stepping=number == len(group))
                self._state.add(loss, row_count(batch))
                self._meter.step(count, self._state.loss)
            self._checkpoint_or_stop()

    def _batch(self, batch: Batch, step_targets: float, *, stepping: bool) -> float:
        """Forward, backward and, after the last batch of a step, the optimizer step; the loss.

        `step_targets` are the targets of all batches of the step. Every target has the same weight,
        in whichever batch and process it is: a mean is weighted by its share of the targets.
        """
        accelerator = self._accelerator
        rows = shard(batch, accelerator.process_index, accelerator.num_processes)
        # Gradients are the mean over processes; a batch too small to shard is in each of them.
        processes = 1 if rows is batch else accelerator.num_processes
        weight = processes * self._task.count_targets(rows) / (step_targets or 1)
        synchronization = nullcontext() if stepping else accelerator.no_sync(self._wrapped)
        try:
            with synchronization:
                loss = self._task.objective(self._wrapped, to_device(rows, accelerator.device))
                value = float(loss.detach())
                if not math.isfinite(value):
                    raise self._not_finite("loss", value)
                accelerator.backward(loss * weight)
            if stepping:
                self._step()
        except (MemoryError, torch.OutOfMemoryError) as problem:
            raise PlaitError(
                f"a batch of {row_count(batch)} rows does not fit into memory: {problem}",
                hint="reduce batch_size and raise gradient_accumulation_steps in proportion",
                field="batch_size",
            ) from problem
        return value

    def _step(self) -> None:
        norm = float(self._grad_norm())
        # With gradient scaling the scaler itself skips a step that overflows.
        if not math.isfinite(norm) and self._accelerator.scaler is None:
            raise self._not_finite("gradient", norm)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._scheduler.step()
        self._ema.update()
        self._state.updates += 1

    def _grad_norm(self) -> Any:
        """The norm of the gradient, before it is clipped."""
        if self._config.max_grad_norm:
            parameters = self._wrapped.parameters()
            return self._accelerator.clip_grad_norm_(parameters, self._config.max_grad_norm)
        parameters = self._module.parameters()
        gradients = [p.grad for p in parameters if p.grad is not None]
        return torch.stack(torch._foreach_norm(gradients)).norm()

    def _checkpoint_or_stop(self) -> None:
        """Between two steps: write a checkpoint if it is due, stop if Ctrl-C was pressed."""
        if self._interrupts.requested:
            self._save_checkpoint()
            raise KeyboardInterrupt
        if self._state.seconds_since_checkpoint() >= self._config.checkpoint_seconds:
            self._save_checkpoint()

    def _save_checkpoint(self) -> None:
        """Write a checkpoint, if there is a folder and this is the main process."""
        if self._folder is None or not self._is_main:
            return
        self._check_weights()
        checkpoint = pack_state(self._module, self._optimizer, self._ema, self._best, self._state)
        write_checkpoint(self._folder, checkpoint, self._identity)
        self._state.checkpointed()

    def _validated(self, validate: Validate) -> float:
        """The metric of the weights that would be returned now; stores the best ones."""
        self._check_weights()
        self._module.eval()
        with self._ema.applied(), torch.no_grad():
            # All processes stop together, by the metric of rank 0.
            metric = ProcessGroup.current().broadcast(float(validate(self._module)))
        if not math.isfinite(metric):
            raise PlaitError(f"the metric is {metric} after epoch {self._state.epoch}")
        if self._state.update_best(metric):
            self._best = self._current_weights()
        self._meter.best = self._state.best
        return metric

    def _current_weights(self) -> dict[str, torch.Tensor]:
        """A copy of the weights, averaged if there is an average."""
        with self._ema.applied():
            state = self._module.state_dict()
            return {name: tensor.detach().clone() for name, tensor in state.items()}

    def _check_weights(self) -> None:
        """Raise PlaitError for weights that are not finite."""
        for name, parameter in self._module.named_parameters():
            if not torch.isfinite(parameter.detach()).all():
                raise self._diverged(f"{name} is not finite after step {self._state.updates}")

    def _not_finite(self, quantity: str, value: float) -> PlaitError:
        position = f"epoch {self._state.epoch + 1}, batch {self._state.step + 1}"
        return self._diverged(f"the {quantity} is {value} in {position}")

    def _diverged(self, message: str) -> PlaitError:
        has_checkpoint = self._folder is not None and (self._folder / FILE).exists()
        return PlaitError(
            f"{message}; the last checkpoint is intact" if has_checkpoint else message,
            hint="lower learning_rate, set max_grad_norm or warmup_ratio, or use float32",
            field="learning_rate",
        )
