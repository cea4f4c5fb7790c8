"""What all item-item models share: a sparse matrix that a decayed history is multiplied with.

An item lends its neighbours' behaviour to items that say the same of themselves ("lending"), so an
item without a single click, or added a second ago, stands where its content says.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse
from typing_extensions import TypeVar

from plait.data.catalogue import Catalogue
from plait.data.types import ABSENT, BoolArray, Dataset, Float32Array, Int32Array, QueryBatch
from plait.features.blockwise import filter_entries, row_topk_mask
from plait.features.interactions import (
    densify_if_full,
    query_history,
    read_matrix,
    top_contributor,
    write_matrix,
)
from plait.features.item_changes import Changes
from plait.features.sparse_rows import SparseRows, decayed_history
from plait.features.tfidf import Tfidf, TfidfConfig, largest, similar
from plait.models.item_item.cooccurrence import PairConfig
from plait.pipeline.array_files import read_arrays, write_arrays
from plait.pipeline.constraints import Limit, bounded_field
from plait.pipeline.dense import DenseScorer
from plait.pipeline.model_defaults import ReasonTemplates
from plait.pipeline.search_space import Range, tunable

__all__ = ["ItemItem", "ItemItemConfig", "Loans", "kept_bytes"]

Ties = npt.NDArray[np.uint64]

_BATCH = 1024
_CELLS = 1 << 25
"""So many rows at most are looked at at a time, and so many entries, where it is not one row."""

_SQUARE = 1 << 28
"""A matrix of so many entries may be dense where that is faster: 1 GB."""


@dataclass(frozen=True, slots=True)
class ItemItemConfig(PairConfig):
    """What item-item models can be told, beside how pairs are counted."""

    basket_decay: float = tunable(0.6, Range(0.2, 1.0), Limit(least=0, most=1))
    """What a basket of the history counts against the one after it."""
    max_baskets: int = bounded_field(20, Limit(least=0))
    """How many baskets back are read; 0: all."""
    top_k: int = bounded_field(300, Limit(least=1))
    """How many entries are kept for every item."""
    content_smoothing: float = tunable(0.0, Range(0.0, 3.0), Limit(least=0))
    """What the behaviour of items alike in content counts against an item's own; 0: nothing."""
    content_neighbors: int = bounded_field(10, Limit(least=1))
    """How many items alike lend to each."""
    content: TfidfConfig = field(default_factory=TfidfConfig)
    """How likeness in content is computed, where something is lent."""


@dataclass(frozen=True, slots=True, eq=False)
class Loans:
    """Items unknown at the fit, and from whom they borrow: CSR [N, n], rows that sum to 1."""

    changes: Changes
    lenders: sparse.csr_matrix

    @property
    def numbers(self) -> Int32Array:
        """The items, int32 [N]."""
        return self.changes.numbers


ItemItemConfigT = TypeVar("ItemItemConfigT", bound=ItemItemConfig, default=ItemItemConfig)


