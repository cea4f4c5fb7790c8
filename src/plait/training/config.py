"""Settings, batches and results of a training run.

Nothing here needs torch, so that configs of stages can hold a `TrainingConfig`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Self

from plait.pipeline.config_validation import Limit, TextForm, bounded_field, check, text_field
from plait.pipeline.fit_context import FitContext
from plait.pipeline.search_space import Range, tunable

__all__ = ["TrainingConfig", "TrainingResult"]


_IRRELEVANT = ("checkpoint_seconds", "device", "max_seconds")
"""Settings that a resumed run may change: they do not affect what an epoch learns."""

_DEVICES = TextForm(r"auto|cpu|mps|cuda(:\d{1,3})?", "'auto', 'cpu', 'cuda', 'cuda:N' or 'mps'")


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """Settings of gradient training, shared by every model that is trained by gradients."""

    epochs: int = bounded_field(40, Limit(least=1))
    """The maximum number of passes over the data."""
    batch_size: int = bounded_field(256, Limit(least=1))
    """Rows in a batch."""
    optimizer: Literal["adam", "adamw", "sgd"] = "adamw"
    """Adam (Kingma & Ba, 2015), with decoupled decay (Loshchilov & Hutter, 2019), or SGD."""
    learning_rate: float = tunable(1e-3, Range(1e-4, 3e-2, log=True), Limit(least=0))
    """The largest learning rate of the schedule."""
    momentum: float = bounded_field(0.9, Limit(least=0, below=1))
    """Momentum of `sgd`; the others ignore it."""
    weight_decay: float = bounded_field(0.0, Limit(least=0))
    """Weight decay: decoupled under `adamw`, added to the gradient otherwise."""
    schedule: Literal["constant", "cosine"] = "constant"
    """The learning rate after the warm-up: constant, or falling to zero along a half cosine."""
    warmup_ratio: float = bounded_field(0.0, Limit(least=0, below=1))
    """The share of all steps in which the learning rate rises linearly from zero."""
    gradient_accumulation_steps: int = bounded_field(1, Limit(least=1))
    """Batches in one optimizer step; the last step of an epoch takes what is left."""
    max_grad_norm: float = bounded_field(0.0, Limit(least=0))
    """Gradients are clipped to this norm; 0: no clipping."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """The type in which matrix products are computed; weights stay float32."""
    ema_decay: float | None = bounded_field(0.0, Limit(least=0, below=1))
    """Decay of an exponential moving average of the weights, which the model then uses; 0: none;
    None: the average spans the steps of an epoch, and 100 at least."""
    patience: int = bounded_field(5, Limit(least=0))
    """Stop after this many validations without improvement; 0: never."""
    max_seconds: float = bounded_field(0.0, Limit(least=0))
    """Stop after the epoch in which this many seconds are over, and use the best weights until
    then; 0: never. A limit makes results depend on the speed of the machine."""
    validate_every: int = bounded_field(1, Limit(least=1))
    """Epochs from one validation to the next."""
    checkpoint_seconds: float = bounded_field(30.0, Limit(least=0))
    """The minimum number of seconds between checkpoints."""
    device: str = text_field("auto", _DEVICES)
    """`auto` takes an accelerator if there is one; or `cpu`, `cuda`, `cuda:1`, `mps`."""

    def identity(self) -> dict[str, Any]:
        """Return the settings that a resumed run must share."""
        return {name: value for name, value in asdict(self).items() if name not in _IRRELEVANT}

    def for_fit(self, context: FitContext, best_epoch: int) -> Self:
        """Return the settings of one fit: under a warm start it has a share of the epochs.

        The schedule of the learning rate ends with them.

        Args:
            context: How the stage is fitted.
            best_epoch: The best epoch of an earlier fit, 0 for none. Without a validation set the
                share is one of these, otherwise of the most epochs.
        """
        is_validated = context.held is not None or not best_epoch
        epochs = self.epochs if is_validated else min(best_epoch, self.epochs)
        return replace(self, epochs=context.rounds(epochs)) if context.warm_start else self

    def check(self) -> None:
        """Check all settings.

        Raises:
            InputError: A setting is out of bounds; the error names the first one.
        """
        check(self)


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """The result of a run; the module then holds the weights of `best_epoch`.

    Attributes:
        epochs: Epochs trained.
        best_epoch: The epoch with the best metric; `epochs` if nothing was validated.
        metric: The best value of the metric, or None.
        history: For each epoch `epoch`, `loss`, `learning_rate` and, where validated, the metric
            under its name.
        resumed: Whether the run continued from a checkpoint.
        seconds: How long the epochs took, those before an interruption included; equal results may
            differ in it.
    """

    epochs: int
    best_epoch: int
    metric: float | None
    history: tuple[Mapping[str, float], ...]
    resumed: bool
    seconds: float = field(compare=False)
