"""A re-ranking step in one file: what the shop earns on an item counts beside its score.

A recipe has it between the fusion and the policy::

    [steps.fuse]

    [steps.margin]
    stage = "own_step:Margin"
    weight = 0.2

    [steps.policy]
"""

from dataclasses import dataclass

import numpy as np

from plait.data.types import CandidateLists, Float32Array, Int32Array, QueryBatch
from plait.pipeline.stage import Stage

__all__ = ["Margin", "MarginConfig"]


@dataclass(frozen=True, slots=True)
class MarginConfig:
    """Settings of `Margin`."""

    field: str = "margin"
    """The item field that holds the margin: a number."""

    weight: float = 0.1
    """How much of the margin is added to the score."""


class Margin(Stage[MarginConfig]):
    """Adds the margin of each candidate to its score."""

    Config = MarginConfig
    reads = ("score",)
    writes = ("score",)

    def apply(self, queries: QueryBatch, items: CandidateLists) -> CandidateLists:
        """Add the margin; an item without one keeps its score."""
        margins = self._margins(queries, items.item_numbers)
        score = items.column("score") + np.float32(self.config.weight) * margins
        return items.with_columns(score=score.astype(np.float32))

    def _margins(self, queries: QueryBatch, numbers: Int32Array) -> Float32Array:
        """float32 [B, K]; the catalogue is that of the live state, as it is now."""
        margins = np.zeros(numbers.shape, np.float32)
        if queries.live is None:
            return margins
        catalogue = queries.live.state.catalogue
        column = catalogue.columns.get(self.config.field)
        if column is None or column.type != "number":
            return margins
        known = (numbers >= 0) & (numbers < len(catalogue))
        margins[known] = np.nan_to_num(column.values[numbers[known]])
        return margins