class ItemItem(DenseScorer[ItemItemConfigT], ABC):
    """Scores by history times matrix; 0 where nothing speaks for an item, NaN where it is unknown.

    A subclass says in `_matrix` how the matrix is made.
    """

    Config = ItemItemConfig
    reason_templates = ReasonTemplates(
        same_item="You come back to it",
        query_item="Often taken together with {because}",
        shared_value="",
        like_query_item="Things like it go with {query_item}",
        default="Things like it go with what you took",
    )
    min_score = 0.0

    def __init__(self, config: ItemItemConfigT | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._similar = sparse.csr_matrix((0, 0), dtype=np.float32)
        self._known: BoolArray = np.zeros(0, np.bool_)
        self._tfidf: Tfidf | None = None
        self._vectors = sparse.csr_matrix((0, 0), dtype=np.float32)

    @abstractmethod
    def _matrix(self, dataset: Dataset) -> Float32Array | sparse.csr_matrix:
        """[n_items, n_items], dense or sparse: how strongly row announces column."""

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        """Count, normalise, lend, and keep the strongest; `seed` plays no part."""
        fitted = type(self)(self.config, name=self.name)
        matrix, ties = self._matrix(dataset), dataset.catalogue.tiebreak
        if self.config.content_smoothing:
            fitted._tfidf, vectors = Tfidf.fit(self.config.content, dataset.catalogue)
            # Who has no behaviour has none to lend: such items would only crowd out those that do.
            taken = np.bincount(dataset.interactions.items, minlength=dataset.n_items) > 0
            lenders = (sparse.diags_array(taken.astype(np.float32)) @ vectors).tocsr()
            fitted._vectors = lenders
            loans = _loans(vectors, lenders, self.config, ties)
            fitted._similar = _lent(loans, matrix, self.config.top_k, ties)
        else:
            fitted._similar = _kept(matrix, self.config.top_k, ties)
        fitted._known = np.zeros(dataset.n_items, np.bool_)
        fitted._known[np.unique(fitted._similar.indices)] = True
        return fitted

    def save(self, folder: Path) -> None:
        """Write the matrix, and the vocabulary where something is lent."""
        write_matrix(folder / "similar.safetensors", self._similar)
        write_arrays(folder / "known.safetensors", {"known": self._known})
        if self._tfidf is not None:
            self._tfidf.save(folder)
            write_matrix(folder / "vectors.safetensors", self._vectors)

    @classmethod
    def load(cls, config: Any, name: str, folder: Path) -> Self:
        """Map what `save` wrote."""
        loaded = cls(config, name=name)
        loaded._similar = read_matrix(folder / "similar.safetensors")
        loaded._known = read_arrays(folder / "known.safetensors")["known"]
        if config.content_smoothing:
            loaded._tfidf = Tfidf.load(config.content, folder)
            loaded._vectors = read_matrix(folder / "vectors.safetensors")
        return loaded

    def update(self, catalogue: Catalogue, version: int, previous: Any) -> Loans | None:
        """From whom items without behaviour at the fit borrow; None where nothing is lent."""
        if self._tfidf is None:
            return None
        width = self._similar.shape[0]
        blank = Loans(Changes.none(version), sparse.csr_matrix((0, width), dtype=np.float32))
        old = previous if isinstance(previous, Loans) else blank
        numbers = old.changes.looked(catalogue)
        known = numbers < width
        known[known] = self._known[numbers[known]]
        numbers = numbers[~known]
        vectors = self._tfidf.vectors(catalogue, numbers)
        ties = catalogue.tiebreak[:width]
        found = similar(vectors, self._vectors, self.config.content_neighbors, ties, itself=False)
        lenders = _shares(found)
        kept = old.lenders[old.changes.kept(numbers)]
        changes = old.changes.extended(catalogue, numbers)
        return Loans(changes, sparse.vstack([kept, lenders]).tocsr())

    def score_all(self, queries: QueryBatch) -> Float32Array:
        """float32 [B, n], 0 and above; NaN: unknown item, or a query that says nothing."""
        loans = self._loans(queries)
        found = self._taken(queries, loans).matmul(self._similar)
        empty = ~found.any(axis=1)
        lent = None if loans is None else self._borrowed(loans, found)
        found[:, ~self._known] = np.nan
        found[empty] = np.nan
        if loans is None or lent is None:
            return found
        width = max(found.shape[1], int(loans.numbers.max()) + 1)
        wide = np.full((len(found), width), np.nan, np.float32)
        wide[:, : found.shape[1]] = found
        wide[:, loans.numbers] = lent
        wide[empty] = np.nan
        return wide

    def explain(self, queries: QueryBatch, numbers: Int32Array) -> Int32Array:
        """The item of the history that adds most to each candidate's score."""
        width = self._similar.shape[0]
        history = query_history(queries)
        taken = decayed_history(
            history, self.config.basket_decay, width, self.config.max_baskets
        ).sum_duplicates()
        found = np.full(numbers.shape, ABSENT, np.int32)
        for row in range(len(queries)):
            places = slice(taken.offsets[row], taken.offsets[row + 1])
            mine = taken.columns[places]
            known = (numbers[row] >= 0) & (numbers[row] < width)
            if len(mine) and known.any():
                worth = taken.weights[places]
                found[row, known] = top_contributor(self._similar, mine, worth, numbers[row][known])
        return found

    def _loans(self, queries: QueryBatch) -> Loans | None:
        found = None if queries.live is None else queries.live.deltas.get(self.name)
        return found if isinstance(found, Loans) and len(found.numbers) else None

    @property
    def _share(self) -> Any:
        """What of a lender's score goes to an item that borrows after the fit.

        `lend` of the lender's own behaviour, as in a fit: its score holds, beside that, what it
        has borrowed itself from items alike.
        """
        return np.float32(self.config.content_smoothing / (1 + self.config.content_smoothing))

    def _taken(self, queries: QueryBatch, loans: Loans | None) -> SparseRows:
        """The decayed history over n items; an item that borrows stands for its lenders."""
        width = self._similar.shape[0]
        if loans is None:
            return decayed_history(
                query_history(queries), self.config.basket_decay, width, self.config.max_baskets
            )
        wide = max(width, int(loans.numbers.max()) + 1)
        taken = decayed_history(
            query_history(queries), self.config.basket_decay, wide, self.config.max_baskets
        )
        old, new = taken.split_columns(width, loans.numbers)
        if not len(new.columns):
            return old
        lent = new.matmul_sparse(loans.lenders)
        return old.hstack(lent.scaled(np.full(len(lent), self._share, np.float32)))

    def _borrowed(self, loans: Loans, found: Float32Array) -> Float32Array:
        """float32 [B, N]: what the items that borrow get; NaN for those without a lender."""
        lent: Float32Array = self._share * (loans.lenders @ found.T).T
        lent[:, np.diff(loans.lenders.indptr) == 0] = np.nan
        return lent


def _shares(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """Rows that sum to 1; empty ones stay empty."""
    totals = np.asarray(matrix.sum(axis=1)).ravel()
    scale = np.divide(1, totals, out=np.zeros_like(totals), where=totals > 0)
    return (sparse.diags_array(scale.astype(np.float32)) @ matrix).tocsr()


def _loans(
    vectors: sparse.csr_matrix, lenders: sparse.csr_matrix, config: ItemItemConfig, ties: Ties
) -> sparse.csr_matrix:
    """CSR [n, n]: each item itself, and `lend` shared among the items most like it."""
    shares = _shares(similar(vectors, lenders, config.content_neighbors, ties, itself=True))
    own = sparse.identity(vectors.shape[0], dtype=np.float32, format="csr")
    return (own + np.float32(config.content_smoothing) * shares).tocsr().astype(np.float32)


def _lent(
    loans: sparse.csr_matrix, matrix: Float32Array | sparse.csr_matrix, keep: int, ties: Ties
) -> sparse.csr_matrix:
    """The strongest entries of loans times matrix times loans turned."""
    size = loans.shape[0]
    if size**2 <= _SQUARE:
        matrix = densify_if_full(matrix)
    turned = loans.T.tocsr()

    def lent(block: slice) -> sparse.csr_matrix:
        found = loans[block] @ matrix
        if sparse.issparse(found):
            return _foremost(found @ turned, keep, ties)
        return _foremost(np.ascontiguousarray((loans @ found.T).T), keep, ties)

    blocks = [lent(block) for block in _batches(size)]
    return sparse.vstack(blocks).tocsr() if blocks else loans


def _kept(matrix: Float32Array | sparse.csr_matrix, keep: int, ties: Ties) -> sparse.csr_matrix:
    blocks = [_foremost(matrix[block], keep, ties) for block in _batches(matrix.shape[0])]
    return sparse.vstack(blocks).tocsr() if blocks else sparse.csr_matrix(matrix.shape)


def kept_bytes(size: int) -> int:
    """Bytes to find the largest entries of a batch of full rows, of a matrix so wide."""
    return 16 * size * _step(size)


def _batches(size: int) -> list[slice]:
    """Rows of a square matrix that may be dense in passing."""
    step = _step(size)
    return [slice(start, start + step) for start in range(0, size, step)]


def _step(size: int) -> int:
    return max(1, min(_BATCH, size, _CELLS // max(size, 1)))


def _foremost(block: Any, keep: int, ties: Ties) -> sparse.csr_matrix:
    """The `keep` largest positive entries of each row, of equals the smallest of `ties`."""
    block = densify_if_full(block)
    if not sparse.issparse(block):
        return largest(block, keep, ties)
    positive = filter_entries(block, block.data > 0)
    found = filter_entries(positive, row_topk_mask(positive, keep, ties))
    found.sort_indices()
    return found
