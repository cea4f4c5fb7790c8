"""Fitted recipes that an evaluation keeps, so that they can be measured again without a fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from plait.evaluation.ranking.fusion_rows import FusionRow
from plait.evaluation.stage_costs import StageCosts
from plait.pipeline.pipeline import Pipeline

__all__ = ["FittedRecipe", "KeptFits"]


@dataclass(frozen=True, slots=True, eq=False)
class FittedRecipe:
    """A recipe fitted with one seed on one window.

    Attributes:
        pipeline: The fitted pipeline.
        costs: What the fit cost.
        fusion_rows: The fusions of further rows that were learned with it.
    """

    pipeline: Pipeline
    costs: StageCosts
    fusion_rows: Sequence[FusionRow] = ()


@dataclass(slots=True, eq=False)
class KeptFits:
    """Fitted pipelines with what their fits cost, by recipe, window and seed.

    Attributes:
        keep: Whether new fits are kept.
        bundle: A fitted pipeline that stands for every window and seed; None: recipes are fitted.
    """

    keep: bool = False
    bundle: Pipeline | None = None
    _fitted: dict[tuple[str, str, int], FittedRecipe] = field(default_factory=dict)

    def get(self, recipe: str, window: str, seed: int) -> FittedRecipe | None:
        """Look up a fitted recipe.

        Args:
            recipe: The name of the recipe.
            window: The first day of the window, "" for a single window.
            seed: The seed of the fit.

        Returns:
            The fitted recipe; None if it is not fitted yet.
        """
        if self.bundle is not None:
            return FittedRecipe(self.bundle, StageCosts())
        return self._fitted.get((recipe, window, seed))

    def add(self, recipe: str, window: str, seed: int, fitted: FittedRecipe) -> None:
        """Keep a fitted recipe, if fits are kept.

        Args:
            recipe: The name of the recipe.
            window: The first day of the window, "" for a single window.
            seed: The seed of the fit.
            fitted: The fitted recipe.
        """
        if self.keep:
            self._fitted[recipe, window, seed] = fitted
