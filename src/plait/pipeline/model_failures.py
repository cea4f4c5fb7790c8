"""Models that take no part in one answer, because they fail or take too long."""

from __future__ import annotations

import logging
import math
from collections import defaultdict
from typing import Any

from plait.errors import PlaitError, RecipeError, StageError

__all__ = ["ModelFailures", "RaisedFailures", "checked_budget"]

_log = logging.getLogger(__name__)


class ModelFailures:
    """Collects the models that fail while one answer is computed.

    Args:
        budget_ms: How many milliseconds a model may take, retrieving and scoring together; 0: any
            number. A model cannot be interrupted: what it returns too late is not used, and it is
            not called again for this answer.

    Attributes:
        errors: What went wrong, by model.
        budget: The same in seconds; infinite without a budget.
    """

    def __init__(self, budget_ms: float = 0.0) -> None:
        self.errors: dict[str, Exception] = {}
        self.budget = budget_ms / 1000 or math.inf
        self._spent: dict[str, float] = defaultdict(float)

    def collect(self, model: str, problem: Exception) -> None:
        """Note that a model failed.

        Args:
            model: The name of the model.
            problem: What it raised.

        Raises:
            PlaitError: What the model says of the query, or an extra that is not installed.
        """
        if isinstance(problem, PlaitError) and not isinstance(problem, StageError):
            raise problem
        _log.warning("model %s failed: %s: %s", model, type(problem).__name__, problem)
        self.errors[model] = problem

    def is_late(self, model: str, seconds: float) -> bool:
        """Add to the time of a model.

        Args:
            model: The name of the model.
            seconds: What it took now.

        Returns:
            Whether it is over its budget now; then it is not called again.
        """
        self._spent[model] += seconds
        if self._spent[model] <= self.budget:
            return False
        milliseconds = 1000 * self._spent[model]
        self.errors[model] = TimeoutError(f"{model} took {milliseconds:.0f} ms")
        return True

    def require_any(self, models: tuple[str, ...]) -> None:
        """Check that a model is left.

        Args:
            models: The names of all models.

        Raises:
            Exception: The failure of the first model, if all failed.
        """
        if models and all(name in self.errors for name in models):
            raise self.errors[models[0]]


class RaisedFailures(ModelFailures):
    """Raises each failure instead of collecting it."""

    def collect(self, model: str, problem: Exception) -> None:
        raise problem


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
