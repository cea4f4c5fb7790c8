"""Items as sparse vectors of what their typed fields say (TF-IDF, Salton & Buckley, 1988)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from plait.data.catalogue import Catalogue
from plait.data.types import Float32Array, Int32Array
from plait.features.text import Analyzer, word_fields
from plait.pipeline.array_files import read_arrays, read_strings, write_arrays, write_strings
from plait.pipeline.constraints import Limit, bounded_field

__all__ = ["Tfidf", "TfidfConfig", "largest", "similar", "unit"]

_BATCH = 1024
_FEW = 100
"""So many items may always share a feature, however small the catalogue."""
_MOST = 1_000_000
"""What a feature may be worth at most: squares of more would not stay finite in float32."""


@dataclass(frozen=True, slots=True)
class TfidfConfig:
    """How fields become features."""

    fields: tuple[str, ...] = ()
    """Fields to read; none: all of type text, category and set."""
    language: str = "english"
    """The stemmer, as tantivy names it; empty for none."""
    bigram_weight: float = bounded_field(0.7, Limit(least=0, most=_MOST))
    """What two neighbouring words of a text are worth against one; 0: nothing."""
    category_weight: float = bounded_field(2.0, Limit(least=0, most=_MOST))
    """What a category is worth against a word."""
    set_member_weight: float = bounded_field(0.5, Limit(least=0, most=_MOST))
    """What a member of a set is worth against a word."""
    min_df: int = bounded_field(2, Limit(least=0))
    """In how many items a feature must occur to count."""
    max_df: float = bounded_field(0.3, Limit(least=0, most=1))
    """In what share of the items a feature may occur: beyond, it says nothing and costs most."""


@dataclass(frozen=True, slots=True, eq=False)
class Tfidf:
    """A vocabulary and its weights; `idf` float32 [V]."""

    config: TfidfConfig
    vocabulary: dict[str, int] = field(default_factory=dict)
    idf: Float32Array = field(default_factory=lambda: np.zeros(0, np.float32))

    @staticmethod
    def fit(config: TfidfConfig, catalogue: Catalogue) -> tuple[Tfidf, sparse.csr_matrix]:
        """Learn the vocabulary of all living items; also their vectors [n_items, V].

        InputError if the config names a field that no item has.
        """
        catalogue.check_fields(config.fields, "fields")
        numbers = np.nonzero(catalogue.alive)[0].astype(np.int32)
        reader = Tfidf(config)
        features = [reader.features(catalogue, int(one)) for one in numbers]
        counts: dict[str, int] = {}
        for found in features:
            for name in found:
                counts[name] = counts.get(name, 0) + 1
        most = max(config.max_df * len(numbers), _FEW)
        names = sorted(name for name, count in counts.items() if config.min_df <= count <= most)
        often = np.array([counts[name] for name in names], np.float32)
        idf = (np.log((1 + len(numbers)) / (1 + often)) + 1).astype(np.float32)
        fitted = Tfidf(config, {name: place for place, name in enumerate(names)}, idf)
        vectors = fitted._vectors(features)
        wide = sparse.csr_matrix(
            (np.ones(len(numbers), np.float32), (numbers, np.arange(len(numbers)))),
            shape=(len(catalogue), len(numbers)),
        )
        return fitted, (wide @ vectors).tocsr()

    def vectors(self, catalogue: Catalogue, numbers: Int32Array) -> sparse.csr_matrix:
        """Unit vectors float32 CSR [len(numbers), V] of items, also of ones unseen at the fit."""
        return self._vectors([self.features(catalogue, int(one)) for one in numbers])

    def text_vectors(self, texts: Sequence[str | None]) -> sparse.csr_matrix:
        """Unit vectors of free text, float32 CSR [len(texts), V]; zero where nothing is known."""
        return self._vectors([self._text(one or "") for one in texts])

    def fields(self, catalogue: Catalogue) -> list[str]:
        """The fields that are read."""
        return word_fields(catalogue, self.config.fields)

    def features(self, catalogue: Catalogue, number: int) -> dict[str, float]:
        """What the fields of an item say, each feature with its weight."""
        found: dict[str, float] = {}
        for name in self.fields(catalogue):
            column = catalogue.columns[name]
            value = column.get(number)
            if value is None:
                continue
            if column.type == "text":
                found.update(self._text(value))
            elif column.type == "set":
                found.update(
                    {f"{name}={one}".lower(): self.config.set_member_weight for one in value}
                )
            else:
                found[f"{name}={value}".lower()] = self.config.category_weight
        return found

    def save(self, folder: Path) -> None:
        """Write vocabulary and weights."""
        write_strings(folder / "vocabulary.json", list(self.vocabulary))
        write_arrays(folder / "idf.safetensors", {"idf": self.idf})

    @classmethod
    def load(cls, config: TfidfConfig, folder: Path) -> Self:
        """Read what `save` wrote."""
        words = read_strings(folder / "vocabulary.json")
        idf = read_arrays(folder / "idf.safetensors")["idf"]
        return cls(config, {word: place for place, word in enumerate(words)}, idf)

    def _text(self, text: str) -> dict[str, float]:
        terms = Analyzer(self.config.language).terms(text)
        found = dict.fromkeys(terms, 1.0)
        if self.config.bigram_weight:
            pairs = itertools.pairwise(terms)
            found.update({f"{one} {two}": self.config.bigram_weight for one, two in pairs})
        return found

    def _vectors(self, features: Sequence[dict[str, float]]) -> sparse.csr_matrix:
        places: list[int] = []
        values: list[float] = []
        offsets = [0]
        for found in features:
            known = [
                (self.vocabulary[name], worth)
                for name, worth in found.items()
                if name in self.vocabulary
            ]
            places.extend(place for place, _ in known)
            values.extend(worth for _, worth in known)
            offsets.append(len(places))
        columns = np.array(places, np.int32)
        weights = np.array(values, np.float32) * self.idf[columns]
        shape = (len(features), len(self.vocabulary))
        matrix = sparse.csr_matrix((weights, columns, offsets), shape=shape)
        matrix.sort_indices()
        return unit(matrix)


def unit(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """The same rows with length 1; empty ones stay empty."""
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    scale = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    return (sparse.diags_array(scale.astype(np.float32)) @ matrix).tocsr()


def similar(
    vectors: sparse.csr_matrix,
    among: sparse.csr_matrix,
    count: int,
    tiebreak: npt.NDArray[np.uint64],
    *,
    itself: bool,
) -> sparse.csr_matrix:
    """The `count` most similar rows of `among` for every row of `vectors`, cosine, as CSR.

    `tiebreak` uint64 [rows of `among`]: of equals the smallest are taken. `itself`: both are the
    same items, and none is its own neighbour.
    """
    few = vectors.shape[0] <= _FEW
    turned = None if few else among.T.tocsr()
    blocks: list[Any] = []
    for start in range(0, vectors.shape[0], _BATCH):
        rows = vectors[start : start + _BATCH]
        # A few new items are not worth turning the whole matrix for.
        block = (among @ rows.T.toarray()).T if turned is None else (rows @ turned).toarray()
        if itself:
            inside = np.arange(len(block))
            block[inside, inside + start] = 0
        blocks.append(largest(block, count, tiebreak))
    if not blocks:
        return sparse.csr_matrix((0, among.shape[0]), dtype=np.float32)
    return sparse.vstack(blocks).tocsr()


def largest(block: Float32Array, count: int, tiebreak: npt.NDArray[np.uint64]) -> sparse.csr_matrix:
    """The `count` largest positive entries of each dense row, as CSR.

    Of equals those whose column has the smallest `tiebreak`, uint64 [columns].
    """
    size = block.shape[1]
    if not 0 < count < size:
        return sparse.csr_matrix(np.maximum(block, 0) if count else np.zeros_like(block))
    # Values are several times faster to part than places, and many entries are zero.
    border = np.partition(block, size - count, axis=1)[:, size - count, None]
    kept = (block >= border) & (block > 0)
    spare = np.count_nonzero(kept, axis=1) - count
    tied = np.flatnonzero(spare > 0)
    equal = block[tied] == border[tied]
    room = np.count_nonzero(equal, axis=1) - spare[tied]
    order = np.argsort(tiebreak)
    first = np.empty_like(equal)
    first[:, order] = np.cumsum(equal[:, order], axis=1) <= room[:, None]
    kept[tied] &= ~equal | first
    rows, columns = np.nonzero(kept)
    offsets = np.searchsorted(rows, np.arange(len(block) + 1))
    return sparse.csr_matrix((block[rows, columns], columns, offsets), shape=block.shape)
