"""From text to terms, the same way for items and queries.

Chinese has no spaces: runs of Han characters are cut by jieba. Everything else is split at whatever
is no letter or digit, lower-cased, stripped of accents and stemmed by tantivy.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from plait.data.catalogue import Catalogue

if TYPE_CHECKING:
    import tantivy

__all__ = ["Analyzer", "document", "title_field", "word_fields"]

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
_GAP = re.compile(r"[^\w]+|_+")
_TITLES = ("title", "name", "headline", "description")
_WORDY = ("text", "category", "set")
LONGEST_TERM = 64
"""Longer terms are noise: hashes, encoded data."""


class Analyzer:
    """Cuts text into terms; `language` names the stemmer ("english", ...; "" for none)."""

    def __init__(self, language: str = "english") -> None:
        self.language = language
        self.tantivy = _analyzer(language)

    def terms(self, text: str) -> list[str]:
        """The terms of a text, in order, repetitions kept."""
        return list(self.tantivy.analyze(self.spaced(text)))

    def count(self, spaced: str) -> int:
        """How many terms a text has that `spaced` made."""
        words = spaced.split()
        if max(map(len, words), default=0) * 4 < LONGEST_TERM:  # nothing is too long, in any script
            return len(words)
        return len(self.tantivy.analyze(spaced))

    def spaced(self, text: str) -> str:
        """The text with nothing but words and single spaces."""
        plain = unicodedata.normalize("NFKC", text)
        if _HAN.search(plain):
            plain = _HAN.sub(lambda run: f" {' '.join(_jieba().cut_for_search(run[0]))} ", plain)
        return _GAP.sub(" ", plain)


def word_fields(catalogue: Catalogue, chosen: Sequence[str] = ()) -> list[str]:
    """The fields that hold words: `chosen`, or all of type text, category and set."""
    if chosen:
        return [name for name in chosen if name in catalogue.columns]
    return [name for name, column in catalogue.columns.items() if column.type in _WORDY]


def title_field(catalogue: Catalogue) -> str:
    """The field that names an item, "" if there is none."""
    found = [name for name in _TITLES if name in catalogue.columns]
    if found:
        return found[0]
    texts = [name for name, one in catalogue.columns.items() if one.type == "text"]
    return texts[0] if texts else ""


def document(catalogue: Catalogue, number: int, fields: Sequence[str]) -> str:
    """The words of the named fields of one item as one text."""
    values = (catalogue.columns[name].get(number) for name in fields)
    parts = (" ".join(one) if isinstance(one, tuple) else str(one) for one in values if one)
    return " ".join(parts)


@cache
def _analyzer(language: str) -> tantivy.TextAnalyzer:
    import tantivy

    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace())
    builder = builder.filter(tantivy.Filter.lowercase()).filter(tantivy.Filter.ascii_fold())
    builder = builder.filter(tantivy.Filter.remove_long(LONGEST_TERM))
    if language:
        builder = builder.filter(tantivy.Filter.stemmer(language))
    return builder.build()


@cache
def _jieba() -> Any:
    import warnings

    with warnings.catch_warnings():  # jieba imports pkg_resources where it exists, which warns
        warnings.simplefilter("ignore")
        import jieba
    jieba.setLogLevel(logging.WARNING)
    return jieba
