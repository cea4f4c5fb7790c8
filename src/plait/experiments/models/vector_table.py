"""Vectors by external id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from plait.data.array_types import Float32Array

if TYPE_CHECKING:
    import polars as pl

__all__ = ["VectorTable"]


class VectorTable(NamedTuple):
    """Ids and their vectors: `ids, vectors = fitted.item_vectors`.

    Attributes:
        ids: N ids.
        vectors: float32 [N, D], one row for each id.
    """

    ids: list[str]
    vectors: Float32Array

    @staticmethod
    def of(ids: Sequence[str], vectors: Float32Array) -> VectorTable:
        """Leave out the ids without a vector.

        Args:
            ids: M ids.
            vectors: float32 [up to M, D]; NaN where there is none.
        """
        rows = np.flatnonzero(~np.isnan(vectors).any(axis=1))
        return VectorTable([ids[row] for row in rows.tolist()], vectors[rows])

    def to_frame(self) -> pl.DataFrame:
        """Return the columns id and vector, a list of D numbers."""
        import polars as pl

        dim = self.vectors.shape[1]
        vectors = pl.Series(self.vectors, dtype=pl.Array(pl.Float32, dim)).cast(pl.List(pl.Float32))
        return pl.DataFrame({"id": pl.Series(self.ids, dtype=pl.String), "vector": vectors})
