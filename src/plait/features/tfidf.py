"""Items as sparse TF-IDF vectors of their field values (Salton and Buckley, 1988)."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import sparse

from plait.data.array_types import Float32Array, Int32Array
from plait.data.catalogue import Catalogue, Column
from plait.features.language_detection import AUTO, FALLBACK, Language, resolve_language
from plait.features.shared_work import shared
from plait.features.sparse_topk import _SMALL
from plait.features.text import Analyzer, word_fields
from plait.pipeline.config_validation import Limit, bounded_field

__all__ = ["Tfidf", "TfidfConfig", "l2_normalize_rows"]

_MAX_WEIGHT = 1_000_000
"""The largest weight of a feature: squares of larger ones would overflow float32."""


@dataclass(frozen=True, slots=True)
class TfidfConfig:
    """How fields become features."""

    fields: tuple[str, ...] = ()
    """Fields to read; none: all of type text, category and set."""
    language: Language = "auto"
    """The stemmer, as tantivy names it; "auto": that of the catalogue's language; empty: none."""
    bigram_weight: float = bounded_field(0.7, Limit(least=0, most=_MAX_WEIGHT))
    """The weight of two neighbouring words of a text, relative to one word; 0: none."""
    category_weight: float = bounded_field(2.0, Limit(least=0, most=_MAX_WEIGHT))
    """The weight of a category, relative to a word."""
    set_member_weight: float = bounded_field(0.5, Limit(least=0, most=_MAX_WEIGHT))
    """The weight of a member of a set, relative to a word."""
    min_df: int = bounded_field(2, Limit(least=0))
    """Features of fewer items are dropped."""
    max_df: float = bounded_field(0.3, Limit(least=0, most=1))
    """Features of a larger share of the items are dropped: they say least and cost most."""


@dataclass(frozen=True, slots=True, eq=False)
class Tfidf:
    """A fitted vocabulary.

    Attributes:
        config: how fields become features; after a fit it names the language of the stemmer.
        vocabulary: the column of each of the V features.
        idf: float32 [V], the inverse document frequencies.
    """

    config: TfidfConfig
    vocabulary: dict[str, int] = field(default_factory=dict)
    idf: Float32Array = field(default_factory=lambda: np.zeros(0, np.float32))

    @staticmethod
    def fit(config: TfidfConfig, catalogue: Catalogue) -> tuple[Tfidf, sparse.csr_matrix]:
        """Learn the vocabulary of all living items.

        Args:
            config: how fields become features.
            catalogue: the items.

        Returns:
            The vocabulary, and the unit vectors of all items, float32 CSR [n_items, V]; rows of
            deleted items are empty.

        Raises:
            InputError: if the config names an unknown field.
        """
        catalogue.check_fields(config.fields, "fields")
        config = replace(config, language=resolve_language(config.language, catalogue))
        numbers = np.flatnonzero(catalogue.alive).astype(np.int32)
        reader = Tfidf(config)
        documents = reader._documents(catalogue, numbers)
        counts = Counter(itertools.chain.from_iterable(documents))
        limit = max(config.max_df * len(numbers), _SMALL)
        names = sorted(name for name, count in counts.items() if config.min_df <= count <= limit)
        frequencies = np.array([counts[name] for name in names], np.float32)
        idf = (np.log((1 + len(numbers)) / (1 + frequencies)) + 1).astype(np.float32)
        fitted = Tfidf(config, {name: column for column, name in enumerate(names)}, idf)
        selection = sparse.csr_matrix(
            (np.ones(len(numbers), np.float32), (numbers, np.arange(len(numbers)))),
            shape=(len(catalogue), len(numbers)),
        )
        return fitted, (selection @ fitted._vectors(documents)).tocsr()

    def vectors(self, catalogue: Catalogue, numbers: Int32Array) -> sparse.csr_matrix:
        """Compute the vectors of items, also of items that the fit did not see.

        Args:
            catalogue: the items.
            numbers: int32 [N], item numbers.

        Returns:
            Unit vectors, float32 CSR [N, V].
        """
        return self._vectors(self._documents(catalogue, numbers))

    def text_vectors(self, texts: Sequence[str | None]) -> sparse.csr_matrix:
        """Compute the vectors of free texts.

        Args:
            texts: B texts; None is an empty one.

        Returns:
            Unit vectors, float32 CSR [B, V]; zero where no word is known.
        """
        analyzer = self._analyzer()
        return self._vectors([self._text_features(analyzer, text or "") for text in texts])

    def fields(self, catalogue: Catalogue) -> list[str]:
        """List the fields that are read.

        Args:
            catalogue: the items.

        Returns:
            Field names of the catalogue.
        """
        return word_fields(catalogue, self.config.fields)

    def _documents(self, catalogue: Catalogue, numbers: Int32Array) -> list[dict[str, float]]:
        """The weight of each feature by name, of N items, before any vocabulary."""
        columns = [(name, catalogue.columns[name]) for name in self.fields(catalogue)]
        analyzer = self._analyzer()
        purpose = "tfidf", id(catalogue), replace(self.config, min_df=0, max_df=0)
        return shared(purpose, numbers.tolist(), lambda n: self._features(analyzer, columns, n))

    def _features(
        self, analyzer: Analyzer, columns: Sequence[tuple[str, Column]], number: int
    ) -> dict[str, float]:
        """The weight of each feature of an item."""
        features: dict[str, float] = {}
        for name, column in columns:
            value = column.get(number)
            if value is None:
                continue
            if column.type == "text":
                features.update(self._text_features(analyzer, value))
            elif column.type == "set":
                members = [f"{name}={member}".lower() for member in value]
                features.update(dict.fromkeys(members, self.config.set_member_weight))
            else:
                features[f"{name}={value}".lower()] = self.config.category_weight
        return features

    def _analyzer(self) -> Analyzer:
        language = self.config.language
        return Analyzer(FALLBACK if language == AUTO else language)

    def _text_features(self, analyzer: Analyzer, text: str) -> dict[str, float]:
        """The features of one text: its terms, and pairs of neighbouring terms."""
        terms = analyzer.terms_of_texts([text])[0]
        features = dict.fromkeys(terms, 1.0)
        if self.config.bigram_weight:
            bigrams = map(" ".join, itertools.pairwise(terms))
            features.update(dict.fromkeys(bigrams, self.config.bigram_weight))
        return features

    def _vectors(self, documents: Sequence[dict[str, float]]) -> sparse.csr_matrix:
        """Unit vectors from the features of each document, float32 CSR, columns sorted."""
        names = itertools.chain.from_iterable(documents)
        all_columns = np.array([self.vocabulary.get(name, -1) for name in names], np.int32)
        all_weights = itertools.chain.from_iterable(features.values() for features in documents)
        is_known = all_columns >= 0
        columns = all_columns[is_known]
        weights = np.fromiter(all_weights, np.float32, len(all_columns))[is_known]
        weights *= self.idf[columns]
        ends = np.cumsum([0, *map(len, documents)])
        offsets = np.append(0, np.cumsum(is_known))[ends]
        shape = (len(documents), len(self.vocabulary))
        matrix = sparse.csr_matrix((weights, columns, offsets), shape=shape)
        matrix.sort_indices()
        return l2_normalize_rows(matrix)


def l2_normalize_rows(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """Scale the rows of a sparse matrix to length 1.

    Args:
        matrix: CSR.

    Returns:
        The same rows; empty ones stay empty.
    """
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    scale = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    return (sparse.diags_array(scale.astype(np.float32)) @ matrix).tocsr()
