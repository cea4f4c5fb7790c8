"""Baselines: BM25 with the usual parameters, over all text of an item as one field."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from scipy import sparse

from plait.data.array_types import Float32Array
from plait.data.catalogue import Catalogue
from plait.features.language_detection import detect_language
from plait.features.text import Analyzer, document, word_fields

__all__ = ["Bm25s", "PlainBm25"]

_K1, _B = 1.2, 0.75


class PlainBm25:
    """BM25 (Robertson and Zaragoza, 2009), k1 = 1.2 and b = 0.75, without corrections.

    Args:
        catalogue: The items.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._analyzer = Analyzer(detect_language(catalogue))
        fields = word_fields(catalogue)
        self._columns: dict[str, int] = {}
        rows, columns, counts = [], [], []
        for number in np.flatnonzero(catalogue.alive).tolist():
            terms = Counter(self._analyzer.terms(document(catalogue, number, fields)))
            for term, count in terms.items():
                rows.append(number)
                columns.append(self._columns.setdefault(term, len(self._columns)))
                counts.append(count)
        shape = (len(catalogue), max(len(self._columns), 1))
        frequencies = sparse.csr_matrix((np.array(counts, np.float32), (rows, columns)), shape)
        lengths = np.asarray(frequencies.sum(axis=1)).ravel()
        n_items = max(int((lengths > 0).sum()), 1)
        document_counts = frequencies.getnnz(axis=0)
        idf = np.log1p((n_items - document_counts + 0.5) / (document_counts + 0.5))
        relative = lengths / max(float(lengths.sum()) / n_items, 1e-9)
        norms = (_K1 * (1 - _B + _B * relative))[frequencies.nonzero()[0]]
        data = frequencies.data
        frequencies.data = (data * (_K1 + 1) / (data + norms)).astype(np.float32)
        self._weights = (frequencies @ sparse.diags_array(idf.astype(np.float32))).tocsc()

    def scores(self, text: str) -> Float32Array:
        """Score all items.

        Args:
            text: The words of a query.

        Returns:
            float32 [n], 0 where no word matches.
        """
        terms = set(self._analyzer.terms(text))
        columns = [self._columns[term] for term in terms if term in self._columns]
        scores = np.zeros(self._weights.shape[0], np.float32)
        for column in columns:
            start, end = self._weights.indptr[column : column + 2].tolist()
            scores[self._weights.indices[start:end]] += self._weights.data[start:end]
        return scores


class Bm25s:
    """The library bm25s with its defaults (Lù, 2024); it must be installed.

    Args:
        catalogue: The items.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        import bm25s

        fields = word_fields(catalogue)
        numbers = np.flatnonzero(catalogue.alive).tolist()
        texts = [document(catalogue, number, fields) for number in numbers]
        self._bm25s: Any = bm25s
        self._numbers, self._n_items = numbers, len(catalogue)
        self._index = bm25s.BM25()
        self._index.index(bm25s.tokenize(texts, show_progress=False), show_progress=False)

    def scores(self, text: str) -> Float32Array:
        """Score all items.

        Args:
            text: The words of a query.

        Returns:
            float32 [n], 0 where no word matches.
        """
        scores = np.zeros(self._n_items, np.float32)
        words = self._bm25s.tokenize(text, return_ids=False, show_progress=False)[0]
        known = [word for word in words if word in self._index.vocab_dict]
        if known:
            scores[self._numbers] = self._index.get_scores(known)
        return scores
