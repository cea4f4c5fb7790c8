"""Models that take no part in one answer, because they fail or take too long."""

from __future__ import annotations

import logging
import math
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

from plait.errors import PlaitError, RecipeError, StageError

__all__ = ["ModelFailures", "attempt", "checked_budget"]

Result = TypeVar("Result")

_log = logging.getLogger(__name__)


class ModelFailures:
    """Collects the models that fail while one answer is computed.

    Args:
        budget_ms: How many milliseconds a model may take, retrieving and scoring together; 0: any
            number. A model cannot be interrupted: what it returns too late is not used, and it is
            not called again for this answer.

    Attributes:
        errors: What went wrong, by model.
    """

    def __init__(self, budget_ms: float = 0.0) -> None:
        self.errors: dict[str, Exception] = {}
        self._budget = budget_ms / 1000
        self._spent: dict[str, float] = defaultdict(float)

    def run(self, model: str, work: Callable[[], Result]) -> Result | None:
        """Let a model work.

        Args:
            model: The name of the model.
            work: What it does.

        Returns:
            The result; None if the model fails, failed before, or is over its budget.

        Raises:
            PlaitError: What the model says of the query, or an extra that is not installed.
        """
        if model in self.errors:
            return None
        start = time.perf_counter()
        try:
            result = work()
        except Exception as problem:
            if isinstance(problem, PlaitError) and not isinstance(problem, StageError):
                raise
            _log.warning("model %s failed: %s: %s", model, type(problem).__name__, problem)
            self.errors[model] = problem
            return None
        self._spent[model] += time.perf_counter() - start
        if self._budget and self._spent[model] > self._budget:
            milliseconds = 1000 * self._spent[model]
            self.errors[model] = TimeoutError(f"{model} took {milliseconds:.0f} ms")
            return None
        return result

    def require_any(self, models: tuple[str, ...]) -> None:
        """Check that a model is left.

        Args:
            models: The names of all models.

        Raises:
            Exception: The failure of the first model, if all failed.
        """
        if models and all(name in self.errors for name in models):
            raise self.errors[models[0]]


def checked_budget(value: Any) -> float:
    """Check the budget that a recipe sets.

    Args:
        value: The milliseconds that a model may take.

    Returns:
        The same as a float.

    Raises:
        RecipeError: If it is no finite number from 0 on.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value < math.inf:
        raise RecipeError(
            f"model_budget_ms is {value!r}, expected milliseconds, or 0 for no limit",
            field="model_budget_ms",
        )
    return float(value)


def attempt(
    failures: ModelFailures | None, model: str, work: Callable[[], Result]
) -> Result | None:
    """Let a model work, and let its failure pass where nobody collects failures.

    Args:
        failures: Collects the failures; None: a failure is raised.
        model: The name of the model.
        work: What it does.

    Returns:
        The result; None if the model failed and the failure was collected.
    """
    return work() if failures is None else failures.run(model, work)
