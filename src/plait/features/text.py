"""Splits text into terms, the same way for items and queries.

Chinese has no spaces: runs of Han characters are segmented by jieba. Everything else is split at
characters that are neither letters nor digits, lower-cased, stripped of accents and stemmed by
tantivy.
"""

from __future__ import annotations

import logging
import os
import re
import unicodedata
import weakref
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plait.data.catalogue import Catalogue
from plait.features.shared_work import shared
from plait.features.text_folding import mark_class, replace_signs
from plait.utils.owned_folders import make_owned_folder

if TYPE_CHECKING:
    import tantivy

__all__ = ["Analyzer", "document", "segment_chinese", "title_field", "word_fields", "word_values"]

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
_SEPARATORS = re.compile(r"[\W_]+", re.ASCII)
_TITLE_FIELDS = ("title", "name", "headline", "description")
_WORD_TYPES = ("text", "category", "set")
LONGEST_TERM = 64
"""Longer terms are dropped as noise: hashes, encoded data."""

LONGEST_TEXT = 20_000
"""How many characters of a text are read, from its beginning: an item is a few thousand words."""

_LONGEST_RUN = 500
"""How many characters of Chinese are segmented at a time: the time grows with the square."""


class Analyzer:
    """Cuts text into terms.

    Attributes:
        language: the stemmer as tantivy names it ("english", ...); "" for none.
        tantivy: the analyser that tantivy applies after `normalize`.
    """

    def __init__(self, language: str = "english") -> None:
        self.language = language
        self.tantivy = _tantivy_analyzer(language)

    def terms(self, text: str) -> list[str]:
        """Cut a text into terms.

        Args:
            text: any text.

        Returns:
            The terms in order, repetitions included.
        """
        return list(self.tantivy.analyze(self.normalize(text)))

    def terms_of_texts(self, texts: Sequence[str]) -> list[list[str]]:
        """Cut texts into terms; within `shared_work` each text once.

        Args:
            texts: N texts.

        Returns:
            The terms of each, [N]; they must not be changed.
        """
        return shared(("terms", self.language), texts, self.terms)

    def normalize(self, text: str) -> str:
        """Reduce a text to words separated by single spaces.

        Args:
            text: any text.

        Returns:
            The text in Unicode form NFKC, Chinese segmented, without punctuation; of a longer text
            the first `LONGEST_TEXT` characters.
        """
        text = text[:LONGEST_TEXT]
        if text.isascii():
            return _SEPARATORS.sub(" ", text)
        normalized = unicodedata.normalize("NFKC", replace_signs(text))
        if _HAN.search(normalized):
            normalized = _HAN.sub(lambda run: f" {' '.join(segment_chinese(run[0]))} ", normalized)
        return _separators().sub(" ", normalized)


@cache
def _separators() -> re.Pattern[str]:
    """What separates words of any script: the marks of a letter belong to its word."""
    return re.compile(rf"[^\w{mark_class()}]+|_+")


def segment_chinese(run: str) -> list[str]:
    """Segment a run of Chinese characters.

    Args:
        run: Chinese characters alone.

    Returns:
        The words, with shorter words within long ones before them.
    """
    pieces = (run[at : at + _LONGEST_RUN] for at in range(0, len(run), _LONGEST_RUN))
    return [word for piece in pieces for word in _jieba().cut_for_search(piece)]


def word_fields(catalogue: Catalogue, chosen: Sequence[str] = ()) -> list[str]:
    """List the fields that hold words.

    Args:
        catalogue: the items.
        chosen: field names; none: all fields of type text, category and set.

    Returns:
        The chosen fields that exist.
    """
    if chosen:
        return [name for name in chosen if name in catalogue.columns]
    return [name for name, column in catalogue.columns.items() if column.type in _WORD_TYPES]


def title_field(catalogue: Catalogue) -> str:
    """Guess the field that names an item.

    Args:
        catalogue: the items.

    Returns:
        A field with a usual name, else the first text field, else "".
    """
    usual = [name for name in _TITLE_FIELDS if name in catalogue.columns]
    texts = [name for name, column in catalogue.columns.items() if column.type == "text"]
    return next(iter(usual + texts), "")


def document(catalogue: Catalogue, number: int, fields: Sequence[str]) -> str:
    """Join the words of some fields of an item.

    Args:
        catalogue: the items.
        number: the item number.
        fields: field names, in the order in which they are joined.

    Returns:
        One text; empty fields are left out.
    """
    return " ".join(word_values(catalogue, number, fields))


def word_values(catalogue: Catalogue, number: int, fields: Sequence[str]) -> list[str]:
    """List the words of some fields of an item, value by value.

    Args:
        catalogue: the items.
        number: the item number.
        fields: field names, in their order.

    Returns:
        The texts; each member of a set is one.
    """
    texts: list[str] = []
    for name in fields:
        value = catalogue.columns[name].get(number)
        if isinstance(value, tuple):
            texts += value
        elif value:
            texts.append(str(value))
    return texts


@cache
def _tantivy_analyzer(language: str) -> tantivy.TextAnalyzer:
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
    jieba.dt.tmp_dir = str(private_cache_folder("~/.cache/plait"))
    return jieba


def private_cache_folder(path: str) -> Path:
    """A folder that no other account can write to: jieba keeps its dictionary there, by marshal.

    Args:
        path: The folder to use; it is made if it does not exist.

    Returns:
        The folder, or a new temporary one if others own it or may write to it.
    """
    with suppress(OSError, RuntimeError):  # RuntimeError: the user has no home folder
        folder = Path(path).expanduser()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
        if (
            status.st_uid == os.geteuid()
            and not status.st_mode & 0o022
            and os.access(folder, os.W_OK)
        ):
            return folder
    temporary = make_owned_folder("dictionary")
    weakref.finalize(_jieba, temporary.close)
    return temporary.path
